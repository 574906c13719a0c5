"""Intervals by a bootstrap over queries, slices, and paired differences."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings

from eval.evidence import common_pairs
from eval.metrics.bootstrap import interval, resample_counts
from eval.metrics.measure import compare, measure, measure_slices
from tests.eval.arrays import draws, evidence, evidences, simulated
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eval.evidence import Evidence


def resampled(of: Evidence, multiplicity: NDArray[np.float64]) -> Evidence:
    """Rows repeated as often as their query is drawn; every copy of a query is a query."""
    rows: list[int] = []
    query: list[int] = []
    copies = 0
    for number, times in enumerate(multiplicity.astype(int)):
        its = np.flatnonzero(of.query == number)
        for _ in range(times):
            rows.extend(its)
            query.extend([copies] * len(its))
            copies += 1
    return evidence(of.tier_probs[rows], of.gold[rows], query, of.weight[rows])


@given(evidences(least=2))
@settings(deadline=None, max_examples=30)
def test_a_resample_is_what_its_repeated_rows_would_give(of: Evidence) -> None:
    seed, resamples = 3, 8
    (block,) = resample_counts(of.queries, resamples, seed)
    naive = [
        {found.metric: found.value for found in measure(resampled(of, row), resamples=1)} for row in block
    ]
    for found in measure(of, resamples=resamples, seed=seed):
        if math.isnan(found.value):
            continue
        low, high, reason = interval(np.array([each[found.metric] for each in naive]), found.queries)
        assert (found.low, found.high) == pytest.approx((low, high), abs=1e-9, nan_ok=True), found.metric
        assert found.reason == reason


def test_resamples_are_whole_reproducible_and_do_not_depend_on_blocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = np.concatenate(list(resample_counts(7, 20, 5)))
    assert whole.shape == (20, 7)
    assert (whole.sum(axis=1) == 7).all()
    monkeypatch.setattr("eval.metrics.bootstrap._CELLS", 21)
    blocks = list(resample_counts(7, 20, 5))
    assert len(blocks) == 7
    assert (np.concatenate(blocks) == whole).all()
    assert (np.concatenate(list(resample_counts(7, 20, 6))) != whole).any()


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    truth = {found.metric: found.value for found in measure(simulated(200_000, 20_000), resamples=1)}
    names = ("accuracy", "macro_f1", "auc_3", "log_loss", "brier", "ndcg_10", "mae")
    covered = dict.fromkeys(names, 0)
    runs = 100
    for seed in range(runs):
        for found in measure(simulated(600, 60, seed=1000 + seed), resamples=200, seed=seed):
            if found.metric in covered:
                covered[found.metric] += found.low <= truth[found.metric] <= found.high
    assert all(0.86 * runs <= times <= runs for times in covered.values()), covered


def test_pairs_of_a_query_are_not_taken_for_independent() -> None:
    of = simulated(2_000, 2_000)
    copies = np.repeat(np.arange(len(of.gold)), 10)
    doubled = evidence(of.tier_probs[copies], of.gold[copies], of.query[copies])
    once, many = (next(iter(measure(each, areas=False))) for each in (of, doubled))
    assert many.high - many.low == pytest.approx(once.high - once.low, rel=0.01)


def test_one_query_has_values_but_no_interval() -> None:
    for found in measure(simulated(50, 1), resamples=20):
        assert not math.isnan(found.value)
        assert math.isnan(found.low)
        assert found.reason == "no interval: it takes two queries"


def test_a_tier_of_one_query_has_no_interval() -> None:
    of = evidence(np.eye(4)[[3, 0, 0, 0]], [4, 1, 1, 1])
    found = {each.metric: each for each in measure(of, resamples=100)}
    assert found["f1_4"].value == 1
    assert math.isnan(found["f1_4"].low)
    assert "of the resamples" in (found["f1_4"].reason or "")
    assert found["accuracy"].reason is None


def test_a_model_less_itself_is_exactly_nothing() -> None:
    of = simulated(3_000, 211, weighted=True)
    for found in compare(of, replace(of), resamples=60):
        assert (found.value, found.low, found.high) == (0, 0, 0)


def test_differences_are_those_of_the_values_and_are_paired() -> None:
    ours = simulated(2_000, 200)
    theirs = replace(
        ours,
        tier_probs=0.9 * ours.tier_probs + 0.1 * draws(ours.gold, np.random.default_rng(5), 2.0),
    )
    alone = {found.metric: found for found in measure(ours)}
    for found in compare(ours, theirs):
        assert found.value == found.ours - found.theirs
        assert found.ours == alone[found.metric].value
        assert found.low <= found.value <= found.high
        if found.metric in ("accuracy", "log_loss", "auc_3"):
            assert found.high - found.low < alone[found.metric].high - alone[found.metric].low


def test_a_difference_that_one_side_lacks_says_whose() -> None:
    ours = evidence(np.eye(4)[[0, 2]], [1, 1])
    theirs = replace(ours, tier_probs=np.eye(4)[[0, 0]], predictor=replace(ours.predictor, name="theirs"))
    found = {each.metric: each for each in compare(ours, theirs, resamples=10)}
    assert math.isnan(found["f1_3"].value)
    assert found["f1_3"].ours == 0
    assert found["f1_3"].reason == "of theirs: no pair has tier 3, in gold or prediction"


def test_other_pairs_are_not_compared() -> None:
    ours = simulated(10, 4)
    theirs = replace(ours, pair_ids=pa.array([f"{n:06d}" for n in range(1, 11)]))
    with pytest.raises(TierwiseError, match="different pairs"):
        compare(ours, theirs, resamples=5)


def test_a_slice_is_measured_as_if_it_were_all() -> None:
    of = simulated(500, 40, weighted=True)
    kind = np.arange(500) % 3
    sliced = replace(evidence(of.tier_probs, of.gold, of.query, of.weight, kind=kind), predictor=of.predictor)
    slices = measure_slices(sliced, resamples=30)
    assert list(slices) == [("kind", "a"), ("kind", "b"), ("kind", "c")]
    rows = kind == 1
    alone = evidence(of.tier_probs[rows], of.gold[rows], of.query[rows], of.weight[rows])
    assert slices["kind", "b"] == measure(alone, resamples=30, areas=False)
    decided = measure_slices(sliced, np.full(500, 4), resamples=30)["kind", "b"]
    assert decided[0].value == pytest.approx(np.average(of.gold[rows] == 4, weights=of.weight[rows]))
    assert decided[0].value != slices["kind", "b"][0].value


def test_an_attribute_with_one_value_is_no_slice() -> None:
    assert measure_slices(evidence(np.eye(4), [1, 2, 3, 4], kind=[0, 0, 0, 0]), resamples=5) == {}


def test_the_common_pairs_of_two_predictors() -> None:
    ours = simulated(30, 8)
    theirs = replace(simulated(30, 8, seed=1, name="theirs"), pair_ids=ours.pair_ids, gold=ours.gold)
    theirs = replace(theirs, query=ours.query, weight=ours.weight)
    whole = common_pairs(ours, theirs)
    assert (whole.ours, whole.theirs, whole.told) == (ours, theirs, "")
    lack = [(of, np.arange(30) != silent) for of, silent in ((ours, 4), (theirs, 11))]
    both = common_pairs(*(of.only(kept) for of, kept in lack))
    assert both.told.endswith("1 that only ours did, 1 that only theirs did")
    assert both.kept.tolist() == [n != 11 for n in range(30) if n != 4]
    kept = lack[0][1] & lack[1][1]
    for found, of in ((both.ours, ours), (both.theirs, theirs)):
        assert np.array_equal(found.tier_probs, of.tier_probs[kept])
        assert np.array_equal(found.gold, of.gold[kept])
        assert np.array_equal(found.weight, of.weight[kept])
        assert found.pair_ids.equals(of.pair_ids.filter(pa.array(kept)))
        assert len(set(zip(found.query.tolist(), of.query[kept].tolist(), strict=True))) == found.queries
    assert compare(both.ours, both.theirs, resamples=5)[0].pairs == 28
    with pytest.raises(TierwiseError, match="no pair of eval_v1 was decided by both ours and theirs"):
        common_pairs(ours.only(kept), theirs.only(~kept))
