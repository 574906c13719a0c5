"""WANDS: three tab-separated files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.curation.conftest import RunCommand, rows

if TYPE_CHECKING:
    from pathlib import Path

QUERIES = "query_id\tquery\tquery_class\n0\tsalon chair\tMassage Chairs\n1\tlamp without shade\tLamps\n"
PRODUCTS = (
    "product_id\tproduct_name\tproduct_class\tcategory hierarchy\tproduct_description\tproduct_features\t"
    "rating_count\taverage_rating\treview_count\n"
    '0\tSolid wood bed\tBeds\tFurniture / Beds\t"Good, deep <b>sleep</b>"\t'
    "color:red|color:blue|color:red|width : 30:in|broken\t15.0\t4.5\t15.0\n"
    "7\tChair\t\t\t\t\t\t\t\n"
)
LABELS = "id\tquery_id\tproduct_id\tlabel\n0\t0\t0\tExact\n1\t0\t7\tPartial\n2\t1\t7\tIrrelevant\n"


@pytest.fixture
def wands(tmp_path: Path) -> Path:
    folder = tmp_path / "wands"
    folder.mkdir()
    for name, content in (("query", QUERIES), ("product", PRODUCTS), ("label", LABELS)):
        (folder / f"{name}.csv").write_text(content)
    return folder


def test_three_files_become_pairs(wands: Path, command: RunCommand, tmp_path: Path) -> None:
    db = tmp_path / "db"
    done = json.loads(command("curation", "ingest", "wands", wands, "--json", "--db", db).stdout)
    assert (done["rows"], done["pairs"], done["rejects"]) == (3, 3, {})
    found = rows(
        command,
        db,
        "SELECT query, kind, title, p.tier, source_key, source_row, source_file FROM pair_overview p "
        "JOIN judgments USING (pair_id) ORDER BY source_key",
    )
    assert [(row["query"], row["title"], row["tier"], row["source_row"]) for row in found] == [
        ("salon chair", "Solid wood bed", 4, 2),
        ("salon chair", "Chair", 3, 3),
        ("lamp without shade", "Chair", 1, 4),
    ]
    assert found[2]["kind"] == "negation"
    assert found[0]["source_file"] == str(wands / "label.csv")
    bed, chair = rows(command, db, "SELECT description, attributes FROM items ORDER BY title DESC")
    assert bed["description"] == "Good, deep sleep"
    assert bed["attributes"] == {
        "color": ["red", "blue"],
        "width": "30:in",
        "product_class": "Beds",
        "category hierarchy": "Furniture / Beds",
        "rating_count": "15.0",
        "average_rating": "4.5",
        "review_count": "15.0",
    }
    assert chair == {"description": None, "attributes": None}
    files = [wands / f"{name}.csv" for name in ("product", "label", "query")]
    again = json.loads(command("curation", "ingest", "wands", *files, "--json", "--db", db).stdout)
    assert again["pairs_unchanged"] == 3
    other = ("--tiers", "Exact=4,Partial=2,Irrelevant=1")
    changed = json.loads(command("curation", "ingest", "wands", wands, *other, "--json", "--db", db).stdout)
    assert changed["pairs_changed"] == 1


def test_broken_rows_are_rejects_that_name_their_file(
    wands: Path, command: RunCommand, tmp_path: Path
) -> None:
    with (wands / "product.csv").open("a") as file:
        file.write("8\tcut off\n")
    with (wands / "label.csv").open("a") as file:
        file.write("3\t0\t8\tExact\n4\t5\t7\tExact\n5\t1\t0\tMaybe\n6\t1\n")
    db = tmp_path / "db"
    done = json.loads(command("curation", "ingest", "wands", wands, "--json", "--db", db).stdout)
    assert done["pairs"] == 3
    found = rows(command, db, "SELECT file, line, reason, detail FROM rejects ORDER BY ALL")
    assert [(row["file"].rsplit("/", 1)[1], row["line"], row["reason"], row["detail"]) for row in found] == [
        ("label.csv", 5, "no product", "product_id '8' is not in product.csv"),
        ("label.csv", 6, "no query", "query_id '5' is not in query.csv"),
        ("label.csv", 7, "bad label", "label is 'Maybe', not one of Exact, Partial, Irrelevant"),
        ("label.csv", 8, "wrong number of cells", "2 cells, header has 4"),
        ("product.csv", 4, "wrong number of cells", "2 cells, header has 9"),
    ]


def test_what_is_missing_is_named(wands: Path, command: RunCommand, tmp_path: Path, judged_csv: Path) -> None:
    (wands / "product.csv").rename(tmp_path / "product.csv")
    told = command("curation", "ingest", "wands", wands, "--db", tmp_path / "db", code=1).stderr
    assert "product.csv is not there" in told
    two = (wands / "query.csv", wands / "label.csv")
    told = command("curation", "ingest", "wands", *two, "--db", tmp_path / "db", code=1).stderr
    assert "WANDS without product.csv: name its three files, or their folder" in told
    told = command("curation", "ingest", "wands", judged_csv, "--db", tmp_path / "db", code=1).stderr
    assert "none of WANDS' three tab-separated files" in told
