"""Bad input ends in one clear line and exit status 1, and leaves the store as it was."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.curation.conftest import RunCommand, rows

if TYPE_CHECKING:
    from pathlib import Path

MAP = ("--map", "query=query", "title=title", "label=label")
HEADER = b"query,title,label\n"
ROW = b"lamp,A,4\n"

# File name, content, further arguments, what the line must say.
CASES: dict[str, tuple[str, bytes, tuple[str, ...], tuple[str, ...]]] = {
    "empty": ("t.csv", b"", (), ("empty",)),
    "header only": ("t.csv", HEADER, (), ("has a header but no rows",)),
    "wrong delimiter": ("t.csv", b"query;title;label\nlamp;A;4\n", (), ("query;title;label", "--delimiter")),
    "missing column": ("t.csv", b"query,name,label\nlamp,A,4\n", (), ("no column title", "query, name, label")),
    "duplicate header": ("t.csv", b"query,title,label,label\nlamp,A,4,3\n", (), ("label stands twice",)),
    "only bad labels": ("t.csv", HEADER + b"lamp,A,9\nmug,B,x\n", (), ("no usable row", "2 bad label", "line 2")),
    "only wrong cell counts": ("t.csv", HEADER + b"lamp,A\n", (), ("2 cells, header has 3",)),
    "2 MB cell": ("t.csv", HEADER + ROW + b"lamp," + b"x" * 2_000_000 + b",4\n", (), ("line 3", "longer than")),
    "broken UTF-8": ("t.csv", HEADER + ROW + b"lamp,\xff,4\n", (), ("line 3", "0xff", "UTF-8")),
    "UTF-16": ("t.csv", (HEADER + ROW).decode().encode("utf-16"), (), ("UTF-16",)),
    "NUL": ("t.csv", HEADER + ROW + b"lamp,A\0,4\n", (), ("line 3", "NUL")),
    "unclosed quote": ("t.csv", HEADER + ROW + b'lamp,"A,4\nmug,B,4\n', (), ("line 3", "never closed")),
    "truncated Parquet": ("t.parquet", b"PAR1" + b"\x15\x04" * 50, (), ("not a complete Parquet file",)),
    "no JSON": ("t.jsonl", b"query,title\n", (), ("line 1", "one JSON object a line")),
    "unknown field": ("t.csv", HEADER + ROW, ("titel=title",), ("titel=…: no such field", "query, title")),
    "field twice": ("t.csv", HEADER + ROW, ("label=title",), ("label is given twice",)),
    "tier 7": ("t.csv", HEADER + ROW, ("--tiers", "4=7"), ("--tiers 4=7: tiers are 1 to 4",)),
    "tiers of garbage": ("t.csv", HEADER + ROW, ("--tiers", "Exact"), ("--tiers 'Exact': give NAME=VALUE",)),
    "long delimiter": ("t.csv", HEADER + ROW, ("--delimiter", "||"), ("'||': give one character",)),
    "quote as delimiter": ("t.csv", HEADER + ROW, ("--delimiter", '"'), ("give one character",)),
}  # fmt: skip


def refused(store: Path, *arguments: str | Path, env: dict[str, str] | None = None) -> str:
    """The one line of a failing ``ingest table``."""
    before = store.read_bytes() if store.exists() else None
    command = [
        sys.executable,
        "-m",
        "curation",
        "ingest",
        "table",
        *map(str, arguments),
        *MAP,
        "--db",
        str(store),
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **(env or {})}
    )
    assert done.returncode == 1, done
    assert done.stdout == ""
    assert done.stderr.startswith("Error: "), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert (store.read_bytes() if store.exists() else None) == before
    return done.stderr


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, command: RunCommand) -> Path:
    folder = tmp_path_factory.mktemp("filled")
    (folder / "t.csv").write_bytes(HEADER + ROW)
    command("curation", "ingest", "table", folder / "t.csv", *MAP, "--db", folder / "t.duckdb")
    return folder / "t.duckdb"


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_one_line(case: str, filled: Path, tmp_path: Path) -> None:
    name, content, arguments, said = CASES[case]
    path = tmp_path / name
    path.write_bytes(content)
    # Half of them on a store that does not exist yet.
    store = filled if list(CASES).index(case) % 2 else tmp_path / "new.duckdb"
    line = refused(store, path, *arguments)
    assert [text for text in said if text not in line] == [], line


def test_paths_that_cannot_be_read(filled: Path, tmp_path: Path) -> None:
    assert "is a folder" in refused(filled, tmp_path)
    assert "is not there" in refused(filled, tmp_path / "nope.csv")
    os.mkfifo(tmp_path / "pipe.csv")
    assert "pipe" in refused(filled, tmp_path / "pipe.csv")


def test_one_bad_file_among_good_ones_keeps_all_out(filled: Path, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_bytes(HEADER + b"new,New,3\n")
    bad.write_bytes(HEADER + b"lamp,\xff,4\n")
    assert str(bad) in refused(filled, good, bad)


def test_a_store_that_is_none(tmp_path: Path) -> None:
    path, store = tmp_path / "t.csv", tmp_path / "t.duckdb"
    path.write_bytes(HEADER + ROW)
    store.write_text("dear diary\n" * 1_000)
    assert "not a DuckDB database" in refused(store, path)


def test_a_store_that_another_process_holds(filled: Path, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(HEADER + ROW)
    hold = f"import duckdb, sys; c = duckdb.connect({str(filled)!r}); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout
        assert holder.stdin
        assert holder.stdout.readline() == b"held\n"
        line = refused(filled, path, env={"TIERWISE_LOCK_SECONDS": "0.2"})
        holder.stdin.close()
    assert f"held by process {holder.pid} " in line


def test_some_bad_rows_are_rejected_and_the_rest_kept(command: RunCommand, tmp_path: Path) -> None:
    path, store = tmp_path / "t.csv", tmp_path / "t.duckdb"
    path.write_bytes(HEADER + ROW + b"lamp,B,9\nlamp,C,3\n")
    said = command("curation", "ingest", "table", path, *MAP, "--db", store).stdout
    assert "bad label" in said.splitlines()[-1]
    assert rows(command, store, "SELECT line, reason, file FROM rejects") == [
        {"line": 3, "reason": "bad label", "file": str(path)}
    ]
    assert len(rows(command, store, "SELECT * FROM pairs")) == 2
