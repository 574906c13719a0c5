"""``curation conflicts``: what is in conflict, and what a person's decision does."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.curation.conftest import RunCommand, rows
from warehouse.ids import content_id
from warehouse.ledger import Run
from warehouse.store import Store

BY_HAND = Path(__file__).resolve().parents[2] / "docs" / "by-hand" / "conflicts.md"
# Of a source of their own, so that a repeated row is a second opinion.
HEADER = "query,title,label,weight"
OPINIONS = ("lamp,Lamp,4,1", "lamp,Lamp,2,1", "mug,Mug\x1b[2J,3,7", "mug,Mug\x1b[2J,1,7", "bed,Bed,2,1")


@pytest.fixture
def judged(command: RunCommand, tmp_path: Path) -> Path:
    """A store in which lamp and mug are in conflict and bed is not."""
    db = tmp_path / "tierwise.duckdb"
    ingest(command, db, *OPINIONS)
    return db


def ingest(command: RunCommand, db: Path, *lines: str, source: str = "shop", code: int = 0) -> str:
    table = db.parent / "judged.csv"
    table.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    fields = [f"{name}={name}" for name in HEADER.split(",")]
    done = command(
        "curation", "ingest", "table", table, "--map", *fields, "--source", source, "--db", db, code=code
    )
    return done.stdout + done.stderr


def pair_of(command: RunCommand, db: Path, query: str) -> str:
    return str(rows(command, db, f"SELECT pair_id FROM pair_overview WHERE query = '{query}'")[0]["pair_id"])


def decide(
    command: RunCommand,
    db: Path,
    pair: str,
    tier: int,
    *,
    by: str = "Ana",
    reason: str = "seen",
    code: int = 0,
) -> str:
    done = command(
        *("curation", "conflicts", "decide", pair, "--tier", str(tier), "--by", by, "--reason", reason),
        *("--db", db),
        code=code,
    )
    return done.stdout + done.stderr


def gold(command: RunCommand, db: Path, query: str) -> tuple[Any, ...]:
    found = rows(command, db, f"SELECT tier, confidence FROM pair_overview WHERE query = '{query}'")[0]
    return found["tier"], found["confidence"]


def test_the_list_has_the_heaviest_first_and_cannot_steer_the_terminal(
    command: RunCommand, judged: Path
) -> None:
    done = command("curation", "conflicts", "list", "--db", judged)
    mug, lamp = (pair_of(command, judged, query)[:8] for query in ("mug", "lamp"))
    assert done.stdout.splitlines() == [
        f"{mug}  mug  ×  Mug\\x1b[2J",
        "          tier 1 (shop), tier 3 (shop)",
        f"{lamp}  lamp  ×  Lamp",
        "          tier 2 (shop), tier 4 (shop)",
    ]
    assert done.stderr == "2 of 2 conflicts.\n"
    first = command("curation", "conflicts", "list", "--limit", "1", "--json", "--db", judged).stdout
    assert json.loads(first) == [
        {
            "pair_id": pair_of(command, judged, "mug"),
            "query": "mug",
            "title": "Mug\x1b[2J",
            "judgments": [
                {"tier": 1, "confidence": None, "source": "shop"},
                {"tier": 3, "confidence": None, "source": "shop"},
            ],
        }
    ]


def test_a_decision_settles_the_pair_whatever_is_ingested_later(command: RunCommand, judged: Path) -> None:
    told = decide(command, judged, pair_of(command, judged, "lamp")[:8].upper(), 3)
    assert "decided" in told
    assert gold(command, judged, "lamp") == (3, 1.0)
    assert "lamp" not in command("curation", "conflicts", "list", "--db", judged).stdout
    ingest(command, judged, *OPINIONS)
    for source in ("one", "two", "three"):
        ingest(command, judged, "lamp,Lamp,1,1", "lamp,Lamp,1,1", source=source)
    assert gold(command, judged, "lamp") == (3, 1.0)
    decide(command, judged, pair_of(command, judged, "mug"), 1)
    assert command("curation", "conflicts", "list", "--db", judged).stderr == "No conflicts.\n"


def test_the_newest_decision_stands_and_none_is_lost(command: RunCommand, judged: Path) -> None:
    pair = pair_of(command, judged, "lamp")
    decide(command, judged, pair, 3, by="Ana", reason="a lamp, but no bulb")
    decide(command, judged, pair, 4, by="Bo", reason="bulbs\x1b[2J are extra")
    assert gold(command, judged, "lamp") == (4, 1.0)
    decide(command, judged, pair, 3, by="Ana", reason="a lamp, but no bulb")
    assert gold(command, judged, "lamp") == (3, 1.0)
    history = rows(
        command, judged, "SELECT judged_by, reason, confidence, source_file FROM judgments WHERE source = 'decision' "
        "ORDER BY judged_at"
    )  # fmt: skip
    assert [row["judged_by"] for row in history] == ["Ana", "Bo", "Ana"]
    assert history[2] == {
        "judged_by": "Ana", "reason": "a lamp, but no bulb", "confidence": 1.0, "source_file": None}  # fmt: skip
    tree = command("warehouse", "lineage", pair, "--db", judged).stdout
    assert "tier 4, decision, judged by Bo at 20" in tree
    assert '"bulbs\\x1b[2J are extra"' in tree


def test_the_same_decision_again_adds_nothing(command: RunCommand, judged: Path) -> None:
    def kept() -> list[list[dict[str, Any]]]:
        return [rows(command, judged, f"FROM {table} ORDER BY ALL") for table in ("judgments", "pairs")]

    pair = pair_of(command, judged, "lamp")
    decide(command, judged, pair, 3)
    before = kept()
    assert "already decided so" in decide(command, judged, pair, 3, by=" Ana ")
    assert kept() == before
    assert "already" not in decide(command, judged, pair, 3, by="Bo")


def test_a_wrong_label_is_overruled_too(command: RunCommand, judged: Path) -> None:
    assert gold(command, judged, "bed") == (2, 1.0)
    told = decide(command, judged, pair_of(command, judged, "bed"), 4, reason="it is a bed")
    assert "before  2\n" in told
    assert gold(command, judged, "bed") == (4, 1.0)


def test_grades_follow_a_decision_and_frozen_splits_do_not(
    command: RunCommand, store: Path, tmp_path: Path
) -> None:
    command("curation", "split", "create", "all", "--db", store)
    command("curation", "export", "all_v1", "--out", tmp_path / "before", "--db", store)
    pair = rows(command, store, "SELECT * FROM pair_overview ORDER BY pair_id LIMIT 1")[0]
    tier = 5 - pair["tier"]
    decide(command, store, pair["pair_id"], tier)
    one = f"WHERE pair_id = '{pair['pair_id']}'"
    command("curation", "difficulty", "--db", store)
    assert rows(command, store, f"SELECT tier, n FROM pair_overview {one}") == [{"tier": tier, "n": 6}]
    measured = rows(command, store, f"SELECT gold_tier, c FROM difficulty {one}")[0]
    votes = rows(command, store, f"SELECT votes_{tier} AS c FROM sample_votes {one}")[0]
    assert measured == {"gold_tier": tier, **votes}
    assert "whole" in command("curation", "split", "verify", "all_v1", "--db", store).stdout
    assert rows(command, store, f"SELECT tier FROM split_members {one}") == [{"tier": pair["tier"]}]
    command("curation", "export", "all_v1", "--out", tmp_path / "after", "--db", store)
    for file in (tmp_path / "before").iterdir():
        assert (tmp_path / "after" / file.name).read_bytes() == file.read_bytes(), file.name
    command("curation", "split", "create", "all", "--db", store)
    command("curation", "export", "all_v2", "--out", tmp_path / "anew", "--db", store)
    # Whoever decides does not own the texts.
    assert "| judged | 60 pairs. Licence" in (tmp_path / "anew" / "README.md").read_text(encoding="utf-8")
    assert rows(command, store, f"SELECT tier FROM split_members {one} AND split = 'all_v2'") == [
        {"tier": tier}
    ]


def test_pairs_that_cannot_be_decided(command: RunCommand, judged: Path) -> None:
    pairs = [row["pair_id"] for row in rows(command, judged, "SELECT pair_id FROM pairs ORDER BY 1")]
    taken = Store(judged)
    with taken.write(Run("x", {})) as connection:
        twins = [f"abcdef0{i}-0000-4000-8000-000000000000" for i in range(5)]
        for twin in twins:
            connection.execute("INSERT INTO pairs SELECT * REPLACE (? AS pair_id) FROM pairs LIMIT 1", [twin])
        connection.execute(
            "INSERT INTO tombstones SELECT item_id, 'by law', now(), ? FROM pairs WHERE pair_id = ?",
            [content_id("run", 1), pairs[0]],
        )
    before = judged.read_bytes()
    for pair, words in {
        "abcdef": f"abcdef is the beginning of several pairs ({', '.join(twins[:4])}, …); give more of it",
        "0123456789": "no pair 0123456789; see",
        "lamp": "'lamp' is no id of a pair; see",
        "": "'' is no id of a pair",
        pairs[0]: "was taken down (by law); it can have no tier",
    }.items():
        told = decide(command, judged, pair, 3, code=1)
        assert words in told
        assert told.count("\n") == 1
    for option in ("by", "reason"):
        assert f"--{option} is empty" in decide(command, judged, pairs[1], 3, code=1, **{option: " "})
        assert f"--{option}: not UTF-8" in decide(command, judged, pairs[1], 3, code=1, **{option: "\udcff"})
    decide(command, judged, pairs[1], 5, code=2)
    assert judged.read_bytes() == before
    absent = judged.parent / "absent.duckdb"
    assert "no store at" in decide(command, absent, pairs[1], 3, code=1)
    assert not absent.exists()


def test_no_data_set_can_pass_for_decisions(command: RunCommand, judged: Path) -> None:
    told = ingest(command, judged, "lamp,Lamp,1,1", source="decision", code=1)
    assert "name the data set with --source" in told


def test_the_conflicts_read_by_hand_can_be_decided_as_they_are_told(
    command: RunCommand, crowdflower: Path, tmp_path: Path
) -> None:
    db = tmp_path / "tierwise.duckdb"
    command("curation", "ingest", "crowdflower", crowdflower, "--db", db)
    in_conflict = json.loads(command("curation", "conflicts", "list", "--json", "--db", db).stdout)
    assert len(in_conflict) == 13
    told = [
        shlex.split(line) for line in BY_HAND.read_text(encoding="utf-8").splitlines() if "decide" in line
    ]
    commands = [words[2:] for words in told if words[:2] == ["python", "-m"]]
    assert len(commands) == 10
    for words in commands:
        assert "before  no tier" in command(*words, "--db", db).stdout
    left = json.loads(command("curation", "conflicts", "list", "--json", "--db", db).stdout)
    assert len(left) == 3
    assert all(conflict["pair_id"][:8] in BY_HAND.read_text(encoding="utf-8") for conflict in in_conflict)
