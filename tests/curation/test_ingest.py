"""What the rows of a file become in the store, and what they become when they are read again."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from curation.ingest import load
from curation.ingest.files import open_tables
from curation.ingest.sources import CrowdFlower, MappedTable
from warehouse.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

TIERS = {str(tier): tier for tier in (1, 2, 3, 4)}
DATA_TABLES = ("queries", "item_versions", "pairs", "judgments", "rejects")


def ingest(store: Store, source: Any, paths: Sequence[Path]) -> dict[str, Any]:
    return load.ingest(store, source, open_tables(paths))


def mapped(*fields: str, name: str = "shop") -> MappedTable:
    """A table whose columns are called as our fields."""
    return MappedTable(name, {field: field for field in ("query", "title", "label", *fields)}, TIERS)


def write(path: Path, header: str, *rows: Sequence[object]) -> Path:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header.split(","), *rows])
    return path


def fetch(store: Store, query: str) -> list[tuple[Any, ...]]:
    with store.read() as connection:
        return connection.execute(query).fetchall()


def sizes(store: Store) -> dict[str, int]:
    return {table: fetch(store, f"SELECT count(*) FROM {table}")[0][0] for table in DATA_TABLES}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "t.duckdb")


texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12
) | st.sampled_from(
    [
        "lamp",
        "red lamp",
        " lamp ",
        "a\nb",
        "a\r\nb",
        "5'<6\"",
        "<b>Bold</b>",
        "<p></p>",
        "AT&amp;T",
        "#1",
        "\u2028",
        "-",
    ]
)


@given(st.lists(st.tuples(texts, texts, texts, st.sampled_from("1234")), min_size=5, max_size=40))
@settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    # An example takes half a second, and to shrink one takes hundreds.
    phases=[Phase.generate],
)
def test_texts_come_back_exactly_and_twice_adds_nothing(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("round-trip")
    # One usable row at least.
    rows = [*rows, ("lamp", "Lamp", "", "4")]
    path = write(folder / "t.csv", "query,title,description,label", *rows)
    store = Store(folder / "t.duckdb")
    first = ingest(store, mapped("description"), [path])
    judged = fetch(
        store,
        "SELECT q.text, v.title, coalesce(v.raw_description, v.description, ''), j.tier::VARCHAR FROM judgments j "
        "JOIN pairs p USING (pair_id) JOIN queries q USING (query_id) "
        "JOIN item_versions v ON v.item_version_id = j.item_version_id ORDER BY j.source_row",
    )
    usable = [row for row in rows if row[0].strip() and row[1].strip()]
    assert judged == usable
    rejected = fetch(store, "SELECT raw FROM rejects ORDER BY line")
    assert [tuple(json.loads(raw).values()) for (raw,) in rejected] == [
        row for row in rows if row not in usable
    ]
    assert first["pairs_new"] == len({row[:3] for row in usable})
    before = sizes(store)
    again = ingest(store, mapped("description"), [path])
    assert (again["pairs_new"], again["pairs_changed"]) == (0, 0)
    assert sizes(store) == before


def test_moved_and_shifted_rows_are_the_same_rows(store: Store, tmp_path: Path) -> None:
    rows = [("lamp", "A", 4), ("lamp", "A", 3), ("lamp", "A", 3), ("mug", "", 1), ("mug", "B", 9)]
    ingest(store, mapped(), [write(tmp_path / "t.csv", "query,title,label", *rows)])
    before = sizes(store)
    assert before == {"queries": 1, "item_versions": 1, "pairs": 1, "judgments": 3, "rejects": 2}
    moved = write(tmp_path / "elsewhere" / "u.csv", "query,title,label", *reversed(rows))
    summary = ingest(store, mapped(), [moved, moved.parent / "." / "u.csv"])
    assert summary["rows"] == 5
    assert sizes(store) == before
    longer = write(tmp_path / "v.csv", "query,title,label", ("lamp", "new", 2), *rows)
    assert ingest(store, mapped(), [longer])["pairs_new"] == 1
    assert sizes(store) == {**before, "item_versions": 2, "pairs": 2, "judgments": 4}


def test_the_place_of_a_row_is_kept(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b'\xef\xbb\xbfquery,title,label\r\n\r\nlamp,"two\r\nlines",4\r\nmug,,1\r\nmug,M,2\r\n')
    ingest(store, mapped(), [path])
    assert fetch(store, "SELECT source_file, source_row FROM judgments ORDER BY 2") == [
        (str(path), 3),
        (str(path), 6),
    ]
    assert fetch(store, "SELECT file, line, reason, detail, raw FROM rejects") == [
        (str(path), 5, "no title", "title is empty", '{"query": "mug", "title": "", "label": "1"}')
    ]


def tiers(store: Store) -> dict[str, int | None]:
    return dict(fetch(store, "SELECT q.text, p.tier FROM pairs p JOIN queries q USING (query_id) ORDER BY 1"))


def test_a_corrected_label_replaces_the_former_and_back(store: Store, tmp_path: Path) -> None:
    def read(label: int, variance: float = 0.0) -> dict[str, Any]:
        header = "id,query,product_title,product_description,median_relevance,relevance_variance"
        path = write(
            tmp_path / "c.csv", header, (17, "lamp", "A", "", label, variance), (18, "mug", "B", "", 2, 0)
        )
        return ingest(store, CrowdFlower(), [path])

    read(4)
    corrected = read(3)
    assert (corrected["pairs_changed"], corrected["disagreements"], corrected["conflicts"]) == (1, 0, 0)
    assert tiers(store) == {"lamp": 3, "mug": 2}
    assert read(4)["new_rows"]["judgments"] == 1
    assert tiers(store) == {"lamp": 4, "mug": 2}
    assert read(4)["new_rows"]["judgments"] == 0
    assert read(4, variance=0.75)["pairs_changed"] == 1
    assert fetch(store, "SELECT confidence FROM pairs ORDER BY 1") == [(0.5,), (1.0,)]


def test_an_id_that_says_two_things_is_a_conflict(store: Store, tmp_path: Path) -> None:
    header = "id,query,product_title,product_description,median_relevance,relevance_variance"
    rows = [(17, "lamp", "A", "", label, 0) for label in (4, 3, 4)]
    path = write(tmp_path / "c.csv", header, *rows)
    summary = ingest(store, CrowdFlower(), [path])
    assert (summary["repeats"], summary["disagreements"], summary["conflicts"]) == (2, 1, 1)
    assert fetch(store, "SELECT tiers FROM conflicts") == [([3, 4],)]
    assert ingest(store, CrowdFlower(), [path])["new_rows"]["judgments"] == 0


def test_two_files_in_one_call_are_two_raters(store: Store, tmp_path: Path) -> None:
    one = write(tmp_path / "1.csv", "query,title,label", ("lamp", "A", 4), ("mug", "B", 2))
    two = write(tmp_path / "2.csv", "query,title,label", ("lamp", "A", 3), ("mug", "B", 2))
    summary = ingest(store, mapped(), [one, two])
    assert {name: summary[name] for name in ("rows", "pairs", "repeats", "disagreements", "conflicts")} == {
        "rows": 4, "pairs": 2, "repeats": 2, "disagreements": 1, "conflicts": 1}  # fmt: skip
    before = sizes(store)
    assert ingest(store, mapped(), [two, one])["pairs_changed"] == 0
    assert sizes(store) == before


def test_of_two_judgments_of_a_row_the_later_one_stands(store: Store, tmp_path: Path) -> None:
    for day, label in (("2024-05-02", 3), ("2024-05-01T23:00:00+01:00", 4), ("2024-05-02", 3)):
        path = write(tmp_path / "t.csv", "query,title,label,judged_at", ("lamp", "A", label, day))
        ingest(store, mapped("judged_at"), [path])
    assert tiers(store) == {"lamp": 3}
    assert fetch(store, "SELECT judged_at::VARCHAR FROM judgments ORDER BY 1") == [
        ("2024-05-01 22:00:00",), ("2024-05-02 00:00:00",)]  # fmt: skip


def test_a_changed_text_is_a_new_version(store: Store, tmp_path: Path) -> None:
    def read(query: str, title: str, price: str = "") -> None:
        path = write(tmp_path / "t.csv", "query,title,label,item_id,price", (query, title, 4, "sku1", price))
        ingest(store, mapped("item_id", "price"), [path])

    def versions() -> list[tuple[Any, ...]]:
        return fetch(store, "SELECT version, title, is_current FROM item_versions ORDER BY version")

    def judged() -> dict[str, str]:
        return dict(fetch(store, "SELECT query, title FROM pair_overview"))

    read("lamp", "Old")
    read("lamp", "New")
    assert versions() == [(1, "Old", False), (2, "New", True)]
    assert judged() == {"lamp": "Old"}
    read("light", "New")
    assert judged() == {"lamp": "Old", "light": "New"}
    read("light", "Old")
    assert versions() == [(1, "Old", True), (2, "New", False)]
    read("light", "Old", price="9.90")
    assert versions()[2] == (3, "Old", True)
    assert fetch(store, "SELECT count(*), any_value(attributes->>'price') FROM items") == [(1, "9.90")]


def test_the_text_read_last_is_current(store: Store, tmp_path: Path) -> None:
    rows = [
        (query, title, 4, "sku1") for query, title in (("a", "Old"), ("b", "New"), ("c", "Old"), ("d", "New"))
    ]
    ingest(store, mapped("item_id"), [write(tmp_path / "t.csv", "query,title,label,item_id", *rows)])
    assert fetch(store, "SELECT version, title FROM items") == [(2, "New")]


def test_items_are_told_apart_by_all_that_names_them(store: Store, tmp_path: Path) -> None:
    rows = [
        ("q", "ab", "c", "", "", ""),
        ("q", "a", "bc", "", "", ""),
        ("q", "a", "", "bc", "", ""),
        ("q", "a", "", "", "7", ""),
        ("q", "b", "", "", "7", "uk"),
        ("q", "c", "", "", "7 ", ""),
    ]
    path = write(
        tmp_path / "t.csv", "query,title,description,brand,item_id,locale,label", *((*r, 4) for r in rows)
    )
    summary = ingest(store, mapped("description", "brand", "item_id", "locale"), [path])
    assert summary["new_rows"]["item_versions"] == 6
    assert fetch(
        store, "SELECT count(DISTINCT item_id), count(*) FILTER (is_current) FROM item_versions"
    ) == [(5, 5)]
    # An id means something within its source only; a text is the same everywhere.
    again = ingest(store, mapped("description", "brand", "item_id", "locale", name="other"), [path])
    assert again["pairs_new"] == 2


def test_a_source_without_weights_leaves_those_known(store: Store, tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "query,title,label,weight", ("lamp", "A", 4, 2.5), ("mug", "B", 4, " "))
    assert ingest(store, mapped("weight"), [path])["rejects"] == {}
    assert ingest(store, mapped(name="other"), [path])["pairs_changed"] == 0
    assert fetch(store, "SELECT weight FROM pairs ORDER BY 1") == [(1.0,), (2.5,)]
    path = write(tmp_path / "t.csv", "query,title,label,weight", ("lamp", "A", 4, 7))
    assert ingest(store, mapped("weight"), [path])["pairs_changed"] == 1


def test_the_ledger_holds_what_was_asked(store: Store, tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "query,title,label", ("lamp", "A", 4), ("mug", "B", 5))
    summary = ingest(store, mapped(), [path])
    assert summary["rejects"] == {"bad label": 1}
    ((kind, parameters, kept),) = fetch(store, "SELECT kind, parameters, summary FROM runs")
    assert kind == "ingest"
    assert json.loads(parameters)["map"] == {"query": "query", "title": "title", "label": "label"}
    assert json.loads(kept) == summary
