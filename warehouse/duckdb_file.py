"""A store in one DuckDB file, opened for moments."""

from __future__ import annotations

import fcntl
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from warehouse.copies import copy_database, copy_held_database, copy_tables
from warehouse.errors import TierwiseError
from warehouse.failpoints import failpoint
from warehouse.locking import StoreHeldError, connect, patience
from warehouse.migrations import bring_up_to_date, is_current, stored_version
from warehouse.scratch import SCRATCH, scratch_directory, sweep
from warehouse.transactions import storage_failures

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    import duckdb

# Seconds: longer than any transaction of ours at rest, short for somebody who waits.
_COPY_AFTER = 5.0


class DuckDBFile:
    """The DuckDB file at `path` as a `warehouse.places.Place`.

    DuckDB lets one process write, and an open connection of another blocks it: whoever else wants the file
    waits, and is told who holds it when patience ends.
    """

    def __init__(self, path: Path) -> None:
        # Through a link, the log and the runs would stand beside the link, unseen from the file's own name.
        self.path = path.resolve() if path.is_symlink() else path
        self.name = str(self.path)
        self.runs = Path(f"{self.path}.runs")
        self.folder = self.path.parent

    @property
    def exists(self) -> bool:
        """Whether the file is there."""
        return self.path.exists()

    def make(self, data: str | None) -> None:
        """Refuse `data`: the file holds it, and the first writer makes the file."""
        if data is not None:
            raise TierwiseError(
                "--data is for a DuckLake store; a DuckDB file holds its data itself, so leave it out"
            )

    @contextmanager
    def reading(self, *, copy_if_held: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open read-only; a private copy of a file that is held, if `copy_if_held`."""
        self._require_file()
        try:
            connection = self._open_current(min(patience(), _COPY_AFTER) if copy_if_held else patience())
        except StoreHeldError:
            if not copy_if_held:
                raise
            with self._private_copy() as copy, copy.reading(copy_if_held=False) as connection:
                yield connection
            return
        try:
            with storage_failures(f"cannot read {self.path}"):
                yield connection
        finally:
            connection.close()

    @contextmanager
    def writing(self, wait: float) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open for writing, making or migrating the store."""
        connection = self._connect_and_migrate(wait)
        try:
            with storage_failures(f"cannot write {self.path}, which is as it was before"):
                yield connection
        finally:
            connection.close()

    @contextmanager
    def exclusive(self, name: str, doing: str) -> Iterator[None]:
        """Lock a file beside the store."""
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

    def exportable(self, _scratch: Path) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """Open the file itself."""
        return self.reading(copy_if_held=False)

    def size(self, _connection: duckdb.DuckDBPyConnection) -> int:
        """Bytes of the file."""
        return self.path.stat().st_size

    def copy(self, target: Path) -> None:
        """Copy the file, writers waiting meanwhile."""
        # Our shared lock keeps writers out while the files are read.
        with self.reading(copy_if_held=False):
            copy_database(self.path, target)

    def forget(self) -> None:
        """Write the file anew: what was deleted stands in its free blocks until something else does."""
        with (
            self.writing(patience()) as connection,
            scratch_directory(self.path.parent, "anew") as directory,
        ):
            anew = DuckDBFile(directory / self.path.name)
            with anew.writing(0.0):
                pass
            # No log may be left that would be read with the new file.
            connection.execute("CHECKPOINT")
            copy_tables(connection, anew.path)
            failpoint("forget")
            # While it is open: who waits for the file opens the new one.
            anew.path.replace(self.path)

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
            self._connect_and_migrate(patience()).close()

    def _connect_and_migrate(self, wait: float) -> duckdb.DuckDBPyConnection:
        if self.path.is_dir():
            raise TierwiseError(f"{self.path} is a folder; name the store's file with --db")
        if not self.path.exists():
            _make(self.path)
        sweep(self.path.parent, SCRATCH)
        return _open_migrated(self.path, wait)

    @contextmanager
    def _private_copy(self) -> Iterator[DuckDBFile]:
        with scratch_directory(Path(tempfile.gettempdir()), "copy") as directory:
            copy = DuckDBFile(directory / self.path.name)
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
