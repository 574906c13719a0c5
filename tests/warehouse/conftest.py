"""Fixtures of the warehouse's tests."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.warehouse.support import queries, row
from warehouse.ledger import Run
from warehouse.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TIERWISE_DB", "TIERWISE_DIE_AT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TIERWISE_LOCK_SECONDS", "20")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = Store(tmp_path_factory.mktemp("template") / "template.duckdb")
    made.merge_waiting()
    return made.path


@pytest.fixture
def store(tmp_path: Path, template: Path) -> Store:
    """An empty store."""
    return Store(Path(shutil.copy(template, tmp_path / "store.duckdb")))


@pytest.fixture
def filled(store: Store) -> Store:
    """A store with two queries and a sample, whose columns are of many types."""
    with store.long_run(Run("sample", {"n": 1})) as run:
        run.write_part("samples", [row("samples", text="it's = “裙”\n", run_id=run.run.run_id)])
        run.write_part("queries", queries("a", "b"))
    return store


@pytest.fixture(scope="session")
def schema(template: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to an empty store that stays open; for questions that change nothing."""
    with Store(template).read() as connection:
        yield connection
