"""The store: opened for moments, wherever it lies."""

from __future__ import annotations

import contextlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from warehouse.duckdb_file import DuckDBFile
from warehouse.ducklake import PREFIX, DuckLake
from warehouse.errors import TierwiseError
from warehouse.locking import StoreHeldError, patience
from warehouse.parts import RunDirectory, merge_parts, waiting_parts
from warehouse.transactions import Rollback, transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    import duckdb

    from warehouse.ledger import Run, Status
    from warehouse.places import Place

T = TypeVar("T")


class Store:
    """A Tierwise store at `place`, a DuckDB file or a DuckLake.

    No method keeps it open after it returns; whoever else wants it waits for moments only.
    """

    def __init__(self, place: Path | Place) -> None:
        self.place: Place = DuckDBFile(place) if isinstance(place, Path) else place

    @classmethod
    def named(cls, name: str) -> Store:
        """The store that ``--db`` names.

        Raises:
            TierwiseError: `name` begins like a DuckLake, but cannot be one.
        """
        return cls(DuckLake(name) if name.startswith(PREFIX) else Path(name))

    @property
    def exists(self) -> bool:
        """Whether it was made."""
        return self.place.exists

    def forget(self) -> None:
        """Leave nothing of deleted rows in its files.

        Raises:
            TierwiseError: As `write`.
        """
        self.place.forget()

    @property
    def path(self) -> Path:
        """The DuckDB file of a store that is one."""
        assert isinstance(self.place, DuckDBFile)
        return self.place.path

    @property
    def runs(self) -> Path:
        """Directory of the long runs of this machine."""
        return self.place.runs

    def read(self, *, copy_if_held: bool = False) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """Open read-only. An older store is migrated first.

        Args:
            copy_if_held: Where another process keeps the file for more than a moment, read a private copy of
                what it last committed. For runs that can go on without the file.

        Raises:
            TierwiseError: No store there, not a store, from a newer version, or held by another process.
        """
        return self.place.reading(copy_if_held=copy_if_held)

    def read_with_parts(self, read: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        """What `read` finds in the store and in the parts that wait (`warehouse.parts.with_waiting`).

        Read again where parts were merged meanwhile: a private copy could lack their rows.

        Raises:
            TierwiseError: As `read`.
        """
        while True:
            parts = waiting_parts(self.runs)
            try:
                with self.read(copy_if_held=True) as connection:
                    found = read(connection)
            except TierwiseError:
                if all(part.exists() for part in parts):
                    raise
            else:
                if all(part.exists() for part in parts):
                    return found

    @contextmanager
    def write(self, run: Run) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open for one transaction under the ledger row `run`; made on first use.

        Parts that wait are merged first. An exception rolls everything back, the ledger row included, and is
        raised on, unless it is `Rollback`.

        Raises:
            TierwiseError: As `read`; or the disk is full, or the file cannot be written.
        """
        with (
            self._open_for_writing() as (connection, _),
            contextlib.suppress(Rollback),
            transaction(connection),
        ):
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

    def exclusive(self, name: str, doing: str) -> AbstractContextManager[None]:
        """Keep other processes from `doing` the same at the same time.

        Raises:
            TierwiseError: Another process does, or there is no store.
        """
        return self.place.exclusive(name, doing)

    @contextmanager
    def _open_for_writing(
        self, wait: float | None = None
    ) -> Iterator[tuple[duckdb.DuckDBPyConnection, dict[str, int]]]:
        with self.place.writing(patience() if wait is None else wait) as connection:
            yield connection, merge_parts(connection, self.runs)


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

    @property
    def path(self) -> Path:
        """Its directory, for what others write in its name."""
        return self._directory.path

    def checkpoint(self, *, wait: float = 0.0) -> bool:
        """Merge what waits if the store is free within `wait` seconds; `held_by` tells who kept it."""
        try:
            self._store.merge_waiting(wait=wait)
        except StoreHeldError as held:
            self.held_by = held
            return False
        self.held_by = None
        return True

    @property
    def waiting(self) -> dict[str, str]:
        """What a summary says of parts that another process kept from the store."""
        if self.held_by is None:
            return {}
        return {"waiting": f"{self.held_by}. Its parts are merged by the next command that writes"}

    def end(self, status: Status) -> None:
        """Close the run and merge what it left, or leave that to the next writer."""
        self.run.end(status)
        try:
            self._directory.save_run()
        finally:
            self._directory.release()
        self.checkpoint(wait=min(patience(), 5.0))
