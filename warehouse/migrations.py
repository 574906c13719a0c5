"""Making a store, and bringing an older one up to date in one transaction."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from warehouse.errors import TierwiseError
from warehouse.schema import SCHEMA_VERSION, TABLES
from warehouse.version import code_version
from warehouse.views import MACROS, VIEWS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import duckdb

MIGRATIONS: Mapping[int, Callable[[duckdb.DuckDBPyConnection], None]] = {}
"""Step from version N − 1 to N, by N. A step changes tables only; macros and views are made anew after."""


def stored_version(connection: duckdb.DuckDBPyConnection) -> int | None:
    """Schema version of the store, None for an empty database.

    Raises:
        TierwiseError: The database holds other tables but no Tierwise store.
    """
    names = {row[0] for row in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    if "schema_versions" in names:
        row = connection.execute("SELECT max(version) FROM schema_versions").fetchone()
        if row and row[0] is not None:
            return int(row[0])
    if names:
        listed = ", ".join(sorted(names)[:3])
        raise TierwiseError(
            f"a DuckDB database with other tables ({listed}), not a Tierwise store; name another file with --db"
        )
    return None


def check_readable(version: int | None) -> None:
    """Refuse a store that this code cannot read.

    Raises:
        TierwiseError: No store, or one from a newer version.
    """
    if version is None:
        raise TierwiseError("an empty DuckDB database, not yet a store; run `python -m warehouse init`")
    if version > SCHEMA_VERSION:
        raise TierwiseError(
            f"written by a newer Tierwise (schema {version}, this one knows {SCHEMA_VERSION}); upgrade tierwise"
        )


def bring_up_to_date(connection: duckdb.DuckDBPyConnection) -> int:
    """Create or migrate the schema in one transaction; return the version it had before (0: none).

    Raises:
        TierwiseError: Not a store, or one from a newer version.
    """
    before = stored_version(connection) or 0
    if before == SCHEMA_VERSION:
        return before
    if before:
        check_readable(before)
    connection.execute("BEGIN")
    try:
        if before:
            for step in range(before + 1, SCHEMA_VERSION + 1):
                MIGRATIONS[step](connection)
        else:
            for table in TABLES:
                _execute_all(connection, table.ddl())
        for macro, comment in MACROS:
            connection.execute(macro)
            name = macro.split("MACRO ", 1)[1].split("(", 1)[0]
            connection.execute(f"COMMENT ON MACRO {name} IS '{comment.replace(chr(39), chr(39) * 2)}'")
        for view in VIEWS:
            _execute_all(connection, view.ddl())
        connection.execute(
            "INSERT INTO schema_versions VALUES (?, ?, ?)",
            [SCHEMA_VERSION, datetime.now(UTC).replace(tzinfo=None), code_version()],
        )
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    return before


def _execute_all(connection: duckdb.DuckDBPyConnection, statements: list[str]) -> None:
    for statement in statements:
        connection.execute(statement)
