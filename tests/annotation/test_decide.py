"""What people say of samples changes what is taught, and who said so can be traced."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from annotation.review.agreement import measure
from annotation.review.consensus import decide
from curation.__main__ import main as curation
from tests.annotation.shelf import Judged, People, ask, fill, flawed, run_curation, sound
from tests.warehouse.support import ROOT, cli
from warehouse.errors import TierwiseError
from warehouse.ledger import Run
from warehouse.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from tests.annotation.conftest import Served
    from tests.annotation.shelf import Desk

PAN = Judged("red pan", "Wok", 3, ("3\nIt is a pan.", "3\nA wok is a pan.", "1\nA hat.", "2\nA pot, nearly."))
SOCK = Judged("wool sock", "Sock", 4, ("4\nA sock of wool.", "1\nA hat."))
HAT = Judged("felt hat", "Hat", 2, ("2\nIt is a cap.", "4\nA hat."))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "x.duckdb")
    fill(made, [PAN, SOCK, HAT])
    run_curation(made, "grade")
    return made


def outcomes(store: Store) -> dict[str, tuple[Any, ...]]:
    return {
        str(sample): tuple(rest)
        for sample, *rest in ask(
            store, "SELECT sample_id, outcome, tier, reviews, accepting FROM review_outcomes ORDER BY 1"
        )
    }


def test_each_outcome_of_a_majority(store: Store) -> None:
    people = People(store)
    for name in ("ann", "bob"):
        people.say(PAN, 0, name, **sound(3))
        people.say(PAN, 1, name, **flawed(3, "item"))
    people.say(SOCK, 0, "ann", **sound(4))
    people.say(SOCK, 0, "bob", **flawed(4, "query"))
    people.say(HAT, 0, "ann", **flawed(2, "item"), correction="Tier: 2\nA cap is no hat.\n")
    people.say(HAT, 0, "bob", **sound(2, quality=2))
    people.say(SOCK, 1, "ann", **sound(1))  # one of two annotators
    people.say(HAT, 1, "ann", tier="unclear", quality=1)
    people.say(HAT, 1, "bob", tier="unclear", quality=1)
    summary = decide(store, "majority")
    assert summary["samples"] == {"accepted": 1, "corrected": 1, "rejected": 1, "disputed": 1}
    assert (summary["waiting_for_more_answers"], summary["nobody_could_tell"]) == (1, 1)
    assert outcomes(store) == {
        str(PAN.sample_id(0)): ("accepted", 3, 2, 2),
        str(PAN.sample_id(1)): ("rejected", 3, 2, 0),
        str(SOCK.sample_id(0)): ("disputed", 4, 2, 1),
        str(HAT.sample_id(0)): ("corrected", 2, 2, 0),
    }
    assert ask(store, "SELECT text, tier, written_by, corrects_sample_id FROM rationales") == [
        ("A cap is no hat.", 2, "ann", HAT.sample_id(0))
    ]


@pytest.mark.parametrize(
    ("values", "accepted"),
    [
        (sound(3, quality=3), True),
        (sound(3, quality=2), False),
        (sound(4), False),
        ({**sound(3), "failing_steps": ["none", "item"]}, False),
        ({**sound(3), "correction": "Better."}, False),
    ],
)
def test_what_is_sound(store: Store, values: dict[str, Any], accepted: bool) -> None:
    people = People(store, overlap=1)
    people.say(PAN, 0, "ann", **values)
    summary = decide(store, "majority", dry_run=True)
    assert (summary["samples"]["accepted"] == 1) is accepted
    assert outcomes(store) == {}


def test_the_same_again_writes_nothing_and_a_new_answer_replaces(store: Store) -> None:
    people = People(store, overlap=1)
    people.say(PAN, 0, "ann", **sound(3))
    decide(store, "majority")
    runs = ask(store, "SELECT count(*) FROM runs")
    again = decide(store, "majority")
    assert again["changed"] == {"new": 0, "changed": 0, "removed": 0}
    assert ask(store, "SELECT count(*) FROM runs") == runs
    people.say(PAN, 0, "ann", **flawed(3, "item"))
    assert decide(store, "majority")["changed"]["changed"] == 1
    people.say(PAN, 0, "ann", "discarded")
    assert decide(store, "majority")["changed"]["removed"] == 1
    assert outcomes(store) == {}


def test_what_was_rejected_is_not_taught_and_what_was_corrected_is(store: Store) -> None:
    before = run_curation(store, "split", "create", "plain")
    assert before["completions"] == 3
    people = People(store)
    for name in ("ann", "bob"):
        # The first is what rejection sampling would take.
        people.say(PAN, 0, name, **flawed(3, "item"))
        people.say(PAN, 1, name, **sound(3))
        people.say(HAT, 0, name, **flawed(2, "item"), correction=f"A cap is no hat, says {name}.")
        people.say(SOCK, 0, name, **flawed(4, "item"))
    decide(store, "majority")
    run_curation(store, "pairs", "--max-length-ratio", 9, "--reviewed", "accepted")
    split = run_curation(store, "split", "create", "read", "--reviewed", "accepted")
    assert (split["pairs"], split["completions"]) == (2, 2)
    taught = ask(
        store,
        "SELECT sample_id, rationale_id IS NOT NULL FROM split_completions WHERE split = 'read_v1' ORDER BY 2",
    )
    assert taught == [(PAN.sample_id(1), False), (None, True)]
    chosen = ask(
        store,
        "SELECT chosen_sample_id, chosen_rationale_id IS NOT NULL, rejected_sample_id FROM split_preferences "
        "WHERE split = 'read_v1'",
    )
    rejected = {PAN.sample_id(0), SOCK.sample_id(0)}
    assert not rejected & {one for one, *_ in chosen}
    assert (None, True, HAT.sample_id(0)) in chosen
    assert {one for one, *_ in chosen} == {PAN.sample_id(1), None}
    # Without the gate, what nobody read may be taught, and what was rejected still may not.
    run_curation(store, "pairs", "--max-length-ratio", 9)
    split = run_curation(store, "split", "create", "open")
    assert split["pairs"] == 3
    assert not rejected & {
        one for (one,) in ask(store, "SELECT sample_id FROM split_completions WHERE split = 'open_v1'")
    }
    assert run_curation(store, "split", "create", "open")["state"].startswith("already frozen")
    for name in ("plain_v1", "read_v1", "open_v1"):
        assert cli("sql", "SELECT 1", "--db", store.path).returncode == 0
        done = CliRunner().invoke(curation, ["split", "verify", name, "--db", str(store.path)])
        assert done.exit_code == 0, done.stderr


@pytest.mark.parametrize(
    ("form", "expected"),
    [("answer-first", "2\nA cap is no hat."), ("reason-first", "A cap is no hat.\nTier: 2")],
)
def test_a_correction_is_rendered_as_its_prompt_asks(tmp_path: Path, form: str, expected: str) -> None:
    store = Store(tmp_path / "x.duckdb")
    texts = HAT.samples if form == "answer-first" else ("It is a cap.\nTier: 2",)
    fill(store, [Judged(HAT.query, HAT.title, HAT.gold, texts)], form)
    with store.write(Run("test", {})) as connection:
        connection.execute("UPDATE samples SET tier = 2 WHERE sample_index = 0")
    run_curation(store, "grade")
    people = People(store, overlap=1)
    people.say(HAT, 0, "ann", **flawed(2, "item"), correction="A cap is no hat.\n\n**2**")
    decide(store, "majority")
    run_curation(store, "pairs")
    run_curation(store, "split", "create", "read", "--reviewed", "accepted")
    out = tmp_path / "out"
    run_curation(store, "export", "read_v1", "--format", "parquet", "--out", out)
    import pyarrow.parquet as pq

    (sft,) = pq.read_table(out / "sft.parquet").to_pylist()
    assert sft["completion"] == [{"role": "assistant", "content": expected}]
    assert sft["sample_id"] is None
    (dpo,) = pq.read_table(out / "dpo.parquet").to_pylist()
    assert dpo["chosen"][0]["content"] == expected
    assert dpo["rejected"][0]["content"] == texts[0]
    assert "1 of 1 completions and chosen sides are corrections" in (out / "README.md").read_text()


def test_a_frozen_correction_that_is_altered_is_found(store: Store) -> None:
    people = People(store, overlap=1)
    people.say(HAT, 0, "ann", **flawed(2, "item"), correction="A cap is no hat.")
    decide(store, "majority")
    run_curation(store, "pairs")
    run_curation(store, "split", "create", "read", "--reviewed", "accepted")
    with store.write(Run("test", {})) as connection:
        connection.execute("UPDATE rationales SET text = 'Another.'")
    done = CliRunner().invoke(curation, ["split", "verify", "read_v1", "--db", str(store.path)])
    assert done.exit_code == 1
    assert "completion" in done.stderr
    assert "preference" in done.stderr


def test_a_relabel_goes_through_the_resolution_rule(store: Store) -> None:
    with store.write(Run("test", {})) as connection:
        connection.execute("UPDATE judgments SET confidence = 0.6 WHERE pair_id = ?", [PAN.pair_id])
    run_curation(store, "split", "create", "before")
    people = People(store)
    people.say(PAN, 0, "ann", **flawed(2, "verdict"))
    assert decide(store, "majority")["pairs_relabelled"] == 1  # 1 against 0.6
    people.say(SOCK, 0, "ann", **flawed(2, "verdict"))
    assert decide(store, "majority")["pairs_now_in_conflict"] == 1  # 1 against 1
    people.say(SOCK, 0, "bob", **flawed(2, "verdict"))
    assert decide(store, "majority")["conflicts_settled"] == 1  # 2 against 1
    assert dict(ask(store, "SELECT pair_id, tier FROM pairs"))[SOCK.pair_id] == 2
    # The split keeps what it froze.
    assert dict(ask(store, "SELECT pair_id, tier FROM split_members"))[PAN.pair_id] == 3
    told = cli("lineage", str(PAN.pair_id), "--db", store.path).stdout
    assert "tier 2, review, judged by ann at 2026-11-01 00:01" in told
    assert "tier 3, test" in told


def test_a_tier_that_is_taken_back_has_no_vote(store: Store) -> None:
    people = People(store, overlap=1)
    people.say(SOCK, 0, "ann", **sound(2))
    decide(store, "majority")
    assert dict(ask(store, "SELECT pair_id, tier FROM pairs"))[SOCK.pair_id] is None
    people.say(SOCK, 0, "ann", "discarded")
    assert decide(store, "majority")["conflicts_settled"] == 1
    assert dict(ask(store, "SELECT pair_id, tier FROM pairs"))[SOCK.pair_id] == 4
    assert decide(store, "majority")["judgments_new"] == 0
    people.say(SOCK, 0, "ann", **sound(2))
    decide(store, "majority")
    assert dict(ask(store, "SELECT pair_id, tier FROM pairs"))[SOCK.pair_id] is None


def test_a_newer_tier_that_is_taken_back_gives_way_to_the_older(store: Store) -> None:
    people = People(store, overlap=1)
    people.say(PAN, 0, "ann", **sound(3))
    people.say(PAN, 2, "ann", **sound(1))
    decide(store, "majority")
    assert dict(ask(store, "SELECT pair_id, tier FROM pairs"))[PAN.pair_id] is None
    people.say(PAN, 2, "ann", "discarded")
    assert decide(store, "majority")["conflicts_settled"] == 1
    assert dict(ask(store, "SELECT pair_id, tier FROM pairs"))[PAN.pair_id] == 3
    assert decide(store, "majority")["judgments_new"] == 0


def test_a_judgment_is_about_the_text_that_was_read(store: Store) -> None:
    read = ask(store, "SELECT item_version_id FROM pairs WHERE pair_id = ?", PAN.pair_id)
    people = People(store, overlap=1)
    people.say(PAN, 0, "ann", **sound(3))
    with store.write(Run("test", {})) as connection:
        connection.execute(
            "UPDATE pairs SET item_version_id = (SELECT item_version_id FROM pairs WHERE pair_id = ?)",
            [SOCK.pair_id],
        )
    decide(store, "majority")
    assert ask(store, "SELECT item_version_id FROM judgments WHERE source = 'review'") == read


def test_what_reviewers_confirm_is_graded_anew_before_it_is_frozen(store: Store) -> None:
    with store.write(Run("test", {})) as connection:
        connection.execute("UPDATE judgments SET confidence = 0.8")
    people = People(store)
    for name in ("ann", "bob"):
        people.say(PAN, 1, name, **sound(3))
    decide(store, "majority")
    # Gold is a reviewer's judgment now, under which nothing has been graded yet.
    split = run_curation(store, "split", "create", "read", "--reviewed", "accepted")
    assert (split["pairs"], split["completions"]) == (1, 1)


def test_difficulty_of_another_gold_tier_is_not_frozen(store: Store) -> None:
    run_curation(store, "difficulty")
    people = People(store)
    for name in ("ann", "bob"):
        people.say(PAN, 0, name, **flawed(2, "verdict"))
    decide(store, "majority")
    run_curation(store, "split", "create", "before")
    frozen = "SELECT tier, band, n, c FROM split_members WHERE split = ? AND pair_id = ?"
    assert ask(store, frozen, "before_v1", PAN.pair_id) == [(2, None, None, None)]
    run_curation(store, "difficulty")
    run_curation(store, "split", "create", "after")
    assert ask(store, frozen, "after_v1", PAN.pair_id) == [(2, "hard", 4, 1)]


@pytest.mark.parametrize(
    ("correction", "text"),
    [
        ("A cap is no hat.", "A cap is no hat."),
        ("2. A cap is no hat.", "A cap is no hat."),
        ("2\nA cap is no hat.", "A cap is no hat."),
        ("Tier: Mismatch\nA cap is no hat.\n**Tier 2**", "A cap is no hat."),
        ("2 caps are no hat.", "2 caps are no hat."),
        ("1. The shopper wants a hat.\n2. A cap is none.", "1. The shopper wants a hat.\n2. A cap is none."),
        ("Tier: 2", None),
        ("**2 (Mismatch)**", None),
        ("A cap is a hat.\nTier: 4 Excellent", None),
    ],
)
def test_what_a_correction_teaches(store: Store, correction: str, text: str | None) -> None:
    people = People(store, overlap=1)
    people.say(HAT, 0, "ann", **flawed(2, "item"), correction=correction)
    summary = decide(store, "majority")
    assert summary["corrections_unusable"] == (text is None)
    assert summary["samples"]["corrected" if text else "rejected"] == 1
    assert ask(store, "SELECT text FROM rationales") == ([(text,)] if text else [])


def test_a_takedown_leaves_agreement_and_decisions_whole(store: Store) -> None:
    people = People(store)
    for name in ("ann", "bob"):
        people.say(PAN, 0, name, spans=(("self", 2, 6),), **flawed(3, "item"), correction="Better.")
        people.say(SOCK, 0, name, **sound(4))
    decide(store, "majority")
    item = str(ask(store, "SELECT item_id FROM pairs WHERE pair_id = ?", PAN.pair_id)[0][0])
    done = cli("takedown", "--item", item, "--reason", "court order", "--db", store.path)
    assert done.returncode == 0, done.stderr
    assert ask(store, "SELECT count(*) FROM rationales WHERE text <> ''") == [(0,)]
    assert ask(store, "SELECT count(*) FROM reviews WHERE correction IS NOT NULL") == [(0,)]
    assert measure(store, None, resamples=10, seed=0)["records"] == 1
    decide(store, "majority")
    assert run_curation(store, "split", "create", "read", "--reviewed", "accepted")["pairs"] == 1


def test_an_annotator_has_one_vote_on_a_pair(store: Store) -> None:
    people = People(store, overlap=1)
    for index in range(4):
        people.say(PAN, index, "ann", **sound(1))
    decide(store, "majority")
    assert ask(store, "SELECT count(*) FROM judgments WHERE source = 'review'") == [(1,)]
    assert dict(ask(store, "SELECT pair_id, tier FROM pairs"))[PAN.pair_id] is None


def test_dawid_skene_learns_who_is_unreliable(tmp_path: Path) -> None:
    many = [Judged(f"q{i}", f"t{i}", 3, ("3\nIt is.",)) for i in range(12)]
    store = Store(tmp_path / "x.duckdb")
    fill(store, many)
    run_curation(store, "grade")
    people = People(store, overlap=3)
    for number, pair in enumerate(many):
        good = number % 2 == 0
        for name in ("ann", "bob"):
            people.say(pair, 0, name, **(sound(3) if good else flawed(3, "item")))
        # The third says the opposite of the others, always.
        people.say(pair, 0, "eve", **(flawed(3, "item") if good else sound(3)))
    decide(store, "dawid-skene")
    found = ask(store, "SELECT outcome, p_accepted, rule FROM review_outcomes ORDER BY p_accepted")
    assert [outcome for outcome, *_ in found] == ["rejected"] * 6 + ["accepted"] * 6
    # By majority 2/3 at most; weighed, near certain.
    assert found[-1][1] > 0.95
    assert {rule for *_, rule in found} == {"dawid-skene"}
    assert all(a[1] <= b[1] for a, b in pairwise(found))


def test_nothing_to_decide(store: Store) -> None:
    with pytest.raises(TierwiseError, match="no submitted answer"):
        decide(store, "majority")
    told = run_curation(store, "split", "create", "read", "--reviewed", "accepted", code=1)["error"]
    assert "no pair here has a text that people accepted or corrected" in told


def test_the_whole_loop(desk: Desk, on_sqlite: Served) -> None:
    fill(desk.store, [PAN, SOCK, HAT])
    desk.push("--overlap", 2)
    for name in ("ann", "bob"):
        desk.answer(SOCK.sample_id(0), name, **flawed(4, "item"))
        desk.answer(PAN.sample_id(0), name, **sound(3))
        desk.answer(HAT.sample_id(0), name, **flawed(2, "item"), correction="A cap is no hat.")
    assert desk.run("pull")["submitted"] == 6
    assert desk.run("decide")["samples"] == {"accepted": 1, "corrected": 1, "rejected": 1, "disputed": 0}
    run_curation(desk.store, "pairs", "--reviewed", "accepted", "--max-length-ratio", 9)
    assert run_curation(desk.store, "split", "create", "read", "--reviewed", "accepted")["pairs"] == 2
    preference = desk.ask(
        "SELECT CAST(preference_id AS VARCHAR) FROM split_preferences WHERE chosen_rationale_id IS NOT NULL"
    )[0][0]
    told = cli("lineage", preference, "--db", desk.store.path).stdout
    assert "correction over what it corrects" in told
    assert "rationale" in told
    assert "review by" in told
    assert on_sqlite.url


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store in which there is something to find for every question. Only to be read."""
    store = Store(tmp_path_factory.mktemp("told") / "x.duckdb")
    fill(store, [PAN, SOCK])
    run_curation(store, "grade")
    people = People(store)
    for name in ("ann", "bob"):
        people.say(PAN, 0, name, gold_tier=3, spans=(("self", 2, 6),), **flawed(2, "item", "verdict"))
        people.say(SOCK, 0, name, gold_tier=4, **sound(4))
    decide(store, "majority")
    return store


_QUESTIONS = re.findall(
    r"^```sql\n(.+?)^```", (ROOT / "docs" / "review.md").read_text(encoding="utf-8"), re.M | re.S
)


@pytest.mark.parametrize("query", _QUESTIONS, ids=range(len(_QUESTIONS)))
def test_questions_of_the_documents_are_answered(told: Store, query: str) -> None:
    found = ask(told, query)
    assert found
    assert all(value is not None for one in found for value in one)


def test_there_are_questions() -> None:
    assert len(_QUESTIONS) == 4
