"""Query results as files: CSV that no spreadsheet executes, JSON, Parquet."""

from __future__ import annotations

import json
import re
import secrets
from typing import TYPE_CHECKING

from warehouse.ddl import sql_name, sql_text
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb

FORMATS = {".csv": "csv", ".json": "json", ".parquet": "parquet"}

# First characters that make a spreadsheet read a cell as a formula (OWASP, CSV injection), full-width ones too.
_FORMULA = r"^[=+\-@\t\r\n＝＋－＠]"
# Types whose text begins with a digit, a letter, a bracket, or a number's own sign.
_HARMLESS = re.compile(
    r"U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL\(.*\)|BOOLEAN|UUID|DATE|TIME.*|STRUCT.*|MAP.*|.*\]"
)
_COPY_OPTIONS = {"csv": "FORMAT csv, HEADER", "parquet": "FORMAT parquet"}


def require_folder(path: Path) -> None:
    """Check that the file at `path` can have a place.

    Raises:
        TierwiseError: Its folder does not exist.
    """
    if not path.parent.is_dir():
        raise TierwiseError(f"no folder {path.parent}; make it first")


def write_query(connection: duckdb.DuckDBPyConnection, query: str, path: Path) -> int:
    """Write the rows of `query` to `path`, in the format of its suffix; return how many.

    The file appears whole or not at all. In CSV, text that a spreadsheet would take for a formula gets a
    leading apostrophe; numbers stay.

    Raises:
        TierwiseError: The suffix is none of .csv, .json, .parquet, or the folder does not exist.
    """
    file_format = FORMATS.get(path.suffix.lower())
    if file_format is None:
        raise TierwiseError(f"{path}: cannot tell the format; end the name in .csv, .json or .parquet")
    require_folder(path)
    temporary = path.with_name(f".{secrets.token_hex(4)}-{path.name}")
    try:
        if file_format == "json":
            written = _write_json(connection, query, temporary)
        else:
            rows = _neutralised(connection, query) if file_format == "csv" else _rows_of(query)
            copied = connection.execute(
                f"COPY ({rows}) TO {sql_text(temporary)} ({_COPY_OPTIONS[file_format]})"
            ).fetchone()
            assert copied is not None
            written = int(copied[0])
        temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)
    return written


def json_rows(connection: duckdb.DuckDBPyConnection, query: str) -> Iterator[str]:
    """The rows of `query`, each as a JSON object. NaN and infinities, which JSON has not, become null."""
    # A name that no column has: a column would take the place of the row.
    alias = sql_name(secrets.token_hex(8))
    result = connection.execute(f"SELECT to_json({alias}) FROM ({_rows_of(query)}) AS {alias}")
    while rows := result.fetchmany(1_000):
        for (text,) in rows:
            yield _finite(text) if "NaN" in text or "Infinity" in text else text


def _write_json(connection: duckdb.DuckDBPyConnection, query: str, path: Path) -> int:
    written = 0
    with path.open("w", encoding="utf-8") as file:
        for row in json_rows(connection, query):
            file.write(f"{',' if written else '['}\n{row}")
            written += 1
        file.write("\n]\n" if written else "[]\n")
    return written


def _finite(text: str) -> str:
    return json.dumps(json.loads(text, parse_constant=lambda _: None), ensure_ascii=False)


def _rows_of(query: str) -> str:
    # In parentheses equal column names get a number; the new line ends a comment.
    return f"SELECT * FROM (\n{query}\n)"


def _neutralised(connection: duckdb.DuckDBPyConnection, query: str) -> str:
    shown = []
    for name, kind, *_ in connection.execute(f"DESCRIBE {_rows_of(query)}").fetchall():
        column = sql_name(name)
        if _HARMLESS.fullmatch(kind):
            shown.append(column)
        else:
            text = f"CAST({column} AS VARCHAR)"
            shown.append(
                f"CASE WHEN regexp_matches({text}, '{_FORMULA}') AND TRY_CAST({text} AS DOUBLE) IS NULL "
                f"THEN concat('''', {text}) ELSE {text} END AS {column}"
            )
    return f"SELECT {', '.join(shown)} FROM ({_rows_of(query)})"
