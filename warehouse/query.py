"""``warehouse sql``: one query, shown or written."""

from __future__ import annotations

import contextlib
import decimal
import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from warehouse.console import printable
from warehouse.errors import TierwiseError
from warehouse.tabular import json_rows, write_query

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import duckdb

_SHOWN_ROWS = 100
_GAP = "  "
# MULTI is a PIVOT over the values that it finds.
_READING = {"SELECT", "EXPLAIN", "PRAGMA", "CALL", "MULTI"}


def read_query(argument: str) -> str:
    """The one statement in `argument`, or in the ``.sql`` file that it names.

    Raises:
        TierwiseError: The file is not there, or holds no statement, several, or one that does more than read.
    """
    import duckdb

    if argument.endswith(".sql"):
        try:
            argument = Path(argument).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8"
            raise TierwiseError(f"cannot read {argument}: {reason}") from error
    try:
        statements = duckdb.extract_statements(argument)
    except duckdb.Error as error:
        raise TierwiseError(f"SQL: {_told(error)}") from error
    if len(statements) != 1:
        found = f"{len(statements)} statements" if statements else "no statement"
        raise TierwiseError(f"SQL: {found}; give exactly one")
    if statements[0].type.name not in _READING:
        raise TierwiseError(
            "SQL: `sql` only reads; --out FILE writes rows, and a snapshot is yours to change"
        )
    return _without_end(statements[0].query)


def print_query(
    connection: duckdb.DuckDBPyConnection, statement: str, *, as_json: bool, out: Path | None
) -> None:
    """Print the rows of `statement` as a table or a JSON array, or write them to `out`.

    Raises:
        TierwiseError: The statement fails, changes the store, or has no rows to write.
    """
    import duckdb

    try:
        if as_json or out:
            _require_rows(statement)
        if out:
            written = write_query(connection, statement, out)
            click.echo(f"{written:,} rows in {out}")
        elif as_json:
            with _leaving_at_once():
                _print_json(connection, statement)
        else:
            with _leaving_at_once():
                _print_table(connection, statement)
    except duckdb.Error as error:
        if "read-only mode" in str(error):
            raise TierwiseError("SQL: `sql` only reads; take a snapshot to change things") from error
        raise TierwiseError(f"SQL: {_told(error)}") from error


@contextlib.contextmanager
def _leaving_at_once() -> Iterator[None]:
    """Ctrl-C ends the process as the signal comes: a query that only prints has nothing to tidy.

    DuckDB 2.0, when a query is interrupted, may wait for its own threads forever.
    """

    def leave(_number: int, _frame: object) -> None:
        os.write(2, b"Interrupted.\n")
        os._exit(130)

    before = signal.getsignal(signal.SIGINT)
    # In the background of a script, Ctrl-C is not meant for us.
    if before is signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGINT, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _told(error: Exception) -> str:
    """Message of DuckDB with its hints, without the query that it repeats."""
    said, _, _ = str(error).partition("\n\nLINE ")
    return printable(" ".join(said.split())[:400])


def _without_end(statement: str) -> str:
    """`statement` up to its semicolon: it will stand in parentheses."""
    import duckdb

    encoded = statement.encode()
    for start, kind in reversed(duckdb.tokenize(statement)):
        if kind != duckdb.token_type.comment and encoded[start : start + 1] != b";":
            break
        encoded = encoded[:start]
    return encoded.decode().strip()


def _kind(statement: str) -> str:
    import duckdb

    return duckdb.extract_statements(statement)[0].type.name


def _require_rows(statement: str) -> None:
    kind = _kind(statement)
    if kind != "SELECT":
        hint = (
            "name the values, FROM (PIVOT … ON column IN (…))" if kind == "MULTI" else "drop --json and --out"
        )
        raise TierwiseError(f"SQL: only SELECT, DESCRIBE, SHOW and SUMMARIZE give rows to write; {hint}")


def _print_json(connection: duckdb.DuckDBPyConnection, statement: str) -> None:
    opened = False
    for row in json_rows(connection, statement):
        click.echo(f"{',' if opened else '['}\n{row}", nl=False)
        opened = True
    click.echo("\n]" if opened else "[]")


def _print_table(connection: duckdb.DuckDBPyConnection, statement: str) -> None:
    result = connection.execute(statement)
    if _kind(statement) == "EXPLAIN":
        for *_, plan in result.fetchall():
            click.echo(plan.rstrip())
        return
    names = [printable(str(column[0])) for column in result.description or ()]
    rows = result.fetchmany(_SHOWN_ROWS + 1)
    cells = [[_shown(value) for value in row] for row in rows[:_SHOWN_ROWS]]
    widths = [max(map(_width, column)) for column in zip(names, *cells, strict=True)]
    room = shutil.get_terminal_size((200, 24)).columns
    if cells and sum(widths) + len(_GAP) * (len(widths) - 1) > room:
        _print_records(names, cells)
    else:
        numeric = [all(_is_number(row[i]) for row in rows) for i in range(len(names))]
        _print_columns(names, cells, widths, numeric)
    if len(rows) > _SHOWN_ROWS:
        click.echo(f"First {_SHOWN_ROWS} rows; --out FILE writes all.", err=True)
    elif not rows:
        click.echo("No rows.", err=True)


def _print_columns(
    names: Sequence[str], cells: Sequence[Sequence[str]], widths: Sequence[int], numeric: Sequence[bool]
) -> None:
    for number, row in enumerate([names, *cells]):
        padded = []
        for cell, width, right in zip(row, widths, numeric, strict=True):
            padding = " " * (width - _width(cell))
            padded.append(padding + cell if right else cell + padding)
        line = _GAP.join(padded).rstrip()
        click.echo(line if number else click.style(line, bold=True))


def _print_records(names: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    """A line for each value: rows that are too wide to stand side by side would fold into each other."""
    label = max(map(_width, names))
    for number, row in enumerate(cells, 1):
        click.echo(click.style(f"─ {number} ─", bold=True))
        for name, cell in zip(names, row, strict=True):
            click.echo(f"{name}{' ' * (label - _width(name))}{_GAP}{cell}")


def _shown(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_shown(k)}: {_shown(v)}' for k, v in value.items())}}}"
    return printable(str(value))


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float, decimal.Decimal)) and not isinstance(value, bool))


def _width(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)
