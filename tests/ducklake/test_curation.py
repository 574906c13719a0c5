"""What people do to a shared store: decisions, suspects, near-copies, joined sources, takedowns."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from tests.curation.conftest import MAPPING, judged_csv, offline

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ducklake.conftest import Lake

__all__ = ["judged_csv", "offline"]


def _texts(lake: Lake) -> str:
    """Everything that any Parquet file of the lake holds, whether a snapshot still names it or not."""
    return "".join(str(pq.read_table(path).to_pylist()) for path in sorted(lake.data.rglob("*.parquet")))


def test_a_text_that_is_taken_down_leaves_every_file(lake: Lake, judged_csv: Path) -> None:
    item = "Shelf item 3-2"
    lake.command("curation", "ingest", "table", judged_csv, *MAPPING)
    lake.command("curation", "split", "create", "all")
    assert item in _texts(lake)
    found = lake.rows(f"SELECT item_id FROM items WHERE title = '{item}'")[0][0]
    summary = json.loads(
        lake.command("warehouse", "takedown", "--item", found, "--reason", "court order", "--json")
    )
    assert summary["splits_no_longer_whole"] == ["all_v1: 1 of its pairs"]
    assert item not in _texts(lake)
    assert "was taken down on" in lake.command("curation", "split", "verify", "all_v1", code=1)
    again = json.loads(lake.command("curation", "ingest", "table", judged_csv, *MAPPING, "--json"))
    assert (again["rejects"], again["pairs"]) == ({"item taken down": 1}, 59)
    assert item not in _texts(lake)


def test_people_decide(lake: Lake, judged_csv: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text(judged_csv.read_text().replace(",4\n", ",1\n"))
    lake.command("curation", "ingest", "table", judged_csv, *MAPPING)
    told = json.loads(
        lake.command("curation", "ingest", "table", other, *MAPPING, "--source", "o", "--dry-run", "--json")
    )
    assert lake.rows("SELECT count(*) AS n FROM judgments") == [[60]]
    done = json.loads(lake.command("curation", "ingest", "table", other, *MAPPING, "--source", "o", "--json"))
    assert done["conflicts"] == told["conflicts"] > 0
    pair = lake.rows("SELECT pair_id FROM conflicts ORDER BY 1")[0][0]
    decided = ("--tier", "3", "--by", "Ada", "--reason", "read it")
    lake.command("curation", "conflicts", "decide", pair, *decided)
    lake.command("curation", "conflicts", "decide", pair, *decided)
    assert lake.rows(f"SELECT tier FROM pairs WHERE pair_id = '{pair}'") == [[3]]
    assert lake.rows("SELECT count(*) AS n FROM judgments") == [[121]]

    first = json.loads(lake.command("curation", "suspects", "--json"))
    second = json.loads(lake.command("curation", "suspects", "--json"))
    assert (first["new"], second["new"], second["changed"]) == (first["pairs"], 0, 0)
    json.loads(lake.command("curation", "duplicates", "--json"))


def test_joined_sources(lake: Lake, tmp_path: Path) -> None:
    for name, content in (
        ("query", "query_id\tquery\n0\tchair\n"),
        ("product", "product_id\tproduct_name\tproduct_class\tcategory hierarchy\tproduct_description\t"
         "product_features\trating_count\taverage_rating\treview_count\n7\tChair\t\t\t<p>Oak</p>\tcolor:red\t\t\t\n"),
        ("label", "id\tquery_id\tproduct_id\tlabel\n0\t0\t7\tExact\n1\t0\t8\tExact\n"),
    ):  # fmt: skip
        (tmp_path / f"{name}.csv").write_text(content)
    done = json.loads(lake.command("curation", "ingest", "wands", tmp_path, "--json"))
    assert (done["pairs"], done["rejects"]) == (1, {"no product": 1})
    assert lake.rows("SELECT description FROM items") == [["Oak"]]
