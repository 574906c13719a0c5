"""Inputs by content: dates and order are no part of it, every byte and row is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import duckdb
import pytest

from curation.models import resolve
from curation.recipe.fingerprints import Fingerprints, watch
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from pathlib import Path


def of(path: Path) -> str:
    return Fingerprints().of(path)


def test_a_file_is_its_bytes(tmp_path: Path) -> None:
    file, copy = tmp_path / "a.csv", tmp_path / "b.csv"
    file.write_bytes(b"x" * 100_000)
    copy.write_bytes(b"x" * 100_000)
    before = of(file)
    assert of(copy) == before
    os.utime(file, (1, 1))
    assert of(file) == before
    file.write_bytes(b"x" * 99_999 + b"y")
    assert of(file) != before


def test_what_is_known_is_read_again_once_it_is_touched(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("one")
    prints = Fingerprints()
    before = prints.of(file)
    file.write_text("two")
    assert prints.of(file) != before
    file.write_text("one")
    assert prints.of(file) == before


def test_a_folder_is_the_names_and_bytes_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    (folder / "sub").mkdir(parents=True)
    (folder / "ab").write_text("c")
    (folder / "sub" / "d").write_text("e")
    before = of(folder)
    os.utime(folder / "ab", (1, 1))
    assert of(folder.rename(tmp_path / "g")) == before
    folder = tmp_path / "g"
    seen = {before}
    for change in (
        lambda: (folder / "sub" / "d").write_text("f"),
        lambda: (folder / "ab").rename(folder / "a"),
        lambda: (folder / "a").write_text("bc"),
        lambda: (folder / "sub").rename(folder / "sud"),
        lambda: (folder / "new").write_text(""),
    ):
        change()
        assert of(folder) not in seen
        seen.add(of(folder))


def test_a_model_is_what_it_generates_from(tmp_path: Path, tiny_model: Path) -> None:
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    before = of(folder)
    assert before == resolve(str(tiny_model)).digest
    (folder / "checkpoints" / "checkpoint-1").mkdir(parents=True)
    (folder / "checkpoints" / "checkpoint-1" / "model.safetensors").write_bytes(b"x")
    assert of(folder) == before
    (folder / "config.json").write_text((folder / "config.json").read_text() + "\n")
    assert of(folder) != before


def test_a_configuration_without_weights_is_any_folder(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    before = of(tmp_path)
    (tmp_path / "rows.csv").write_text("a")
    assert of(tmp_path) != before


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    made = duckdb.connect()
    made.execute("CREATE TABLE pairs AS SELECT i AS pair_id, i % 4 AS tier FROM range(5000) t(i)")
    made.execute("CREATE TABLE empty AS FROM pairs LIMIT 0")
    return made


def rows(connection: duckdb.DuckDBPyConnection, query: str) -> str:
    return watch(connection, query).digest


def test_the_order_of_rows_is_no_part_of_it(connection: duckdb.DuckDBPyConnection) -> None:
    query = "SELECT pair_id, tier FROM pairs"
    before = rows(connection, query)
    connection.execute("CREATE TABLE other AS FROM pairs ORDER BY hash(pair_id)")
    assert rows(connection, "SELECT pair_id, tier FROM other") == before
    assert rows(connection, f"{query} ORDER BY tier -- as it comes\n;") == before
    connection.execute("UPDATE pairs SET tier = 9 WHERE pair_id = 4321")
    assert rows(connection, query) != before
    connection.execute("UPDATE pairs SET tier = 4321 % 4 WHERE pair_id = 4321")
    assert rows(connection, query) == before


def test_every_row_and_value_counts(connection: duckdb.DuckDBPyConnection) -> None:
    queries = [
        "FROM empty",
        "SELECT 1 AS a",
        "SELECT 2 AS a",
        "SELECT '1' AS a",
        "SELECT NULL AS a",
        "SELECT 'null' AS a",
        "SELECT '' AS a",
        "SELECT unnest([1, 1]) AS a",
        "SELECT unnest([1, 1, 1]) AS a",
        "SELECT unnest([2, 2]) AS a",
        "SELECT unnest([1, 2]) AS a",
        "SELECT 'a' AS a, 'b' AS b",
        "SELECT 'b' AS a, 'a' AS b",
        "SELECT 'a\",\"b' AS a",
        "SELECT [1, 2] AS a",
        "SELECT 0.1::FLOAT AS a",
        "SELECT 0.1::DOUBLE AS a",
    ]
    assert len({rows(connection, query) for query in queries}) == len(queries)


def test_a_digest_that_stays_what_it_was(connection: duckdb.DuckDBPyConnection) -> None:
    # DuckDB 1.5 and 2 give the same; were it another one day, every stage that watches would run again.
    query = "SELECT pair_id, tier, pair_id / 7 AS share, pair_id::VARCHAR AS name FROM pairs"
    assert rows(connection, query) == "e3e0c29889ed981a0d7150fab867952831b1422e01651b73e05217fcba6113e5"


def test_it_names_what_a_query_reads(connection: duckdb.DuckDBPyConnection) -> None:
    query = "SELECT * FROM pairs WHERE pair_id NOT IN (SELECT pair_id FROM empty)"
    assert watch(connection, query).tables == ("empty", "pairs")


@pytest.mark.parametrize(
    "query", ["", "SELEC 1", "FROM none", "DELETE FROM pairs", "SELECT 1; SELECT 2", "1) --"]
)
def test_a_query_that_is_none(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    with pytest.raises(TierwiseError, match=r"^watch: .*mend the query$") as error:
        watch(connection, query)
    assert "\n" not in str(error.value)
    assert connection.execute("SELECT count(*) FROM pairs").fetchall() == [(5000,)]
