"""What the tests of the warehouse share."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warehouse.dictionary import data_dictionary
from warehouse.schema import TABLE_BY_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warehouse.store import Store

ROOT = Path(__file__).resolve().parents[2]
KILLED = -signal.SIGKILL
_A_RUN = uuid.UUID(int=7)

_HOLD = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "True")
print("open", flush=True)
sys.stdin.read()
"""

_BY_TYPE: dict[str, Any] = {
    "UUID": str(uuid.UUID(int=1)),
    "UUID[]": [],
    "VARCHAR": "text",
    "JSON": '{"a": 1}',
    "INTEGER": 1,
    "BIGINT": 1,
    "DOUBLE": 0.5,
    "DOUBLE[]": [0.1, 0.2, 0.3, 0.4],
    "BOOLEAN": True,
    "TIMESTAMP": datetime(2025, 1, 2, 3, 4, 5),
    "DATE": date(2025, 1, 2),
    "VARCHAR[]": ["text"],
}


def row(table: str, **values: Any) -> dict[str, Any]:
    """A row of `table`: `values`, and something that fits in the other required columns."""
    columns = TABLE_BY_NAME[table].columns
    assert values.keys() <= {c.name for c in columns}
    made = {c.name: _BY_TYPE[c.type] for c in columns if c.required}
    return {**made, **{name: str(v) if isinstance(v, uuid.UUID) else v for name, v in values.items()}}


def queries(*texts: str, run_id: uuid.UUID = _A_RUN) -> list[dict[str, Any]]:
    """Rows of ``queries``, one for each text."""
    return [
        row("queries", query_id=uuid.uuid5(uuid.NAMESPACE_URL, text), text=text, run_id=run_id)
        for text in texts
    ]


def insert_query(text: str, run_id: str = "uuid()") -> str:
    """SQL that adds a query; by name, so that a new column breaks nothing."""
    return (
        f"INSERT INTO queries BY NAME SELECT uuid() AS query_id, '{text}' AS text, 'us' AS locale, "
        f"'plain' AS kind, {run_id} AS run_id"
    )


def python(code: str, *arguments: object, **env: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def cli(*arguments: object, cwd: Path = ROOT, **env: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m warehouse`` as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "warehouse", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **env},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def one_line_error(done: subprocess.CompletedProcess[str]) -> str:
    """The message of a command that failed as it should: exit status 1, one line, no traceback."""
    assert done.returncode == 1, done
    assert done.stderr.startswith("Error: "), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr.removeprefix("Error: ").strip()


def contents(store: Store) -> dict[str, Any]:
    """All rows by table, and the data dictionary."""
    with store.read() as connection:
        tables = [name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        rows = {name: connection.execute(f"FROM {name} ORDER BY ALL").fetchall() for name in tables}
        return {**rows, "dictionary": data_dictionary(connection)}


def names(folder: Path) -> list[str]:
    """What `folder` holds, hidden names too."""
    return sorted(path.name for path in folder.iterdir())


@contextmanager
def held(path: Path, *, read_only: bool = False, code: str = _HOLD) -> Iterator[subprocess.Popen[str]]:
    """Another process that keeps the DuckDB file open; it lets go when its stdin closes."""
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path), str(read_only)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == "open\n"
        try:
            yield holder
        finally:
            holder.stdin.close()
            holder.wait()
