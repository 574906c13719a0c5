"""``ingest table`` as it is called: mapping, tiers, formats."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.curation.conftest import RunCommand, rows

if TYPE_CHECKING:
    from pathlib import Path

CSV = "q,Item name,text,grade\nlamp,A,Red.,Exact\nmug,B,,Irrelevant\n"
MAPPED = ("query=q", "title=Item name", "description=text", "label=grade")
TIERS = ("--tiers", "Exact=4,Partial=3, Irrelevant = 1")
ALL = ("query", "title", "description", "label", "item_id", "brand", "price", "weight", "judged_at", "locale")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "judged.csv"
    path.write_text(CSV)
    return path


def pairs(command: RunCommand, store: Path) -> list[dict[str, Any]]:
    return rows(
        command, store, "SELECT query, title, description, tier, source FROM pair_overview ORDER BY query"
    )


@pytest.mark.parametrize(
    "mapping",
    [
        ["--map", *MAPPED],
        ["--map", " ".join(MAPPED)],
        [part for field in MAPPED for part in ("--map", field)],
    ],
    ids=["unquoted", "quoted", "repeated"],
)
def test_fields_are_mapped_however_they_are_written(
    mapping: list[str], table: Path, command: RunCommand, tmp_path: Path
) -> None:
    store = tmp_path / "t.duckdb"
    command("curation", "ingest", "table", *mapping, table, *TIERS, "--db", store)
    assert pairs(command, store) == [
        {"query": "lamp", "title": "A", "description": "Red.", "tier": 4, "source": "judged"},
        {"query": "mug", "title": "B", "description": None, "tier": 1, "source": "judged"},
    ]


def test_a_path_may_look_like_a_field(table: Path, command: RunCommand, tmp_path: Path) -> None:
    shard = tmp_path / "locale=us" / "part.csv"
    shard.parent.mkdir()
    table.rename(shard)
    store = tmp_path / "t.duckdb"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        command("curation", "ingest", "table", "locale=us/part.csv", "--map", *MAPPED, *TIERS, "--db", store)
    assert len(pairs(command, store)) == 2


@pytest.mark.parametrize(("name", "delimiter"), [("t.csv", ";"), ("t.tsv", None), ("t.txt", r"\t")])
def test_delimiters(name: str, delimiter: str | None, command: RunCommand, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(CSV.replace(",", ";" if delimiter == ";" else "\t"))
    store = tmp_path / "t.duckdb"
    option = ["--delimiter", delimiter] if delimiter else []
    command(
        "curation", "ingest", "table", path, "--map", *MAPPED, *TIERS, *option, "--source", "s", "--db", store
    )
    assert [pair["source"] for pair in pairs(command, store)] == ["s", "s"]


def typed_rows() -> list[dict[str, Any]]:
    moment = datetime(2024, 5, 1, 12, 30, tzinfo=UTC)
    first = {
        "query": "lamp",
        "title": "A",
        "description": "<p>Red</p>",
        "label": 4.0,
        "item_id": 17,
        "brand": "Lum",
        "price": Decimal("9.90"),
        "weight": 2.5,
        "judged_at": moment,
        "locale": "uk",
    }
    return [first, {"query": "mug", "title": "B", "label": 1.0}]


def write_typed(path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.suffix == ".parquet":
        columns = {name: [row.get(name) for row in typed_rows()] for name in ALL}
        pq.write_table(pa.table({**columns, "tags": [["a"], None]}), path)
    elif path.suffix == ".jsonl":
        path.write_text("\n".join(json.dumps(row, default=str) for row in typed_rows()))
    else:
        lines = [",".join(str(row.get(name, "")) for name in ALL) for row in typed_rows()]
        path.write_text("\n".join([",".join(ALL), *lines]))


@pytest.mark.parametrize("suffix", ["parquet", "jsonl", "csv"])
def test_typed_columns_mean_the_same_in_every_format(
    suffix: str, command: RunCommand, tmp_path: Path
) -> None:
    path, store = tmp_path / f"t.{suffix}", tmp_path / "t.duckdb"
    write_typed(path)
    command("curation", "ingest", "table", path, "--map", *(f"{name}={name}" for name in ALL), "--db", store)
    found = rows(
        command,
        store,
        "SELECT q.text AS query, q.locale, v.title, v.description, v.raw_description, v.source_item_id, v.brand, "
        "v.attributes->>'price' AS price, p.weight, p.tier, j.judged_at, j.source_row, j.source_key "
        "FROM pairs p JOIN queries q USING (query_id) JOIN item_versions v USING (item_version_id) "
        "JOIN judgments j USING (judgment_id) ORDER BY query",
    )
    start = 2 if suffix == "csv" else 1
    assert found == [
        {
            "query": "lamp",
            "locale": "uk",
            "title": "A",
            "description": "Red",
            "raw_description": "<p>Red</p>",
            "source_item_id": "17",
            "brand": "Lum",
            "price": "9.90",
            "weight": 2.5,
            "tier": 4,
            "judged_at": "2024-05-01 12:30:00",
            "source_row": start,
            "source_key": "#1",
        },
        {
            **dict.fromkeys(
                ("description", "raw_description", "source_item_id", "brand", "price", "judged_at")
            ),
            "query": "mug",
            "locale": "us",
            "title": "B",
            "weight": 1.0,
            "tier": 1,
            "source_row": start + 1,
            "source_key": "#1",
        },
    ]


def test_rejects_say_where_why_and_what(command: RunCommand, tmp_path: Path) -> None:
    path, store = tmp_path / "t.csv", tmp_path / "t.duckdb"
    lines = [
        "query,title,label,weight,judged_at",
        "lamp,A,4,1,2024-05-01",
        " ,A,4,1,",
        "lamp, ,4,1,",
        "lamp,A,,1,",
    ]
    lines += [
        "lamp,A,5,1,",
        "lamp,A,4,-1,",
        "lamp,A,4,nan,",
        "lamp,A,4,1,May",
        "lamp,A,4,1,0001-01-01T00:00+05:00",
        "a,b",
    ]
    path.write_text("\n".join(lines))
    mapping = [f"{name}={name}" for name in ("query", "title", "label", "weight", "judged_at")]
    summary = command("curation", "ingest", "table", path, "--map", *mapping, "--db", store, "--json").stdout
    reasons = {
        "no query": 1,
        "no title": 1,
        "no label": 1,
        "bad label": 1,
        "bad weight": 2,
        "bad judged_at": 2,
    }
    assert json.loads(summary)["rejects"] == {"wrong number of cells": 1, **reasons}
    assert json.loads(summary)["rows"] == 10
    found = rows(command, store, "SELECT line, detail, raw FROM rejects ORDER BY line")
    assert [row["line"] for row in found] == list(range(3, 12))
    assert found[3]["detail"] == "label is '5', not one of 4, 3, 2, 1"
    assert json.loads(found[3]["raw"]) == dict(
        zip(lines[0].split(","), ["lamp", "A", "5", "1", ""], strict=True)
    )
