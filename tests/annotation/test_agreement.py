"""Alphas that a hand computation confirms, through the command."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from annotation.__main__ import main
from tests.annotation.shelf import Judged, People, fill, flawed, run_curation, sound
from warehouse.store import Store

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "3\nabcdefgh"
FOUR = [Judged(f"q{i}", f"t{i}", 3, (TEXT,), kind="negation" if i == 3 else "plain") for i in range(4)]


@pytest.fixture
def people(tmp_path: Path) -> People:
    store = Store(tmp_path / "x.duckdb")
    fill(store, FOUR)
    run_curation(store, "grade")
    return People(store)


def measured(people: People, *arguments: str) -> dict[str, Any]:
    done = CliRunner().invoke(
        main, ["agreement", "--db", str(people.store.path), "--json", "--resamples", "200", *arguments]
    )
    assert done.exit_code == 0, (done.stderr, done.exception)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def alphas(
    found: dict[str, Any], slice_: str = "all", of: str = "all"
) -> dict[tuple[str, str], float | None]:
    return {
        (row["question"], row["distance"]): row["value"]
        for row in found["alphas"]
        if (row["slice"], row["of"]) == (slice_, of)
    }


def test_two_annotators_by_hand(people: People) -> None:
    spans = {"ann": (("self", 2, 6),), "bob": (("self", 4, 8),)}
    for index, (ann, bob) in enumerate([(3, 3), (3, 2), (2, 2), (4, 4)]):
        for name, tier in (("ann", ann), ("bob", bob)):
            steps = ("item", "verdict") if (name, index) == ("ann", 0) else ("item",)
            answer = sound(tier) if index == 3 else flawed(tier, *steps, quality=1 + (name == "bob"))
            people.say(FOUR[index], 0, name, spans=spans[name] if index == 0 else (), **answer)
    found = measured(people)
    assert (found["records"], found["answers"], found["annotators"]) == (4, 8, ["ann", "bob"])
    value = alphas(found)

    # Tiers given: 2 three times, 3 three times, 4 twice; n = 8. One record of four disagrees, two ordered pairs.
    # D_o = 2/8. D_e = (2·3·3 + 2·3·2 + 2·3·2) / (8·7) = 42/56.
    assert value["tier", "nominal"] == pytest.approx(1 - (2 / 8) / (42 / 56))
    # Ordinal: δ²(2,3) = (6 − 3)² = 9, δ²(3,4) = (5 − 2.5)² = 6.25, δ²(2,4) = (8 − 2.5)² = 30.25.
    observed = 2 * 9 / 8
    expected = (2 * 3 * 3 * 9 + 2 * 3 * 2 * 6.25 + 2 * 3 * 2 * 30.25) / 56
    assert value["tier", "ordinal"] == pytest.approx(1 - observed / expected)
    # Ratings: (1,2) three times, (5,5): 1 three times, 2 three times, 5 twice; the same distances by rank.
    assert value["quality", "ordinal"] == pytest.approx(
        1 - (6 * 9 / 8) / ((2 * 3 * 3 * 9 + 2 * 3 * 2 * 6.25 + 2 * 3 * 2 * 30.25) / 56)
    )
    # Steps: {item, verdict} against {item} once, 1/2 apart; {item} five times, {} twice.
    # D_o = 2·½/8. D_e = (2·1·5·½ + 2·1·2·1 + 2·5·2·1) / 56.
    assert value["failing_steps", "jaccard"] == pytest.approx(1 - (1 / 8) / ((5 + 4 + 20) / 56))
    # Spans: 40 characters; ann marks 4 and bob 4, of which 2 the same. Both 2, one alone 4, neither 34.
    # n = 80: marked 8 times, unmarked 72. D_o = 2·4/80, D_e = 2·8·72 / (80·79).
    assert value["hallucinations", "characters"] == pytest.approx(1 - (8 / 80) / (2 * 8 * 72 / (80 * 79)))

    # One record alone, and both say the same: nothing to compare with.
    assert alphas(found, "kind", "negation")["tier", "nominal"] is None
    # Without the 4s: 2 three times, 3 three times, n = 6; D_o = 2/6, D_e = 2·3·3/30.
    assert alphas(found, "kind", "plain")["tier", "nominal"] == pytest.approx(1 - (2 / 6) / (18 / 30))
    whole = next(row for row in found["alphas"] if row["slice"] == "all" and row["distance"] == "nominal")
    assert whole["low"] <= whole["value"] <= whole["high"]


def test_each_against_the_others_and_what_splits_them(people: People) -> None:
    for pair in FOUR:
        for name in ("ann", "bob"):
            people.say(pair, 0, name, **sound(3, quality=4))
        people.say(
            pair, 0, "eve", **(sound(3, quality=1) if pair is FOUR[0] else flawed(1, "item", quality=1))
        )
    found = measured(people)
    apart = {row["annotator"]: row for row in found["annotators_against_the_others"]}
    assert (apart["eve"]["records"], apart["eve"]["same_tier"]) == (4, 1 / 4)
    assert apart["eve"]["quality_above_the_others"] == -3
    # Where the others tie there is nothing to agree with: ann is measured on the one record where they do not.
    assert (apart["ann"]["records"], apart["ann"]["same_tier"]) == (1, 1)
    assert alphas(found, "annotators", "ann + bob")["tier", "nominal"] is None
    assert alphas(found, "annotators", "ann + eve")["tier", "nominal"] is not None
    assert len(found["split"]) == 4
    first = found["split"][0]
    assert first["answers"]["eve"] == "1 Irrelevant, quality 1, fails: item"
    # The last is the one where tiers agree and the ratings do not.
    assert found["split"][-1]["sample_id"].replace("-", "") == FOUR[0].sample_id().hex


def test_as_a_person_reads_it(people: People) -> None:
    for name in ("ann", "bob"):
        people.say(FOUR[0], 0, name, **sound(3 if name == "ann" else 1))
    done = CliRunner().invoke(main, ["agreement", "--db", str(people.store.path)])
    assert done.exit_code == 0
    assert "2 answers of ann, bob to 1 records" in done.stdout
    assert "Records that split them" in done.stdout
    assert "nan" not in done.stdout


def test_one_annotator_agrees_with_nobody(people: People) -> None:
    people.say(FOUR[0], 0, "ann", **sound(3))
    done = CliRunner().invoke(main, ["agreement", "--db", str(people.store.path)])
    assert done.exit_code == 1
    assert done.stderr.count("\n") == 1
    assert "push with --overlap 2" in done.stderr
