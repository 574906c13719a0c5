"""The real data, where it lies beside the checkout."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.curation.conftest import RunCommand, rows

if TYPE_CHECKING:
    from pathlib import Path

MAPPING = "query=query title=product_title description=product_description label=median_relevance"


@pytest.fixture(scope="module")
def ingested(
    crowdflower: Path, tmp_path_factory: pytest.TempPathFactory, command: RunCommand
) -> tuple[Path, str]:
    store = tmp_path_factory.mktemp("crowdflower") / "t.duckdb"
    return store, command("curation", "ingest", "crowdflower", crowdflower, "--db", store).stdout


def counts(command: RunCommand, store: Path) -> dict[str, Any]:
    tables = ("queries", "item_versions", "pairs", "judgments", "rejects")
    (row,) = rows(command, store, f"SELECT {', '.join(f'(SELECT count(*) FROM {t}) AS {t}' for t in tables)}")
    return row


def test_the_summary_says_what_was_read(ingested: tuple[Path, str]) -> None:
    said = dict(line.split("  ", 1) for line in ingested[1].splitlines())
    assert {name.strip(): value.strip() for name, value in said.items() if name.strip() != "new rows"} == {
        "rows": "5,087",
        "queries": "128",
        "pairs": "5,021",
        "pairs new": "5,021",
        "pairs changed": "0",
        "pairs unchanged": "0",
        "repeats": "66",
        "disagreements": "16",
        "conflicts": "13",
        "items changed": "0",
        "rejects": "–",
    }


def test_every_row_is_a_judgment_and_again_adds_none(
    ingested: tuple[Path, str], crowdflower: Path, command: RunCommand
) -> None:
    store = ingested[0]
    before = counts(command, store)
    assert before["judgments"] == 5_087
    again = json.loads(
        command("curation", "ingest", "crowdflower", crowdflower, "--db", store, "--json").stdout
    )
    assert (again["pairs_new"], again["pairs_changed"], again["pairs_unchanged"]) == (0, 0, 5_021)
    assert set(again["new_rows"].values()) == {0}
    assert counts(command, store) == before


def test_conflicts_are_listed_and_out_of_the_tiers(ingested: tuple[Path, str], command: RunCommand) -> None:
    conflicts = rows(command, ingested[0], "SELECT pair_id, tiers FROM conflicts")
    assert len(conflicts) == 13
    assert all(len(set(conflict["tiers"])) > 1 for conflict in conflicts)
    undecided = rows(command, ingested[0], "SELECT pair_id FROM pairs WHERE tier IS NULL")
    assert {row["pair_id"] for row in undecided} == {row["pair_id"] for row in conflicts}


def test_descriptions_are_text_and_the_raw_ones_kept(ingested: tuple[Path, str], command: RunCommand) -> None:
    cleaned = rows(
        command,
        ingested[0],
        "SELECT description, raw_description FROM item_versions WHERE raw_description IS NOT NULL",
    )
    assert 40 < len(cleaned) < 80
    assert not any("<" in row["description"] or "&nbsp;" in row["description"] for row in cleaned)


def test_a_mapped_table_arrives_at_the_same_pairs(
    ingested: tuple[Path, str], crowdflower: Path, command: RunCommand, tmp_path: Path
) -> None:
    store = tmp_path / "t.duckdb"
    command("curation", "ingest", "table", crowdflower, "--map", *MAPPING.split(), "--db", store)
    columns = "pair_id, query_id, item_id, item_version_id"
    same = [
        rows(command, path, f"SELECT {columns} FROM pairs ORDER BY pair_id") for path in (ingested[0], store)
    ]
    assert same[0] == same[1]
    # Without confidences all 16 disagreements stand one against one.
    assert len(rows(command, store, "SELECT pair_id FROM conflicts")) == 16
