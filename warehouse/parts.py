"""Parquet parts: how a long run keeps what it finished without holding the store.

A run lives in ``<db>.runs/<run_id>/``: ``run.json`` (its ledger row), ``lock`` (held while its process
lives) and ``part-<number>.<table>.parquet`` files, each complete from the moment it has its name. Any writer
merges the parts of every run, alive or dead: rows are keyed by content, so a part merged twice adds nothing,
and a crash between merge and collection only means another look.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warehouse.errors import TierwiseError
from warehouse.failpoints import failpoint
from warehouse.ledger import Run
from warehouse.schema import TABLE_BY_NAME

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import duckdb
    import pyarrow as pa

    from warehouse.ddl import Table


class RunDirectory:
    """The directory of a live run; holds the run's lock until `release`."""

    def __init__(self, runs: Path, run: Run) -> None:
        self.run = run
        self.path = runs / str(run.run_id)
        self._parts = 0
        # Made under another name first, so that nobody meets a run directory without its lock.
        nascent = runs / f".{run.run_id}"
        nascent.mkdir(parents=True)
        self._lock = (nascent / "lock").open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        _write_durably(nascent / "run.json", run.to_json().encode())
        nascent.rename(self.path)

    def write_part(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write `rows` of `table` as the next part. It is durable on return.

        Raises:
            TierwiseError: The disk is full or cannot be written.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._parts += 1
        target = self.path / f"part-{self._parts:06d}.{table}.parquet"
        sink = pa.BufferOutputStream()
        data = pa.Table.from_pylist(list(rows), schema=arrow_schema(TABLE_BY_NAME[table]))
        pq.write_table(data, sink, compression="zstd")
        _write_durably(target, sink.getvalue().to_pybytes())

    def save_run(self) -> None:
        """Write the run's ledger row, durably, over the former one."""
        _write_durably(self.path / "run.json", self.run.to_json().encode())

    def release(self) -> None:
        """Let go of the lock; from here on any writer may collect the directory."""
        self._lock.close()


def waiting_parts(runs: Path, table: str) -> list[Path]:
    """Finished parts of `table` that no writer has merged and collected yet."""
    return sorted(runs.glob(f"*/part-*.{table}.parquet"))


def merge_parts(connection: duckdb.DuckDBPyConnection, runs: Path) -> dict[str, int]:
    """Merge every waiting part and ledger row in one transaction, then collect them.

    Returns:
        Rows added by table.
    """
    directories = (
        [d for d in sorted(runs.glob("[!.]*")) if (d / "run.json").exists()] if runs.exists() else []
    )
    if not directories:
        return {}
    added: dict[str, int] = {}
    merged: list[Path] = []
    ended: list[Path] = []
    connection.execute("BEGIN")
    try:
        for directory in directories:
            # Read before the parts: whatever a finished run left behind is then among them.
            alive = _is_alive(directory)
            run = Run.from_json((directory / "run.json").read_text())
            if not alive:
                if run.status == "running":
                    run.end("interrupted")
                ended.append(directory)
            run.save(connection)
            for table in TABLE_BY_NAME.values():
                parts = sorted(directory.glob(f"part-*.{table.name}.parquet"))
                if parts:
                    added[table.name] = added.get(table.name, 0) + _merge_table(connection, table, parts)
                    merged += parts
        failpoint("merge")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    failpoint("collect")
    for part in merged:
        part.unlink(missing_ok=True)
    for directory in ended:
        if not any(directory.glob("part-*")):
            shutil.rmtree(directory, ignore_errors=True)
    return added


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
        "DOUBLE[]": pa.list_(pa.float64()),
    }
    return pa.schema([(column.name, types[column.type]) for column in table.columns])


def _merge_table(connection: duckdb.DuckDBPyConnection, table: Table, parts: Iterable[Path]) -> int:
    listed = ", ".join("'" + str(part).replace("'", "''") + "'" for part in parts)
    key = ", ".join(table.key)
    return insert_new(connection, table.name, f"SELECT DISTINCT ON ({key}) * FROM read_parquet([{listed}])")


def _is_alive(directory: Path) -> bool:
    with (directory / "lock").open("r") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


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
            f"cannot write {target}: {error.strerror}; free space and run the same command again"
        ) from error
