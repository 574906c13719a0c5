"""Preferences with a teacher: what the model never solves is chosen from another configuration, and stays traceable."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from tests.curation.conftest import MAPPING, RunCommand, rows

if TYPE_CHECKING:
    from pathlib import Path

_TINY = ("--n", "6", "--max-tokens", "24")
# No two sides are further apart than this.
_ANY_LENGTH = ("--max-length-ratio", "24")

_CONFIGURATION = (
    "SELECT configuration_id AS id FROM configurations JOIN models USING (model_id) WHERE name = '{}'"
)


@pytest.fixture(scope="module")
def teacher_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with other weights."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    directory = tmp_path_factory.mktemp("teacher-model")
    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    model.model.embed_tokens.weight.data *= 1.5
    model.save_pretrained(directory)
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(directory)
    return directory


@pytest.fixture(scope="module")
def both_sampled(
    sampled_store: Path, tmp_path_factory: pytest.TempPathFactory, command: RunCommand, teacher_model: Path
) -> Path:
    """`sampled_store` with as many samples of the teacher."""
    store = tmp_path_factory.mktemp("taught") / "tierwise.duckdb"
    store.write_bytes(sampled_store.read_bytes())
    command("curation", "sample", *_TINY, "--model", teacher_model, "--db", store)
    command("curation", "grade", "--db", store)
    return store


@pytest.fixture
def store(both_sampled: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "tierwise.duckdb"
    copy.write_bytes(both_sampled.read_bytes())
    return copy


@pytest.fixture(scope="module")
def student(both_sampled: Path, command: RunCommand, tiny_model: Path) -> str:
    return str(rows(command, both_sampled, _CONFIGURATION.format(tiny_model))[0]["id"])


@pytest.fixture(scope="module")
def teacher(both_sampled: Path, command: RunCommand, teacher_model: Path) -> str:
    return str(rows(command, both_sampled, _CONFIGURATION.format(teacher_model))[0]["id"])


def build(command: RunCommand, store: Path, *options: str) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads(
        command("curation", "pairs", *options, "--json", "--db", store).stdout
    )
    return summary


def sides(command: RunCommand, store: Path, where: str = "true") -> set[tuple[str, str]]:
    """Chosen and rejected ids of the preferences under `where`."""
    found = rows(
        command,
        store,
        "SELECT coalesce(chosen_sample_id, chosen_rationale_id) AS chosen, rejected_sample_id AS rejected "
        f"FROM preferences WHERE {where}",
    )
    return {(row["chosen"], row["rejected"]) for row in found}


def execute(store: Path, statement: str, *parameters: str) -> None:
    with duckdb.connect(str(store)) as connection:
        connection.execute(statement, list(parameters))


def say(store: Path, outcome: str, where: str) -> None:
    """What people said of the samples under `where`."""
    execute(
        store,
        "INSERT INTO review_outcomes BY NAME SELECT sample_id, pair_id, $1 AS outcome, 1 AS reviews, 1 AS accepting, "
        f"0.5 AS p_accepted, 'majority' AS rule, uuid() AS run_id FROM samples WHERE {where}",
        outcome,
    )


def by_definition(
    command: RunCommand,
    store: Path,
    student: str,
    teacher: str,
    per_prompt: int,
    ratio: float,
    accepted_only: bool,
) -> set[tuple[str, str]]:
    """The teacher's preferences, sample by sample."""
    samples: defaultdict[tuple[str, str], dict[str, dict[str, Any]]] = defaultdict(dict)
    for row in rows(
        command,
        store,
        "SELECT s.*, g.outcome, g.consistent, g.distance, o.outcome AS said FROM samples s "
        "JOIN grades g USING (sample_id) LEFT JOIN review_outcomes o USING (sample_id) ORDER BY sample_index",
    ):
        samples[row["configuration_id"], row["pair_id"]].setdefault(row["text"], row)

    def choosable(configuration: str, pair: str) -> list[dict[str, Any]]:
        return [
            row
            for row in samples[configuration, pair].values()
            if row["outcome"] == "correct"
            and row["finish_reason"] == "stop"
            and (row["consistent"] is not False or row["said"] == "accepted")
            and (row["said"] == "accepted" or (row["said"] is None and not accepted_only))
        ]

    expected = set()
    for pair in {pair for _, pair in samples}:
        answers = choosable(teacher, pair)
        if choosable(student, pair) or not answers:
            continue
        chosen = min(answers, key=lambda row: (row["completion_tokens"], row["sample_index"]))
        near = [
            row
            for row in samples[student, pair].values()
            if row["outcome"] == "wrong"
            and max(ends := (row["completion_tokens"], chosen["completion_tokens"])) / min(ends) <= ratio
        ]
        near.sort(key=lambda row: (-row["tier_probs"][row["tier"] - 1], row["distance"], row["sample_id"]))
        expected |= {(chosen["sample_id"], row["sample_id"]) for row in near[:per_prompt]}
    return expected


@pytest.mark.parametrize(
    ("per_prompt", "ratio", "options"),
    [(2, 24.0, ()), (1, 2.0, ()), (50, 3.0, ()), (2, 24.0, ("--reviewed", "accepted"))],
)
def test_a_teacher_answers_what_no_sample_solved(
    per_prompt: int,
    ratio: float,
    options: tuple[str, ...],
    command: RunCommand,
    store: Path,
    student: str,
    teacher: str,
) -> None:
    # Some texts come twice; the later one never counts, even where people rejected the first.
    execute(
        store,
        "UPDATE samples s SET text = f.text, tier = f.tier FROM samples f WHERE f.prompt_hash = s.prompt_hash "
        "AND f.configuration_id = s.configuration_id AND f.sample_index = 0 AND s.sample_index IN (1, 2)",
    )
    execute(store, "DELETE FROM grades")
    # By their ids, so that both models and all lengths have some of each.
    say(store, "accepted", "sample_id < '70000000-0000-0000-0000-000000000000'")
    say(store, "rejected", "sample_id > 'd0000000-0000-0000-0000-000000000000'")
    arguments = ("--per-prompt", str(per_prompt), "--max-length-ratio", str(ratio), *options)
    build(command, store, "--configuration", student, *arguments)
    alone = sides(command, store)
    expected = by_definition(command, store, student, teacher, per_prompt, ratio, bool(options))
    assert expected
    summary = build(command, store, "--configuration", student, "--teacher", teacher[:8], *arguments)
    assert sides(command, store) == alone | expected
    assert (summary["new"], summary["withdrawn"]) == (len(expected), 0)
    assert summary["from_teacher"] == len(expected)
    assert summary["preferences"] == len(alone | expected)
    assert (
        summary["prompts"]
        == 60
        == summary["prompts_with_preferences"] + sum(summary["prompts_without"].values())
    )
    for row in rows(
        command,
        store,
        "SELECT p.*, c.text AS chosen_text, c.configuration_id AS answered_by, c.completion_tokens AS chosen_tokens, "
        "r.text AS rejected_text, r.prompt_hash AS asked, r.completion_tokens AS rejected_tokens, r.tier, "
        "r.tier_probs, t.prompt_id AS template FROM preferences p JOIN samples c ON c.sample_id = chosen_sample_id "
        "JOIN samples r ON r.sample_id = rejected_sample_id "
        "JOIN configurations t ON t.configuration_id = r.configuration_id",
    ):
        taught = (row["chosen_sample_id"], row["rejected_sample_id"]) in expected
        assert row["answered_by"] == (teacher if taught else student)
        assert (row["configuration_id"], row["prompt_id"]) == (student, row["template"])
        assert row["prompt_hash"] == row["asked"]
        assert (row["chosen"], row["rejected"]) == (row["chosen_text"], row["rejected_text"])
        assert (row["rejected_tier"], row["rejected_confidence"]) == (
            row["tier"],
            row["tier_probs"][row["tier"] - 1],
        )
        lengths = sorted((row["chosen_tokens"], row["rejected_tokens"]))
        assert row["length_ratio"] == pytest.approx(lengths[1] / lengths[0])


def test_they_are_frozen_exported_and_traced_to_the_teacher_and_withdrawn_without_it(
    command: RunCommand, store: Path, student: str, teacher: str, teacher_model: Path, tmp_path: Path
) -> None:
    import pyarrow.parquet as pq

    plain = ("--configuration", student, *_ANY_LENGTH)
    summary = build(command, store, *plain, "--teacher", teacher)
    assert summary["from_teacher"] > 0
    assert str(teacher_model) in summary["teacher"]
    again = build(command, store, *plain, "--teacher", teacher)
    assert (again["new"], again["withdrawn"]) == (0, 0)
    command("curation", "split", "create", "taught", "--configuration", student, "--db", store)

    taught = rows(
        command,
        store,
        "SELECT replace(CAST(preference_id AS VARCHAR), '-', '') AS id, s.text, s.sample_id, r.messages "
        "FROM preferences p JOIN samples s ON s.sample_id = chosen_sample_id "
        "JOIN rendered_prompts r ON r.pair_id = p.pair_id AND r.prompt_hash = p.prompt_hash "
        f"WHERE s.configuration_id = '{teacher}'",
    )
    assert len(taught) == summary["from_teacher"]
    withdrawn = build(command, store, *plain)
    assert (withdrawn["withdrawn"], withdrawn["from_teacher"]) == (len(taught), 0)

    # What is frozen stays whole, for files and for lineage.
    assert "whole" in command("curation", "split", "verify", "taught_v1", "--db", store).stdout
    command("curation", "export", "taught_v1", "--out", tmp_path / "out", "--db", store)
    exported = {
        row["preference_id"]: row for row in pq.read_table(tmp_path / "out" / "dpo.parquet").to_pylist()
    }
    assert len(exported) == summary["preferences"]
    for row in taught:
        assert exported[row["id"]]["chosen"] == [{"role": "assistant", "content": row["text"]}]
        assert exported[row["id"]]["prompt"] == row["messages"]
    tree = command("warehouse", "lineage", taught[0]["id"], "--db", store).stdout.splitlines()
    chosen = next(i for i, line in enumerate(tree) if line.startswith(f"  sample {taught[0]['sample_id']}"))
    rejected = next(i for i, line in enumerate(tree) if i > chosen and line.startswith("  sample "))
    assert any("  model " in line and str(teacher_model) in line for line in tree[chosen:rejected])
    assert not any(str(teacher_model) in line for line in tree[rejected:])


def test_a_person_who_corrected_it_comes_before_the_teacher(
    command: RunCommand, store: Path, student: str, teacher: str
) -> None:
    plain = ("--configuration", student, "--teacher", teacher, *_ANY_LENGTH)
    build(command, store, *plain)
    from_teacher = f"chosen_sample_id IN (SELECT sample_id FROM samples WHERE configuration_id = '{teacher}')"
    pair, corrected = rows(
        command,
        store,
        f"SELECT pair_id, rejected_sample_id FROM preferences WHERE {from_teacher} ORDER BY ALL LIMIT 1",
    )[0].values()
    say(store, "corrected", f"sample_id = '{corrected}'")
    execute(
        store,
        "INSERT INTO rationales BY NAME SELECT uuid() AS rationale_id, pair_id, tier, 'So it is.' AS text, "
        "'review' AS source, 'ann' AS written_by, now()::TIMESTAMP AS written_at, uuid() AS run_id "
        "FROM pairs WHERE pair_id = $1",
        pair,
    )
    execute(
        store,
        "UPDATE review_outcomes SET rationale_id = (SELECT rationale_id FROM rationales) WHERE sample_id = $1",
        corrected,
    )
    before = sides(command, store, f"pair_id <> '{pair}'")
    assert build(command, store, *plain)["corrections"] == 1
    written = rows(command, store, "SELECT rationale_id FROM rationales")[0]["rationale_id"]
    assert sides(command, store, f"pair_id = '{pair}'") == {(written, corrected)}
    assert sides(command, store, f"pair_id <> '{pair}'") == before


def test_a_teacher_that_cannot_teach_is_refused(
    command: RunCommand, store: Path, student: str, teacher: str, teacher_model: Path
) -> None:
    def refused(*options: str) -> str:
        told = command("curation", "pairs", *options, "--db", store, code=1).stderr
        assert len(told.splitlines()) == 1
        return told

    before = sides(command, store)
    assert "itself" in refused("--configuration", student, "--teacher", student[:8])
    # The teacher was sampled last, so it is what no --configuration means.
    assert "`--configuration`" in refused("--teacher", teacher)
    assert "no configuration 00000000" in refused("--configuration", student, "--teacher", "00000000")
    reason_first = ("--n", "1", "--limit", "1", "--max-tokens", "8", "--prompt", "reason-first")
    command("curation", "sample", *reason_first, "--model", teacher_model, "--db", store)
    other = rows(command, store, "SELECT configuration_id AS id FROM newest_configuration")[0]["id"]
    told = refused("--configuration", student, "--teacher", other)
    assert "reason-first where the prompts to be taught ask for answer-first" in told
    assert f"`python -m curation sample --n 8 --model {teacher_model} --prompt answer-first`" in told
    assert "--prompt reason-first" in refused("--configuration", other, "--teacher", teacher)
    assert sides(command, store) == before


def test_an_answer_about_another_text_of_the_item_is_not_used(
    command: RunCommand, tmp_path: Path, judged_csv: Path, tiny_model: Path, teacher_model: Path
) -> None:
    store = tmp_path / "tierwise.duckdb"
    header, *lines = judged_csv.read_text().splitlines()[:41]

    def ingest(lines: list[str]) -> None:
        changed = tmp_path / "judged.csv"
        numbered = (f"{line},{number}" for number, line in enumerate(lines))
        changed.write_text("\n".join([f"{header},item_id", *numbered]) + "\n")
        command("curation", "ingest", "table", changed, *MAPPING, "item_id=item_id", "--db", store)

    def sample(model: Path) -> None:
        command("curation", "sample", *_TINY, "--model", model, "--db", store)

    def from_teacher() -> int:
        student, teacher = (
            str(rows(command, store, _CONFIGURATION.format(model))[0]["id"])
            for model in (tiny_model, teacher_model)
        )
        summary = build(command, store, "--configuration", student, "--teacher", teacher, *_ANY_LENGTH)
        assert summary["prompts"] == 40
        return int(summary["from_teacher"])

    ingest(lines)
    sample(teacher_model)
    # A pair stays with the text that it was judged by, so the labels change too.
    turned = str.maketrans("1234", "2341")
    ingest([line[:-1].replace(" in ", " in fine ") + line[-1].translate(turned) for line in lines])
    sample(tiny_model)
    assert from_teacher() == 0
    sample(teacher_model)
    assert from_teacher() > 0


def test_what_a_teacher_answered_is_a_completion_for_guided_replay(
    store: Path, command: RunCommand, student: str, teacher: str
) -> None:
    from training.payload import read_payload
    from warehouse.store import Store

    build(command, store, "--configuration", student, "--teacher", teacher, *_ANY_LENGTH)
    command("curation", "split", "create", "taught", "--configuration", student, "--db", store)
    payload = read_payload(Store(store), "taught_v1", "grpo")
    unsolved = [row for row in payload.rows if row["c"] == 0]
    assert any(row["completion"] for row in unsolved)
    texts = rows(command, store, f"SELECT DISTINCT text FROM samples WHERE configuration_id = '{teacher}'")
    assert {row["completion"] for row in unsolved} - {None} <= {row["text"] for row in texts}
    own = {row["pair_id"]: row["completion"] for row in read_payload(Store(store), "taught_v1", "sft").rows}
    assert own
    assert all(
        row["completion"] == own[row["pair_id"]][0]["content"]
        for row in payload.rows
        if row["pair_id"] in own
    )
