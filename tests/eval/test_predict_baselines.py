"""``eval predict --baseline``: what the two baselines learn from, and what must never reach them."""

from __future__ import annotations

import csv
import json
import os
import random
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.__main__ import main as curation
from curation.baseline import FOLDS, TEACHES, fold_tier_probs
from eval.__main__ import main
from tests.warehouse.support import ROOT
from warehouse.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

Key = tuple[str, str]
"""Query and title."""
Said = dict[str, dict[Key, tuple[float, ...]]]
"""Tier probabilities by baseline."""

ITEMS = 4
BASELINES = ("majority", "tfidf")
ROLES = {"fit": "calibration", "held": "eval"}


def catalogue() -> dict[Key, tuple[str, int]]:
    """Intent and tier of each pair: twelve intents in each split, two wordings of most, and four intents in neither.

    Titles share words with queries, and words tell of tiers: there is something to learn.
    """
    draw = random.Random(4)
    made = {}
    for use, intents in (("fit", 12), ("held", 12), ("spare", 4)):
        for intent in range(intents):
            for wording in ("red", "scarlet")[: 1 + (intent % 3 > 0)]:
                for item in range(ITEMS):
                    tier = item + 1 if draw.random() < 0.6 else draw.choice((1, 2, 4))
                    thing = f"{wording if tier > 2 else 'plain'} thing{intent if tier > 1 else ''}"
                    key = (f"{use} {wording} thing{intent}", f"{use} {thing} {draw.randrange(10**6)}")
                    made[key] = (f"{use}-{intent}", tier)
    return made


CATALOGUE = catalogue()
INTENTS = {key: intent for key, (intent, _) in CATALOGUE.items()}
TIERS = {key: tier for key, (_, tier) in CATALOGUE.items()}


def run(group: Any, *arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(group, [*map(str, arguments)])
    assert done.exit_code == code, (done.output, done.exception)
    return done.stdout if code == 0 else done.stderr


def build(folder: Path, tiers: Mapping[Key, int], *, splits: bool = True) -> Store:
    """A store of `tiers`, with a calibration and an eval split."""
    judged = folder / "judged.csv"
    with judged.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("query", "title", "intent", "label"))
        writer.writerows((*key, INTENTS[key], tier) for key, tier in tiers.items())
    store = Store(folder / "tierwise.duckdb")
    maps = [f"{name}={name}" for name in ("query", "title", "intent", "label")]
    run(curation, "ingest", "table", judged, "--map", *maps, "--db", store.path)
    for use, role in ROLES.items() if splits else ():
        where = f"query LIKE '{use} %'"
        options = ("--role", role, "--where", where, "--drop-near-copies", "--db", store.path)
        assert "near copies dropped  0" in run(curation, "split", "create", role, *options)
    return store


def predict(store: Store, split: str, baseline: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(
        run(main, "predict", "--split", split, "--baseline", baseline, "--db", store.path, "--json")
    )
    return told


def table(store: Store, sql: str) -> list[Any]:
    with store.read() as connection:
        return connection.execute(sql).fetchall()


def current(store: Store, baseline: str) -> dict[Key, tuple[float, ...]]:
    said = f"SELECT query, title, tier_probs FROM current_predictions WHERE predictor = '{baseline}'"
    return {(query, title): tuple(probs) for query, title, probs in table(store, said)}


def predicted(store: Store) -> Said:
    """What each baseline says of the pairs of both splits."""
    for role in ROLES.values():
        for baseline in BASELINES:
            predict(store, f"{role}_v1", baseline)
    return {baseline: current(store, baseline) for baseline in BASELINES}


def flipped(where: Callable[[Key], bool]) -> dict[Key, int]:
    return {key: 5 - tier if where(key) else tier for key, tier in TIERS.items()}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with both splits. Copy before changing it."""
    return build(tmp_path_factory.mktemp("baselines"), TIERS).path


@pytest.fixture
def store(shelf: Path, tmp_path: Path) -> Store:
    """A copy of `shelf` to change."""
    copy = tmp_path / "tierwise.duckdb"
    copy.write_bytes(shelf.read_bytes())
    return Store(copy)


@pytest.fixture(scope="module")
def unflipped(shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Said:
    copy = tmp_path_factory.mktemp("unflipped") / "tierwise.duckdb"
    copy.write_bytes(shelf.read_bytes())
    return predicted(Store(copy))


@pytest.mark.parametrize("use", ROLES)
def test_labels_of_a_split_never_reach_the_other(use: str, unflipped: Said, tmp_path: Path) -> None:
    after = predicted(build(tmp_path, flipped(lambda key: key[0].startswith(f"{use} "))))
    for baseline in BASELINES:
        kept = {key for key, probs in after[baseline].items() if probs == unflipped[baseline][key]}
        assert kept == {key for key in unflipped[baseline] if not key[0].startswith(f"{use} ")}


def test_no_label_of_its_own_intent_reaches_a_pair(unflipped: Said, tmp_path: Path) -> None:
    """One intent's labels change: nothing changes for both its wordings, and much for the rest of its split."""
    own = {key for key, intent in INTENTS.items() if intent == "held-1"}
    assert len({query for query, _ in own}) == 2
    after = predicted(build(tmp_path, flipped(lambda key: key in own)))
    for baseline in BASELINES:
        assert {key: after[baseline][key] for key in own} == {key: unflipped[baseline][key] for key in own}
        changed = {
            INTENTS[key] for key, probs in after[baseline].items() if probs != unflipped[baseline][key]
        }
        assert len(changed) >= 8
        assert all(intent.startswith("held-") for intent in changed)


def test_another_wording_out_of_the_split_does_not_teach(tmp_path: Path) -> None:
    """A split of one wording each: the other wordings of the same intents must not tell."""
    said = {}
    for name, tiers in (
        ("as-is", TIERS),
        ("flipped", flipped(lambda key: key[0].startswith("held scarlet "))),
    ):
        (tmp_path / name).mkdir()
        store = build(tmp_path / name, tiers, splits=False)
        where = "query LIKE 'held red %'"
        run(curation, "split", "create", "one", "--role", "eval", "--where", where, "--db", store.path)
        learned = predict(store, "one_v1", "tfidf")["learned_from"]
        others = sum(not key[0].startswith("held ") for key in TIERS)
        assert learned["judged pairs in no calibration or eval split"] == others
        said[name] = current(store, "tfidf")
    assert len(said["as-is"]) == 12 * ITEMS
    assert said["as-is"] == said["flipped"]


def test_majority_is_the_frequencies_of_what_it_learned_from(unflipped: Said) -> None:
    """The rest of the split less the fold, and the spare pairs: every fold's frequencies, to the count."""
    spare = Counter(tier for key, tier in TIERS.items() if key[0].startswith("spare "))
    for use in ROLES:
        of_use = {key: probs for key, probs in unflipped["majority"].items() if key[0].startswith(f"{use} ")}
        assert len(set(of_use.values())) == FOLDS
        for probs in set(of_use.values()):
            held = {key for key in of_use if of_use[key] == probs}
            seen = spare + Counter(TIERS[key] for key in of_use.keys() - held)
            assert probs == pytest.approx([seen[tier] / seen.total() for tier in (1, 2, 3, 4)], abs=1e-15)
            assert not {INTENTS[key] for key in held} & {INTENTS[key] for key in of_use.keys() - held}


def test_words_tell_more_than_frequencies(unflipped: Said) -> None:
    loss = {
        baseline: -np.mean([np.log(probs[TIERS[key] - 1]) for key, probs in said.items()])
        for baseline, said in unflipped.items()
    }
    assert loss["tfidf"] < loss["majority"] - 0.2


def test_a_baseline_as_a_user_asks_for_it(store: Store) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "eval",
            "predict",
            "--split",
            "eval_v1",
            "--baseline",
            "tfidf",
            "--db",
            store.path,
        ],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    pairs = sum(key[0].startswith("held ") for key in TIERS)
    spare = sum(key[0].startswith("spare ") for key in TIERS)
    assert f"rest of the split: {pairs}, judged pairs in no calibration or eval split: {spare}" in done.stdout
    assert table(store, "SELECT name, kind FROM predictors") == [("tfidf", "baseline")]
    assert all(sum(probs) == pytest.approx(1) for probs in current(store, "tfidf").values())


@pytest.mark.parametrize("baseline", BASELINES)
def test_again_adds_nothing(baseline: str, store: Store) -> None:
    everything = "FROM predictions ORDER BY prediction_id"
    pairs = predict(store, "eval_v1", baseline)["new"]
    before = table(store, everything)
    assert len(before) == pairs
    again = predict(store, "eval_v1", baseline)
    assert (again["pairs"], again["predicted"], again["new"]) == (pairs, pairs, 0)
    assert table(store, everything) == before


def test_other_judgments_make_other_predictions(store: Store, tmp_path: Path) -> None:
    pairs = predict(store, "eval_v1", "majority")["new"]
    before = current(store, "majority")
    for tiers, new in ((flipped(lambda key: key[0].startswith("spare ")), pairs), (TIERS, pairs)):
        relabelled = tmp_path / "judged.csv"
        with relabelled.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("query", "title", "intent", "label"))
            writer.writerows((*key, INTENTS[key], tier) for key, tier in tiers.items())
        maps = [f"{name}={name}" for name in ("query", "title", "intent", "label")]
        run(curation, "ingest", "table", relabelled, "--map", *maps, "--db", store.path)
        assert predict(store, "eval_v1", "majority")["new"] == new
        assert predict(store, "eval_v1", "majority")["new"] == 0
        assert (current(store, "majority") == before) == (tiers is TIERS)
    assert table(store, "SELECT count(DISTINCT basis_id) FROM predictions") == [(3,)]


def test_splits_that_have_too_little(store: Store) -> None:
    asked = ("predict", "--baseline", "majority", "--db", store.path, "--split")
    told = run(main, *asked, "none_v1", code=1)
    assert told == "Error: no split none_v1; there are calibration_v1, eval_v1\n"
    where = "query LIKE 'spare red thing%'"
    run(curation, "split", "create", "few", "--role", "eval", "--where", where, "--db", store.path)
    told = run(main, *asked, "few_v1", code=1)
    assert told.startswith("Error: few_v1 has 4 queries, and baselines hold out one in 5; ")
    assert table(store, "SELECT count(*) FROM predictors") == [(0,)]


WORDS = ("oak", "steel", "red", "chair", "lamp")


@st.composite
def relabelled(draw: st.DrawFn) -> tuple[list[tuple[str, str, str]], list[int], list[int], list[int]]:
    """Texts, two labellings, and folds: every pair of fold 0 and of a few others may differ between the two."""
    count = draw(st.integers(24, 40))
    words = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" ".join)
    texts = draw(st.lists(st.tuples(words, words, words), min_size=count, max_size=count))
    tiers = draw(st.lists(st.integers(1, 4), min_size=count, max_size=count))
    tiers[:10] = [1, 2] * 5
    others = draw(st.lists(st.integers(1, 4), min_size=count, max_size=count))
    folds = [(number // 2) % (FOLDS + 1) for number in range(count)]
    folds = [TEACHES if fold == FOLDS else fold for fold in folds]
    return texts, tiers, [o if f == 0 else t for t, o, f in zip(tiers, others, folds, strict=True)], folds


@settings(deadline=None, max_examples=5)
@given(relabelled())
def test_labels_of_a_fold_never_reach_its_predictions(
    drawn: tuple[list[tuple[str, str, str]], list[int], list[int], list[int]],
) -> None:
    texts, tiers, others, folds = drawn
    before, after = (fold_tier_probs(texts, np.array(of), np.array(folds)) for of in (tiers, others))
    held, teaches = np.array(folds) == 0, np.array(folds) == TEACHES
    assert (before[held] == after[held]).all()
    assert (before[teaches] == 0).all()
    assert before[~teaches].sum(axis=1) == pytest.approx(1)
