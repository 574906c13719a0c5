"""One θ per boundary, against all ordered thresholds."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.decisions import cumpt, cumulative
from eval.metrics.counts import confusion
from eval.partition.boundaries import fit_boundaries
from eval.partition.objectives import OBJECTIVES, Objective, cost_objective
from eval.partition.sweep import sweep
from tests.eval.arrays import evidence, evidences, simulated
from tests.eval.test_sweep import COSTS, breakpoints, weighted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eval.evidence import Evidence
    from eval.partition.boundaries import Boundaries

ADDITIVE = COSTS | st.just(OBJECTIVES["accuracy"])
OTHERS = st.sampled_from([OBJECTIVES[name] for name in ("macro_f1", "f1_34", "quadratic_kappa")])
EVERY = [*OBJECTIVES.values(), cost_objective("0,1,2.5,3;1,0,1,2;2,1.1,0,1;9,2,1,0")]


def few(of: Evidence) -> Evidence:
    """At most six pairs of `of`: brute force tries the cube of their number."""
    rows = slice(6)
    return evidence(of.tier_probs[rows], of.gold[rows], None, of.weight[rows])


def reached(of: Evidence, objective: Objective, thetas: Sequence[float]) -> float:
    return float(objective.value(confusion(of.gold, cumpt(of.tier_probs, thetas), of.weight)))


def fitted(of: Evidence, objective: Objective) -> tuple[Boundaries, float]:
    """The fit, and what the best single θ reaches."""
    scores = cumulative(of.tier_probs)
    curve = sweep(scores, of.gold, objective, of.weight)
    return fit_boundaries(scores, of.gold, objective, of.weight, start=curve.theta), reached(
        of, objective, (curve.theta,) * 3
    )


def best_of_all(of: Evidence, objective: Objective) -> float:
    """By brute force, NaN where none is defined."""
    ordered = combinations_with_replacement(breakpoints(of)[::-1], 3)
    counts = [confusion(of.gold, cumpt(of.tier_probs, thetas), of.weight) for thetas in ordered]
    values = np.asarray(objective.value(np.stack(counts, axis=-1)))
    return float(np.max(values, initial=-np.inf, where=~np.isnan(values)))


def check(of: Evidence, objective: Objective, found: Boundaries, single: float) -> None:
    """What holds of every fit."""
    four, three, two = found.thetas
    assert 1 >= four >= three >= two > 0
    assert found.value == pytest.approx(reached(of, objective, found.thetas), abs=1e-12, nan_ok=True)
    if math.isnan(single):
        assert math.isnan(found.value)
        assert math.isnan(found.bound)
    else:
        assert found.value >= single - 1e-12
        assert found.gap >= 0


@given(weighted().map(few), ADDITIVE | OTHERS)
@settings(deadline=None, max_examples=120)
def test_the_fit_is_brute_force_over_all_ordered_breakpoints(of: Evidence, objective: Objective) -> None:
    found, single = fitted(of, objective)
    check(of, objective, found, single)
    best = best_of_all(of, objective)
    if math.isnan(single):
        assert best == -np.inf
    else:
        assert found.value == pytest.approx(best, abs=1e-9)
        assert found.gap == 0


@given(weighted().map(few), st.integers(0, 60))
@settings(deadline=None, max_examples=60)
def test_a_search_that_is_cut_off_bounds_the_best(of: Evidence, pairs: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("eval.partition.chain._MOST_PAIRS", pairs)
        found, single = fitted(of, OBJECTIVES["macro_f1"])
    check(of, OBJECTIVES["macro_f1"], found, single)
    if not math.isnan(single):
        assert found.bound >= best_of_all(of, OBJECTIVES["macro_f1"]) - 1e-12


def test_the_longer_the_search_the_smaller_the_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    of = simulated(3_000, 300)
    of = replace(of, tier_probs=of.tier_probs * (1, 4, 0.3, 3) / (of.tier_probs @ (1, 4, 0.3, 3))[:, None])
    whole, _ = fitted(of, OBJECTIVES["macro_f1"])
    gaps = []
    for pairs in (0, 10, 100, 1_000, 100_000):
        monkeypatch.setattr("eval.partition.chain._MOST_PAIRS", pairs)
        found, _ = fitted(of, OBJECTIVES["macro_f1"])
        assert found.value <= whole.value <= found.bound
        gaps.append(found.gap)
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[0] > 0.1
    assert gaps[-1] == whole.gap == 0


@given(weighted(), st.sampled_from(EVERY), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=100)
def test_the_order_of_pairs_changes_nothing(of: Evidence, objective: Objective, random: Any) -> None:
    order = np.array(random.sample(range(len(of.gold)), len(of.gold)))
    shuffled = evidence(of.tier_probs[order], of.gold[order], None, of.weight[order])
    start = sweep(cumulative(of.tier_probs), of.gold, objective, of.weight).theta
    one, other = (
        fit_boundaries(cumulative(each.tier_probs), each.gold, objective, each.weight, start=start)
        for each in (of, shuffled)
    )
    assert one.thetas == other.thetas
    assert (one.value, one.bound) == pytest.approx((other.value, other.bound), abs=0, nan_ok=True)


@pytest.mark.parametrize("objective", EVERY, ids=lambda objective: objective.name)
def test_no_better_thresholds_are_drawn_by_chance(objective: Objective) -> None:
    of = simulated(2_000, 200, weighted=True)
    found, single = fitted(of, objective)
    check(of, objective, found, single)
    assert found.gap == 0
    rng = np.random.default_rng(0)
    near = np.sort(np.clip(found.thetas[::-1] + rng.normal(scale=0.05, size=(400, 3)), 1e-9, 1))[:, ::-1]
    assert max(reached(of, objective, thetas) for thetas in near.tolist()) <= found.value + 1e-12


def test_boundaries_that_are_off_are_moved_one_by_one() -> None:
    # Gold tiers are quarters of a line, and predicted ones are wider than they.
    place = np.random.default_rng(0).uniform(0, 4, size=3_000)
    powers = np.exp(-2 * np.abs(np.subtract.outer(1.3 * place - 1, np.arange(4.0))))
    of = evidence(powers / powers.sum(axis=1, keepdims=True), np.ceil(place))
    for name in ("macro_f1", "accuracy", "quadratic_kappa"):
        found, single = fitted(of, OBJECTIVES[name])
        assert single < 0.98, name
        assert (found.value, found.gap) == (1, 0), name
        assert found.thetas[0] > found.thetas[1] + 0.1 > found.thetas[2] + 0.2, name


def test_what_is_not_better_than_one_theta_is_one_theta() -> None:
    # F1 of {3, 4} hangs on one threshold.
    for seed in range(20):
        of = simulated(400, 40, seed=seed, weighted=True)
        found, single = fitted(of, OBJECTIVES["f1_34"])
        assert len(set(found.thetas)) == 1
        assert found.value == pytest.approx(single, abs=1e-12)
        assert found.gap == 0


def test_thresholds_are_in_the_middle_between_breakpoints_of_their_own() -> None:
    # At tier 4: 0.9 | 0.5; at 3: 0.6 | 0.4; at 2: 0.3 | 0.1.
    rows = [
        [0, 0, 0.1, 0.9],
        [0, 0, 0.5, 0.5],
        [0, 0.4, 0.6, 0],
        [0, 0.6, 0.4, 0],
        [0.7, 0.3, 0, 0],
        [0.9, 0.1, 0, 0],
    ]
    of = evidence(rows, [4, 3, 3, 2, 2, 1])
    for objective in EVERY:
        found, _ = fitted(of, objective)
        if objective.name != "f1_34":
            assert found.thetas == pytest.approx((0.7, 0.5, 0.2)), objective.name


def test_of_thresholds_that_are_as_good_the_one_furthest_from_breakpoints_is_taken() -> None:
    of = evidence([[0, 0, 0.9, 0.1], [0, 0, 0.8, 0.2], [0, 0, 0.7, 0.3], [0, 0, 0.1, 0.9]], [3, 4, 3, 4])
    found = fit_boundaries(cumulative(of.tier_probs), of.gold, OBJECTIVES["accuracy"], start=1.0)
    assert found.value == 0.75
    assert found.thetas == pytest.approx((0.6, 0.5, 0.5))


@pytest.mark.parametrize("objective", EVERY, ids=lambda objective: objective.name)
def test_a_poor_start_leads_to_the_same(objective: Objective) -> None:
    of = simulated(2_000, 200, weighted=True)
    best, _ = fitted(of, objective)
    for start in (1.0, 0.01):
        found = fit_boundaries(cumulative(of.tier_probs), of.gold, objective, of.weight, start=start)
        assert found.value == pytest.approx(best.value, abs=1e-12)
        assert found.gap == 0


def test_thresholds_whose_middles_are_out_of_order_share_one() -> None:
    # Tier 4 from 0.5 to 0.6, tier 3 from 0.4 to 1: the middles are 0.55 and 0.7.
    rows = [[0, 0, 0.4, 0.6], [0, 0, 0.5, 0.5], [0, 0.6, 0.4, 0]]
    of = evidence(rows, [4, 3, 2], None, [1, 1, 1])
    scores = cumulative(of.tier_probs)
    found = fit_boundaries(scores, of.gold, OBJECTIVES["accuracy"], start=1.0)
    assert found.value == 1
    assert found.thetas[:2] == pytest.approx((0.55, 0.55))


@pytest.mark.parametrize("objective", EVERY, ids=lambda objective: objective.name)
@pytest.mark.parametrize(
    ("tier_probs", "gold"),
    [
        (np.eye(4), [1, 2, 3, 4]),
        (np.eye(4), [4, 3, 2, 1]),
        (np.eye(4)[[0, 0, 0]], [1, 1, 1]),
        (np.eye(4)[[3, 3]], [4, 4]),
        (np.full((5, 4), 0.25), [1, 2, 3, 4, 4]),
        (np.full((3, 4), 0.25), [3, 3, 3]),
        ([[0.1, 0.2, 0.3, 0.4]], [2]),
        ([[1.0, 5e-324, 0, 0], [1.0, 0, 0, 5e-324]], [2, 1]),
    ],
)
def test_what_is_degenerate_is_fitted_too(
    objective: Objective, tier_probs: list[list[float]], gold: list[int]
) -> None:
    of = evidence(tier_probs, gold)
    found, single = fitted(of, objective)
    check(of, objective, found, single)
    if not math.isnan(single):
        assert found.value == pytest.approx(best_of_all(of, objective), abs=1e-12)
        assert found.gap == 0


def test_a_tier_without_gold_counts_where_it_is_predicted() -> None:
    # Scikit-learn's macro-F1 leaves a tier out that is in neither: not predicting tier 3 is worth a tier.
    of = evidence([[0, 0.2, 0.2, 0.6], [0.1, 0.1, 0.5, 0.3], [0.6, 0.2, 0.1, 0.1]], [4, 2, 1])
    found, _ = fitted(of, OBJECTIVES["macro_f1"])
    tiers = cumpt(of.tier_probs, found.thetas)
    assert 3 not in tiers
    assert found.value == pytest.approx(best_of_all(of, OBJECTIVES["macro_f1"]))


def test_pairs_without_weight_count_for_nothing() -> None:
    of = simulated(300, 30)
    there = of.gold != 4
    scores = cumulative(of.tier_probs)
    for objective in EVERY:
        start = sweep(scores[:, there], of.gold[there], objective).theta
        left_out = fit_boundaries(scores[:, there], of.gold[there], objective, start=start)
        weightless = fit_boundaries(scores, of.gold, objective, there.astype(float), start=start)
        assert weightless == left_out, objective.name


@given(evidences(), ADDITIVE)
@settings(deadline=None, max_examples=50)
def test_weights_of_zero_alone_are_undefined(of: Evidence, objective: Objective) -> None:
    found, _ = fitted(replace(of, weight=np.zeros(len(of.gold))), objective)
    assert math.isnan(found.value)
    assert len(set(found.thetas)) == 1
