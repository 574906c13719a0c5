"""Adaptive pass@N by the commands, with a real model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.curation.conftest import MAPPING, rows

if TYPE_CHECKING:
    from pathlib import Path

    from tests.curation.conftest import RunCommand, RunProcess

KEYS = "SELECT count(*) AS n, count(DISTINCT (pair_id, sample_index)) AS keys FROM samples"


@pytest.fixture
def judged(tmp_path: Path, command: RunCommand, judged_csv: Path) -> Path:
    store = tmp_path / "tierwise.duckdb"
    command("curation", "ingest", "table", judged_csv, *MAPPING, "--db", store)
    return store


def arguments(model: Path, store: Path, *more: str) -> tuple[str | Path, ...]:
    base = ("curation", "sample", "--model", model, "--max-tokens", "6", "--n", "12", "--json")
    return (*base, "--batch-size", "16", "--db", store, *more)


def sample(command: RunCommand, model: Path, store: Path, *more: str) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads(command(*arguments(model, store, *more)).stdout)
    return summary


def test_what_is_known_early_is_spared_and_a_second_run_draws_nothing(
    command: RunCommand, judged: Path, tiny_model: Path
) -> None:
    first = sample(command, tiny_model, judged, "--adaptive", "groups")
    assert first["drawn"] + first["spared"] == 60 * 12
    assert first["spared"] > 60
    again = sample(command, tiny_model, judged, "--adaptive", "groups")
    assert (again["drawn"], again["spared"]) == (0, first["spared"])
    (design,) = rows(command, judged, "FROM designs")
    assert (design["n"], design["first"], design["target"]) == (12, 4, "groups")
    assert 10 <= design["pilot_pairs"] <= 35
    assert design["expected_agreement"] >= 0.95
    whole = sample(command, tiny_model, judged)
    assert whole["drawn"] == first["spared"]
    assert rows(command, judged, KEYS) == [{"n": 720, "keys": 720}]


@pytest.mark.parametrize("moment", ["part", "merge"])
def test_killed_in_the_middle_it_goes_on_by_what_it_learned(
    moment: str, command: RunCommand, process: RunProcess, judged: Path, tiny_model: Path
) -> None:
    adaptive = arguments(tiny_model, judged, "--adaptive", "bands", "--agreement", "0.9")
    kills = 0
    while kills < 4:
        process(*adaptive, code=-9, env={"TIERWISE_DIE_AT": moment})
        kills += 1
    summary = json.loads(command(*adaptive).stdout)
    assert summary["already_there"] + summary["drawn"] + summary["spared"] == 720
    counts = rows(command, judged, KEYS)[0]
    assert counts["n"] == counts["keys"] == 720 - summary["spared"]
    assert len(rows(command, judged, "FROM designs")) == 1
    # Every pair that was left has come to a state in which its design stops, or has all.
    open_pairs = rows(
        command,
        judged,
        "WITH drawn AS (SELECT pair_id, count(*) AS n, count(*) FILTER (s.tier = p.tier) AS c FROM samples s "
        "JOIN pairs p USING (pair_id) GROUP BY 1) FROM drawn JOIN design_states USING (n, c) WHERE more > 0",
    )
    assert open_pairs == []


def test_a_pair_that_was_left_has_the_band_that_all_samples_would_give(
    command: RunCommand, judged: Path, tiny_model: Path
) -> None:
    assert sample(command, tiny_model, judged, "--adaptive", "bands", "--agreement", "0.8")["spared"]
    command("curation", "difficulty", "--db", judged)
    left = rows(
        command,
        judged,
        "SELECT d.band, s.band AS named, d.pass_1, s.pass_at_k[1] AS unbiased, d.n FROM difficulty d "
        "JOIN design_states s ON s.n = d.n AND s.c = d.c WHERE s.more = 0",
    )
    assert len(left) == 60
    assert all(row["band"] == row["named"] and row["pass_1"] == row["unbiased"] for row in left)
    sample(command, tiny_model, judged)
    command("curation", "difficulty", "--db", judged)
    assert (
        rows(
            command,
            judged,
            "FROM difficulty WHERE n <> 12 OR band <> difficulty_band(n, c) OR pass_1 <> c / n",
        )
        == []
    )
