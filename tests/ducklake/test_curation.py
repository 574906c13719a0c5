"""What people do to a shared store: decisions, suspects, near-copies, joined sources, takedowns."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from tests.curation.conftest import MAPPING, judged_csv, offline

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ducklake.conftest import Lake, Shell

__all__ = ["judged_csv", "offline"]


def _rows(shell: Shell, query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(shell("warehouse", "sql", query, "--json"))
    return found


def _texts(lake: Lake) -> str:
    """Everything that any Parquet file of the lake holds, whether a snapshot still names it or not."""
    return "".join(str(pq.read_table(path).to_pylist()) for path in sorted(lake.data.rglob("*.parquet")))


def test_a_text_that_is_taken_down_leaves_every_file(lake: Lake, judged_csv: Path) -> None:
    item = "Shelf item 3-2"
    with lake.shell() as shell:
        shell("curation", "ingest", "table", judged_csv, *MAPPING)
        shell("curation", "split", "create", "all")
        assert item in _texts(lake)
        found = _rows(shell, f"SELECT item_id FROM items WHERE title = '{item}'")[0]["item_id"]
        summary = json.loads(
            shell("warehouse", "takedown", "--item", found, "--reason", "court order", "--json")
        )
        assert summary["splits_no_longer_whole"] == ["all_v1: 1 of its pairs"]
        assert item not in _texts(lake)
        assert "was taken down on" in shell("curation", "split", "verify", "all_v1", code=1)
        again = json.loads(shell("curation", "ingest", "table", judged_csv, *MAPPING, "--json"))
        assert (again["rejects"], again["pairs"]) == ({"item taken down": 1}, 59)
        assert item not in _texts(lake)


def test_people_decide(lake: Lake, judged_csv: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text(judged_csv.read_text().replace(",4\n", ",1\n"))
    with lake.shell() as shell:
        shell("curation", "ingest", "table", judged_csv, *MAPPING)
        told = json.loads(
            shell("curation", "ingest", "table", other, *MAPPING, "--source", "o", "--dry-run", "--json")
        )
        assert _rows(shell, "SELECT count(*) AS n FROM judgments") == [{"n": 60}]
        done = json.loads(shell("curation", "ingest", "table", other, *MAPPING, "--source", "o", "--json"))
        assert done["conflicts"] == told["conflicts"] > 0
        pair = _rows(shell, "SELECT pair_id FROM conflicts ORDER BY 1")[0]["pair_id"]
        decided = ("--tier", "3", "--by", "Ada", "--reason", "read it")
        shell("curation", "conflicts", "decide", pair, *decided)
        shell("curation", "conflicts", "decide", pair, *decided)
        assert _rows(shell, f"SELECT tier FROM pairs WHERE pair_id = '{pair}'") == [{"tier": 3}]
        assert _rows(shell, "SELECT count(*) AS n FROM judgments") == [{"n": 121}]

        first = json.loads(shell("curation", "suspects", "--json"))
        second = json.loads(shell("curation", "suspects", "--json"))
        assert (first["new"], second["new"], second["changed"]) == (first["pairs"], 0, 0)
        json.loads(shell("curation", "duplicates", "--json"))


def test_joined_sources(lake: Lake, tmp_path: Path) -> None:
    for name, content in (
        ("query", "query_id\tquery\n0\tchair\n"),
        ("product", "product_id\tproduct_name\tproduct_class\tcategory hierarchy\tproduct_description\t"
         "product_features\trating_count\taverage_rating\treview_count\n7\tChair\t\t\t<p>Oak</p>\tcolor:red\t\t\t\n"),
        ("label", "id\tquery_id\tproduct_id\tlabel\n0\t0\t7\tExact\n1\t0\t8\tExact\n"),
    ):  # fmt: skip
        (tmp_path / f"{name}.csv").write_text(content)
    with lake.shell() as shell:
        done = json.loads(shell("curation", "ingest", "wands", tmp_path, "--json"))
        assert (done["pairs"], done["rejects"]) == (1, {"no product": 1})
        assert _rows(shell, "SELECT description FROM items") == [{"description": "Oak"}]
