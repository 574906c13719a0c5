"""Describing, copying, backing up."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from tests.warehouse.support import KILLED, cli, contents, insert_query, names, one_line_error, python
from warehouse.errors import TierwiseError
from warehouse.ledger import Run
from warehouse.maintenance import copy_store, describe, export_store
from warehouse.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_status(filled: Store) -> None:
    summary = json.loads(cli("status", "--json", "--db", filled.path).stdout)
    assert summary["rows"] == {"runs": 1, "queries": 2, "samples": 1}
    assert summary["waiting_parts"] == 0
    assert summary["newest_runs"][0].split()[2:4] == ["sample", "finished"]
    assert summary["bytes"] == filled.path.stat().st_size
    (filled.runs / "x").mkdir(parents=True)
    (filled.runs / "x" / "part-000001.queries.parquet").touch()
    (filled.runs / "x" / ".part-000002.queries.parquet").touch()
    assert describe(filled)["waiting_parts"] == 1


def test_a_snapshot_is_the_store_in_one_file(filled: Store, tmp_path: Path) -> None:
    # A log that no checkpoint has folded in, as a killed process leaves one.
    code = (
        "import duckdb, os, sys; connection = duckdb.connect(sys.argv[1])\n"
        f'connection.execute("{insert_query("logged")}")\n'
        "os.kill(os.getpid(), 9)"
    )
    assert python(code, filled.path).returncode == KILLED
    assert filled.path.with_name("store.duckdb.wal").exists()
    target = tmp_path / "copies" / "it's a copy.duckdb"
    target.parent.mkdir()
    done = cli("snapshot", target, "--db", filled.path)
    assert done.returncode == 0, done.stderr
    assert names(target.parent) == [target.name]
    copied = contents(Store(target))
    assert copied == contents(filled)
    assert "logged" in str(copied["queries"])


def test_a_backup_can_be_imported_by_any_duckdb(filled: Store, tmp_path: Path) -> None:
    target = tmp_path / "it's a backup"
    done = cli("backup", target, "--db", filled.path)
    assert done.returncode == 0, done.stderr
    moved = target.rename(tmp_path / "elsewhere")
    assert str(tmp_path) not in (moved / "load.sql").read_text()
    restored = tmp_path / "restored.duckdb"
    with duckdb.connect(str(restored)) as connection:
        connection.execute(f"IMPORT DATABASE '{moved}'")
    assert contents(Store(restored)) == contents(filled)
    with Store(restored).write(Run("ingest", {})) as connection:
        assert connection.execute("SELECT pass_at_k(4, 0, 2), count(*) FROM pair_overview").fetchall() == [
            (0.0, 0)
        ]


@pytest.mark.parametrize("take", [copy_store, export_store])
def test_copies_go_to_new_places(
    filled: Store, tmp_path: Path, take: Callable[[Store, Path], dict[str, Any]]
) -> None:
    with pytest.raises(TierwiseError, match="exists; name a new path"):
        take(filled, filled.path)
    with pytest.raises(TierwiseError, match="no folder"):
        take(filled, tmp_path / "no" / "x")
    (filled.runs / "x").mkdir(parents=True)
    (filled.runs / "x" / "part-000001.queries.parquet").touch()
    assert take(filled, tmp_path / "new")["waiting_parts_not_in_it"] == 1


def test_docs_go_to_a_file(store: Store, tmp_path: Path) -> None:
    assert cli("docs", "--db", store.path, "--out", tmp_path / "d.md").returncode == 0
    assert (tmp_path / "d.md").read_text(encoding="utf-8") == contents(store)["dictionary"]
    assert "No such file" in one_line_error(
        cli("docs", "--db", store.path, "--out", tmp_path / "no" / "d.md")
    )
