"""Parquet parts: how a long run keeps what it finished without holding the store.

A run lives in ``<db>.runs/<run_id>/``, once resumed in ``<run_id>-2/`` and so on: ``run.json`` (its ledger row),
``lock`` (see `warehouse.scratch`) and ``part-<number>.<table>.parquet`` files, each complete from the moment it has its
name. Any writer merges the parts of every run, alive or dead: rows are keyed by content, so a part merged twice adds
nothing, and a crash between merge and collection only means another look.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from typing import TYPE_CHECKING, Any

from warehouse.ddl import sql_text
from warehouse.errors import TierwiseError
from warehouse.failpoints import failpoint
from warehouse.ledger import Run
from warehouse.schema import TABLE_BY_NAME
from warehouse.scratch import is_claimed, make_claimed, remove, sweep
from warehouse.tombstones import remove_texts
from warehouse.transactions import first_line, transaction

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import duckdb
    import pyarrow as pa

    from warehouse.ddl import Table

_LEDGER_ROW = "run.json"
_NEWER = "they are from a newer Tierwise, so upgrade it"
_LOG = logging.getLogger(__name__)


class _UnmergeableError(Exception):
    """What is wrong with the parts of a run, and what to do about it."""


class RunDirectory:
    """The directory of a live run, claimed until `release`."""

    def __init__(self, runs: Path, run: Run) -> None:
        self.run = run
        # A killed process may have left parts of the same run that no writer has merged yet.
        name = "-".join([str(run.run_id), *([str(len(run.resumed_at) + 1)] if run.resumed_at else [])])
        self.path = runs / name
        self._parts = 0
        runs.mkdir(exist_ok=True)
        # Made under another name first, so that nobody meets a run directory without its ledger row.
        nascent = runs / f".{name}"
        self._claim = make_claimed(nascent)
        try:
            self._save_run(nascent)
            failpoint("nascent")
            nascent.rename(self.path)
        except BaseException:
            remove(nascent)
            self._claim.close()
            raise

    def write_part(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write `rows` of `table` as the next part; see the function."""
        self._parts += 1
        write_part(self.path, f"{self._parts:06d}", table, rows)

    def save_run(self) -> None:
        """Write the run's ledger row, durably, over the former one."""
        self._save_run(self.path)

    def release(self) -> None:
        """Give up the claim; from here on any writer may collect the directory."""
        self._claim.close()

    def _save_run(self, directory: Path) -> None:
        _write_durably(directory / _LEDGER_ROW, self.run.to_json().encode())


def write_part(directory: Path, name: str, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write `rows` of `table` as the part `name` of the run in `directory`. It is durable on return.

    Raises:
        TierwiseError: The disk is full or cannot be written.
        ValueError: A row has a column that `table` has not, or lacks a required one. Better now than in a merge that
            can never succeed.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    declared = TABLE_BY_NAME[table]
    unknown = {name for row in rows for name in row} - {column.name for column in declared.columns}
    if unknown:
        raise ValueError(f"{table} has no column {', '.join(sorted(unknown))}")
    data = pa.Table.from_pylist(list(rows), schema=arrow_schema(declared))
    for column in declared.columns:
        if column.required and data.column(column.name).null_count:
            raise ValueError(f"{table}.{column.name} is required")
    sink = pa.BufferOutputStream()
    pq.write_table(data, sink, compression="zstd")
    _write_durably(directory / f"part-{name}.{table}.parquet", sink.getvalue().to_pybytes())


def waiting_parts(runs: Path, table: str = "*") -> list[Path]:
    """Finished parts of `table`, or of all, that no writer has merged and collected yet."""
    return sorted(runs.glob(f"[!.]*/part-*.{table}.parquet"))


def with_waiting(runs: Path, table: str, columns: Sequence[str]) -> str:
    """SELECT of `columns` of the rows of `table` in the store and, cast alike, in the parts that wait."""
    stored = f"SELECT {', '.join(columns)} FROM {table}"
    parts = waiting_parts(runs, table)
    if not parts:
        return stored
    declared = TABLE_BY_NAME[table]
    cast = ", ".join(f"CAST({name} AS {declared.type_of(name)}) AS {name}" for name in columns)
    listed = ", ".join(map(sql_text, parts))
    return f"{stored} UNION ALL SELECT {cast} FROM read_parquet([{listed}])"


def merge_parts(connection: duckdb.DuckDBPyConnection, runs: Path) -> dict[str, int]:
    """Merge the parts and ledger rows that wait, each run in a transaction, and collect them.

    A run that cannot be merged, written by a newer version or damaged, is left as it is, with a warning: it
    must not keep the others from the store.

    Returns:
        Rows added by table.
    """
    sweep(runs, ".")
    added: Counter[str] = Counter()
    for directory in sorted(runs.glob("[!.]*")):
        if (directory / _LEDGER_ROW).exists():
            try:
                added.update(_merge_run(connection, directory))
            except _UnmergeableError as error:
                _LOG.warning("The parts in %s wait unmerged: %s", directory, error)
    return dict(added)


def _merge_run(connection: duckdb.DuckDBPyConnection, directory: Path) -> dict[str, int]:
    import duckdb

    # Looked at before the parts: whatever a finished run left behind is then among them.
    alive = is_claimed(directory)
    run = _ledger_row(directory)
    if not alive and run.status == "running":
        run.end("interrupted")
    added = {}
    parts = sorted(directory.glob("part-*.*.parquet"))
    by_table: dict[str, list[Path]] = {}
    for part in parts:
        by_table.setdefault(part.suffixes[-2][1:], []).append(part)
    unknown = by_table.keys() - TABLE_BY_NAME.keys()
    if unknown:
        raise _UnmergeableError(f"there is no table {', '.join(sorted(unknown))}; {_NEWER}")
    try:
        with transaction(connection):
            run.save(connection)
            for table, its_parts in by_table.items():
                added[table] = _merge_table(connection, TABLE_BY_NAME[table], its_parts)
            if added and connection.execute("SELECT 1 FROM tombstones LIMIT 1").fetchall():
                # The run may have read a text before it was taken down.
                remove_texts(connection)
            failpoint("merge")
    except (duckdb.DataError, duckdb.IntegrityError, duckdb.ProgrammingError) as error:
        raise _UnmergeableError(first_line(error)) from error
    failpoint("collect")
    for part in parts:
        part.unlink(missing_ok=True)
    if not alive and not any(directory.glob("part-*")):
        # Renamed first, so that a crash leaves no half of a run directory.
        remove(directory.rename(directory.with_name(f".{directory.name}")))
    return added


def _ledger_row(directory: Path) -> Run:
    try:
        return Run.from_json((directory / _LEDGER_ROW).read_text())
    except (ValueError, TypeError, KeyError) as error:
        raise _UnmergeableError(
            f"{_LEDGER_ROW} is damaged ({error}), so move the folder away, or else {_NEWER}"
        ) from error


def insert_new(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    source: str,
    parameters: Mapping[str, Any] | None = None,
) -> int:
    """Insert the rows of the query `source` whose key `table` does not hold yet; return how many.

    `source` yields the table's columns by name (missing ones are NULL), unique in its key.
    """
    columns = {row[0] for row in connection.execute(f"DESCRIBE {source}", parameters or {}).fetchall()}
    declared = TABLE_BY_NAME[table]
    present = [c for c in declared.columns if c.name in columns]
    names = ", ".join(c.name for c in present)
    values = ", ".join(f"CAST(new.{c.name} AS {c.type})" for c in present)
    same = " AND ".join(f"old.{k} = CAST(new.{k} AS {declared.type_of(k)})" for k in declared.key)
    row = connection.execute(
        f"INSERT INTO {table} ({names}) SELECT {values} FROM ({source}) AS new "
        f"WHERE NOT EXISTS (SELECT 1 FROM {table} AS old WHERE {same})",
        parameters or {},
    ).fetchone()
    assert row is not None
    return int(row[0])


def insert_rows(connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Mapping[str, Any]]) -> int:
    """`insert_new` of `rows`, whose columns may be missing where they may be NULL."""
    import pyarrow as pa

    if not rows:
        return 0
    data = pa.Table.from_pylist(list(rows), schema=arrow_schema(TABLE_BY_NAME[table]))
    connection.register("inserted_rows", data)
    try:
        return insert_new(connection, table, "SELECT * FROM inserted_rows")
    finally:
        connection.unregister("inserted_rows")


def replace_rows(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    fresh: str,
    *,
    compared: Sequence[str],
    among: str,
    parameters: Mapping[str, Any] | None = None,
) -> dict[str, int]:
    """Let `table` hold the rows of `fresh` in place of those that meet the condition `among`.

    A row that differs in none of the columns `compared` stays as it is, with the run that wrote it.

    Args:
        connection: In a transaction.
        table: A table with one key column.
        fresh: Table or view with the same columns.
        compared: Columns that make a row another one.
        among: SQL condition over `table`.
        parameters: Of `among`.

    Returns:
        Rows ``new``, ``changed`` and ``removed``.
    """
    (key,) = TABLE_BY_NAME[table].key
    old, new = (f"({', '.join(f'{side}.{name}' for name in compared)})" for side in ("old", "new"))
    # In steps, as DuckLake has no MERGE with several actions.
    removed = connection.execute(
        f"DELETE FROM {table} WHERE {among} AND {key} NOT IN (SELECT {key} FROM {fresh})", parameters or {}
    ).fetchall()[0][0]
    changed = connection.execute(
        f"DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} AS old JOIN {fresh} AS new USING ({key}) "
        f"WHERE {old} IS DISTINCT FROM {new})"
    ).fetchall()[0][0]
    added = insert_new(connection, table, f"SELECT * FROM {fresh}")
    return {"new": added - changed, "changed": changed, "removed": removed}


def arrow_schema(table: Table) -> pa.Schema:
    """Arrow schema of a part of `table`; ids and JSON travel as text."""
    import pyarrow as pa

    types = {
        "UUID": pa.string(),
        "VARCHAR": pa.string(),
        "JSON": pa.string(),
        "INTEGER": pa.int32(),
        "BIGINT": pa.int64(),
        "DOUBLE": pa.float64(),
        "BOOLEAN": pa.bool_(),
        "TIMESTAMP": pa.timestamp("us"),
        "DATE": pa.date32(),
        "UUID[]": pa.list_(pa.string()),
        "DOUBLE[]": pa.list_(pa.float64()),
        "VARCHAR[]": pa.list_(pa.string()),
    }
    return pa.schema([(column.name, types[column.type]) for column in table.columns])


def _merge_table(connection: duckdb.DuckDBPyConnection, table: Table, parts: Iterable[Path]) -> int:
    source = f"read_parquet([{', '.join(map(sql_text, parts))}], union_by_name = true)"
    columns = {row[0] for row in connection.execute(f"DESCRIBE FROM {source}").fetchall()}
    unknown = columns - {column.name for column in table.columns}
    if unknown:
        raise _UnmergeableError(f"{table.name} has no column {', '.join(sorted(unknown))}; {_NEWER}")
    added = insert_new(connection, table.name, f"SELECT DISTINCT ON ({', '.join(table.key)}) * FROM {source}")
    for name in columns.intersection(table.later):
        same = " AND ".join(
            f"{table.name}.{key} = CAST(new.{key} AS {table.type_of(key)})" for key in table.key
        )
        connection.execute(
            f"UPDATE {table.name} SET {name} = CAST(new.{name} AS {table.type_of(name)}) FROM {source} AS new "
            f"WHERE {same} AND {table.name}.{name} IS NULL AND new.{name} IS NOT NULL"
        )
    return added


def _write_durably(target: Path, content: bytes) -> None:
    temporary = target.with_name(f".{target.name}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(target)
        directory = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise TierwiseError(
            f"cannot write {target}: {error.strerror}; mend that and run the same command again"
        ) from error
