"""``curation suspects`` on a store in which every tenth label was flipped, and on what is no use to it."""

from __future__ import annotations

import csv
import json
import os
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.label_noise import score_labels
from tests.curation.conftest import MAPPING, RunCommand, rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

QUERIES = 60
PLANTED = 48


@dataclass(frozen=True, slots=True)
class Planted:
    """A store of 480 pairs in which the flipped ones are known by their title."""

    store: Path
    judged: Path
    titles: frozenset[str]


@pytest.fixture(scope="module")
def planted_once(tmp_path_factory: pytest.TempPathFactory, command: RunCommand) -> Planted:
    """Two words a query; an item's title has both (tier 4), the last (3), the first (2) or none (1)."""
    folder = tmp_path_factory.mktemp("planted")
    draw = random.Random(11)
    pairs = []
    for number in range(QUERIES):
        colour, thing = f"colour{number}", f"thing{number}"
        for item in range(8):
            tier = item % 4 + 1
            words = {4: f"{colour} {thing}", 3: f"plain {thing}", 2: f"{colour} other", 1: "plain other"}[
                tier
            ]
            pairs.append((f"{colour} {thing}", f"{words} model {number}-{item}", tier))
    flipped = set(draw.sample(range(len(pairs)), PLANTED))
    judged = folder / "judged.csv"
    with judged.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("query", "title", "description", "label"))
        for position, (query, title, tier) in enumerate(pairs):
            label = draw.choice([t for t in (1, 2, 3, 4) if t != tier]) if position in flipped else tier
            writer.writerow((query, title, "", label))
    store = folder / "tierwise.duckdb"
    command("curation", "ingest", "table", judged, *MAPPING, "--db", store)
    command("curation", "suspects", "--db", store)
    return Planted(store, judged, frozenset(pairs[position][1] for position in flipped))


@pytest.fixture
def planted(planted_once: Planted, tmp_path: Path) -> Planted:
    """A copy to change."""
    copy = tmp_path / "tierwise.duckdb"
    copy.write_bytes(planted_once.store.read_bytes())
    return Planted(copy, planted_once.judged, planted_once.titles)


def suspects(command: RunCommand, store: Path, *options: str | Path) -> dict[str, Any]:
    done = command("curation", "suspects", *options, "--json", "--db", store)
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def write_predictions(path: Path, lines: Sequence[str]) -> Path:
    path.write_text("\n".join(["pair_id,p1,p2,p3,p4", *lines]) + "\n", encoding="utf-8")
    return path


def some_pairs(command: RunCommand, store: Path, count: int) -> list[str]:
    found = rows(command, store, f"SELECT pair_id FROM pairs ORDER BY pair_id LIMIT {count}")
    return [row["pair_id"] for row in found]


def test_planted_flips_come_first(command: RunCommand, planted: Planted) -> None:
    """By chance a tenth of the 48 worst would be planted: five, and thirty never."""
    found = rows(
        command,
        planted.store,
        "SELECT v.title, tier_probs, s.tier FROM label_scores s JOIN pairs USING (pair_id) "
        "JOIN item_versions v USING (item_version_id) ORDER BY label_quality, pair_id",
    )
    assert len(found) == 8 * QUERIES
    worst = {row["title"] for row in found[:PLANTED]}
    assert len(worst & planted.titles) >= 30


def test_the_view_ranks_suspects_with_what_they_are(command: RunCommand, planted: Planted) -> None:
    found = rows(command, planted.store, "FROM suspect_labels ORDER BY rank")
    assert 30 <= len(found) < 2 * PLANTED
    assert [row["rank"] for row in found] == list(range(1, len(found) + 1))
    qualities = [row["label_quality"] for row in found]
    assert qualities == sorted(qualities)
    for row in found:
        assert row["scorer"] == "bag-of-words"
        assert row["configuration_id"] is None
        assert row["label_quality"] == row["tier_probs"][row["tier"] - 1]
        assert row["suggested_tier"] == row["tier_probs"].index(max(row["tier_probs"])) + 1 != row["tier"]
        assert row["query"].split()[0].removeprefix("colour") in row["title"]
    (true,) = rows(
        command,
        planted.store,
        "SELECT count(*) FILTER (suggested_tier = CAST(split_part(title, '-', 2) AS INTEGER) % 4 + 1) AS told, "
        "count(*) AS suspects FROM suspect_labels",
    )
    assert true["told"] > 0.8 * true["suspects"]


def test_summary_and_lines(command: RunCommand, planted: Planted) -> None:
    summary = suspects(command, planted.store)
    found = rows(command, planted.store, "FROM suspect_labels ORDER BY rank")
    assert (summary["scorer"], summary["pairs"], summary["suspects"]) == ("bag-of-words", 480, len(found))
    assert sum(summary["suspects_by_tier"].values()) == len(found)
    assert [row["pair_id"] for row in summary["worst"]] == [row["pair_id"] for row in found[:10]]
    printed = command("curation", "suspects", "--db", planted.store).stdout
    lines = [line for line in printed.splitlines() if line.startswith("worst")]
    assert len(lines) == 10
    assert found[0]["pair_id"][:8] in lines[0]
    assert found[0]["title"] in lines[0]


def test_the_same_again_changes_nothing(command: RunCommand, planted: Planted) -> None:
    everything = "SELECT * FROM label_scores ORDER BY label_score_id"
    before = rows(command, planted.store, everything)
    summary = suspects(command, planted.store)
    assert (summary["new"], summary["changed"], summary["removed"]) == (0, 0, 0)
    assert rows(command, planted.store, everything) == before


def test_a_score_goes_with_its_gold(command: RunCommand, planted: Planted, tmp_path: Path) -> None:
    worst = rows(command, planted.store, "FROM suspect_labels ORDER BY rank")[0]
    mended = tmp_path / planted.judged.name
    with planted.judged.open(encoding="utf-8", newline="") as old, mended.open("w", newline="") as new:
        reader = csv.DictReader(old)
        writer = csv.DictWriter(new, reader.fieldnames or ())
        writer.writeheader()
        for row in reader:
            writer.writerow(
                row | ({"label": worst["suggested_tier"]} if row["title"] == worst["title"] else {})
            )
    command("curation", "ingest", "table", mended, *MAPPING, "--db", planted.store)
    of_the_pair = f"FROM suspect_labels WHERE pair_id = '{worst['pair_id']}'"
    assert rows(command, planted.store, of_the_pair) == []
    summary = suspects(command, planted.store)
    assert (summary["new"], summary["removed"]) == (1, 1)
    assert rows(command, planted.store, of_the_pair) == []


def test_what_a_person_decided_is_no_suspect(command: RunCommand, planted: Planted) -> None:
    worst = rows(command, planted.store, "FROM suspect_labels ORDER BY rank")[0]
    with duckdb.connect(str(planted.store)) as connection:
        connection.execute(
            "UPDATE judgments SET source = 'decision' WHERE judgment_id = ?", [worst["judgment_id"]]
        )
    found = rows(command, planted.store, "FROM suspect_labels ORDER BY rank")
    assert worst["pair_id"] not in {row["pair_id"] for row in found}
    assert found[0]["rank"] == 1


def test_predictions_from_any_model(command: RunCommand, planted: Planted, tmp_path: Path) -> None:
    """The baseline's own probabilities by file, with ids in either spelling, give the baseline's own suspects."""
    file = tmp_path / "bert.csv"
    command(
        "warehouse", "sql",
        "SELECT replace(CAST(pair_id AS VARCHAR), '-', '') AS pair_id, "
        + ", ".join(f"tier_probs[{tier}] AS p{tier}" for tier in (1, 2, 3, 4)) + " FROM label_scores",
        "--out", file, "--db", planted.store,
    )  # fmt: skip
    parquet = tmp_path / "bert.parquet"
    duckdb.sql(f"COPY (SELECT pair_id::UUID AS pair_id, p1, p2, p3, p4 FROM '{file}') TO '{parquet}'")
    for path in (file, parquet):
        summary = suspects(command, planted.store, "--predictions", path)
        assert (summary["scorer"], summary["new"], summary["rejects"]) == (path.name, 480, {})
        assert suspects(command, planted.store, "--predictions", path)["changed"] == 0
    ranked = {
        scorer: [
            row["pair_id"]
            for row in rows(
                command, planted.store, f"FROM suspect_labels WHERE scorer = '{scorer}' ORDER BY rank"
            )
        ]
        for scorer in ("bag-of-words", "bert.csv", "bert.parquet")
    }
    assert len(ranked["bag-of-words"]) >= 30
    assert set(ranked["bert.csv"]) == set(ranked["bert.parquet"]) == set(ranked["bag-of-words"])


def test_rows_of_predictions_that_are_no_use(command: RunCommand, planted: Planted, tmp_path: Path) -> None:
    first, second, third, fourth, fifth, decided = some_pairs(command, planted.store, 6)
    with duckdb.connect(str(planted.store)) as connection:
        connection.execute("UPDATE pairs SET tier = NULL, judgment_id = NULL WHERE pair_id = ?", [decided])
        connection.execute(
            "UPDATE pairs SET tier = CASE WHEN pair_id = ? THEN 1 ELSE 4 END WHERE tier IS NOT NULL", [first]
        )
    file = write_predictions(
        tmp_path / "bert.csv",
        [
            f"{first},0.1,0.2,0.3,0.4",
            f"{second},0.33,0.33,0.34,0.01",
            f"{first},0.1,0.2,0.3,0.4",
            f"{third},0.5,0.5,0.5,0.5",
            f"{fourth},-0.5,0.5,0.5,0.5",
            f"{fifth},0.1,0.2,,0.4",
            "00000000000000000000000000000000,0.1,0.2,0.3,0.4",
            "pair 7,0.1,0.2,0.3,0.4",
            f"{decided},0.1,0.2,0.3,0.4",
            f"{third},0.1,nan,0.5,0.4",
            f"{third},0.1",
        ],
    )
    summary = suspects(command, planted.store, "--predictions", file)
    assert (summary["pairs"], summary["without_gold"]) == (2, 1)
    assert summary["rejects"] == {
        "repeated pair": 1,
        "probabilities do not sum to 1": 1,
        "bad probability": 2,
        "no p3": 1,
        "unknown pair": 1,
        "bad pair id": 1,
        "wrong number of cells": 1,
    }
    kept = "SELECT line, reason, source, file, raw FROM rejects ORDER BY line"
    rejects = rows(command, planted.store, kept)
    assert [row["line"] for row in rejects] == [4, 5, 6, 7, 8, 9, 11, 12]
    assert {row["source"] for row in rejects} == {"predictions"}
    assert {row["file"] for row in rejects} == {str(file)}
    assert "pair 7" in rejects[5]["raw"]
    suspects(command, planted.store, "--predictions", file)
    assert rows(command, planted.store, kept) == rejects
    (score,) = rows(
        command, planted.store,
        f"SELECT tier_probs FROM label_scores WHERE scorer = 'bert.csv' AND pair_id = '{second}'",
    )  # fmt: skip
    assert score["tier_probs"] == pytest.approx([0.33 / 1.01, 0.33 / 1.01, 0.34 / 1.01, 0.01 / 1.01])


def test_a_file_name_that_is_no_text(command: RunCommand, planted: Planted, tmp_path: Path) -> None:
    lines = [f"{pair},0.4,0.3,0.2,0.1" for pair in some_pairs(command, planted.store, 40)]
    file = write_predictions(tmp_path / os.fsdecode(b"bert-\xff.csv"), lines)
    assert suspects(command, planted.store, "--predictions", file)["scorer"] == "bert-?.csv"


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.csv", "pair_id,p1,p2,p4\n", "no column p3"),
        ("a.csv", "pair_id,p1,p2,p3,p4,p4\n", "p4 stands twice"),
        ("a.csv", "pair_id,p1,p2,p3,p4\n", "no rows"),
        ("a.csv", "pair_id,p1,p2,p3,p4\nx,0.1,0.2,0.3,0.4\n", "line 2: pair_id is 'x'"),
        ("a.parquet", "no parquet", "not a complete Parquet file"),
        ("a.csv", None, "is not there"),
    ],
)
def test_files_that_are_no_predictions(
    name: str, text: str | None, told: str, command: RunCommand, planted: Planted, tmp_path: Path
) -> None:
    file = tmp_path / name
    if text is not None:
        file.write_text(text, encoding="utf-8")
    before = rows(command, planted.store, "SELECT count(*) AS scores FROM label_scores")
    done = command("curation", "suspects", "--predictions", file, "--db", planted.store, code=1)
    assert told in done.stderr
    assert str(file) in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert rows(command, planted.store, "SELECT count(*) AS scores FROM label_scores") == before


def test_stores_with_nothing_to_score(command: RunCommand, planted: Planted, tmp_path: Path) -> None:
    empty = tmp_path / "empty.duckdb"
    command("warehouse", "init", "--db", empty)
    told = command("curation", "suspects", "--db", empty, code=1).stderr
    assert "no pair with a gold tier" in told
    told = command("curation", "suspects", "--scorer", "samples", "--db", planted.store, code=1).stderr
    assert "no finished sampling run" in told
    with duckdb.connect(str(planted.store)) as connection:
        connection.execute("UPDATE pairs SET tier = 4")
    told = command("curation", "suspects", "--db", planted.store, code=1).stderr
    assert "one tier" in told
    pair = some_pairs(command, planted.store, 1)[0]
    file = write_predictions(tmp_path / "bert.csv", [f"{pair},0.1,0.2,0.3,0.4"])
    told = command("curation", "suspects", "--predictions", file, "--db", planted.store, code=1).stderr
    assert "tier 4" in told
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize(
    "options",
    [("--scorer", "samples", "--predictions", "a.csv"), ("--configuration", "ab"), ("--scorer", "oracle")],
)
def test_options_that_do_not_go_together(
    options: tuple[str, ...], command: RunCommand, planted: Planted
) -> None:
    command("curation", "suspects", *options, "--db", planted.store, code=2)


def test_samples_speak_by_their_mean_probabilities(command: RunCommand, store: Path) -> None:
    summary = suspects(command, store, "--scorer", "samples")
    (configuration,) = rows(command, store, "SELECT configuration_id FROM configurations")
    found = rows(
        command, store,
        "SELECT s.*, mean_p1, mean_p2, mean_p3, mean_p4 FROM label_scores s JOIN sample_votes v USING (pair_id)",
    )  # fmt: skip
    assert summary["pairs"] == len(found) == 60
    for row in found:
        assert (row["scorer"], row["configuration_id"]) == ("samples", configuration["configuration_id"])
        assert row["tier_probs"] == pytest.approx([row[f"mean_p{tier}"] for tier in (1, 2, 3, 4)])
        assert row["label_quality"] == row["tier_probs"][row["tier"] - 1]
    named = configuration["configuration_id"][:8]
    again = suspects(command, store, "--scorer", "samples", "--configuration", named)
    assert (again["new"], again["changed"], again["removed"]) == (0, 0, 0)
    command("curation", "suspects", "--db", store)
    by_scorer = rows(
        command, store, "SELECT scorer, count(*) AS pairs FROM label_scores GROUP BY 1 ORDER BY 1"
    )
    assert by_scorer == [{"scorer": "bag-of-words", "pairs": 60}, {"scorer": "samples", "pairs": 60}]
    told = command(
        "curation", "suspects", "--scorer", "samples", "--configuration", "0123", "--db", store, code=1
    )
    assert "no configuration 0123" in told.stderr


def test_samples_of_a_text_that_is_no_longer_judged_say_nothing(command: RunCommand, store: Path) -> None:
    with duckdb.connect(str(store)) as connection:
        connection.execute("UPDATE rendered_prompts SET item_version_id = uuid()")
    told = command("curation", "suspects", "--scorer", "samples", "--db", store, code=1).stderr
    assert "tier probabilities" in told


def test_a_score_has_a_lineage(command: RunCommand, planted: Planted) -> None:
    score = rows(command, planted.store, "SELECT label_score_id, pair_id FROM label_scores LIMIT 1")[0]
    shown = command("warehouse", "lineage", score["label_score_id"], "--db", planted.store).stdout
    assert shown.startswith(f"label score {score['label_score_id']}")
    assert score["pair_id"] in shown
    assert "suspects run" in shown
    assert "judged.csv:" in shown


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(10, 60))
def test_a_suspect_never_has_the_most_probable_tier(seed: int, count: int) -> None:
    draw = np.random.default_rng(seed)
    tiers = draw.integers(1, 5, count)
    tiers[:2] = (1, 2)
    tier_probs = draw.dirichlet(np.full(4, 0.5), count)
    scores = score_labels(tiers, tier_probs)
    assert (scores.quality == tier_probs[np.arange(count), tiers - 1]).all()
    assert (scores.suggested == tier_probs.argmax(axis=1) + 1).all()
    assert not (scores.suspect & (scores.suggested == tiers)).any()
