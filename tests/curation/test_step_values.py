"""Continuations from the ends of steps: values, keys, kills; by a scripted model and by a real one."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.backends import Decoding
from curation.configurations import Configuration
from curation.models import resolve
from curation.prompts import load_template
from curation.sampling import sample
from curation.step_values import chain_steps
from tests.curation.chains import TITLE, continued, sampled
from tests.curation.conftest import MAPPING, RunCommand, RunProcess, rows
from tests.curation.rationales.conftest import Scripted
from warehouse.errors import TierwiseError
from warehouse.store import Store

if TYPE_CHECKING:
    from pathlib import Path

LINES = "Query: a red shelf\nItem: a blue one\nCategory: match, as asked\n\nTier: 2"
PROSE = "It is a shelf. Its colour is another. So it is none.\nTier: 1"
VALUES = "FROM step_values ORDER BY sample_id, step_index"


@pytest.fixture
def judged(tmp_path: Path, command: RunCommand, judged_csv: Path) -> Path:
    store = tmp_path / "tierwise.duckdb"
    command("curation", "ingest", "table", judged_csv, *MAPPING, "--db", store)
    return store


def gold_of(command: RunCommand, store: Path) -> int:
    return int(rows(command, store, f"SELECT tier FROM pair_overview WHERE title = '{TITLE}'")[0]["tier"])


def test_the_value_of_a_step_is_the_share_of_its_continuations_that_end_on_gold(
    command: RunCommand, judged: Path, tiny_model: Path
) -> None:
    gold = gold_of(command, judged)
    wrong = gold % 4 + 1
    text = f"It is a shelf. It fits. Its colour is another.\nTier: {wrong}"
    sampled(judged, tiny_model, [text, f"So it is.\nTier: {gold}"])

    def says(beginning: str, tried: int) -> str:
        # The second sentence leaves one of four ways open, the third none.
        right = "fits" not in beginning or (tried == 3 and "colour" not in beginning)
        return f"\nTier: {gold if right else wrong}"

    teacher = Scripted(says)
    summary = continued(judged, teacher, rollouts=4)
    assert (summary["samples"], summary["steps"], summary["drawn"]) == (1, 3, 12)
    found = rows(command, judged, VALUES)
    assert [
        (row["step_index"], row["words"], row["continuations"], row["value"], row["change"]) for row in found
    ] == [
        (0, "", 1, 1.0, None),
        (1, "It is a shelf.", 4, 1.0, 0.0),
        (2, "It fits.", 4, 0.25, -0.75),
        (3, "Its colour is another.", 4, 0.0, -0.25),
    ]
    assert {(row["stated_tier"], row["gold_tier"]) for row in found} == {(wrong, gold)}


def test_lines_are_continued_behind_their_break_and_sentences_before_their_blank(
    judged: Path, tiny_model: Path
) -> None:
    sampled(judged, tiny_model, [LINES, PROSE])
    begun: list[str] = []

    def says(beginning: str, _: int) -> str:
        begun.append(beginning)
        return "Tier: 1"

    continued(judged, Scripted(says), rollouts=1, samples=2)
    assert sorted(begun) == sorted(
        [
            "Query: a red shelf\n",
            "Query: a red shelf\nItem: a blue one\n",
            "Query: a red shelf\nItem: a blue one\nCategory: match, as asked\n\n",
            "It is a shelf.",
            "It is a shelf. Its colour is another.",
            "It is a shelf. Its colour is another. So it is none.\n",
        ]
    )


def test_samples_that_begin_alike_share_continuations_and_more_buys_the_difference(
    command: RunCommand, judged: Path, tiny_model: Path
) -> None:
    sampled(judged, tiny_model, [PROSE, PROSE.replace("another", "the same"), LINES])
    teacher = Scripted(lambda *_: "\nTier: 1")
    assert continued(judged, teacher, rollouts=2, samples=1)["drawn"] == 6
    summary = continued(judged, teacher, rollouts=3, samples=2)
    # Of the second sample two steps are new; the first is there, and lacks one continuation as all others do.
    assert (summary["steps"], summary["already_there"], summary["drawn"]) == (6, 6, 3 + 6)
    values = rows(command, judged, "FROM step_values WHERE step_index > 0")
    assert len({row["sample_id"] for row in values}) == 2
    assert {row["continuations"] for row in values} == {3}


def test_continuations_are_no_samples_of_the_recipe(
    command: RunCommand, judged: Path, tiny_model: Path
) -> None:
    sampled(judged, tiny_model, [PROSE, LINES])
    before = rows(command, judged, "FROM newest_configuration")
    summary = continued(judged, Scripted(lambda *_: "\nTier: 1"), rollouts=2)
    assert rows(command, judged, "FROM newest_configuration") == before
    graded = json.loads(command("curation", "grade", "--json", "--db", judged).stdout)
    assert graded["graded"] == 2
    command("curation", "difficulty", "--db", judged)
    assert rows(command, judged, "SELECT n FROM difficulty") == [{"n": 2}]
    checked = json.loads(command("curation", "check", "--json", "--db", judged).stdout)
    assert checked["checked"] == 2
    said = command("curation", "pairs", "--configuration", summary["configuration"], "--db", judged, code=1)
    assert "configuration of continuations" in said.stderr


def test_a_judgment_of_a_new_text_leaves_nothing_to_continue(
    command: RunCommand, tiny_model: Path, tmp_path: Path
) -> None:
    store, judged = tmp_path / "tierwise.duckdb", tmp_path / "judged.csv"
    fields = ("query=q", "title=t", "item_id=i", "label=l", "judged_at=d")
    for year, title in ((2025, TITLE), (2026, "Another title")):
        judged.write_text(f"q,t,i,l,d\nshelf,{title},7,3,{year}-01-01\n")
        command("curation", "ingest", "table", judged, "--map", *fields, "--db", store)
        if year == 2025:
            sampled(store, tiny_model, [PROSE])
    with pytest.raises(TierwiseError, match="on the selected pairs"):
        continued(store, Scripted(lambda *_: "\nTier: 1"))


@pytest.mark.parametrize(
    ("prompt", "decoding", "said"),
    [
        ("answer-first", Decoding(), "gives its tier before any step"),
        ("reason-first", Decoding(temperature=0), "is greedy"),
    ],
)
def test_what_cannot_be_continued_is_refused(
    judged: Path, tiny_model: Path, prompt: str, decoding: Decoding, said: str
) -> None:
    configuration = Configuration(resolve(str(tiny_model)), load_template(prompt), decoding)
    sample(Store(judged), configuration, lambda: Scripted(lambda *_: "3\nIt fits."), n=1, limit=1)
    with pytest.raises(TierwiseError, match=said):
        continued(judged, Scripted(lambda *_: "\nTier: 1"))


def test_another_model_does_not_continue(judged: Path, tiny_model: Path, tmp_path: Path) -> None:
    from tests.tiny_model import save_tiny_model

    other = save_tiny_model(tmp_path / "other", context=2048)
    sampled(judged, tiny_model, [PROSE])
    with pytest.raises(TierwiseError, match="is another model than that of"):
        continued(judged, Scripted(lambda *_: "\nTier: 1"), model=str(other))


def test_a_killed_run_goes_on_and_draws_nothing_twice(
    command: RunCommand, process: RunProcess, judged: Path, tiny_model: Path
) -> None:
    settings = ("--prompt", "reason-first", "--max-tokens", "60", "--limit", "12", "--n", "1")
    command("curation", "sample", "--model", tiny_model, *settings, "--db", judged)
    again = ("curation", "step-values", "--limit", "12", "--rollouts", "4", "--json", "--db", judged)
    planned = json.loads(command(*again, "--dry-run").stdout)
    assert planned["to_draw"] > 0
    assert rows(command, judged, "SELECT count(*) AS n FROM sample_steps") == [{"n": 0}]
    for moment in ("part", "merge"):
        process(*again, code=-9, env={"TIERWISE_DIE_AT": moment})
    summary = json.loads(command(*again).stdout)
    assert summary["already_there"] + summary["drawn"] == planned["to_draw"]
    assert summary["already_there"] > 0
    counts = rows(
        command,
        judged,
        "SELECT count(*) AS n, count(DISTINCT (pair_id, prompt_hash, sample_index)) AS keys FROM samples "
        f"WHERE configuration_id = '{summary['configuration']}'",
    )
    assert counts == [{"n": planned["to_draw"], "keys": planned["to_draw"]}]
    values = rows(command, judged, VALUES)
    assert sum(row["step_index"] > 0 for row in values) == summary["steps"] > 0
    assert {row["continuations"] for row in values if row["step_index"]} == {4}


@given(st.text(alphabet="ab. !?\n\t:é🧦QueryItem", max_size=120))
def test_steps_lie_in_the_text_one_after_the_other(text: str) -> None:
    steps = chain_steps(text, finished=True)
    ends = [0]
    for step in steps:
        assert ends[-1] <= step.start < step.stop <= step.next_start <= len(text)
        assert not text[step.stop : step.next_start].strip()
        assert text[step.start : step.stop].strip()
        ends.append(step.next_start)


def test_the_budget_ends_a_run_that_goes_on_later(judged: Path, tiny_model: Path) -> None:
    from curation.budget import Budget

    sampled(judged, tiny_model, [PROSE])
    run = partial(continued, judged, Scripted(lambda *_: "\nTier: 1"), rollouts=2)
    # A prompt is 100 tokens and two answers 50 each, as the script has it.
    first = run(budget=Budget(tokens=150))
    assert (first["drawn"], first["left"]) == (2, 4)
    assert run()["drawn"] == 4


def test_a_limit_is_one_of_pairs_that_have_samples(judged: Path, tiny_model: Path) -> None:
    # The pair is not the first by its id.
    sampled(judged, tiny_model, [PROSE], title="Shelf item 7-3")
    assert continued(judged, Scripted(lambda *_: "\nTier: 1"), rollouts=1, limit=1)["drawn"] == 3


def test_a_pair_without_gold_has_no_values(command: RunCommand, judged: Path, tiny_model: Path) -> None:
    sampled(judged, tiny_model, [PROSE])
    continued(judged, Scripted(lambda *_: "\nTier: 1"), rollouts=2)
    with duckdb.connect(str(judged)) as connection:
        connection.execute("UPDATE pairs SET tier = NULL")
    assert rows(command, judged, VALUES) == []


def test_continuations_are_no_votes(command: RunCommand, judged: Path, tiny_model: Path) -> None:
    sampled(judged, tiny_model, [PROSE, LINES])
    continued(judged, Scripted(lambda *_: "\nTier: 1"), rollouts=2)
    assert rows(command, judged, "SELECT sum(samples) AS n FROM sample_votes") == [{"n": 2}]


def test_samples_that_wait_to_be_merged_are_continued_too(
    command: RunCommand, process: RunProcess, judged: Path, tiny_model: Path
) -> None:
    drawn = ("--prompt", "reason-first", "--max-tokens", "60", "--limit", "12", "--n", "1", "--db", judged)
    process("curation", "sample", "--model", tiny_model, *drawn, code=-9, env={"TIERWISE_DIE_AT": "merge"})
    planned = json.loads(command("curation", "step-values", "--dry-run", "--json", "--db", judged).stdout)
    assert planned["samples"] == 12
