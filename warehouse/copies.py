"""Copies of a DuckDB file with its logs."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from warehouse.ddl import sql_text
from warehouse.errors import TierwiseError
from warehouse.locking import StoreHeldError, connect
from warehouse.schema import TABLES
from warehouse.transactions import storage_failures, transaction

if TYPE_CHECKING:
    import duckdb

# The main file, and what DuckDB has beside it between a commit and the end of the next checkpoint.
_SUFFIXES = ("", ".wal", ".wal.checkpoint", ".wal.recovery")
_ATTEMPTS = 5


def copy_database(source: Path, target: Path) -> None:
    """Copy the database `source`, which nobody writes meanwhile, to the one file `target`.

    Raises:
        TierwiseError: The disk is full, or a file cannot be read or written.
    """
    _copy_files(source, target)
    _fold_logs(source, target)


def copy_held_database(source: Path, target: Path) -> None:
    """Copy the database `source`, which another process may be writing, as it stood at one moment.

    Raises:
        StoreHeldError: It was written during every attempt.
        TierwiseError: As `copy_database`.
    """
    for attempt in range(_ATTEMPTS):
        before = _fingerprint(source)
        # A write in the same clock tick as the fingerprint would not show as a later one.
        time.sleep(0.02 * 2**attempt)
        _copy_files(source, target)
        if _fingerprint(source) == before:
            _fold_logs(source, target)
            return
    raise StoreHeldError(f"{source} is being written all the time and cannot be copied; try again later")


def copy_tables(connection: duckdb.DuckDBPyConnection, target: Path) -> None:
    """Copy every table of ours, as `connection` sees them at one moment, to the store `target`, new and empty.

    Raises:
        TierwiseError: The disk is full, or `target` cannot be written.
    """
    with storage_failures(f"cannot write {target}"):
        connection.execute(f"ATTACH {sql_text(target)} AS copied")
        with transaction(connection):
            connection.execute("DELETE FROM copied.schema_versions")
            for table in TABLES:
                connection.execute(f"INSERT INTO copied.{table.name} BY NAME FROM {table.name}")
        connection.execute("DETACH copied")
    if len(_files(target)) > 1:
        raise TierwiseError(f"cannot write {target}: its log could not be folded in; is the disk full?")


def _copy_files(source: Path, target: Path) -> None:
    for suffix in _SUFFIXES:
        original, copy = f"{source}{suffix}", Path(f"{target}{suffix}")
        copy.unlink(missing_ok=True)
        if suffix and not Path(original).exists():
            continue
        # Not in this process: closing a file drops every POSIX lock that the process has on it, DuckDB's too.
        copied = subprocess.run(
            ["cp", "--", original, str(copy)], capture_output=True, text=True, errors="replace", check=False
        )
        if copied.returncode and (not suffix or Path(original).exists()):
            reason = copied.stderr.strip() or f"cp ended with status {copied.returncode}"
            raise TierwiseError(f"cannot copy {source}: {reason}")


def _fold_logs(source: Path, target: Path) -> None:
    with storage_failures(f"cannot copy {source}"):
        connection = connect(target, read_only=False, wait=0)
        try:
            connection.execute("CHECKPOINT")
        finally:
            connection.close()
    # What a failed checkpoint leaves in a log would be lost with the log.
    if len(_files(target)) > 1:
        raise TierwiseError(f"cannot copy {source}: its log could not be folded in; is the disk full?")


def _files(database: Path) -> list[Path]:
    return [path for suffix in _SUFFIXES if (path := Path(f"{database}{suffix}")).exists()]


def _fingerprint(database: Path) -> set[tuple[str, int, int, int]]:
    prints = set()
    for suffix in _SUFFIXES:
        try:
            stat = Path(f"{database}{suffix}").stat()
        except FileNotFoundError:
            continue
        prints.add((suffix, stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return prints
