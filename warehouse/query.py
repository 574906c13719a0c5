"""``warehouse sql``: one query, shown or written."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click

from warehouse.errors import TierwiseError
from warehouse.tabular import write_query

if TYPE_CHECKING:
    import duckdb

_SHOWN_ROWS = 100


def read_query(argument: str) -> str:
    """The one statement in `argument`, or in the file that it names.

    Raises:
        TierwiseError: The file is not there, or holds no statement or several.
    """
    import duckdb

    if argument.endswith(".sql"):
        try:
            argument = Path(argument).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise TierwiseError(f"cannot read {argument}: {getattr(error, 'strerror', error)}") from error
    try:
        statements = duckdb.extract_statements(argument)
    except duckdb.Error as error:
        raise TierwiseError(f"SQL: {_one_line(error)}") from error
    if len(statements) != 1:
        raise TierwiseError(f"SQL: {len(statements)} statements; give exactly one")
    return statements[0].query.strip().rstrip(";")


def print_query(
    connection: duckdb.DuckDBPyConnection, statement: str, *, as_json: bool, out: Path | None
) -> None:
    """Print the rows of `statement` as a table or JSON, or write them to `out`.

    Raises:
        TierwiseError: The statement fails or changes the store.
    """
    import duckdb

    try:
        if out:
            written = write_query(connection, statement, out)
            click.echo(f"{written:,} rows in {out}")
        elif as_json:
            rows = connection.execute(
                f"SELECT coalesce(to_json(list(row)), '[]') FROM ({statement}) AS row"
            ).fetchone()
            assert rows is not None
            click.echo(rows[0])
        else:
            _print_table(connection, statement)
    except duckdb.Error as error:
        if "read-only mode" in str(error):
            raise TierwiseError("SQL: `sql` only reads; take a snapshot to change things") from error
        raise TierwiseError(f"SQL: {_one_line(error)}") from error


def _print_table(connection: duckdb.DuckDBPyConnection, statement: str) -> None:
    result = connection.execute(statement)
    rows = result.fetchmany(_SHOWN_ROWS + 1)
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in result.description or ():
        table.add_column(str(column[0]), overflow="fold", no_wrap=False)
    for row in rows[:_SHOWN_ROWS]:
        table.add_row(*(Text("NULL", style="dim") if v is None else Text(str(v)) for v in row))
    # In a pipe there is no terminal to fold for.
    console = Console(width=shutil.get_terminal_size((200, 24)).columns)
    console.print(table)
    if len(rows) > _SHOWN_ROWS:
        click.echo(f"First {_SHOWN_ROWS} rows; --out FILE writes all.", err=True)


def _one_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip() and not line.startswith("LINE")]
    return lines[0] if lines else type(error).__name__
