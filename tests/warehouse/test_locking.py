"""Several processes and one file: waiting, naming the holder, going on without it."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from tests.warehouse.support import cli, held, insert_query, one_line_error, python, queries
from warehouse import copies
from warehouse.errors import TierwiseError
from warehouse.ledger import Run
from warehouse.locking import StoreHeldError, connect, patience
from warehouse.maintenance import copy_store

if TYPE_CHECKING:
    from pathlib import Path

    from warehouse.store import Store


@pytest.mark.parametrize("read_only", [True, False])
def test_a_held_store_is_told_with_the_holders_process_id(store: Store, read_only: bool) -> None:
    with held(store.path, read_only=read_only) as holder:
        done = cli("init", "--db", store.path, TIERWISE_LOCK_SECONDS="0.1")
    assert f"{store.path} is held by process {holder.pid} (" in one_line_error(done)


def test_a_reader_is_held_up_by_a_writer_only(store: Store) -> None:
    with held(store.path):
        done = cli("status", "--db", store.path, TIERWISE_LOCK_SECONDS="0.1")
        assert "is held by process" in one_line_error(done)
    with held(store.path, read_only=True), store.read() as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchall() == [(0,)]


@pytest.mark.parametrize("read_only", [True, False])
def test_waiting_ends_when_the_holder_lets_go(
    store: Store, monkeypatch: pytest.MonkeyPatch, read_only: bool
) -> None:
    pauses = []
    with held(store.path) as holder:

        def let_go(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 3:
                holder.terminate()
                holder.wait()

        monkeypatch.setattr("time.sleep", let_go)
        connect(store.path, read_only=read_only, wait=60).close()
    assert len(pauses) == 3
    assert pauses[0] < pauses[2]


@pytest.mark.parametrize(
    "message",
    [
        'IO Error: Could not set lock on file "x": Conflicting lock is held in PID 0. See also',
        'IO Error: Could not set lock on file "x": Resource temporarily unavailable',
        'IO Error: Could not set lock on file "x": ',
    ],
)
def test_a_holder_that_duckdb_cannot_name(
    store: Store, monkeypatch: pytest.MonkeyPatch, message: str
) -> None:
    answers = [duckdb.IOException(message)]
    real = duckdb.connect

    def sometimes(*args: object, **kwargs: object) -> object:
        if answers:
            raise answers.pop()
        return real(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(duckdb, "connect", sometimes)
    connect(store.path, read_only=True, wait=60).close()
    answers.append(duckdb.IOException(message))
    with pytest.raises(StoreHeldError, match="is held by another process and was not free within 0 s"):
        connect(store.path, read_only=True, wait=0)


def test_threads_of_one_process_wait_for_each_other(store: Store) -> None:
    with store.read(), pytest.raises(StoreHeldError, match=f"held by process {os.getpid()} "):
        connect(store.path, read_only=False, wait=0)


def test_a_run_goes_on_while_the_store_is_held(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIERWISE_LOCK_SECONDS", "0.05")
    with held(store.path, read_only=True) as holder:
        with store.long_run(Run("sample", {})) as run:
            run.write_part("queries", queries("a"))
            assert not run.checkpoint()
            run.write_part("queries", queries("b"))
        assert f"process {holder.pid}" in str(run.held_by)
    assert store.merge_waiting() == {"queries": 2}
    with store.read() as connection:
        assert connection.execute("SELECT status FROM runs").fetchall() == [("finished",)]


def test_a_private_copy_has_what_was_committed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with store.write(Run("ingest", {})) as connection:
        connection.execute(insert_query("folded"))
    monkeypatch.setenv("TIERWISE_LOCK_SECONDS", "0.05")
    monkeypatch.setattr("tempfile.tempdir", str(store.path.parent))
    code = (
        "import sys, duckdb\nconnection = duckdb.connect(sys.argv[1])\n"
        f'connection.execute("{insert_query("in the log")}")\n'
        f'connection.execute("BEGIN; {insert_query("not yet")}")\n'
        "print('open', flush=True)\nsys.stdin.read()\n"
    )
    with held(store.path, code=code):
        with pytest.raises(StoreHeldError), store.read():
            pytest.fail("it is held")
        with store.read(copy_if_held=True) as connection:
            rows = connection.execute("SELECT text FROM queries ORDER BY 1").fetchall()
    assert rows == [("folded",), ("in the log",)]
    assert [path.name for path in store.path.parent.glob(".*")] == []


def test_a_copy_that_was_written_meanwhile_is_made_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = []
    real = copies._copy_files

    def busy(source: Path, target: Path) -> None:
        real(source, target)
        copied.append(target)
        if len(copied) < 3:
            os.utime(source)

    monkeypatch.setattr(copies, "_copy_files", busy)
    copies.copy_held_database(store.path, store.path.with_name("copy.duckdb"))
    assert len(copied) == 3
    monkeypatch.setattr(copies, "_copy_files", lambda source, _: os.utime(source))
    with pytest.raises(StoreHeldError, match="written all the time"):
        copies.copy_held_database(store.path, store.path.with_name("other.duckdb"))


def test_a_snapshot_keeps_writers_out_until_it_has_all_files(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def fold(source: Path, _: Path) -> None:
        # An open and close of the file in this process would have dropped the lock by now.
        code = "import sys, duckdb; duckdb.connect(sys.argv[1])"
        seen.append(python(code, source).stderr)

    monkeypatch.setattr(copies, "_fold_logs", fold)
    copy_store(store, store.path.with_name("copy.duckdb"))
    assert "Could not set lock on file" in seen[0]


def test_opening_a_wrong_file_costs_no_lock(store: Store) -> None:
    wrong = store.path.with_name("wrong.duckdb")
    shutil.copy(__file__, wrong)
    with store.read():
        with pytest.raises(TierwiseError):
            connect(wrong, read_only=True, wait=0)
        with pytest.raises(StoreHeldError):
            connect(store.path, read_only=False, wait=0)
        assert (
            "Could not set lock"
            in python("import sys, duckdb; duckdb.connect(sys.argv[1])", store.path).stderr
        )


def test_opening_downloads_no_extension(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    real = duckdb.connect

    def spy(path: str, *, read_only: bool, config: Any) -> duckdb.DuckDBPyConnection:
        asked.append(config["autoinstall_known_extensions"])
        return real(path, read_only=read_only, config=config)

    monkeypatch.setattr(duckdb, "connect", spy)
    with store.read() as connection:
        # An analyst's query may still ask for one.
        found = connection.execute("SELECT current_setting('autoinstall_known_extensions')").fetchall()
    assert (asked, found) == ([False], [(True,)])


@pytest.mark.parametrize("text", ["soon", "nan", "-1", ""])
def test_patience_must_be_a_number(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("TIERWISE_LOCK_SECONDS", text)
    with pytest.raises(TierwiseError, match=f"TIERWISE_LOCK_SECONDS is '{text}'"):
        patience()


def test_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIERWISE_LOCK_SECONDS", "0.5")
    assert patience() == 0.5
    monkeypatch.delenv("TIERWISE_LOCK_SECONDS")
    assert patience() == 30
