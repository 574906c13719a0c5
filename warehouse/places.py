"""What a store needs of the place where it lies: a DuckDB file, or a DuckLake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    import duckdb


class Place(Protocol):
    """Where a store lies. It is opened for moments; its connections have the store as their default database."""

    @property
    def name(self) -> str:
        """What ``--db`` takes, and what messages say."""
        ...

    @property
    def runs(self) -> Path:
        """Directory of the long runs of this machine."""
        ...

    @property
    def folder(self) -> Path:
        """Where files that belong beside the store go."""
        ...

    @property
    def exists(self) -> bool:
        """Whether a store is there."""
        ...

    def make(self, data: str | None) -> None:
        """Make the store where there is none yet; `data` is where its Parquet files go, if it has any.

        Raises:
            TierwiseError: `data` is missing, is not wanted here, or is not where the store's files lie.
        """
        ...

    def reading(self, *, copy_if_held: bool) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """Open read-only, an older store migrated first. `copy_if_held` as in `warehouse.store.Store.read`.

        Raises:
            StoreHeldError: The store cannot be had now.
            TierwiseError: No store there, not a store, or from a newer version.
        """
        ...

    def writing(self, wait: float) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """Open for writing, alone among all writers, the schema made or migrated.

        Raises:
            StoreHeldError: The store could not be had within `wait` seconds.
            TierwiseError: As `reading`; or the disk is full, or the store cannot be written.
        """
        ...

    def exclusive(self, name: str, doing: str) -> AbstractContextManager[None]:
        """Keep other processes from `doing` the same, called `name`, at the same time.

        Raises:
            TierwiseError: Another process does, or there is no store.
        """
        ...

    def exportable(self, scratch: Path) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """Open the store as a DuckDB database for EXPORT DATABASE; `scratch` is a folder for what that takes.

        Raises:
            TierwiseError: As `copy`.
        """
        ...

    def size(self, connection: duckdb.DuckDBPyConnection) -> int:
        """Bytes of the store's files."""
        ...

    def copy(self, target: Path) -> None:
        """Copy the store, as it stands at one moment, to the DuckDB file `target`.

        Raises:
            TierwiseError: As `reading`; or the disk is full.
        """
        ...

    def forget(self) -> None:
        """Leave nothing of deleted rows in the store's files, and no way back to them.

        Raises:
            TierwiseError: As `writing`.
        """
        ...
