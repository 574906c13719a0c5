"""The view graded_samples: what the grader and the checks say of a sample, under one name for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from tests.curation.conftest import rows

if TYPE_CHECKING:
    from pathlib import Path

    from tests.curation.conftest import RunCommand

NAMES = ("consistent", "grounded", "cited", "formed", "original")


@pytest.fixture
def graded(shop: Path, command: RunCommand) -> Path:
    """The shop's rationales as samples, three of them with a planted fault, graded."""
    command("curation", "rationales", "--teacher", "shop", "--db", shop)
    irrelevant = "(SELECT min(sample_id) FROM samples WHERE tier = 1)"
    first = {tier: f"(SELECT min(sample_id) FROM samples WHERE tier = {tier})" for tier in (2, 3)}
    with duckdb.connect(str(shop)) as connection:
        connection.execute(
            f"""
            UPDATE samples SET text = replace(text, 'Rules: ', 'Rules: no-such-rule, ') WHERE sample_id = {first[2]};
            UPDATE samples SET text = replace(text, 'Item: ', 'Item: 773 cm, ') WHERE sample_id = {first[3]};
            UPDATE samples SET tier = 4, text = replace(replace(text, 'Verdict: Irrelevant', 'Verdict: Excellent'),
                'Tier: 1', 'Tier: 4') WHERE sample_id = {irrelevant};
            """
        )
    command("curation", "grade", "--db", shop)
    return shop


def of(command: RunCommand, store: Path, where: str = "true") -> list[dict[str, Any]]:
    return rows(command, store, f"FROM graded_samples WHERE {where} ORDER BY gold_tier, tier, sample_id")


def test_what_was_not_checked_is_unknown(command: RunCommand, graded: Path) -> None:
    found = of(command, graded)
    assert len(found) == 80
    assert {row[name] for row in found for name in NAMES} == {None}
    assert [(row["tier"], row["outcome"], row["distance"]) for row in found if not row["correct"]] == [
        (4, "wrong", 3)
    ]


def test_errors_take_their_name_away(command: RunCommand, graded: Path) -> None:
    command("curation", "check", "--db", graded)
    lacking = [
        (row["gold_tier"], [name for name in NAMES if not row[name]])
        for row in of(command, graded)
        if not all(row[name] for name in NAMES)
    ]
    assert lacking == [(1, ["consistent"]), (2, ["cited"]), (3, ["grounded"])]
    assert {row[name] for row in of(command, graded) for name in NAMES} == {True, False}
    with duckdb.connect(str(graded)) as connection:
        connection.execute("UPDATE findings SET severity = 'warning'")
    assert {row[name] for row in of(command, graded) for name in NAMES} == {True}


def test_consistent_is_what_neither_grader_nor_checks_deny(command: RunCommand, graded: Path) -> None:
    with duckdb.connect(str(graded)) as connection:
        connection.execute("UPDATE grades SET consistent = false WHERE tier = 3")
    assert {row["consistent"] for row in of(command, graded, "tier = 3")} == {False}
    assert {row["consistent"] for row in of(command, graded, "tier <> 3")} == {None}
    command("curation", "check", "--db", graded)
    assert {row["consistent"] for row in of(command, graded, "gold_tier = 3")} == {False}
    assert [row["consistent"] for row in of(command, graded, "NOT correct")] == [False]
    assert {row["consistent"] for row in of(command, graded, "correct AND tier <> 3")} == {True}


def test_each_sample_has_the_newest_grade_under_todays_gold(command: RunCommand, graded: Path) -> None:
    [wrong] = of(command, graded, "NOT correct")
    with duckdb.connect(str(graded)) as connection:
        connection.execute(
            """
            INSERT INTO runs BY NAME SELECT * REPLACE (gen_random_uuid() AS run_id, started_at + INTERVAL 1 HOUR
                AS started_at) FROM runs WHERE kind = 'grade';
            INSERT INTO grades BY NAME SELECT * REPLACE (gen_random_uuid() AS grade_id, 'newer' AS grader_version,
                'unparsable' AS outcome, (SELECT arg_max(run_id, started_at) FROM runs WHERE kind = 'grade') AS run_id)
                FROM grades WHERE NOT correct;
            """
        )
    assert len(of(command, graded)) == 80
    [newer] = of(command, graded, "NOT correct")
    assert (newer["sample_id"], newer["grader_version"], newer["outcome"]) == (
        wrong["sample_id"],
        "newer",
        "unparsable",
    )
    with duckdb.connect(str(graded)) as connection:
        connection.execute(
            f"UPDATE pairs SET judgment_id = gen_random_uuid() WHERE pair_id = '{wrong['pair_id']}'"
        )
        connection.execute("UPDATE pairs SET item_version_id = gen_random_uuid() WHERE tier = 4")
    # A gold that no grade is under yet, and samples of a text that was not judged.
    assert len(of(command, graded)) == 59
