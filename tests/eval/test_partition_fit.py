"""Fitting and choosing thresholds, on evidence made of arrays."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.decisions import argmax, cumpt, cumulative, walk
from eval.evidence import Attribute
from eval.metrics.counts import confusion
from eval.metrics.measure import compare, measure
from eval.partition.alternatives import Resampled, differences, judge
from eval.partition.choice import choose
from eval.partition.fit import ARGMAX, ONE_THETA, PER_BOUNDARY, PROMISED, fit_partition
from eval.partition.objectives import OBJECTIVES, cost_objective
from eval.partition.promises import parse_promises
from eval.partition.score_thresholds import STEPS, fit_score_thresholds, tier_scores
from eval.partition.stability import theta_interval, tier_shares
from eval.partition.sweep import sweep
from tests.eval.arrays import evidence, evidences, simulated
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eval.evidence import Evidence
    from eval.partition.fit import Fitted
    from eval.partition.objectives import Objective
    from eval.partition.promises import Promise

MACRO_F1 = OBJECTIVES["macro_f1"]
SETTINGS: dict[str, Any] = {"resamples": 200, "seed": 0}


def fit(
    of: Evidence,
    judged_on: Evidence | None = None,
    objective: Objective = MACRO_F1,
    promises: Sequence[Promise] = (),
    confidence: float = 0.95,
) -> Fitted:
    return fit_partition(
        of, judged_on or of, objective, promises, confidence=confidence, resamples=200, seed=0
    )


def skewed(pairs: int, queries: int, seed: int = 0) -> Evidence:
    """Probabilities that put tiers 2 and 3 below tier 4 more often than gold does."""
    plain = simulated(pairs, queries, seed=seed, spread=0.8)
    powers = plain.tier_probs * np.array([1.0, 0.4, 0.5, 2.0])
    return replace(plain, tier_probs=powers / powers.sum(axis=1, keepdims=True))


@settings(max_examples=25, deadline=None)
@given(of=evidences(), name=st.sampled_from(sorted(OBJECTIVES)))
def test_score_thresholds_are_the_best_of_the_grid(of: Evidence, name: str) -> None:
    objective, scores = OBJECTIVES[name], tier_scores(of.tier_probs)
    found = fit_score_thresholds(scores, of.gold, objective, of.weight)
    value = float(objective.value(confusion(of.gold, walk(scores, found), of.weight)))
    grid = [i / STEPS for i in (1, 3, 7, 10, 14, 20)]
    others = [
        float(objective.value(confusion(of.gold, walk(scores, cut), of.weight)))
        for cut in itertools.product(grid, repeat=3)
    ]
    if not np.isnan(others).all():
        assert value >= np.nanmax(others) - 1e-9


def test_alternatives_are_judged_as_metrics_are() -> None:
    of = simulated(400, 60, weighted=True)
    cut = cumpt(of.tier_probs, (0.6,) * 3)
    decided = {"argmax": argmax(of.tier_probs), "cut": cut}
    drawn = Resampled(of, decided, **SETTINGS)
    ours = judge(drawn, OBJECTIVES)["cut"]["macro_f1"]
    theirs = next(m for m in measure(of, cut, areas=False, **SETTINGS) if m.metric == "macro_f1")
    assert (ours.value, ours.low, ours.high) == pytest.approx((theirs.value, theirs.low, theirs.high))
    less = differences(drawn, OBJECTIVES, "argmax")["cut"]["accuracy"]
    paired = next(m for m in compare(of, of, cut, areas=False, **SETTINGS) if m.metric == "accuracy")
    assert (less.value, less.low, less.high) == pytest.approx((paired.value, paired.low, paired.high))


def test_the_interval_of_theta_holds_the_theta_of_many_queries() -> None:
    many = skewed(40_000, 4_000)
    truth = sweep(cumulative(many.tier_probs), many.gold, MACRO_F1).theta
    inside = 0
    for seed in range(10):
        few = skewed(600, 100, seed=seed + 1)
        low, high = theta_interval(cumulative(few.tier_probs), few, MACRO_F1, seed)
        assert 0 < low <= high <= 1
        inside += low <= truth <= high
    # The best θ of few queries is biased a little, and ten draws are few; without resampling none would hold it.
    assert inside >= 7


def test_the_interval_of_theta_narrows_with_queries() -> None:
    widths = []
    for pairs in (300, 60_000):
        of = skewed(pairs, pairs // 5)
        low, high = theta_interval(cumulative(of.tier_probs), of, MACRO_F1, 0)
        widths.append(high - low)
    # Slowly: where an objective of steps is largest settles with the cube root of how many there are.
    assert widths[1] < widths[0] / 1.5


def test_one_query_has_no_interval_of_theta() -> None:
    of = evidence([[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]], [4, 1], [0, 0])
    assert np.isnan(theta_interval(cumulative(of.tier_probs), of, MACRO_F1, 0)).all()


def needs_three(queries: int) -> Evidence:
    """Tier 4 is right above 0.9 alone; tiers 3 and 2 above 0.4: no single θ serves both."""
    rng = np.random.default_rng(0)
    gold = np.tile([1, 2, 3, 4, 4, 3], queries)
    rows = {
        1: [0.70, 0.10, 0.10, 0.10],
        2: [0.55, 0.25, 0.10, 0.10],
        3: [0.05, 0.10, 0.05, 0.80],
        4: [0.01, 0.02, 0.02, 0.95],
    }
    tier_probs = np.array([rows[tier] for tier in gold]) * rng.uniform(0.95, 1.05, (len(gold), 4))
    return evidence(
        tier_probs / tier_probs.sum(axis=1, keepdims=True), gold, np.repeat(np.arange(queries), 6)
    )


def test_a_theta_for_each_boundary_is_chosen_where_held_out_queries_want_it() -> None:
    of = needs_three(40)
    found = choose(cumulative(of.tier_probs), of, MACRO_F1, **SETTINGS)
    assert found.per_boundary
    assert found.difference is not None
    assert found.difference.low > 0
    fitted = fit(of)
    assert fitted.chosen == PER_BOUNDARY
    assert fitted.deployed is not None
    assert fitted.deployed.fit["macro_f1"] > 0.95


def test_one_theta_is_chosen_where_three_are_not_better() -> None:
    rng = np.random.default_rng(1)
    # Probabilities that say nothing: whatever three thresholds find, held-out queries do not have it.
    noise = evidence(rng.dirichlet(np.ones(4), 300), rng.integers(1, 5, 300), np.repeat(np.arange(60), 5))
    found = choose(cumulative(noise.tier_probs), noise, MACRO_F1, **SETTINGS)
    assert not found.per_boundary
    assert "not clearly better" in found.reason
    few = simulated(20, 6)
    assert "too few" in choose(cumulative(few.tier_probs), few, MACRO_F1, **SETTINGS).reason


@settings(max_examples=15, deadline=None)
@given(of=evidences(least=4), name=st.sampled_from([*sorted(OBJECTIVES), "cost"]))
def test_what_is_fitted_is_what_decides(of: Evidence, name: str) -> None:
    objective = cost_objective("0,1,2,3;1,0,1,2;2,1,0,1;9,4,1,0") if name == "cost" else OBJECTIVES[name]
    fitted = fit(of, objective=objective)
    by_name = {found.name: found for found in fitted.alternatives}
    one, three = by_name[ONE_THETA], by_name[PER_BOUNDARY]
    assert three.fit[objective.name] >= one.fit[objective.name] - 1e-12
    for found in (one, three):
        assert found.thetas
        assert 1 >= found.thetas[0] >= found.thetas[1] >= found.thetas[2] > 0
        counts = confusion(of.gold, cumpt(of.tier_probs, found.thetas), of.weight)
        assert found.judge[objective.name].value == pytest.approx(float(objective.value(counts)))
    assert by_name[ARGMAX].thetas is None
    assert fitted.chosen in by_name


def test_rows_in_another_order_fit_the_same() -> None:
    of = skewed(300, 50)
    order = np.random.default_rng(3).permutation(300)
    other = replace(
        of,
        tier_probs=of.tier_probs[order],
        gold=of.gold[order],
        query=of.query[order],
        weight=of.weight[order],
        pair_ids=of.pair_ids.take(order),
    )
    one, two = (fit(e) for e in (of, other))
    assert [a.thetas for a in one.alternatives] == [a.thetas for a in two.alternatives]
    assert one.theta_interval == pytest.approx(two.theta_interval)
    assert one.chosen == two.chosen


def test_a_promise_decides_the_theta_and_is_held_against_the_other_split() -> None:
    fitted_on, judged_on = (
        simulated(4_000, 800, seed=1, spread=0.2),
        simulated(2_000, 400, seed=2, spread=0.2),
    )
    promises = parse_promises(["precision:4>=0.7", "share:2<=0.5"])
    fitted = fit(fitted_on, judged_on, promises=promises, confidence=0.9)
    assert fitted.chosen == PROMISED
    assert fitted.deployed is not None
    assert fitted.deployed.thetas
    decided = cumpt(judged_on.tier_probs, fitted.deployed.thetas)
    (precision, held), (share, _) = fitted.kept
    assert precision == pytest.approx((judged_on.gold[decided == 4] == 4).mean())
    assert held == (precision >= 0.7)
    assert share == pytest.approx((decided == 2).mean())


def test_a_promise_that_cannot_be_made_deploys_nothing() -> None:
    of = simulated(200, 30, spread=2.0)
    fitted = fit(of, promises=parse_promises(["precision:4>=0.99"]))
    assert fitted.chosen is None
    assert fitted.deployed is None
    assert "no threshold" in fitted.choice.reason.lower()


def test_pairs_without_traffic_fit_nothing() -> None:
    of = evidence([[0.1, 0.2, 0.3, 0.4]] * 6, [2] * 6, weight=[0.0] * 6)
    with pytest.raises(TierwiseError, match="weight 0"):
        fit(of)


def test_shares_are_of_traffic_by_month_source_and_kind() -> None:
    of = replace(
        evidence(np.eye(4)[[3, 3, 1, 0]], [4, 3, 2, 1], [0, 0, 1, 2], [3.0, 1.0, 1.0, 1.0]),
        attributes={
            "kind": Attribute(("plain",), np.zeros(4, np.int64)),
            "month": Attribute(("2026-01", "2026-02"), np.array([0, 0, 1, 1])),
        },
    )
    whole, january, february = tier_shares(of, argmax(of.tier_probs))
    assert (whole.by, whole.pairs, whole.queries) == ("all", 4, 3)
    assert whole.decided == pytest.approx((1 / 6, 1 / 6, 0, 4 / 6))
    assert whole.gold == pytest.approx((1 / 6, 1 / 6, 1 / 6, 3 / 6))
    assert (january.value, january.decided) == ("2026-01", (0.0, 0.0, 0.0, 1.0))
    assert february.decided == (0.5, 0.5, 0.0, 0.0)


def test_where_argmax_is_better_it_is_said() -> None:
    # The middle tiers are most probable where they are right, and no sum from tier 4 down tells them apart.
    gold = np.tile([1, 2, 3, 4], 150)
    rows = np.array(
        [
            [0.40, 0.02, 0.20, 0.38],
            [0.25, 0.40, 0.00, 0.35],
            [0.35, 0.00, 0.40, 0.25],
            [0.36, 0.20, 0.04, 0.40],
        ]
    )
    of = evidence(rows[gold - 1], gold, np.repeat(np.arange(150), 4))
    fitted = fit(of)
    assert fitted.deployed is not None
    assert fitted.alternatives[0].fit["macro_f1"] == 1 > fitted.deployed.fit["macro_f1"]
    said = " ".join(fitted.warnings)
    assert "argmax has the larger macro_f1 on eval_v1 already, 1.0000" in said
    assert "is below argmax" in said


def test_few_queries_are_warned_of() -> None:
    of = skewed(200, 40)
    fitted = fit(of)
    assert any(f"θ rests on {of.queries} queries" in warning for warning in fitted.warnings)
