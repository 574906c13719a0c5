"""Making a store, and bringing an older one up to date in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warehouse.errors import TierwiseError
from warehouse.ledger import utc_now
from warehouse.schema import SCHEMA_VERSION, TABLE_BY_NAME, TABLES
from warehouse.transactions import transaction
from warehouse.version import code_version
from warehouse.views import MACROS, VIEWS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import duckdb


def _to_version_2(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("ALTER TABLE queries ADD COLUMN IF NOT EXISTS intent VARCHAR")
    connection.execute("ALTER TABLE pairs ADD COLUMN IF NOT EXISTS source_split VARCHAR")
    connection.execute("ALTER TABLE judgments ADD COLUMN IF NOT EXISTS reason VARCHAR")
    for column in ("source_file", "source_row"):
        connection.execute(f"ALTER TABLE judgments ALTER COLUMN {column} DROP NOT NULL")
    for name in ("tombstones", "label_scores"):
        _execute_all(connection, TABLE_BY_NAME[name].ddl())


def _to_version_3(connection: duckdb.DuckDBPyConnection) -> None:
    for name in (
        "review_datasets",
        "review_records",
        "reviews",
        "review_spans",
        "rationales",
        "review_outcomes",
    ):
        _execute_all(connection, TABLE_BY_NAME[name].ddl())
    connection.execute("ALTER TABLE split_completions ADD COLUMN IF NOT EXISTS rationale_id UUID")
    connection.execute("ALTER TABLE split_completions ALTER COLUMN sample_id DROP NOT NULL")
    for name in ("preferences", "split_preferences"):
        connection.execute(f"ALTER TABLE {name} ADD COLUMN IF NOT EXISTS chosen_rationale_id UUID")
        connection.execute(f"ALTER TABLE {name} ALTER COLUMN chosen_sample_id DROP NOT NULL")


def _to_version_4(connection: duckdb.DuckDBPyConnection) -> None:
    for name in ("predictors", "predictions", "partitions", "evaluations"):
        _execute_all(connection, TABLE_BY_NAME[name].ddl())


def _to_version_5(connection: duckdb.DuckDBPyConnection) -> None:
    _execute_all(connection, TABLE_BY_NAME["training_metrics"].ddl())
    connection.execute("ALTER TABLE runs ADD COLUMN IF NOT EXISTS resumed_at TIMESTAMP[]")
    for name, kind in (("parent_id", "UUID"), ("split", "VARCHAR"), ("split_hash", "VARCHAR")):
        connection.execute(f"ALTER TABLE models ADD COLUMN IF NOT EXISTS {name} {kind}")


def _to_version_6(connection: duckdb.DuckDBPyConnection) -> None:
    for name in ("rulebooks", "rules", "rationale_rejects"):
        _execute_all(connection, TABLE_BY_NAME[name].ddl())
    for table, name, kind in (
        ("prompts", "purpose", "VARCHAR"),
        ("rendered_prompts", "rule_ids", "UUID[]"),
        ("rationales", "sample_id", "UUID"),
        ("rationales", "gold", "VARCHAR"),
        ("rationales", "rules_cited", "VARCHAR[]"),
    ):
        connection.execute(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {name} {kind}")


def _to_version_7(connection: duckdb.DuckDBPyConnection) -> None:
    for name in ("checked_texts", "findings"):
        _execute_all(connection, TABLE_BY_NAME[name].ddl())


def _to_version_8(connection: duckdb.DuckDBPyConnection) -> None:
    for name in ("derived_verdicts", "sample_steps"):
        _execute_all(connection, TABLE_BY_NAME[name].ddl())


def _to_version_9(connection: duckdb.DuckDBPyConnection) -> None:
    _execute_all(connection, TABLE_BY_NAME["stages"].ddl())
    connection.execute("ALTER TABLE runs ADD COLUMN IF NOT EXISTS stage_id UUID")
    connection.execute("ALTER TABLE evaluations ADD COLUMN IF NOT EXISTS configuration_id UUID")
    # DuckLake refuses to drop what is not there, and the step to version 4 makes the table as it is declared now.
    required = {row[0] for row in connection.execute("DESCRIBE evaluations").fetchall() if row[2] == "NO"}
    if "predictor_id" in required:
        connection.execute("ALTER TABLE evaluations ALTER COLUMN predictor_id DROP NOT NULL")


def _to_version_10(connection: duckdb.DuckDBPyConnection) -> None:
    for name in ("designs", "design_states"):
        _execute_all(connection, TABLE_BY_NAME[name].ddl())
    for table, name, kind in (
        ("samples", "sent_tokens", "INTEGER"),
        ("samples", "cached_tokens", "INTEGER"),
        ("samples", "seconds", "DOUBLE"),
        ("predictions", "cached_tokens", "INTEGER"),
    ):
        connection.execute(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {name} {kind}")


MIGRATIONS: Mapping[int, Callable[[duckdb.DuckDBPyConnection], None]] = {
    2: _to_version_2,
    3: _to_version_3,
    4: _to_version_4,
    5: _to_version_5,
    6: _to_version_6,
    7: _to_version_7,
    8: _to_version_8,
    9: _to_version_9,
    10: _to_version_10,
}
"""Step from version N − 1 to N, by N. A step changes tables only; macros, views and comments are made anew after."""

# Any database may have a table `schema_versions`; no other has these three.
_MARKS = {"schema_versions", "runs", "judgments"}


def stored_version(connection: duckdb.DuckDBPyConnection) -> int | None:
    """Schema version of the store, None for an empty database.

    Raises:
        TierwiseError: The database holds something else.
    """
    names = {
        row[0]
        for row in connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database() AND NOT internal "
            "UNION ALL SELECT view_name FROM duckdb_views() "
            "WHERE database_name = current_database() AND NOT internal"
        ).fetchall()
    }
    if not names:
        return None
    if names >= _MARKS:
        row = connection.execute("SELECT max(version) FROM schema_versions").fetchone()
        if row and row[0] is not None:
            return int(row[0])
    listed = ", ".join(sorted(names)[:3])
    raise TierwiseError(
        f"a DuckDB database with other tables ({listed}), not a Tierwise store; name another file with --db"
    )


def is_current(version: int | None) -> bool:
    """Whether a store of schema `version` can be read as it is; False if it must be migrated first.

    Raises:
        TierwiseError: No store, or one from a newer version.
    """
    if version is None:
        raise TierwiseError("an empty DuckDB database, not yet a store; run `python -m warehouse init`")
    if version > SCHEMA_VERSION:
        raise TierwiseError(
            f"written by a newer Tierwise (schema {version}, this one knows {SCHEMA_VERSION}); upgrade tierwise"
        )
    return version == SCHEMA_VERSION


def bring_up_to_date(connection: duckdb.DuckDBPyConnection) -> int | None:
    """Create or migrate the schema in one transaction; return the version it had before, None for none.

    Raises:
        TierwiseError: Not a store, or one from a newer version.
    """
    before = stored_version(connection)
    if before is not None and is_current(before):
        return before
    with transaction(connection):
        if before is None:
            for table in TABLES:
                _execute_all(connection, table.ddl())
        else:
            for step in range(before + 1, SCHEMA_VERSION + 1):
                MIGRATIONS[step](connection)
            for table in TABLES:
                _execute_all(connection, table.comments())
        # DuckLake keeps comments of tables only; `warehouse.dictionary` knows the others.
        commented = _is_duckdb(connection)
        for macro in MACROS:
            _execute_all(connection, macro.ddl() if commented else [macro.create()])
        for view in VIEWS:
            _execute_all(connection, view.ddl() if commented else [view.create()])
        connection.execute(
            "INSERT INTO schema_versions VALUES (?, ?, ?)",
            [SCHEMA_VERSION, utc_now(), code_version()],
        )
    return before


def _is_duckdb(connection: duckdb.DuckDBPyConnection) -> bool:
    row = connection.execute(
        "SELECT type = 'duckdb' FROM duckdb_databases() WHERE database_name = current_database()"
    ).fetchone()
    return bool(row and row[0])


def _execute_all(connection: duckdb.DuckDBPyConnection, statements: Iterable[str]) -> None:
    for statement in statements:
        connection.execute(statement)
