"""Making, describing and copying a store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from warehouse.ddl import sql_text
from warehouse.dictionary import comment_statements
from warehouse.errors import TierwiseError
from warehouse.ledger import utc_now
from warehouse.parts import waiting_parts
from warehouse.schema import SCHEMA_VERSION, TABLES
from warehouse.scratch import scratch_directory
from warehouse.views import MACROS

if TYPE_CHECKING:
    from pathlib import Path

    from warehouse.store import Store


def initialise(store: Store, data: str | None = None) -> dict[str, Any]:
    """Make or migrate the store; merge what waits. `data` is where the Parquet files of a new DuckLake go."""
    began = utc_now()
    store.place.make(data)
    store.merge_waiting()
    with store.read() as connection:
        versions = connection.execute(
            "SELECT version, applied_at FROM schema_versions ORDER BY version DESC LIMIT 2"
        ).fetchall()
    if versions[0][1] < began:
        state = "was there"
    else:
        state = f"migrated from schema {versions[1][0]}" if len(versions) > 1 else "made"
    return {"store": store.place.name, "schema_version": versions[0][0], "state": state}


def describe(store: Store) -> dict[str, Any]:
    """Counts by table, splits, the newest runs, and parts that no writer has merged yet."""
    with store.read() as connection:
        size = store.place.size(connection)
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
        "store": store.place.name,
        "bytes": size,
        "schema_version": SCHEMA_VERSION,
        "rows": {name: count for name, count in counts.items() if count},
        "splits": [row[0] for row in splits],
        "newest_runs": [row[0] for row in runs],
        "waiting_parts": len(waiting_parts(store.runs)),
    }


def copy_store(store: Store, target: Path) -> dict[str, Any]:
    """Copy the store to the DuckDB file `target` as it stands at one moment.

    Raises:
        TierwiseError: `target` exists, or its folder does not; or the disk is full.
    """
    _require_new(target)
    with scratch_directory(target.parent, "snapshot") as directory:
        copy = directory / "copy.duckdb"
        store.place.copy(copy)
        copy.rename(target)
    return {"snapshot": str(target), "bytes": target.stat().st_size, **_left_out(store)}


def export_store(store: Store, target: Path) -> dict[str, Any]:
    """Write all tables as Parquet with the SQL to load them, into the new folder `target`.

    Raises:
        TierwiseError: `target` exists, or its folder does not; or the disk is full.
    """
    _require_new(target)
    with scratch_directory(target.parent, "backup") as directory:
        export = directory / target.name
        with store.place.exportable(directory) as connection:
            connection.execute(f"EXPORT DATABASE {sql_text(export)} (FORMAT parquet)")
            comments = comment_statements(connection)
        # DuckDB 1.5 writes lambdas in a form that 2.0 refuses, so our macros once more as they are declared.
        macros = [macro.create() for macro in MACROS]
        with (export / "schema.sql").open("a", encoding="utf-8") as schema:
            schema.writelines(f"{statement};\n" for statement in [*macros, *comments])
        # IMPORT DATABASE finds the files by name; for other readers no path of today should stand there.
        load = export / "load.sql"
        load.write_text(
            load.read_text(encoding="utf-8").replace(f"{export}/".replace("'", "''"), ""), encoding="utf-8"
        )
        export.rename(target)
    return {"backup": str(target), "files": len(list(target.iterdir())), **_left_out(store)}


def _require_new(target: Path) -> None:
    if target.exists():
        raise TierwiseError(f"{target} exists; name a new path")
    if not target.parent.is_dir():
        raise TierwiseError(f"no folder {target.parent}; make it first")


def _left_out(store: Store) -> dict[str, int]:
    waiting = len(waiting_parts(store.runs))
    return {"waiting_parts_not_in_it": waiting} if waiting else {}
