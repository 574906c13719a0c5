"""Opening a store: what is one, what is not, and that a transaction is all or nothing."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from tests.warehouse.support import KILLED, cli, insert_query, one_line_error, python
from warehouse.errors import TierwiseError
from warehouse.ledger import Run
from warehouse.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable


def ledger(store: Store) -> list[tuple[Any, ...]]:
    with store.read() as connection:
        return connection.execute("SELECT kind, status, summary->>'$.rows' FROM runs").fetchall()


def test_a_write_keeps_its_rows_and_its_ledger_row(store: Store) -> None:
    run = Run("ingest", {"files": ["a.csv"]})
    with store.write(run) as connection:
        connection.execute(insert_query("q", "?"), [run.run_id])
        run.summary = {"rows": 1}
    assert ledger(store) == [("ingest", "finished", "1")]
    with store.read() as connection:
        assert connection.execute("SELECT text, run_id FROM queries").fetchall() == [("q", run.run_id)]


def test_a_failed_write_leaves_nothing(store: Store) -> None:
    def fail() -> None:
        with store.write(Run("ingest", {})) as connection:
            connection.execute(insert_query("q"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert ledger(store) == []
    with store.read() as connection:
        assert connection.execute("SELECT count(*) FROM queries").fetchall() == [(0,)]


def test_a_reader_cannot_write(store: Store) -> None:
    with store.read() as connection, pytest.raises(duckdb.InvalidInputException, match="read-only"):
        connection.execute("DELETE FROM runs")


def test_no_method_keeps_the_file(store: Store) -> None:
    for action in ACTIONS.values():
        action(store)
        # DuckDB refuses another configuration as long as any connection of this process is open.
        duckdb.connect(str(store.path), config={"threads": 1}).close()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "caf\udce9.csv", "😀", None])
def test_the_ledger_takes_any_parameter_and_summary(store: Store, value: object) -> None:
    run = Run("train", {"value": value})
    with store.write(run):
        run.summary = {"rows": value}
    # Neither NaN nor half a surrogate pair is JSON.
    kept = {float: None, str: str(value).encode(errors="replace").decode()}.get(type(value))
    assert ledger(store) == [("train", "finished", kept)]


def test_an_ended_run_is_never_set_back(store: Store) -> None:
    run = Run("sample", {})
    with store.write(run):
        pass
    run.status, run.ended_at = "running", None
    with store.write(Run("other", {})) as connection:
        run.save(connection)
    assert sorted(ledger(store))[1][:2] == ("sample", "finished")


def not_a_database(path: Path) -> None:
    path.write_bytes(b"query,item\n" * 3000)


def tiny(path: Path) -> None:
    path.write_bytes(b"hi")


def empty(path: Path) -> None:
    path.touch()


def sqlite(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE a (b)")
    connection.commit()
    connection.close()


def folder(path: Path) -> None:
    path.mkdir()


def other_tables(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "CREATE TABLE schema_versions (version INT); INSERT INTO schema_versions VALUES (1)"
        )
        connection.execute("CREATE TABLE orders (id INT)")


def only_a_view(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE VIEW items AS SELECT 1 AS a")


def truncated(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE a AS FROM range(100000)")
    path.write_bytes(path.read_bytes()[:6000])


def read(store: Store) -> None:
    with store.read():
        pass


def write(store: Store) -> None:
    with store.write(Run("x", {})):
        pass


ACTIONS: dict[str, Callable[[Store], object]] = {
    "read": read,
    "write": write,
    "merge_waiting": Store.merge_waiting,
}


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (not_a_database, "is not a DuckDB database"),
        (tiny, "is not a DuckDB database|cannot open"),
        (empty, "is an empty file; remove it"),
        (sqlite, "is not a DuckDB database"),
        (folder, "is a folder"),
        (other_tables, r"is a DuckDB database with other tables \(orders, schema_versions\), not a Tierwise"),
        (only_a_view, "with other tables"),
        (truncated, "cannot open .*, a DuckDB database: "),
    ],
)
def test_what_is_no_store_is_refused_and_left_alone(
    tmp_path: Path, make: Callable[[Path], None], message: str, action: str
) -> None:
    path = tmp_path / "other.duckdb"
    make(path)
    before = path.is_file() and path.read_bytes()
    store = Store(path)
    with pytest.raises(TierwiseError, match=message) as caught:
        ACTIONS[action](store)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    assert (path.is_file() and path.read_bytes()) == before
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


def test_reading_a_store_that_is_not_there(tmp_path: Path) -> None:
    store = Store(tmp_path / "none.duckdb")
    with pytest.raises(TierwiseError, match=r"no store at .*; name one with --db or TIERWISE_DB, or make"):
        read(store)
    with pytest.raises(TierwiseError, match="no store at"), store.exclusive("sample-1", "sampling"):
        pytest.fail("there is nothing to be exclusive about")
    assert list(tmp_path.iterdir()) == []


def test_making_a_store_where_no_folder_is(tmp_path: Path) -> None:
    with pytest.raises(TierwiseError, match="no folder"):
        Store(tmp_path / "no" / "x.duckdb").merge_waiting()


def test_a_store_dies_or_is_there_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.duckdb"
    code = "import sys, pathlib, warehouse.store as s; s.Store(pathlib.Path(sys.argv[1])).merge_waiting()"
    assert python(code, path, TIERWISE_DIE_AT="make").returncode == KILLED
    (leftover,) = tmp_path.iterdir()
    Store(path).merge_waiting()
    assert not leftover.exists()
    # Another process may have been faster.
    leftover.mkdir()
    (leftover / "lock").touch()
    Store(path).merge_waiting()
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


def test_an_empty_database_becomes_a_store(tmp_path: Path) -> None:
    path = tmp_path / "x.duckdb"
    duckdb.connect(str(path)).close()
    with (
        pytest.raises(TierwiseError, match="is an empty DuckDB database, not yet a store"),
        Store(path).read(),
    ):
        pass
    Store(path).merge_waiting()
    assert ledger(Store(path)) == []


def test_the_log_of_a_lost_store_is_not_replayed_into_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "x.duckdb.wal").write_bytes(b"log")
    with pytest.raises(TierwiseError, match=r"x\.duckdb\.wal is the log of a store that is gone"):
        Store(tmp_path / "x.duckdb").merge_waiting()
    assert (tmp_path / "x.duckdb.wal").read_bytes() == b"log"


def test_a_link_shares_the_runs_of_its_store(store: Store) -> None:
    link = store.path.with_name("link.duckdb")
    link.symlink_to(store.path)
    assert Store(link).runs == store.runs


def test_names_that_duckdb_would_read_meaning_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Store(Path(":memory:")).write(Run("ingest", {})):
        pass
    assert ledger(Store(tmp_path / ":memory:")) == [("ingest", "finished", None)]


def test_one_process_at_a_time_does_the_same(store: Store) -> None:
    code = (
        "import sys, pathlib\nfrom warehouse.store import Store\nfrom warehouse.errors import TierwiseError\n"
        "try:\n with Store(pathlib.Path(sys.argv[1])).exclusive('sample-1', 'sampling'): print('in')\n"
        "except TierwiseError as error: print(error)\n"
    )
    with store.exclusive("sample-1", "sampling"):
        assert f"process {os.getpid()} is already sampling" in python(code, store.path).stdout
        with store.exclusive("sample-2", "sampling"):
            pass
    assert python(code, store.path).stdout == "in\n"


@pytest.mark.parametrize(
    ("kind", "message"), [("missing", "no store at"), ("folder", "is a folder"), ("text", "is not a DuckDB")]
)
def test_status_says_what_is_wrong_in_one_line(tmp_path: Path, kind: str, message: str) -> None:
    path = tmp_path / "x.duckdb"
    {"missing": lambda _: None, "folder": folder, "text": not_a_database}[kind](path)
    assert message in one_line_error(cli("status", "--db", path))
