from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.curation.conftest import MAPPING, rows

if TYPE_CHECKING:
    from pathlib import Path

    from tests.curation.conftest import RunCommand

PRICE = "prompt=1,completion=10,cached=0.5"
AMOUNTS = ("prompt_tokens", "cached_tokens", "completion_tokens")


@pytest.fixture
def judged(tmp_path: Path, command: RunCommand, judged_csv: Path) -> Path:
    store = tmp_path / "tierwise.duckdb"
    command("curation", "ingest", "table", judged_csv, *MAPPING, "--db", store)
    return store


def sample(command: RunCommand, model: Path, store: Path, *more: str) -> dict[str, Any]:
    base = ("curation", "sample", "--model", model, "--max-tokens", "12", "--limit", "20", "--json")
    summary: dict[str, Any] = json.loads(command(*base, "--db", store, *more).stdout)
    return summary


def usage(command: RunCommand, store: Path, *more: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(command("curation", "usage", "--json", "--db", store, *more).stdout)
    return found


def test_the_ledger_agrees_with_what_runs_say_of_themselves(
    command: RunCommand, judged: Path, tiny_model: Path
) -> None:
    first = sample(command, tiny_model, judged, "--n", "4", "--price", PRICE)
    second = sample(command, tiny_model, judged, "--n", "6")
    command("curation", "difficulty", "--db", judged)
    found = usage(command, judged)
    for summary, row in zip([first, second], found["run"], strict=True):
        assert row["answers"] == summary["drawn"]
        assert [row[name] for name in AMOUNTS] == [summary.get(name, 0) for name in AMOUNTS]
        assert row["seconds"] == pytest.approx(summary["seconds"], abs=0.01)
    assert found["run"][0]["usd"] == pytest.approx(first["usd"], abs=1e-4)
    assert found["run"][1]["usd"] is None
    for name in AMOUNTS:
        whole = first.get(name, 0) + second.get(name, 0)
        assert found["total"][name] == whole
        for table in ("run", "model", "kind", "band"):
            assert sum(row[name] for row in found[table]) == whole
    assert {row["band"] for row in found["band"]} <= {"solved", "easy", "medium", "hard", "unsolved"}


def test_a_prompt_is_counted_once_for_the_samples_of_a_batch(
    command: RunCommand, judged: Path, tiny_model: Path
) -> None:
    sample(command, tiny_model, judged, "--n", "4", "--batch-size", "8")
    sent = rows(
        command,
        judged,
        "SELECT sum(sent_tokens) AS sent, max(prompt_tokens) AS prompt, count(*) FILTER (sent_tokens > 0) AS leading "
        "FROM samples GROUP BY pair_id",
    )
    assert len(sent) == 20
    assert all(row["sent"] == row["prompt"] and row["leading"] == 1 for row in sent)


def test_what_was_not_told_its_price_has_one_when_asked(
    command: RunCommand, judged: Path, tiny_model: Path
) -> None:
    summary = sample(command, tiny_model, judged, "--n", "2")
    asked = usage(command, judged, "--by", "kind", "--by", "model", "--price", "hour=3600")
    assert set(asked) == {"kind and model", "total"}
    assert asked["total"]["usd"] == pytest.approx(summary["seconds"], abs=0.01)


def test_predictions_from_one_token_are_in_the_ledger(
    command: RunCommand, store: Path, tiny_model: Path
) -> None:
    command("curation", "split", "create", "eval", "--role", "eval", "--size", "10", "--db", store)
    predict = ("eval", "predict", "--split", "eval_v1", "--model", tiny_model, "--json", "--db", store)
    summary = json.loads(command(*predict).stdout)
    found = next(row for row in usage(command, store)["run"] if row["run_kind"] == "predict")
    assert found["answers"] == found["completion_tokens"] == summary["predicted"] > 0
    assert found["prompt_tokens"] == summary["prompt_tokens"]


def test_samples_of_an_older_store_count_their_prompt_once(command: RunCommand, store: Path) -> None:
    import duckdb

    with duckdb.connect(str(store)) as connection:
        connection.execute("UPDATE samples SET sent_tokens = NULL, cached_tokens = NULL, seconds = NULL")
        whole = connection.execute(
            "SELECT sum(prompt_tokens) FROM samples WHERE sample_index = 0"
        ).fetchall()[0][0]
    total = usage(command, store)["total"]
    assert total["prompt_tokens"] == whole
    assert total["seconds"] is None


def test_the_ledger_is_a_table_for_people(command: RunCommand, judged: Path, tiny_model: Path) -> None:
    assert (
        "nothing yet; `python -m curation sample --n 8`"
        in command("curation", "usage", "--db", judged).stdout
    )
    sample(command, tiny_model, judged, "--n", "2")
    printed = command("curation", "usage", "--db", judged).stdout.splitlines()
    assert [line for line in printed if line.startswith("by ")] == [
        "by run",
        "by model",
        "by kind",
        "by band",
    ]
    assert "usd" not in printed[1]
    printed = command(
        "curation", "usage", "--by", "run", "--price", PRICE, "--db", judged
    ).stdout.splitlines()
    assert printed[1].split() == [
        *("run", "command", "started", "model", "answers", "prompt", "cached", "generated", "seconds", "usd"),
    ]
    assert printed[-2].startswith("total")


@pytest.mark.parametrize("budget", ["tokens=5000", "usd=0.01", "minutes=0"])
def test_a_budget_stops_within_a_batch_and_says_what_is_left(
    budget: str, command: RunCommand, judged: Path, tiny_model: Path
) -> None:
    spending = ("--budget", budget, "--price", "prompt=5,completion=5", "--batch-size", "8")
    summary = sample(command, tiny_model, judged, "--n", "4", *spending)
    spent = summary["prompt_tokens"] + summary["completion_tokens"]
    assert summary["drawn"] + summary["left"] == 80
    assert summary["drawn"] % 8 == 0
    one_batch = spent * 8 / max(1, summary["drawn"])
    if "tokens" in budget:
        assert 5_000 <= spent < 5_000 + 2 * one_batch
    elif "usd" in budget:
        assert 2_000 <= spent < 2_000 + 2 * one_batch
    else:
        assert spent == 0
    rest = sample(command, tiny_model, judged, "--n", "4")
    assert rest["drawn"] == summary["left"]
    assert "left" not in rest
