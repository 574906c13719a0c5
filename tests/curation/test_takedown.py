"""Takedown: the text is gone everywhere, and everything that leaned on it says so."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.curation.conftest import MAPPING, RunCommand, rows

ITEM = "Shelf item 3-2"


def item_id(command: RunCommand, store: Path, title: str = ITEM) -> str:
    return str(rows(command, store, f"SELECT item_id FROM items WHERE title = '{title}'")[0]["item_id"])


def take_down(command: RunCommand, store: Path, *items: str) -> dict[str, Any]:
    named = [word for item in items for word in ("--item", item)]
    done = command("warehouse", "takedown", *named, "--reason", "court order", "--json", "--db", store)
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def everything(command: RunCommand, store: Path) -> str:
    """Every cell of every table, as JSON."""
    tables = rows(command, store, "SELECT table_name AS name FROM duckdb_tables() WHERE NOT internal")
    return json.dumps([rows(command, store, f"FROM {table['name']}") for table in tables], ensure_ascii=False)


def test_the_text_is_gone_from_every_table_and_from_the_file(
    command: RunCommand, store: Path, judged_csv: Path
) -> None:
    broken = store.parent / "broken.csv"
    broken.write_text(f'query,title,description,label\nshelf 3,{ITEM},"quoted ""here""",9\nshelf 3,B,b,4\n')
    command("curation", "ingest", "table", broken, *MAPPING, "--db", store)
    command("curation", "split", "create", "all", "--db", store)
    command("curation", "split", "create", "other", "--where", "query <> 'shelf 3'", "--db", store)
    item = item_id(command, store)
    (text,) = (row["description"] for row in rows(command, store, f"FROM items WHERE item_id = '{item}'"))
    before = everything(command, store)
    assert before.count(ITEM) == 3  # item, prompt, reject
    counts = (
        "SELECT (SELECT count(*) FROM samples) AS samples, (SELECT count(*) FROM split_members) AS members"
    )
    held = rows(command, store, counts)
    assert ITEM.encode() in store.read_bytes()

    summary = take_down(command, store, item[:8])
    assert (summary["items"], summary["tombstones_new"]) == (1, 1)
    assert summary["texts_removed"]["rejects"] == 1
    assert summary["texts_removed"]["samples"] == 6
    assert summary["splits_no_longer_whole"] == ["all_v1: 1 of its pairs"]

    after = everything(command, store)
    assert ITEM not in after
    assert text not in after
    assert rows(command, store, counts) == held
    # Not in a block of the file that is free now, either.
    assert ITEM.encode() not in store.read_bytes()
    assert not Path(f"{store}.wal").exists()
    (stone,) = rows(command, store, "SELECT item_id, reason FROM tombstones")
    assert stone == {"item_id": item, "reason": "court order"}

    again = take_down(command, store, item)
    assert (again["tombstones_new"], set(again["texts_removed"].values())) == (0, {0})


def test_frozen_splits_tell_what_they_lost(command: RunCommand, store: Path) -> None:
    command("curation", "split", "create", "all", "--db", store)
    command("curation", "split", "create", "other", "--where", "query <> 'shelf 3'", "--db", store)
    members = rows(command, store, "SELECT count(*) AS n FROM split_members WHERE split = 'all_v1'")[0]["n"]
    take_down(command, store, item_id(command, store))
    told = command("curation", "split", "verify", "all_v1", "--db", store, code=1).stderr
    assert "its item was taken down on" in told
    assert "(court order)" in told
    refused = command("curation", "export", "all_v1", "--out", store.parent / "out", "--db", store, code=1)
    assert "taken down" in refused.stderr
    assert "is whole" in command("curation", "split", "verify", "other_v1", "--db", store).stdout
    command("curation", "difficulty", "--db", store)
    command("curation", "pairs", "--db", store)
    command("curation", "split", "create", "all", "--db", store)
    assert "is whole" in command("curation", "split", "verify", "all_v2", "--db", store).stdout
    left = rows(command, store, "SELECT count(*) AS n FROM split_members WHERE split = 'all_v2'")[0]["n"]
    assert left == members - 1
    # What is left of it is no conflict for people to decide.
    assert rows(command, store, "SELECT count(*) AS n FROM conflicts WHERE query = 'shelf 3'") == [{"n": 0}]


def test_it_does_not_come_back(command: RunCommand, store: Path, judged_csv: Path) -> None:
    take_down(command, store, item_id(command, store))
    done = command("curation", "ingest", "table", judged_csv, *MAPPING, "--json", "--db", store)
    summary = json.loads(done.stdout)
    assert summary["rejects"] == {"item taken down": 1}
    assert (summary["pairs"], summary["new_rows"]["item_versions"]) == (59, 0)
    assert ITEM not in everything(command, store)
    (reject,) = rows(command, store, "SELECT reason, detail, raw, line FROM rejects")
    assert reject["raw"] == ""
    assert "was taken down on" in reject["detail"]
    assert rows(command, store, "SELECT count(*) AS n FROM pairs WHERE tier IS NULL") == [{"n": 1}]


def test_the_sources_own_id_names_all_its_items(command: RunCommand, tmp_path: Path) -> None:
    db, file = tmp_path / "db", tmp_path / "t.csv"
    file.write_text("query,title,label,sku,locale\na,A,4,X1,us\na,B,3,X1,uk\na,C,2,X2,us\n")
    fields = ("--map", "query=query", "title=title", "label=label", "item_id=sku", "locale=locale")
    command("curation", "ingest", "table", file, *fields, "--db", db)
    dry = command("warehouse", "takedown", "--item", "X1", "--reason", "r", "--dry-run", "--json", "--db", db)
    assert json.loads(dry.stdout)["items"] == 2
    assert rows(command, db, "FROM tombstones") == []
    assert take_down(command, db, "X1")["items"] == 2
    assert [row["title"] for row in rows(command, db, "SELECT title FROM items ORDER BY 1")] == [
        "C",
        "[taken down]",
        "[taken down]",
    ]


@pytest.mark.parametrize(
    ("item", "said"),
    [("nowhere", "no such item"), ("abcdef12", "no such item"), ("%", "no such item"), ("", "no such item")],
)
def test_what_is_not_there(item: str, said: str, command: RunCommand, store: Path) -> None:
    before = store.read_bytes()
    told = command("warehouse", "takedown", "--item", item, "--reason", "r", "--db", store, code=1).stderr
    assert said in told
    assert told.count("\n") == 1
    told = command("warehouse", "takedown", "--item", "x", "--reason", " ", "--db", store, code=1).stderr
    assert "--reason is empty" in told
    assert store.read_bytes() == before
    told = command(
        "warehouse", "takedown", "--item", "x", "--reason", "r", "--db", store.parent / "none", code=1
    ).stderr
    assert "no store at" in told


def test_a_run_that_still_holds_the_text_loses_it_at_the_merge(command: RunCommand, store: Path) -> None:
    from warehouse.ledger import Run
    from warehouse.store import Store

    item = item_id(command, store)
    sample = rows(
        command,
        store,
        f"SELECT samples.* FROM samples JOIN pairs USING (pair_id) WHERE item_id = '{item}' LIMIT 1",
    )[0]
    late = {**sample, "sample_id": "0" * 32, "sample_index": 99, "text": f"late words on {ITEM}"}
    with Store(store).long_run(Run("sample", {})) as run:
        take_down(command, store, item)
        run.write_part("samples", [late])
    assert rows(command, store, "SELECT text FROM samples WHERE sample_index = 99") == [{"text": ""}]


def test_killed_before_the_new_file_is_in_place(command: RunCommand, store: Path) -> None:
    item = item_id(command, store)
    arguments = ("takedown", "--item", item, "--reason", "r", "--db", str(store))
    done = subprocess.run(
        [sys.executable, "-m", "warehouse", *arguments],
        env={"TIERWISE_DIE_AT": "forget", "PATH": ""},
        cwd=Path(__file__).resolve().parents[2],
        check=False,
    )
    assert done.returncode == -9
    assert ITEM not in everything(command, store)
    take_down(command, store, item)
    assert ITEM.encode() not in store.read_bytes()
    assert [path.name for path in store.parent.iterdir() if path.name.startswith(".")] == []
