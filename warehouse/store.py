"""The store: one DuckDB file, opened for moments."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warehouse.errors import TierwiseError
from warehouse.ledger import Run
from warehouse.locking import StoreHeldError, connect, patience
from warehouse.migrations import bring_up_to_date, check_readable, stored_version
from warehouse.parts import RunDirectory, merge_parts
from warehouse.schema import SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import duckdb


class Store:
    """A Tierwise store at `path`, with the directory of its runs beside it.

    No method keeps the file open after it returns; whoever else wants it waits for moments only.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.runs = Path(f"{path}.runs")

    @contextmanager
    def read(self, *, copy_if_held: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open read-only. An older store is migrated first.

        Args:
            copy_if_held: Where another process keeps the file past all patience, read a private copy of what
                it last committed. For runs that can go on without the file.

        Raises:
            TierwiseError: No store there, not a store, from a newer version, or held by another process.
        """
        self._require_file()
        try:
            connection = connect(self.path, read_only=True, wait=patience())
        except StoreHeldError:
            if not copy_if_held:
                raise
            with self._private_copy() as copy, copy.read() as connection:
                yield connection
            return
        try:
            version = self._checked_version(connection)
            if version < SCHEMA_VERSION:
                connection.close()
                connect_and_migrate(self.path).close()
                connection = connect(self.path, read_only=True, wait=patience())
            yield connection
        finally:
            connection.close()

    @contextmanager
    def write(self, run: Run) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open for one transaction under the ledger row `run`; made on first use.

        Parts that wait are merged first. An exception rolls everything back, the ledger row included.

        Raises:
            TierwiseError: As `read`; or the disk is full, or the file cannot be written.
        """
        with self._open_for_writing() as connection:
            connection.execute("BEGIN")
            try:
                run.save(connection)
                yield connection
                run.end("finished")
                run.save(connection)
                connection.execute("COMMIT")
            except BaseException:
                _rollback(connection)
                raise

    def merge_waiting(self, *, wait: float | None = None) -> dict[str, int]:
        """Merge the parts that runs left; return rows added by table.

        Raises:
            StoreHeldError: Another process kept the file for `wait` seconds.
        """
        with self._open_for_writing(wait) as _:
            return self._merged

    @contextmanager
    def long_run(self, run: Run) -> Iterator[LongRun]:
        """A run that works for long without the file, by parts.

        Ends as ``finished``, ``interrupted`` (Ctrl-C) or ``failed``; then its parts are merged, or wait for
        the next writer if the file is held.
        """
        long_run = LongRun(self, RunDirectory(self.runs, run))
        try:
            yield long_run
        except KeyboardInterrupt:
            long_run.end("interrupted")
            raise
        except BaseException:
            long_run.end("failed")
            raise
        else:
            long_run.end("finished")

    @contextmanager
    def exclusive(self, name: str, doing: str) -> Iterator[None]:
        """Keep other processes from `doing` the same at the same time.

        Raises:
            TierwiseError: Another process does.
        """
        self.runs.mkdir(exist_ok=True)
        lock = self.runs / f".{name}.lock"
        with lock.open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise TierwiseError(
                    f"process {file.read()} is already {doing} in {self.path}; wait or stop it"
                ) from None
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield

    @contextmanager
    def _open_for_writing(self, wait: float | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        import duckdb

        try:
            connection = connect_and_migrate(self.path, wait)
            try:
                self._merged = merge_parts(connection, self.runs)
                yield connection
            finally:
                connection.close()
        except (duckdb.IOException, duckdb.OutOfMemoryException, duckdb.FatalException) as error:
            reason = str(error).splitlines()[0]
            raise TierwiseError(
                f"cannot write {self.path}: {reason}; nothing of this command was kept"
            ) from error

    @contextmanager
    def _private_copy(self) -> Iterator[Store]:
        with tempfile.TemporaryDirectory(prefix="tierwise-") as directory:
            copy = Store(Path(directory) / self.path.name)
            for suffix in ("", ".wal"):
                source = Path(f"{self.path}{suffix}")
                if source.exists():
                    shutil.copyfile(source, Path(f"{copy.path}{suffix}"))
            yield copy

    def _require_file(self) -> None:
        if self.path.is_dir():
            raise TierwiseError(f"{self.path} is a folder; name the store's file with --db")
        if not self.path.exists():
            raise TierwiseError(
                f"no store at {self.path}; name one with --db or TIERWISE_DB, "
                "or make one with `python -m warehouse init`"
            )

    def _checked_version(self, connection: duckdb.DuckDBPyConnection) -> int:
        try:
            version = stored_version(connection)
            check_readable(version)
        except TierwiseError as error:
            raise TierwiseError(f"{self.path} is {error}") from None
        assert version is not None
        return version


class LongRun:
    """A live run that leaves its rows as parts and merges them at checkpoints."""

    def __init__(self, store: Store, directory: RunDirectory) -> None:
        self._store = store
        self._directory = directory
        self.run = directory.run
        self.held_by: StoreHeldError | None = None

    def write_part(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Keep finished `rows` of `table`, durably, without touching the store."""
        if rows:
            self._directory.write_part(table, rows)

    def checkpoint(self, *, wait: float = 0.0) -> bool:
        """Merge what waits if the store is free within `wait` seconds; `held_by` tells who kept it."""
        try:
            self._store.merge_waiting(wait=wait)
        except StoreHeldError as held:
            self.held_by = held
            return False
        self.held_by = None
        return True

    def end(self, status: str) -> None:
        """Close the run and merge what it left, or leave that to the next writer."""
        assert status in ("finished", "failed", "interrupted")
        self.run.end(status)  # type: ignore[arg-type]
        self._directory.save_run()
        self._directory.release()
        self.checkpoint(wait=min(patience(), 5.0))


def connect_and_migrate(path: Path, wait: float | None = None) -> duckdb.DuckDBPyConnection:
    """Open for writing, making or migrating the store.

    Raises:
        TierwiseError: Not a store, from a newer version, held by another process, or not writable.
    """
    if path.is_dir():
        raise TierwiseError(f"{path} is a folder; name the store's file with --db")
    if not path.parent.is_dir():
        raise TierwiseError(f"no folder {path.parent} to hold the store; make it or name another with --db")
    connection = connect(path, read_only=False, wait=patience() if wait is None else wait)
    try:
        bring_up_to_date(connection)
    except TierwiseError as error:
        connection.close()
        raise TierwiseError(f"{path} is {error}") from None
    except BaseException:
        connection.close()
        raise
    return connection


def _rollback(connection: duckdb.DuckDBPyConnection) -> None:
    import duckdb

    # A failed commit has already ended the transaction; the first error is the one to tell.
    with contextlib.suppress(duckdb.Error):
        connection.execute("ROLLBACK")
