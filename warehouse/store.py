"""The store: one DuckDB file, opened for moments."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warehouse.copies import copy_held_database
from warehouse.errors import TierwiseError
from warehouse.failpoints import failpoint
from warehouse.locking import StoreHeldError, connect, patience
from warehouse.migrations import bring_up_to_date, is_current, stored_version
from warehouse.parts import RunDirectory, merge_parts
from warehouse.scratch import SCRATCH, scratch_directory, sweep
from warehouse.transactions import storage_failures, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import duckdb

    from warehouse.ledger import Run, Status


# Seconds: longer than any transaction of ours at rest, short for somebody who waits.
_COPY_AFTER = 5.0


class Store:
    """A Tierwise store at `path`, with the directory of its runs beside it.

    No method keeps the file open after it returns; whoever else wants it waits for moments only.
    """

    def __init__(self, path: Path) -> None:
        # Through a link, the log and the runs would stand beside the link, unseen from the file's own name.
        self.path = path.resolve() if path.is_symlink() else path
        self.runs = Path(f"{self.path}.runs")

    @contextmanager
    def read(self, *, copy_if_held: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open read-only. An older store is migrated first.

        Args:
            copy_if_held: Where another process keeps the file for more than a moment, read a private copy of
                what it last committed. For runs that can go on without the file.

        Raises:
            TierwiseError: No store there, not a store, from a newer version, or held by another process.
        """
        self._require_file()
        try:
            connection = self._open_current(min(patience(), _COPY_AFTER) if copy_if_held else patience())
        except StoreHeldError:
            if not copy_if_held:
                raise
            with self._private_copy() as copy, copy.read() as connection:
                yield connection
            return
        try:
            with storage_failures(f"cannot read {self.path}"):
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
        with self._open_for_writing() as (connection, _), transaction(connection):
            run.save(connection)
            yield connection
            run.end("finished")
            run.save(connection)

    def merge_waiting(self, *, wait: float | None = None) -> dict[str, int]:
        """Merge the parts that runs left; return rows added by table.

        Raises:
            StoreHeldError: Another process kept the file for `wait` seconds.
        """
        with self._open_for_writing(wait) as (_, merged):
            return merged

    @contextmanager
    def long_run(self, run: Run) -> Iterator[LongRun]:
        """A run that works for long without the file, by parts.

        Ends as ``finished``, ``interrupted`` (Ctrl-C) or ``failed``; then its parts are merged, or wait for
        the next writer if the file is held.
        """
        long_run = LongRun(self, RunDirectory(self.runs, run))
        try:
            yield long_run
        except BaseException as error:
            # What ended the run is the error to tell, not what its last checkpoint met.
            with contextlib.suppress(TierwiseError):
                long_run.end("interrupted" if isinstance(error, KeyboardInterrupt) else "failed")
            raise
        long_run.end("finished")

    @contextmanager
    def exclusive(self, name: str, doing: str) -> Iterator[None]:
        """Keep other processes from `doing` the same at the same time.

        Raises:
            TierwiseError: Another process does, or there is no store.
        """
        self._require_file()
        self.runs.mkdir(exist_ok=True)
        lock = self.runs / f".{name}.lock"
        with lock.open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                holder = f"process {pid}" if (pid := file.read()) else "another process"
                raise TierwiseError(f"{holder} is already {doing} in {self.path}; wait or stop it") from None
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield

    @contextmanager
    def _open_for_writing(
        self, wait: float | None = None
    ) -> Iterator[tuple[duckdb.DuckDBPyConnection, dict[str, int]]]:
        connection = connect_and_migrate(self.path, wait)
        try:
            with storage_failures(f"cannot write {self.path}, which is as it was before"):
                yield connection, merge_parts(connection, self.runs)
        finally:
            connection.close()

    def _open_current(self, wait: float) -> duckdb.DuckDBPyConnection:
        while True:
            connection = connect(self.path, read_only=True, wait=wait)
            try:
                with storage_failures(f"cannot read {self.path}"), _naming(self.path):
                    if is_current(stored_version(connection)):
                        return connection
            except BaseException:
                connection.close()
                raise
            connection.close()
            connect_and_migrate(self.path).close()

    @contextmanager
    def _private_copy(self) -> Iterator[Store]:
        with scratch_directory(Path(tempfile.gettempdir()), "copy") as directory:
            copy = Store(directory / self.path.name)
            copy_held_database(self.path, copy.path)
            yield copy

    def _require_file(self) -> None:
        if self.path.is_dir():
            raise TierwiseError(f"{self.path} is a folder; name the store's file with --db")
        if not self.path.exists():
            raise TierwiseError(
                f"no store at {self.path}; name one with --db or TIERWISE_DB, "
                "or make one with `python -m warehouse init`"
            )


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

    def end(self, status: Status) -> None:
        """Close the run and merge what it left, or leave that to the next writer."""
        self.run.end(status)
        try:
            self._directory.save_run()
        finally:
            self._directory.release()
        self.checkpoint(wait=min(patience(), 5.0))


def connect_and_migrate(path: Path, wait: float | None = None) -> duckdb.DuckDBPyConnection:
    """Open for writing, making or migrating the store.

    Raises:
        TierwiseError: Not a store, from a newer version, held by another process, or not writable.
    """
    if path.is_dir():
        raise TierwiseError(f"{path} is a folder; name the store's file with --db")
    if not path.exists():
        _make(path)
    sweep(path.parent, SCRATCH)
    return _open_migrated(path, patience() if wait is None else wait)


def _make(path: Path) -> None:
    """Make an empty store at `path` that is complete from the moment it is there."""
    if not path.parent.is_dir():
        raise TierwiseError(f"no folder {path.parent} to hold the store; make it or name another with --db")
    log = Path(f"{path}.wal")
    if log.exists():
        raise TierwiseError(
            f"{log} is the log of a store that is gone; bring the store back or remove the log"
        )
    with storage_failures(f"cannot make {path}"), scratch_directory(path.parent, "new") as directory:
        fresh = directory / path.name
        _open_migrated(fresh, 0.0).close()
        if Path(f"{fresh}.wal").exists():
            raise TierwiseError(f"cannot make {path}: its log could not be folded in; is the disk full?")
        failpoint("make")
        try:
            path.hardlink_to(fresh)
        except FileExistsError:  # another process was faster
            return
        except OSError:  # a file system without hard links
            fresh.rename(path)


def _open_migrated(path: Path, wait: float) -> duckdb.DuckDBPyConnection:
    connection = connect(path, read_only=False, wait=wait)
    try:
        with storage_failures(f"cannot write {path}"), _naming(path):
            bring_up_to_date(connection)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except TierwiseError as error:
        raise TierwiseError(f"{path} is {error}") from None
