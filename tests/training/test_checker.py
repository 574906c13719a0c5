"""The reward by the checks: rationales of the shop, as a split froze them, with faults planted in them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from curation.checks.text_checks import check_text
from curation.rationales.rationale import TIER_NAMES
from tests.curation.conftest import rows, shop_store
from tests.training.conftest import QUICK, TRAIN
from tests.training.test_stages import GROUPS
from training.checker import read_checker
from training.payload import read_payload
from training.rewards import COMPONENTS, Rewards, Score
from warehouse.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.curation.conftest import RunCommand
    from tests.training.conftest import Train

__all__ = ["shop_store"]

TAUGHT = "taught_v1"
SOUND = dict.fromkeys(COMPONENTS, 1.0)


@pytest.fixture(scope="session")
def taught_store(shop_store: Path, tmp_path_factory: pytest.TempPathFactory, command: RunCommand) -> Path:
    """`shop_store` with `TAUGHT`, a split with a rationale for each of its 80 pairs. Copy before changing it."""
    copy = tmp_path_factory.mktemp("taught") / "shop.duckdb"
    copy.write_bytes(shop_store.read_bytes())
    command("curation", "rationales", "--teacher", "shop", "--db", copy)
    split = ("split", "create", "taught", "--rationales", "shop", "--prompt", "reason-first")
    command("curation", *split, "--db", copy)
    return copy


@pytest.fixture
def taught(taught_store: Path, tmp_path: Path) -> Path:
    """A copy of `taught_store` to change."""
    copy = tmp_path / "taught.duckdb"
    copy.write_bytes(taught_store.read_bytes())
    return copy


@pytest.fixture(scope="session")
def payload(taught_store: Path) -> list[dict[str, Any]]:
    """Rows of `TAUGHT` for GRPO, each with its rationale as completion."""
    return read_payload(Store(taught_store), TAUGHT, "grpo").rows


def scores(
    rewards: Rewards,
    payload: list[dict[str, Any]],
    change: Callable[[dict[str, Any]], str] = lambda row: row["completion"],
    *,
    finished: bool = True,
) -> list[Score]:
    """Scores of the completions of `payload`, each as `change` makes it."""
    completions = [[{"role": "assistant", "content": change(row)}] for row in payload]
    return rewards.scores(completions, [{**row, "finished": finished} for row in payload])


def rewards_of(store: Path) -> Rewards:
    return Rewards(SOUND, read_checker(Store(store), TAUGHT))


def with_verdict(row: dict[str, Any], tier: int) -> str:
    text = re.sub(r"^Verdict: \w+", f"Verdict: {TIER_NAMES[tier]}", row["completion"], flags=re.MULTILINE)
    return text.replace(f"Tier: {row['tier']}", f"Tier: {tier}")


def with_line(row: dict[str, Any], key: str, added: str) -> str:
    text, changed = re.subn(rf"^{key}: .*$", rf"\g<0>, {added}", row["completion"], flags=re.MULTILINE)
    assert changed == 1
    return text


def test_rationales_that_hold_get_everything(taught_store: Path, payload: list[dict[str, Any]]) -> None:
    found = scores(rewards_of(taught_store), payload)
    assert len(found) == 80
    assert [score.components for score in found] == [SOUND] * 80


@pytest.mark.parametrize("by", [1, 2, 3])
def test_a_verdict_that_the_steps_do_not_lead_to_is_not_consistent(
    taught_store: Path, payload: list[dict[str, Any]], by: int
) -> None:
    """The prompt shows no rules; the steps go through those that the split's rationales were written under."""
    found = scores(
        rewards_of(taught_store), payload, lambda row: with_verdict(row, (row["tier"] - 1 + by) % 4 + 1)
    )
    assert {score.outcome for score in found} == {"wrong"}
    for score in found:
        assert {**score.components, "correct": 1, "ordinal": 1} == {**SOUND, "consistent": 0}


@pytest.mark.parametrize(
    ("key", "added", "lowered", "most"),
    [("Item", "773 cm", "grounded", 0.1), ("Rules", "no-such-rule", "cited", 0)],
)
def test_a_claim_or_rule_that_nothing_states_costs_its_component_alone(
    taught_store: Path, payload: list[dict[str, Any]], key: str, added: str, lowered: str, most: float
) -> None:
    for score in scores(rewards_of(taught_store), payload, lambda row: with_line(row, key, added)):
        assert 0 <= score.components[lowered] <= most
        assert {**score.components, lowered: 1.0} == SOUND


def test_what_was_cut_off_is_not_formed(taught_store: Path, payload: list[dict[str, Any]]) -> None:
    for score in scores(rewards_of(taught_store), payload, finished=False):
        assert score.components == {**SOUND, "formed": 0}


def test_less_sure_findings_cost_less_and_another_tier_in_prose_costs_all(
    taught_store: Path, payload: list[dict[str, Any]]
) -> None:
    rewards = rewards_of(taught_store)
    excellent = [row for row in payload if row["tier"] == 4][:1]

    def consistent(text: str) -> float:
        [score] = scores(rewards, excellent, lambda _row: text)
        return score.components["consistent"]

    assert consistent("The item has nothing to do with the query.\nTier: 4") == pytest.approx(0.3)
    assert consistent("The tier is 1. It is what the query asks for.\nTier: 4") == 0
    assert consistent("It is what the query asks for.\nTier: 4") == 1


def test_a_rationale_that_cannot_be_read_may_not_contradict_itself_either(
    taught_store: Path, payload: list[dict[str, Any]]
) -> None:
    def broken(row: dict[str, Any]) -> str:
        """Lines without their category step, and another tier among them."""
        text = re.sub(
            r"^Category: .*$", f"Tier: {row['tier'] % 4 + 1}", row["completion"], flags=re.MULTILINE
        )
        return str(text)

    for score in scores(rewards_of(taught_store), payload, broken):
        assert (score.components["consistent"], score.components["formed"]) == (0, 0)


def test_texts_are_checked_once_and_only_if_a_component_needs_it(
    taught_store: Path, payload: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    checker = read_checker(Store(taught_store), TAUGHT)
    checked: list[str] = []

    def counted(text: Any, vocabulary: Any) -> Any:
        checked.append(text.text)
        return check_text(text, vocabulary)

    monkeypatch.setattr("curation.checks.given.check_text", counted)
    batch: dict[str, Any] = {
        "completions": [[{"content": row["completion"]}] for row in payload],
        "finished": [True] * len(payload),
        **{name: [row[name] for row in payload] for name in ("pair_id", "tier", "format")},
    }
    # One of them states no tier, and gets 0 whatever else it says.
    batch["completions"][0] = [{"content": "The item is what the query asks for."}]
    unchecked = Rewards({"correct": 1, "ordinal": 0.5, "format": 0.25}, checker)
    assert [function(**batch)[0] for function in unchecked.functions] == [0, 0, 0]
    assert not checked
    rewards = Rewards(SOUND, checker)
    values = {function.__name__: function(trainer_state=None, **batch)[:2] for function in rewards.functions}
    assert values == {name: [0, 1] for name in COMPONENTS}
    assert checked == [row["completion"] for row in payload[1:]]


def test_pairs_are_as_the_split_froze_them(taught: Path, payload: list[dict[str, Any]]) -> None:
    before = read_checker(Store(taught), TAUGHT).given
    with duckdb.connect(str(taught)) as connection:
        connection.execute("UPDATE queries SET kind = 'of another kind'")
        connection.execute("UPDATE pairs SET item_version_id = gen_random_uuid()")
    after = read_checker(Store(taught), TAUGHT).given
    assert after == before
    assert after.keys() == {row["pair_id"] for row in payload}


def test_the_rulebook_is_that_of_the_splits_rationales(taught: Path, payload: list[dict[str, Any]]) -> None:
    def consistent() -> set[float]:
        flipped = scores(rewards_of(taught), payload, lambda row: with_verdict(row, row["tier"] % 4 + 1))
        return {score.components["consistent"] for score in flipped}

    with duckdb.connect(str(taught)) as connection:
        connection.execute("DELETE FROM split_completions USING (FROM pairs WHERE tier < 4) p "
                           "WHERE p.pair_id = split_completions.pair_id")  # fmt: skip
    assert consistent() == {0}
    with duckdb.connect(str(taught)) as connection:
        connection.execute("DELETE FROM split_completions")
    assert consistent() == {1}


def test_grpo_logs_the_components_that_were_asked_for(
    store: Path, speaking_model: Path, tmp_path: Path, train: Train, command: RunCommand
) -> None:
    asked = ("--split", TRAIN, "--model", speaking_model, "--out", tmp_path / "trained", "--db", store)
    weights = ("--reward", "consistent=0", "--reward", "grounded=0.25", "--reward", "formed=0.5")
    train("grpo", *asked, *QUICK, *GROUPS, *weights)
    logged = rows(
        command,
        store,
        "SELECT split_part(metric, '/', 2) AS component, value FROM training_metrics "
        "WHERE metric LIKE 'rewards/%/mean' ORDER BY step",
    )
    by_name = {row["component"]: [other["value"] for other in logged if other["component"] == row["component"]]
               for row in logged}  # fmt: skip
    assert by_name.keys() == {"correct", "ordinal", "format", "consistent", "grounded", "formed"}
    # It learned to state a tier and no reason for it.
    assert by_name["formed"] == [0, 0]
    assert by_name["consistent"] == by_name["grounded"]
    assert all(0 < value <= 1 for value in by_name["grounded"])
    rewards = rows(command, store, "SELECT value FROM training_metrics WHERE metric = 'reward' ORDER BY step")
    for step, row in enumerate(rewards):
        expected = (
            by_name["correct"][step]
            + 0.5 * by_name["ordinal"][step]
            + 0.25 * by_name["format"][step]
            + 0.25 * by_name["grounded"][step]
        )
        assert row["value"] == pytest.approx(expected, abs=1e-4)
