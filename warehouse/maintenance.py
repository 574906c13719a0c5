"""Making, describing and copying a store."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warehouse.errors import TierwiseError
from warehouse.locking import connect, patience
from warehouse.schema import SCHEMA_VERSION, TABLES

if TYPE_CHECKING:
    from warehouse.store import Store


def initialise(store: Store) -> dict[str, Any]:
    """Make or migrate the store; merge what waits."""
    existed = store.path.exists()
    store.merge_waiting()
    return {
        "store": str(store.path),
        "schema_version": SCHEMA_VERSION,
        "state": "was there" if existed else "made",
    }


def describe(store: Store) -> dict[str, Any]:
    """Counts by table, splits, the newest runs, and parts that no writer has merged yet."""
    with store.read() as connection:
        counts = {
            table.name: connection.execute(f"SELECT count(*) FROM {table.name}").fetchall()[0][0]
            for table in TABLES
            if table.name != "schema_versions"
        }
        splits = connection.execute(
            "SELECT concat(split, ' (', role, ', ', count(m.pair_id), ' pairs)') FROM splits "
            "LEFT JOIN split_members m USING (split) GROUP BY split, role, created_at ORDER BY created_at"
        ).fetchall()
        runs = connection.execute(
            "SELECT concat(strftime(started_at, '%Y-%m-%d %H:%M:%S'), '  ', rpad(kind, 10, ' '), ' ', status, "
            "' ', substr(CAST(run_id AS VARCHAR), 1, 8)) FROM runs ORDER BY started_at DESC LIMIT 5"
        ).fetchall()
    return {
        "store": str(store.path),
        "bytes": store.path.stat().st_size,
        "schema_version": SCHEMA_VERSION,
        "rows": {name: count for name, count in counts.items() if count},
        "splits": [row[0] for row in splits],
        "newest_runs": [row[0] for row in runs],
        "waiting_parts": len(list(store.runs.glob("*/part-*.parquet"))),
    }


def copy_store(store: Store, target: Path) -> dict[str, Any]:
    """Copy the store to `target` as it stands, writers waiting meanwhile.

    Raises:
        TierwiseError: `target` exists, or its folder does not.
    """
    _require_new(target)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".snapshot-") as directory:
        copy = Path(directory) / "copy.duckdb"
        # Our shared lock keeps writers out while the two files are read.
        with store.read():
            shutil.copyfile(store.path, copy)
            log = Path(f"{store.path}.wal")
            if log.exists():
                shutil.copyfile(log, f"{copy}.wal")
        # Opening for writing folds the log in, so that the copy is one file.
        connect(copy, read_only=False, wait=patience()).close()
        copy.rename(target)
    return {"snapshot": str(target), "bytes": target.stat().st_size, **_waiting(store)}


def export_store(store: Store, target: Path) -> dict[str, Any]:
    """Write all tables as Parquet with the SQL to load them, into the new folder `target`.

    Raises:
        TierwiseError: `target` exists, or its folder does not.
    """
    _require_new(target)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".backup-") as directory:
        export = Path(directory) / "export"
        with store.read() as connection:
            connection.execute(
                f"EXPORT DATABASE '{str(export).replace(chr(39), chr(39) * 2)}' (FORMAT parquet)"
            )
        export.rename(target)
    return {"backup": str(target), "files": len(list(target.iterdir())), **_waiting(store)}


def _require_new(target: Path) -> None:
    if target.exists():
        raise TierwiseError(f"{target} exists; name a new path")
    if not target.parent.is_dir():
        raise TierwiseError(f"no folder {target.parent}; make it first")


def _waiting(store: Store) -> dict[str, int]:
    waiting = len(list(store.runs.glob("*/part-*.parquet")))
    return {"waiting_parts_not_in_it": waiting} if waiting else {}
