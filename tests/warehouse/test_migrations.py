"""Older and newer stores. Version 1 is the first, so the tests define a version 2."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from tests.warehouse.support import cli, held, one_line_error
from warehouse import migrations
from warehouse.ddl import Column, Macro, View
from warehouse.errors import TierwiseError
from warehouse.ledger import Run
from warehouse.locking import StoreHeldError
from warehouse.maintenance import initialise
from warehouse.schema import TABLE_BY_NAME, TABLES
from warehouse.store import Store
from warehouse.views import MACROS, VIEWS

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb


def add_mood(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("ALTER TABLE queries ADD COLUMN mood VARCHAR")
    connection.execute("UPDATE queries SET mood = 'calm'")


@pytest.fixture
def filled(store: Store) -> Store:
    """A version-1 store with a row."""
    with store.write(Run("ingest", {})) as connection:
        connection.execute("INSERT INTO queries VALUES (uuid(), 'q', 'us', 'plain', uuid())")
    return store


@pytest.fixture
def version_2(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """After `filled` was made, a world in which queries have moods, and a view and a macro show them."""
    queries = TABLE_BY_NAME["queries"]
    with_mood = dataclasses.replace(
        queries,
        comment="Queries with moods.",
        columns=(*queries.columns, Column("mood", "VARCHAR", "Mood of the query.", required=False)),
    )
    moods = View("moods", "Queries by mood.", "SELECT mood FROM queries", (("mood", "Mood."),))
    shout = Macro("shout", ("text",), "louder.", "upper(text)")
    monkeypatch.setattr(migrations, "SCHEMA_VERSION", 2)
    monkeypatch.setattr(migrations, "TABLES", tuple(with_mood if t is queries else t for t in TABLES))
    monkeypatch.setattr(migrations, "VIEWS", (*VIEWS, moods))
    monkeypatch.setattr(migrations, "MACROS", (*MACROS, shout))
    monkeypatch.setattr(migrations, "MIGRATIONS", {2: add_mood})


def ask(store: Store, query: str) -> Any:
    with store.read() as connection:
        return connection.execute(query).fetchall()


@pytest.mark.usefixtures("version_2")
@pytest.mark.parametrize("first", ["read", "write", "init"])
def test_an_older_store_is_migrated_by_whoever_opens_it(filled: Store, first: str) -> None:
    if first == "read":
        assert ask(filled, "SELECT text, mood FROM queries") == [("q", "calm")]
    elif first == "write":
        with filled.write(Run("ingest", {})) as connection:
            connection.execute("UPDATE queries SET text = shout(text)")
    else:
        assert initialise(filled)["state"] == "migrated from schema 1"
        assert initialise(filled)["state"] == "was there"
    assert ask(filled, "SELECT version FROM schema_versions ORDER BY 1") == [(1,), (2,)]
    assert ask(filled, "SELECT shout(mood) FROM moods") == [("CALM",)]
    assert ask(filled, "SELECT comment FROM duckdb_columns() WHERE column_name = 'mood' ORDER BY 1") == [
        ("Mood of the query.",),
        ("Mood.",),
    ]
    assert ask(filled, "SELECT comment FROM duckdb_tables() WHERE table_name = 'queries'") == [
        ("Queries with moods.",)
    ]
    assert ask(filled, "SELECT query FROM pair_overview") == []


@pytest.mark.usefixtures("version_2")
def test_a_new_store_starts_at_the_newest_version(tmp_path: Path) -> None:
    store = Store(tmp_path / "new.duckdb")
    assert initialise(store) == {"store": str(store.path), "schema_version": 2, "state": "made"}
    assert ask(store, "SELECT version FROM schema_versions") == [(2,)]


@pytest.mark.usefixtures("version_2")
@pytest.mark.parametrize("moment", ["step", "views"])
def test_a_migration_that_fails_changes_nothing(
    filled: Store, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    def fail(connection: duckdb.DuckDBPyConnection) -> None:
        add_mood(connection)
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        if moment == "step":
            patched.setattr(migrations, "MIGRATIONS", {2: fail})
        else:
            patched.setattr(migrations, "code_version", lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            ask(filled, "SELECT 1")
    monkeypatch.undo()
    assert ask(filled, "SELECT version FROM schema_versions") == [(1,)]
    assert "mood" not in [row[0] for row in ask(filled, "DESCRIBE queries")]
    assert ask(filled, "SELECT count(*) FROM duckdb_views() WHERE view_name = 'moods'") == [(0,)]


@pytest.mark.usefixtures("version_2")
def test_a_held_older_store_is_migrated_in_the_private_copy(
    filled: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIERWISE_LOCK_SECONDS", "0.05")
    with held(filled.path, read_only=True):
        # Readable, but not to be migrated while somebody else has it.
        with pytest.raises(StoreHeldError):
            ask(filled, "SELECT 1")
        with filled.read(copy_if_held=True) as connection:
            assert connection.execute("SELECT mood FROM queries").fetchall() == [("calm",)]
    monkeypatch.undo()
    assert ask(filled, "SELECT version FROM schema_versions") == [(1,)]


def test_a_newer_store_is_refused_and_left_alone(store: Store) -> None:
    with store.write(Run("upgrade", {})) as connection:
        connection.execute("INSERT INTO schema_versions VALUES (2, now(), 'future')")
    before = store.path.read_bytes()
    message = f"{store.path} is written by a newer Tierwise (schema 2, this one knows 1); upgrade tierwise"
    assert one_line_error(cli("status", "--db", store.path)) == message
    with pytest.raises(TierwiseError, match=r"newer Tierwise \(schema 2"):
        store.merge_waiting()
    assert store.path.read_bytes() == before
