"""Error against length, where chains are lost, and answers first: on chains whose numbers are known."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from curation.backends import Decoding
from tests.curation.chains import continued, sampled
from tests.curation.conftest import MAPPING, command, offline, tiny_model
from tests.curation.rationales.conftest import Scripted

if TYPE_CHECKING:
    from pathlib import Path

    from tests.curation.conftest import RunCommand

__all__ = ["command", "offline", "tiny_model"]

ONE = "It is a shelf.\nTier: {}"
TWO = "It is a shelf. Its colour is another.\nTier: {}"
THREE = "It is a shelf. It is red. Its colour is another.\nTier: {}"


@pytest.fixture
def store(tmp_path: Path, command: RunCommand) -> Path:
    """Three queries with a pair each, of tier 3."""
    judged, store = tmp_path / "judged.csv", tmp_path / "tierwise.duckdb"
    judged.write_text(
        "query,title,description,label\n" + "".join(f"shelf {n},Item {n},text {n},3\n" for n in range(3))
    )
    command("curation", "ingest", "table", judged, *MAPPING, "--db", store)
    return store


def chains(command: RunCommand, store: Path, *more: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(command("eval", "chains", "--json", "--db", store, *more).stdout)
    return found


def test_error_by_number_of_steps_and_by_a_further_step_within_a_pair(
    command: RunCommand, store: Path, tiny_model: Path
) -> None:
    # Within the first pair a further step is wrong more often, within the second less; the third has one length.
    sampled(
        store, tiny_model, [ONE.format(3), ONE.format(3), THREE.format(1), THREE.format(3)], title="Item 0"
    )
    sampled(store, tiny_model, [ONE.format(1), TWO.format(3)], title="Item 1")
    sampled(store, tiny_model, [THREE.format(1), THREE.removesuffix("\nTier: {}")], title="Item 2")
    found = chains(command, store)
    assert (found["chains"], found["pairs"], found["queries"]) == (8, 3, 3)
    by_steps = {tuple(row["steps"]): row for row in found["lengths"]}
    assert by_steps.keys() == {(1, 1), (2, 2), (3, 3)}
    assert [by_steps[n, n]["chains"] for n in (1, 2, 3)] == [3, 1, 4]
    assert [by_steps[n, n]["wrong"]["value"] for n in (1, 2, 3)] == pytest.approx([1 / 3, 0, 3 / 4])
    assert by_steps[3, 3]["unparsable"] == pytest.approx(1 / 4)
    assert by_steps[3, 3]["with_findings"] is None
    # Of the first pair, lengths −1, −1, 1, 1 and errors −¼, −¼, ¾, −¼; of the second ∓½ and ±½.
    assert found["slope"]["value"] == pytest.approx(
        (1 / 4 + 1 / 4 + 3 / 4 - 1 / 4 - 1 / 4 - 1 / 4) / (4 + 1 / 2)
    )
    assert found["slope"]["low"] <= found["slope"]["value"] <= found["slope"]["high"]
    assert (found["lost"], found["answer_first"]) == ([], None)
    command("curation", "check", "--db", store)
    checked = {tuple(row["steps"]): row["with_findings"] for row in chains(command, store)["lengths"]}
    assert checked[3, 3] > checked[2, 2] >= 0
    table = command("eval", "chains", "--db", store).stdout
    assert "8 chains of 3 pairs, 3 queries" in table
    assert "A further step, within a pair: wrong by" in table


def lost_at(found: dict[str, Any]) -> dict[str, float]:
    """Where chains were lost, at all."""
    return {row["step"]: row["lost"]["value"] for row in found["lost"] if row["lost"]["value"]}


def test_a_wrong_chain_is_lost_where_no_continuation_comes_back_to_gold(
    command: RunCommand, store: Path, tiny_model: Path
) -> None:
    sampled(store, tiny_model, [THREE.format(1)], title="Item 0")
    sampled(store, tiny_model, [TWO.format(1)], title="Item 1")
    sampled(store, tiny_model, [ONE.format(1)], title="Item 2")
    assert chains(command, store)["lost"] == []

    def says(beginning: str, tried: int) -> str:
        return f"\nTier: {1 if 'another' in beginning else 3}"

    continued(store, Scripted(says), rollouts=2)
    found = chains(command, store)
    assert found["continued_wrong"] == 3
    assert lost_at(found) == pytest.approx({"step 2": 1 / 3, "step 3": 1 / 3, "the tier itself": 1 / 3})
    values = {row["step"]: row["value"] for row in found["lost"]}
    assert (values["step 1"], values["step 2"], values["step 3"]) == (1.0, 0.5, 0.0)
    assert "the tier itself" in command("eval", "chains", "--db", store).stdout


def test_the_prompt_is_judged_by_the_other_chains_of_its_pair(
    command: RunCommand, store: Path, tiny_model: Path
) -> None:
    # One chain alone says nothing of its prompt; wrong ones beside it that it was never open, a right one that it was.
    sampled(store, tiny_model, [TWO.format(1)], title="Item 0")
    sampled(store, tiny_model, [TWO.format(1), ONE.format(1), ONE.format(2)], title="Item 1")
    sampled(store, tiny_model, [TWO.format(1), ONE.format(3)], title="Item 2")
    continued(store, Scripted(lambda *_: "\nTier: 2"), rollouts=2)
    assert lost_at(chains(command, store)) == pytest.approx({"the prompt alone": 1 / 3, "step 1": 2 / 3})


def test_a_chain_that_ran_to_its_limit_was_lost_there_and_what_was_cut_through_is_no_step(
    command: RunCommand, store: Path, tiny_model: Path
) -> None:
    sampled(store, tiny_model, ["It is a shelf. Its colour is anoth"], title="Item 0")
    with duckdb.connect(str(store)) as connection:
        connection.execute("UPDATE samples SET finish_reason = 'length'")
    continued(store, Scripted(lambda *_: "\nTier: 3"), rollouts=2)
    found = chains(command, store)
    assert lost_at(found) == {"the token limit": 1}
    assert [tuple(row["steps"]) for row in found["lengths"]] == [(1, 1)]


def test_an_empty_answer_is_a_wrong_one(command: RunCommand, store: Path, tiny_model: Path) -> None:
    sampled(store, tiny_model, [ONE.format(3), "", ""], title="Item 0")
    assert [(row["chains"], row["wrong"]["value"]) for row in chains(command, store)["lengths"]] == [
        (2, 1.0),
        (1, 0.0),
    ]


def test_chains_that_were_continued_in_part_do_not_count(
    command: RunCommand, store: Path, tiny_model: Path
) -> None:
    from curation.budget import Budget

    sampled(store, tiny_model, [THREE.format(1)], title="Item 0")
    continued(store, Scripted(lambda *_: "\nTier: 1"), rollouts=2, budget=Budget(tokens=1))
    assert chains(command, store)["lost"] == []


def test_answers_first_stand_beside_the_chains_of_the_same_pairs(
    command: RunCommand, store: Path, tiny_model: Path
) -> None:
    reasons = sampled(store, tiny_model, [ONE.format(1), ONE.format(3)], title="Item 0")
    sampled(store, tiny_model, [ONE.format(1), ONE.format(1)], title="Item 1")
    sampled(store, tiny_model, [ONE.format(1), ONE.format(1)], title="Item 2")
    first = partial(sampled, store, tiny_model, prompt="answer-first", decoding=Decoding(guided=True))
    first(["3\nIt fits.", "3\nIt fits."], title="Item 0")
    answers = first(["3\nIt fits.", "1\nIt does not."], title="Item 1")
    found = chains(command, store, "--configuration", reasons)["answer_first"]
    assert answers[:8] in found["configuration"]
    assert found["pairs"] == 2
    assert found["wrong"]["value"] == pytest.approx(1 / 4)
    assert found["chains_wrong"]["value"] == pytest.approx(3 / 4)
    assert found["less"]["value"] == pytest.approx(1 / 2)
    # Weighted by pairs: half of the first and all of the second is wrong; answers to them are right by 1 and by ½.
    assert found["saved"]["value"] == pytest.approx((1 / 2 * 1 + 1 * 1 / 2) / (1 / 2 + 1))
    assert found["lost"]["value"] == pytest.approx(0)
    assert found["tokens_to_tier"] == pytest.approx(50)
    wrong_way = ("--configuration", answers, "--answer-first", answers, "--db", str(store))
    assert "against one that is reason-first" in command("eval", "chains", *wrong_way, code=1).stderr


def test_what_stands_behind_an_answer_is_a_chain_too(
    command: RunCommand, store: Path, tiny_model: Path
) -> None:
    texts = ["3\nIt fits. It is red.", "3\nIt fits.", "1\nIt does not. It is blue."]
    sampled(store, tiny_model, texts, title="Item 0", prompt="answer-first", decoding=Decoding(guided=True))
    found = chains(command, store)
    assert [(row["steps"], row["chains"], row["wrong"]["value"]) for row in found["lengths"]] == [
        ([1, 1], 1, 0),
        ([2, 2], 2, 0.5),
    ]
    assert found["answer_first"] is None


def test_chains_of_a_split(command: RunCommand, store: Path, tiny_model: Path) -> None:
    sampled(store, tiny_model, [ONE.format(1), ONE.format(3)], title="Item 0")
    sampled(store, tiny_model, [THREE.format(1), THREE.format(1)], title="Item 1")
    where = ("--role", "eval", "--where", "title = 'Item 1'", "--db", str(store))
    command("curation", "split", "create", "judged", *where)
    found = chains(command, store, "--split", "judged_v1")
    assert (found["chains"], found["pairs"]) == (2, 1)
    assert [row["steps"] for row in found["lengths"]] == [[3, 3]]
    unknown = command("eval", "chains", "--split", "nope_v1", "--db", store, code=1).stderr
    assert "nope_v1" in unknown


def test_nothing_sampled_is_said(command: RunCommand, store: Path) -> None:
    assert "no finished sampling run" in command("eval", "chains", "--db", store, code=1).stderr
