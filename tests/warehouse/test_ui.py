"""``python -m warehouse ui``: DuckDB's UI on a copy, or one line that says why not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING

import duckdb
import pytest

from tests.warehouse.support import ROOT, cli, contents, names, one_line_error
from warehouse.ui import private_copy

if TYPE_CHECKING:
    from pathlib import Path

    from warehouse.store import Store


@pytest.fixture(scope="module")
def available() -> bool:
    """Whether DuckDB has its UI extension here, or can download it."""
    with duckdb.connect() as connection:
        try:
            connection.execute("LOAD ui")
        except duckdb.Error:
            return False
    return True


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where copies are made."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    return folder


def test_the_copy_blocks_nobody_and_is_gone_afterwards(filled: Store, scratch: Path) -> None:
    before = contents(filled)
    with private_copy(filled) as connection:
        assert connection.execute("SELECT count(*) FROM queries").fetchall() == [(2,)]
        connection.execute("DELETE FROM queries")
        assert cli("init", "--db", filled.path).returncode == 0
        assert len(names(scratch)) == 1
    assert names(scratch) == []
    assert contents(filled) == before


def test_without_the_extension_one_line_says_what_to_do(
    filled: Store, scratch: Path, available: bool
) -> None:
    if available:
        pytest.skip("DuckDB's UI extension is here")
    message = one_line_error(cli("ui", "--db", filled.path))
    assert f"DuckDB {duckdb.__version__}'s UI extension is not installed" in message
    assert 'duckdb -c "INSTALL ui"' in message
    assert "python -m warehouse snapshot PATH" in message
    assert names(scratch) == []
    assert "no store at" in one_line_error(cli("ui", "--db", scratch / "absent.duckdb"))


def test_ctrl_c_ends_it_and_removes_the_copy(filled: Store, scratch: Path, available: bool) -> None:
    if not available:
        pytest.skip("DuckDB's UI extension is not here and cannot be downloaded")
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "warehouse", "ui", "--db", str(filled.path)],
        cwd=ROOT,
        env={**os.environ, "ui_local_port": "4913"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert "http://localhost:4913/" in process.stdout.readline()
        with urllib.request.urlopen("http://localhost:4913/info") as answer:
            assert answer.headers["X-DuckDB-Version"] == f"v{duckdb.__version__}"
        # A browser sent there would see this store and not its own.
        second = cli("ui", "--db", filled.path, ui_local_port="4913")
        assert "already running in a different DuckDB" in one_line_error(second)
        assert cli("init", "--db", filled.path).returncode == 0
        process.send_signal(signal.SIGINT)
        _, told = process.communicate()
    assert process.returncode == 0
    assert told.endswith("Ended; the copy is removed.\n")
    assert names(scratch) == []
