"""The whole path on a shared store: what it leaves is what it leaves in a DuckDB file."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow.parquet as pq
import pytest

from tests.curation.conftest import MAPPING, command, judged_csv, offline, tiny_model
from tests.ducklake.conftest import new_lake
from tests.warehouse.support import contents
from warehouse.schema import TABLES
from warehouse.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tests.curation.conftest import RunCommand
    from tests.ducklake.conftest import Lake
    from tests.postgres import Postgres

__all__ = ["command", "judged_csv", "offline", "tiny_model"]

_OTHER = "query_id NOT IN (SELECT query_id FROM split_queries WHERE role <> 'train')"
_PREDICTOR = ("--predictor", "tiny")
_SAME_SPLIT = ("--fit", "eval_v1", "--judge", "eval_v1", "--same-split")
# What differs between any two stores: ids of runs, when and where they ran, and on which commit.
_OF_RUNS = {
    *("run_id", "parents", "started_at", "ended_at", "created_at", "applied_at", "pid", "summary"),
    *("code_version", "seconds"),
}


@dataclass(frozen=True, slots=True)
class Both:
    """The same commands in a file, on the DuckDB of this environment, and in a lake, on DuckDB 1.5.5."""

    file: Path
    lake: Lake
    folder: Path


def _steps(judged: Path, model: Path) -> Iterable[tuple[str, ...]]:
    yield ("curation", "ingest", "table", str(judged), *MAPPING)
    yield ("curation", "sample", "--n", "4", "--max-tokens", "24", "--model", str(model))
    yield ("curation", "difficulty")
    yield ("curation", "pairs", "--max-length-ratio", "8")
    yield ("curation", "split", "create", "eval", "--role", "eval", "--size", "15")
    yield ("curation", "split", "create", "train", "--where", _OTHER)
    yield ("eval", "samples", "--split", "eval_v1")
    yield ("eval", "predict", "--split", "eval_v1", "--model", str(model), "--name", "tiny")
    reasons = ("--prompt", "reason-first", "--max-tokens", "24")
    yield ("eval", "predict", "--split", "eval_v1", "--model", str(model), *reasons)
    yield ("eval", "metrics", *_PREDICTOR, "--split", "eval_v1")
    yield ("eval", "calibrate", *_PREDICTOR, *_SAME_SPLIT)
    yield ("eval", "metrics", *_PREDICTOR, "--split", "eval_v1", "--versus", "tiny.temperature")
    yield ("eval", "partition", "fit", *_PREDICTOR, *_SAME_SPLIT)
    yield ("eval", "report", *_PREDICTOR, "--split", "eval_v1", "--out", str(model.parent / "report.html"))
    yield ("curation", "sample", "--n", "2", "--model", str(model), *reasons, "--limit", "6")
    yield ("curation", "step-values", "--rollouts", "2", "--limit", "6")
    yield ("curation", "check", "--model", str(model))
    yield ("curation", "pairs", "--max-length-ratio", "8", "--require", "grounded")
    yield ("eval", "chains")
    # Once more, and nothing changes.
    yield ("curation", "ingest", "table", str(judged), *MAPPING)


@pytest.fixture(scope="module")
def both(
    server: Postgres,
    tmp_path_factory: pytest.TempPathFactory,
    command: RunCommand,
    judged_csv: Path,
    tiny_model: Path,
) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("both")
    file, lake = folder / "tierwise.duckdb", new_lake(server, folder)
    with closing(lake):
        lake.command("warehouse", "init", "--data", lake.data)
        for step in _steps(judged_csv, tiny_model):
            on_file = command(*step, "--db", file, "--json").stdout
            # Times and speeds aside, they say the same.
            assert json.loads(on_file).keys() == json.loads(lake.command(*step, "--json")).keys()
        yield Both(file, lake, folder)


def _rows(store: Store) -> dict[str, Any]:
    found = contents(store)
    with store.read() as connection:
        for table in TABLES:
            columns = ", ".join(c.name for c in table.columns if c.name not in _OF_RUNS)
            found[table.name] = connection.execute(
                f"SELECT {columns} FROM {table.name} ORDER BY ALL"
            ).fetchall()
    return found


def test_a_snapshot_of_the_lake_holds_what_the_file_holds(both: Both) -> None:
    copy = both.folder / "copy.duckdb"
    both.lake.command("warehouse", "snapshot", copy)
    on_lake, on_file = _rows(Store(copy)), _rows(Store(both.file))
    assert on_lake == on_file
    # Four of each pair, one of each that was predicted reason-first, twelve chains, and two from each of three steps.
    assert len(on_lake["samples"]) == 273
    assert len(on_lake["sample_steps"]) == 3
    assert on_lake["split_preferences"]
    assert {row[2] for row in on_lake["checked_texts"]} > {"text"}


def test_splits_verify_and_exports_are_equal(both: Both, command: RunCommand) -> None:
    assert both.lake.command("curation", "split", "verify", "train_v1") == "train_v1 is whole.\n"
    file, lake = both.folder / "file", both.folder / "lake-export"
    command("curation", "export", "train_v1", "--format", "parquet", "--out", file, "--db", both.file)
    both.lake.command("curation", "export", "train_v1", "--format", "parquet", "--out", lake)
    names = sorted(path.name for path in file.glob("*.parquet"))
    assert names == ["dpo.parquet", "grpo.parquet", "pairs.parquet", "sft.parquet"]
    for name in names:
        assert pq.read_table(lake / name).to_pylist() == pq.read_table(file / name).to_pylist(), name


def test_status_and_lineage(both: Both) -> None:
    status = json.loads(both.lake.command("warehouse", "status", "--json"))
    assert status["store"] == both.lake.name
    assert status["rows"]["samples"] == 273
    assert status["bytes"] >= sum(path.stat().st_size for path in both.lake.data.rglob("*.parquet")) / 2
    assert status["waiting_parts"] == 0
    ((preference,),) = both.lake.rows("SELECT min(preference_id) FROM split_preferences")
    traced = both.lake.command("warehouse", "lineage", preference)
    assert traced.startswith("preference ")
    assert "judged.csv:" in traced
    assert "ingest run" in traced


def test_the_dictionary_is_that_of_a_file(both: Both, command: RunCommand) -> None:
    assert both.lake.command("warehouse", "docs") == command("warehouse", "docs", "--db", both.file).stdout


def test_a_backup_of_the_lake_is_a_store_again(both: Both) -> None:
    backup, restored = both.folder / "backup", both.folder / "restored.duckdb"
    both.lake.command("warehouse", "backup", backup)
    with duckdb.connect(str(restored)) as connection:
        connection.execute(f"IMPORT DATABASE '{backup}'")
    assert _rows(Store(restored)) == _rows(Store(both.file))
    with Store(restored).read() as connection:
        assert connection.execute("SELECT pass_at_k(8, 3, 2)").fetchall() == [(pytest.approx(9 / 14),)]


def test_sql_reads_only(both: Both) -> None:
    for change in ("DELETE FROM samples", "CREATE TABLE mine (x INTEGER)"):
        assert "only reads" in both.lake.command("warehouse", "sql", change, code=1)


def test_nothing_is_left_beside_the_lake(both: Both) -> None:
    (runs,) = (both.folder / "state").glob("[!.]*")
    assert runs.suffix == ".runs"
    assert list(runs.iterdir()) == []
