"""Query results as files: CSV that no spreadsheet executes, JSON, Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    import duckdb

FORMATS = {".csv": "csv", ".json": "json", ".parquet": "parquet"}

# First characters that make a spreadsheet read a cell as a formula (OWASP, CSV injection), full-width ones too.
_FORMULA = r"^[=+\-@\t\r\n＝＋－＠]"


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
    if not path.parent.is_dir():
        raise TierwiseError(f"no folder {path.parent}; make it first")
    options = {"csv": "FORMAT csv, HEADER", "json": "FORMAT json, ARRAY", "parquet": "FORMAT parquet"}
    temporary = path.with_name(f".{path.name}")
    target = str(temporary).replace("'", "''")
    if file_format == "csv":
        query = _neutralised(connection, query)
    try:
        copied = connection.execute(f"COPY ({query}) TO '{target}' ({options[file_format]})").fetchone()
        temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)
    assert copied is not None
    return int(copied[0])


def _neutralised(connection: duckdb.DuckDBPyConnection, query: str) -> str:
    columns = connection.execute(f"DESCRIBE {query}").fetchall()
    shown = []
    for name, kind, *_ in columns:
        quoted = '"' + name.replace('"', '""') + '"'
        if kind in ("VARCHAR", "JSON"):
            text = f"CAST({quoted} AS VARCHAR)"
            shown.append(
                f"CASE WHEN regexp_matches({text}, '{_FORMULA}') AND TRY_CAST({text} AS DOUBLE) IS NULL "
                f"THEN concat('''', {text}) ELSE {text} END AS {quoted}"
            )
        else:
            shown.append(quoted)
    return f"SELECT {', '.join(shown)} FROM ({query})"
