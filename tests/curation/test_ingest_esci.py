"""ESCI: joined, and as the two files it ships as."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.curation.conftest import RunCommand, rows

if TYPE_CHECKING:
    import pyarrow as pa

ESCI = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "esci" / "examples_with_products.csv"
PRODUCT = ("product_id", "product_title", "product_description", "product_bullet_point", "product_brand")
SAME = ("queries", "item_versions", "pairs", "judgments")


def table(count: int = 12) -> pa.Table:
    """Joined rows of the data set's columns and types: two queries in each of three locales."""
    import pyarrow as pa

    made = []
    for number in range(count):
        made.append(
            {
                "example_id": 100 + number,
                "query": f"lamp {number % 2}",
                "query_id": number % 2,
                "product_id": f"B{number:04d}",
                "product_locale": ("us", "es", "jp")[number % 3],
                "esci_label": "ESCI"[number % 4],
                "small_version": number % 2,
                "large_version": 1,
                "split": "test" if number % 6 == 5 else "train",
                "product_title": f"Lamp {number}",
                "product_description": "<p>Bright</p>" if number % 3 else None,
                "product_bullet_point": "One\nTwo" if number % 2 else None,
                "product_brand": "Acme",
                "product_color": "red" if number % 2 else None,
            }
        )
    return pa.Table.from_pylist(made)


def write_joined(whole: pa.Table, folder: Path) -> Path:
    import pyarrow.parquet as pq

    pq.write_table(whole, folder / "joined.parquet")
    return folder / "joined.parquet"


def write_both(whole: pa.Table, folder: Path) -> tuple[Path, Path]:
    """The two files as the data set has them; products in another order, and one more that nobody asks for."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    products = whole.select([*PRODUCT, "product_color", "product_locale"]).to_pylist()
    other = {**products[0], "product_id": "B9999"}
    # The same id in another market is another product.
    twin = {**products[0], "product_locale": "jp", "product_title": "別のランプ"}
    judged = [name for name in whole.column_names if name not in {*PRODUCT[1:], "product_color"}]
    names = ("shopping_queries_dataset_examples.parquet", "shopping_queries_dataset_products.parquet")
    pq.write_table(whole.select(judged), folder / names[0])
    pq.write_table(pa.Table.from_pylist([twin, other, *reversed(products)]), folder / names[1])
    return folder / names[0], folder / names[1]


def contents(command: RunCommand, store: Path, *but: str) -> dict[str, list[dict[str, Any]]]:
    dropped = ("run_id", *but)
    return {
        name: [
            {key: value for key, value in row.items() if key not in dropped}
            for row in rows(command, store, f"FROM {name} ORDER BY ALL")
        ]
        for name in SAME
    }


def test_two_files_give_what_the_joined_file_gives(command: RunCommand, tmp_path: Path) -> None:
    whole = table()
    command("curation", "ingest", "esci", write_joined(whole, tmp_path), "--db", tmp_path / "joined.duckdb")
    two = tmp_path / "two.duckdb"
    command("curation", "ingest", "esci", *write_both(whole, tmp_path), "--db", two)
    expected = contents(command, tmp_path / "joined.duckdb", "source_file")
    assert contents(command, two, "source_file") == expected
    assert [row["tier"] for row in sorted(expected["judgments"], key=lambda row: row["source_key"])] == [
        4, 3, 2, 1, 4, 3, 2, 1, 4, 3, 2, 1,
    ]  # fmt: skip
    item = next(row for row in expected["item_versions"] if row["source_item_id"] == "B0001")
    assert item["description"] == "Bright\nOne\nTwo"
    assert item["attributes"] == {"color": "red"}
    kinds = rows(
        command, two, "SELECT locale, source_split, count(*) AS n FROM pair_overview GROUP BY ALL ORDER BY 1"
    )
    assert {row["locale"]: row["n"] for row in kinds if row["source_split"] == "train"} == {
        "us": 4,
        "es": 4,
        "jp": 2,
    }
    assert next(row for row in kinds if row["source_split"] == "test")["locale"] == "jp"


def test_the_same_rows_as_csv(command: RunCommand, tmp_path: Path) -> None:
    from pyarrow import csv

    whole = table()
    csv.write_csv(whole, tmp_path / "joined.csv")
    command("curation", "ingest", "esci", tmp_path / "joined.csv", "--db", tmp_path / "csv.duckdb")
    command("curation", "ingest", "esci", write_joined(whole, tmp_path), "--db", tmp_path / "parquet.duckdb")
    without_place = ("source_file", "source_row")
    assert contents(command, tmp_path / "csv.duckdb", *without_place) == contents(
        command, tmp_path / "parquet.duckdb", *without_place
    )


def test_a_part_of_it(command: RunCommand, tmp_path: Path) -> None:
    files = write_both(table(), tmp_path)
    store = tmp_path / "db"

    def ingest(*more: str) -> dict[str, Any]:
        done = command("curation", "ingest", "esci", *files, *more, "--json", "--db", store)
        summary: dict[str, Any] = json.loads(done.stdout)
        return summary

    assert ingest("--split", "test")["pairs"] == 2
    small = ingest("--version", "small", "--locale", "us", "--locale", "es")
    assert (small["pairs"], small["rows"], small["rows_left_out"]) == (4, 12, 8)
    nothing = command("curation", "ingest", "esci", *files, "--locale", "de", "--db", store, code=1).stderr
    assert "no usable row among 12 (12 not asked for)" in nothing
    assert ingest("--tiers", "E=4,S=4,C=1,I=1")["pairs_changed"] > 0


def test_examples_whose_product_is_missing_are_rejects(command: RunCommand, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    examples, products = write_both(table(), tmp_path)
    kept = pq.read_table(products)
    pq.write_table(kept.filter(kept["product_id"].to_numpy(zero_copy_only=False) != "B0003"), products)
    done = command("curation", "ingest", "esci", examples, products, "--db", tmp_path / "db")
    assert "no product: 1" in done.stdout
    (reject,) = rows(command, tmp_path / "db", "FROM rejects")
    assert reject["line"] == 4
    assert "product_id 'B0003'" in reject["detail"]
    assert f"is not in {products.name}" in reject["detail"]
    assert json.loads(reject["raw"])["example_id"] == "103"


def test_files_that_do_not_belong_together(command: RunCommand, tmp_path: Path, judged_csv: Path) -> None:
    examples, products = write_both(table(), tmp_path)
    for paths, told in (
        ([examples], "holds ESCI examples without their products; name the products file too"),
        ([products], "holds ESCI products; name the examples file with it"),
        ([judged_csv], "neither ESCI examples"),
        ([examples, products, products], "without their products"),
        ([examples, tmp_path / "gone.parquet"], "is not there"),
    ):
        assert told in command("curation", "ingest", "esci", *paths, "--db", tmp_path / "db", code=1).stderr
    assert not (tmp_path / "db").exists()


def test_changed_texts_are_new_versions_and_a_frozen_split_stays(command: RunCommand, tmp_path: Path) -> None:
    import pyarrow as pa

    db, whole = tmp_path / "db", table()
    command("curation", "ingest", "esci", write_joined(whole, tmp_path), "--db", db)
    command("curation", "split", "create", "all", "--db", db)
    command("curation", "export", "all_v1", "--format", "csv", "--out", tmp_path / "before", "--db", db)
    changed = [
        {**row, "product_title": row["product_title"] + " II"} if row["esci_label"] == "E" else row
        for row in whole.to_pylist()
    ]
    path = write_joined(pa.Table.from_pylist(changed, schema=whole.schema), tmp_path)

    before = db.read_bytes()
    told = json.loads(command("curation", "ingest", "esci", path, "--dry-run", "--json", "--db", db).stdout)
    assert told["items_changed"] == 3
    assert db.read_bytes() == before
    done = json.loads(command("curation", "ingest", "esci", path, "--json", "--db", db).stdout)
    assert {**told, "dry_run": None} == {**done, "dry_run": None}
    assert (done["items_changed"], done["pairs_new"], done["pairs_changed"]) == (3, 0, 0)
    assert done["new_rows"] == {"queries": 0, "item_versions": 3, "judgments": 0}

    assert "is whole" in command("curation", "split", "verify", "all_v1", "--db", db).stdout
    command("curation", "export", "all_v1", "--format", "csv", "--out", tmp_path / "after", "--db", db)
    for file in (tmp_path / "before").iterdir():
        assert (tmp_path / "after" / file.name).read_bytes() == file.read_bytes()
    # The pair keeps the text it was judged on; the item shows the new one.
    assert rows(command, db, "SELECT count(*) AS n FROM pair_overview WHERE title LIKE '% II'") == [{"n": 0}]
    assert rows(command, db, "SELECT count(*) AS n FROM items WHERE title LIKE '% II'") == [{"n": 3}]


@pytest.fixture
def esci() -> Path:
    if not ESCI.exists():
        pytest.skip("shared/data/esci is not beside this checkout")
    return ESCI


def test_the_real_rows_beside_another_source(
    esci: Path, crowdflower: Path, command: RunCommand, tmp_path: Path
) -> None:
    import pyarrow as pa
    from pyarrow import csv

    db = tmp_path / "db"
    command("curation", "ingest", "crowdflower", crowdflower, "--db", db)
    done = json.loads(command("curation", "ingest", "esci", esci, "--json", "--db", db).stdout)
    assert (done["rows"], done["pairs_new"], done["queries"], done["rejects"]) == (485, 485, 50, {})
    again = json.loads(command("curation", "ingest", "esci", esci, "--json", "--db", db).stdout)
    assert again["new_rows"] == {"queries": 0, "item_versions": 0, "judgments": 0}
    two = write_both(
        csv.read_csv(
            esci,
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                column_types={"product_color": pa.string(), "product_brand": pa.string()}
            ),
        ),
        tmp_path,
    )
    both = json.loads(command("curation", "ingest", "esci", *two, "--json", "--db", db).stdout)
    assert (both["pairs"], both["pairs_new"], both["pairs_changed"], both["items_changed"]) == (485, 0, 0, 0)
