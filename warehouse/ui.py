"""DuckDB's own web UI over a private copy of the store.

The UI keeps its connection open, and an open connection keeps every other process from the store. So it gets
a copy as of now, which is gone when it ends. It listens on loopback only (DuckDB gives it no other address);
queries and rows stay on this machine, the page itself is fetched from ui.duckdb.org.
"""

from __future__ import annotations

import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from warehouse.errors import TierwiseError
from warehouse.locking import connect
from warehouse.maintenance import copy_store
from warehouse.scratch import scratch_directory
from warehouse.transactions import first_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

    from warehouse.store import Store


@contextmanager
def serve_ui(store: Store) -> Iterator[str]:
    """Serve the UI over a copy of `store` as it is now; yield what DuckDB says of where it is.

    Raises:
        TierwiseError: No UI extension here, its port is taken, no store, or no room for the copy.
    """
    import duckdb

    # Both before anything is copied: a store may be large.
    with store.read():
        pass
    with closing(duckdb.connect()) as probe:
        _load_extension(probe)
    with private_copy(store) as connection:
        _load_extension(connection)
        try:
            said = str(connection.execute("CALL start_ui()").fetchall()[0][0])
        except duckdb.Error as error:
            said = first_line(error)
        # Where another process serves a UI at the port already, DuckDB says so instead of failing; that one
        # may show somebody else's data.
        if "://localhost:" not in said:
            raise TierwiseError(
                f"DuckDB's UI does not start: {said}; end what holds its port, or name another one in the "
                "environment variable ui_local_port"
            )
        yield said


@contextmanager
def private_copy(store: Store) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a copy of `store` that is gone afterwards, with whatever was changed in it.

    Raises:
        TierwiseError: No store, held by another process, or no room for the copy.
    """
    with scratch_directory(Path(tempfile.gettempdir()), "ui") as directory:
        copy = directory / "tierwise.duckdb"
        copy_store(store, copy)
        with closing(connect(copy, read_only=False, wait=0)) as connection:
            yield connection


def _load_extension(connection: duckdb.DuckDBPyConnection) -> None:
    import duckdb

    try:
        # Installs it first where DuckDB can download it.
        connection.execute("LOAD ui")
    except duckdb.Error as error:
        raise TierwiseError(
            f"DuckDB {duckdb.__version__}'s UI extension is not installed and cannot be downloaded; on a machine with "
            f'internet run `duckdb -c "INSTALL ui"`, or open a `python -m warehouse snapshot PATH` with any SQL '
            f"client ({first_line(error)[:160]})"
        ) from error
