"""A store that several machines share: a DuckLake with its catalog in PostgreSQL and its rows as Parquet.

Readers see a snapshot and never wait. Writers take turns: what makes our writes idempotent is an insert of what
is not there yet, and of two such transactions at once neither would see the rows of the other.
"""

from __future__ import annotations

import atexit
import itertools
import os
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from warehouse.copies import copy_tables
from warehouse.ddl import sql_text
from warehouse.duckdb_file import DuckDBFile
from warehouse.errors import TierwiseError
from warehouse.extensions import load_extension
from warehouse.locking import StoreHeldError, memory_settings, patience
from warehouse.migrations import bring_up_to_date, is_current, stored_version
from warehouse.scratch import scratch_directory
from warehouse.transactions import first_line, storage_failures
from warehouse.turns import WRITING, TurnTakenError, connection_string, session, take_turn

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterator

    import duckdb
    import psycopg

PREFIX = "ducklake:"
_POSTGRES = f"{PREFIX}postgres:"
# All rows are Parquet: DuckLake would keep small inserts in the catalog, where deletes of them went wrong before.
_NO_INLINING = "DATA_INLINING_ROW_LIMIT 0"
_NUMBERS = itertools.count(1)


class DuckLake:
    """The DuckLake called `name`, ``ducklake:postgres:<connection string>``, as a `warehouse.places.Place`.

    Raises:
        TierwiseError: The catalog is not in PostgreSQL, or the connection string is none or holds a password.
    """

    def __init__(self, name: str) -> None:
        if not name.startswith(_POSTGRES):
            raise TierwiseError(
                f"--db {PREFIX}… needs PostgreSQL for its catalog, as in '{_POSTGRES}dbname=tierwise host=db.example': "
                "a DuckDB file lets one process in, and writers of a SQLite file lose commits"
            )
        self.name = name
        self.folder = Path()
        self._conninfo = connection_string(name.removeprefix(_POSTGRES))
        self._lake_id: uuid.UUID | None = None

    @property
    def runs(self) -> Path:
        """Under ``TIERWISE_STATE`` (``~/.local/state/tierwise``), by the lake's own id: however it is spelt."""
        if self._lake_id is None:
            with self._session() as opened:
                self._identify(opened)
        return self._state() / f"{self._lake_id}.runs"

    @property
    def exists(self) -> bool:
        """Whether the catalog holds a lake."""
        with self._session() as opened:
            return _has_lake(opened)

    def make(self, data: str | None) -> None:
        """Make an empty DuckLake whose Parquet files go to `data`, a folder or an address such as s3://…."""
        data_path = None if data is None else _data_path(data)
        with self._turn(patience()) as opened:
            if not _has_lake(opened):
                if data_path is None:
                    raise TierwiseError(
                        f"no store at {self.name} yet; say where its Parquet files go: "
                        "`python -m warehouse init --data DIR`, or an address such as s3://bucket/tierwise"
                    )
                with self._attached(f"DATA_PATH {sql_text(data_path)}"):
                    pass
            stored = _data_path_of(opened)
            if data_path is not None and stored != data_path:
                raise TierwiseError(
                    f"the Parquet files of {self.name} go to {stored} already; leave --data out"
                )

    @contextmanager
    def reading(self, *, copy_if_held: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open read-only. Nobody who reads waits, so `copy_if_held` has nothing to do."""
        while True:
            with self._session() as opened:
                self._identify(opened)
            with self._attached("READ_ONLY") as connection:
                if self._is_current(connection):
                    with storage_failures(f"cannot read {self.name}"):
                        yield connection
                    return
            with self.writing(patience()):
                pass

    @contextmanager
    def writing(self, wait: float) -> Iterator[duckdb.DuckDBPyConnection]:
        """Take the turn of those who write and open."""
        _engine(self._state())  # now, so that nobody waits while we load extensions
        with self._turn(wait) as opened:
            self._identify(opened)
            with (
                self._attached() as connection,
                storage_failures(f"cannot write {self.name}, which is as it was before"),
            ):
                with self._naming():
                    bring_up_to_date(connection)
                yield connection

    @contextmanager
    def exclusive(self, name: str, doing: str) -> Iterator[None]:
        """Keep other processes, on other machines too, from `doing` the same."""
        with self._session() as opened:
            self._identify(opened)
            try:
                take_turn(opened, name, 0.0)
            except TurnTakenError as taken:
                raise TierwiseError(f"{taken} is already {doing} in {self.name}; wait or stop it") from None
            yield

    def size(self, connection: duckdb.DuckDBPyConnection) -> int:
        """Bytes of the Parquet files that make up the tables as they stand."""
        row = connection.execute(
            "SELECT sum(file_size_bytes + delete_file_size_bytes) FROM ducklake_table_info(current_database())"
        ).fetchone()
        return int(row[0] or 0) if row else 0

    def copy(self, target: Path) -> None:
        """Copy every table of ours as it stands in one snapshot."""
        with DuckDBFile(target).writing(0.0):
            pass
        with self.reading(copy_if_held=False) as connection:
            copy_tables(connection, target)

    def forget(self) -> None:
        """Write files with deleted rows anew, and drop the snapshots and files that still hold them."""
        with self.writing(patience()) as connection:
            (lake,) = connection.execute("SELECT current_database()").fetchall()[0]
            for step in (
                "rewrite_data_files({}, delete_threshold => 0)",
                "expire_snapshots({}, older_than => now())",
                "cleanup_old_files({}, cleanup_all => true)",
            ):
                connection.execute(f"CALL ducklake_{step.format(sql_text(lake))}")

    @contextmanager
    def exportable(self, scratch: Path) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open a copy: of a lake, EXPORT DATABASE lists views before those they lean on."""
        copy = scratch / "copy.duckdb"
        self.copy(copy)
        with DuckDBFile(copy).reading(copy_if_held=False) as connection:
            yield connection

    @contextmanager
    def _session(self) -> Iterator[psycopg.Connection]:
        with session(self._conninfo, self.name) as opened:
            yield opened

    @contextmanager
    def _turn(self, wait: float) -> Iterator[psycopg.Connection]:
        with self._session() as opened:
            try:
                take_turn(opened, WRITING, wait)
            except TurnTakenError as taken:
                raise StoreHeldError(
                    f"{self.name} is held by {taken} and was not free within {wait:g} s; stop it or try again"
                ) from None
            yield opened

    @contextmanager
    def _attached(self, *options: str) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection whose default database is the lake."""
        import duckdb

        connection = _engine(self._state()).cursor()
        name = f"tierwise_{next(_NUMBERS)}"
        listed = ", ".join((_NO_INLINING, *options))
        try:
            try:
                with storage_failures(f"cannot open {self.name}"):
                    connection.execute(f"ATTACH {sql_text(self.name)} AS {name} ({listed})")
            except duckdb.Error as error:
                raise TierwiseError(f"cannot open {self.name}: {first_line(error)}") from error
            connection.execute(f"USE {name}")
            yield connection
            connection.execute("USE memory")
            connection.execute(f"DETACH {name}")
        except BaseException:
            # What went wrong may have left it of no use.
            _engine.cache_clear()
            raise
        finally:
            connection.close()

    def _identify(self, opened: psycopg.Connection) -> None:
        if not _has_lake(opened):
            raise TierwiseError(
                f"no store at {self.name}; name one with --db or TIERWISE_DB, "
                "or make one with `python -m warehouse init --data DIR`"
            )
        row = opened.execute("SELECT schema_uuid FROM ducklake_schema WHERE schema_name = 'main'").fetchone()
        assert row is not None
        self._lake_id = row[0]

    def _is_current(self, connection: duckdb.DuckDBPyConnection) -> bool:
        with storage_failures(f"cannot read {self.name}"), self._naming():
            return is_current(stored_version(connection))

    @contextmanager
    def _naming(self) -> Iterator[None]:
        try:
            yield
        except TierwiseError as error:
            raise TierwiseError(f"{self.name} is {error}") from None

    @staticmethod
    def _state() -> Path:
        state = Path(os.environ.get("TIERWISE_STATE") or Path.home() / ".local" / "state" / "tierwise")
        state.mkdir(parents=True, exist_ok=True)
        return state.absolute()


@cache
def _engine(state: Path) -> duckdb.DuckDBPyConnection:
    """A DuckDB in memory, spilling to disk, that knows DuckLake; kept, as loading that takes half a second."""
    import duckdb

    with ExitStack() as stack:
        spill = stack.enter_context(scratch_directory(state, "spill"))
        connection = stack.enter_context(
            duckdb.connect(config={"temp_directory": str(spill), **memory_settings()})
        )
        for extension in ("ducklake", "postgres"):
            load_extension(connection, extension)
        atexit.register(stack.pop_all().close)
    return connection


def _has_lake(opened: psycopg.Connection) -> bool:
    row = opened.execute("SELECT to_regclass('ducklake_metadata') IS NOT NULL").fetchone()
    return bool(row and row[0])


def _data_path_of(opened: psycopg.Connection) -> str:
    row = opened.execute("SELECT value FROM ducklake_metadata WHERE key = 'data_path'").fetchone()
    assert row is not None
    return str(row[0]).rstrip("/")


def _data_path(data: str) -> str:
    """`data` as the catalog keeps it: an address as it stands, a folder absolute, for all who share it."""
    if "://" in data:
        return data.rstrip("/")
    folder = Path(data).absolute()
    if not folder.parent.is_dir():
        raise TierwiseError(f"no folder {folder.parent} to hold the store's Parquet files; make it first")
    return str(folder)
