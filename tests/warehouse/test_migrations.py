"""Older and newer stores: the steps there are, and a next version that the tests define."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from tests.warehouse.support import cli, held, one_line_error
from warehouse import migrations
from warehouse.ddl import Column, Macro, View
from warehouse.errors import TierwiseError
from warehouse.ledger import Run
from warehouse.locking import StoreHeldError
from warehouse.maintenance import initialise
from warehouse.schema import SCHEMA_VERSION, TABLE_BY_NAME, TABLES
from warehouse.store import Store
from warehouse.views import MACROS, VIEWS

if TYPE_CHECKING:
    from pathlib import Path


NEXT = SCHEMA_VERSION + 1


def add_mood(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("ALTER TABLE queries ADD COLUMN mood VARCHAR")
    connection.execute("UPDATE queries SET mood = 'calm'")


@pytest.fixture
def filled(store: Store) -> Store:
    """A store of today's version with a row."""
    with store.write(Run("ingest", {})) as connection:
        connection.execute(
            "INSERT INTO queries BY NAME SELECT uuid() AS query_id, 'q' AS text, 'us' AS locale, "
            "'plain' AS kind, uuid() AS run_id"
        )
    return store


@pytest.fixture
def next_version(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """After `filled` was made, a world in which queries have moods, and a view and a macro show them."""
    queries = TABLE_BY_NAME["queries"]
    with_mood = dataclasses.replace(
        queries,
        comment="Queries with moods.",
        columns=(*queries.columns, Column("mood", "VARCHAR", "Mood of the query.", required=False)),
    )
    moods = View("moods", "Queries by mood.", "SELECT mood FROM queries", (("mood", "Mood."),))
    shout = Macro("shout", ("text",), "louder.", "upper(text)")
    monkeypatch.setattr(migrations, "SCHEMA_VERSION", NEXT)
    monkeypatch.setattr(migrations, "TABLES", tuple(with_mood if t is queries else t for t in TABLES))
    monkeypatch.setattr(migrations, "VIEWS", (*VIEWS, moods))
    monkeypatch.setattr(migrations, "MACROS", (*MACROS, shout))
    monkeypatch.setattr(migrations, "MIGRATIONS", {NEXT: add_mood})


def ask(store: Store, query: str) -> Any:
    with store.read() as connection:
        return connection.execute(query).fetchall()


@pytest.mark.usefixtures("next_version")
@pytest.mark.parametrize("first", ["read", "write", "init"])
def test_an_older_store_is_migrated_by_whoever_opens_it(filled: Store, first: str) -> None:
    if first == "read":
        assert ask(filled, "SELECT text, mood FROM queries") == [("q", "calm")]
    elif first == "write":
        with filled.write(Run("ingest", {})) as connection:
            connection.execute("UPDATE queries SET text = shout(text)")
    else:
        assert initialise(filled)["state"] == f"migrated from schema {SCHEMA_VERSION}"
        assert initialise(filled)["state"] == "was there"
    assert ask(filled, "SELECT version FROM schema_versions ORDER BY 1") == [(SCHEMA_VERSION,), (NEXT,)]
    assert ask(filled, "SELECT shout(mood) FROM moods") == [("CALM",)]
    assert ask(filled, "SELECT comment FROM duckdb_columns() WHERE column_name = 'mood' ORDER BY 1") == [
        ("Mood of the query.",),
        ("Mood.",),
    ]
    assert ask(filled, "SELECT comment FROM duckdb_tables() WHERE table_name = 'queries'") == [
        ("Queries with moods.",)
    ]
    assert ask(filled, "SELECT query FROM pair_overview") == []


@pytest.mark.usefixtures("next_version")
def test_a_new_store_starts_at_the_newest_version(tmp_path: Path) -> None:
    store = Store(tmp_path / "new.duckdb")
    assert initialise(store) == {"store": str(store.path), "schema_version": NEXT, "state": "made"}
    assert ask(store, "SELECT version FROM schema_versions") == [(NEXT,)]


@pytest.mark.usefixtures("next_version")
@pytest.mark.parametrize("moment", ["step", "views"])
def test_a_migration_that_fails_changes_nothing(
    filled: Store, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    def fail(connection: duckdb.DuckDBPyConnection) -> None:
        add_mood(connection)
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        if moment == "step":
            patched.setattr(migrations, "MIGRATIONS", {NEXT: fail})
        else:
            patched.setattr(migrations, "code_version", lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            ask(filled, "SELECT 1")
    monkeypatch.undo()
    assert ask(filled, "SELECT version FROM schema_versions") == [(SCHEMA_VERSION,)]
    assert "mood" not in [row[0] for row in ask(filled, "DESCRIBE queries")]
    assert ask(filled, "SELECT count(*) FROM duckdb_views() WHERE view_name = 'moods'") == [(0,)]


@pytest.mark.usefixtures("next_version")
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
    assert ask(filled, "SELECT version FROM schema_versions") == [(SCHEMA_VERSION,)]


def test_a_newer_store_is_refused_and_left_alone(store: Store) -> None:
    with store.write(Run("upgrade", {})) as connection:
        connection.execute(f"INSERT INTO schema_versions VALUES ({NEXT}, now(), 'future')")
    before = store.path.read_bytes()
    newer = (
        f"is written by a newer Tierwise (schema {NEXT}, this one knows {SCHEMA_VERSION}); upgrade tierwise"
    )
    assert one_line_error(cli("status", "--db", store.path)) == f"{store.path} {newer}"
    with pytest.raises(TierwiseError, match=rf"newer Tierwise \(schema {NEXT}"):
        store.merge_waiting()
    assert store.path.read_bytes() == before


# What takes a version away again, newest first.
_BACK: dict[int, tuple[str, ...]] = {
    7: tuple(f"DROP TABLE {name}" for name in ("findings", "checked_texts")),
    8: tuple(f"DROP TABLE {name}" for name in ("derived_verdicts", "sample_steps")),
    10: (
        *(f"DROP TABLE {name}" for name in ("designs", "design_states")),
        *(f"ALTER TABLE samples DROP COLUMN {name}" for name in ("sent_tokens", "cached_tokens", "seconds")),
        "ALTER TABLE predictions DROP COLUMN cached_tokens",
    ),
    9: (
        "DROP TABLE stages",
        "ALTER TABLE runs DROP COLUMN stage_id",
        "ALTER TABLE evaluations DROP COLUMN configuration_id",
        "ALTER TABLE evaluations ALTER COLUMN predictor_id SET NOT NULL",
    ),
    6: (
        *(f"DROP TABLE {name}" for name in ("rulebooks", "rules", "rationale_rejects")),
        "ALTER TABLE prompts DROP COLUMN purpose",
        "ALTER TABLE rendered_prompts DROP COLUMN rule_ids",
        *(f"ALTER TABLE rationales DROP COLUMN {name}" for name in ("sample_id", "gold", "rules_cited")),
    ),
    5: (
        "DROP TABLE training_metrics",
        "ALTER TABLE runs DROP COLUMN resumed_at",
        *(f"ALTER TABLE models DROP COLUMN {name}" for name in ("parent_id", "split", "split_hash")),
    ),
    4: tuple(f"DROP TABLE {name}" for name in ("evaluations", "partitions", "predictions", "predictors")),
    3: (
        *(
            f"DROP TABLE {name}"
            for name in (
                *("review_outcomes", "rationales", "review_spans", "reviews", "review_records"),
                "review_datasets",
            )
        ),
        "DROP MACRO completion_text",
        "ALTER TABLE split_completions DROP COLUMN rationale_id",
        "ALTER TABLE split_completions ALTER COLUMN sample_id SET NOT NULL",
        *(
            f"ALTER TABLE {table} {change}"
            for table in ("preferences", "split_preferences")
            for change in (
                "DROP COLUMN chosen_rationale_id",
                "ALTER COLUMN chosen_sample_id SET NOT NULL",
            )
        ),
    ),
    2: (
        "DROP TABLE tombstones",
        "DROP TABLE label_scores",
        "ALTER TABLE queries DROP COLUMN intent",
        "ALTER TABLE pairs DROP COLUMN source_split",
        "ALTER TABLE judgments DROP COLUMN reason",
        "ALTER TABLE judgments ALTER COLUMN source_file SET NOT NULL",
        "ALTER TABLE judgments ALTER COLUMN source_row SET NOT NULL",
    ),
}


@pytest.mark.parametrize("version", [1, 2, 4, 5, 8, 9])
def test_a_store_of_an_older_version_gets_what_came_after(store: Store, version: int) -> None:
    with store.write(Run("ingest", {})) as connection:
        connection.execute(
            "INSERT INTO queries BY NAME SELECT uuid() AS query_id, 'q' AS text, 'us' AS locale, "
            "'plain' AS kind, uuid() AS run_id"
        )
    with duckdb.connect(str(store.path)) as connection:
        for view in VIEWS:
            connection.execute(f"DROP VIEW {view.name}")
        for statement in (s for step, back in _BACK.items() if step > version for s in back):
            connection.execute(statement)
        connection.execute("UPDATE schema_versions SET version = ?", [version])
    assert initialise(store)["state"] == f"migrated from schema {version}"
    assert ask(store, "SELECT text, intent FROM queries") == [("q", None)]
    assert ask(store, "SELECT completion_text('answer-first', 3, 'x')") == [("3\nx",)]
    with store.read() as connection:
        for table in TABLES:
            columns = {row[0]: row[1:3] for row in connection.execute(f"DESCRIBE {table.name}").fetchall()}
            assert columns == {c.name: (c.type, "NO" if c.required else "YES") for c in table.columns}
        for view in VIEWS:
            connection.execute(f"FROM {view.name}").fetchall()
