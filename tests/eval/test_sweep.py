"""One θ, against every breakpoint."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.decisions import cumpt, cumulative
from eval.metrics.counts import confusion
from eval.partition.objectives import OBJECTIVES, cost_objective
from eval.partition.sweep import between, steps, sweep
from eval.report.charts import objective as drawn_objective
from eval.report.data import Line
from tests.eval.arrays import evidence, evidences, simulated
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from eval.evidence import Evidence
    from eval.partition.objectives import Objective

MATRICES = st.lists(st.lists(st.integers(-3, 9), min_size=4, max_size=4), min_size=4, max_size=4)


def costs(matrix: list[list[int]]) -> Objective:
    return cost_objective(";".join(",".join(map(str, row)) for row in matrix))


def matters(matrix: list[list[int]]) -> bool:
    """Whether it costs anything to predict one tier and not another."""
    return any(len(set(row)) > 1 for row in matrix)


COSTS = MATRICES.filter(matters).map(costs)
OBJECTIVES_AND_COSTS = st.sampled_from(list(OBJECTIVES.values())) | COSTS


@st.composite
def weighted(draw: st.DrawFn) -> Evidence:
    """Small evidence, some of whose pairs count for nothing."""
    of = draw(evidences())
    count = len(of.gold)
    weight = draw(st.lists(st.sampled_from([0.0, 0.1, 0.3, 1.0, 7.0]), min_size=count, max_size=count))
    return replace(of, weight=np.array(weight)) if draw(st.booleans()) else of


def reached(of: Evidence, objective: Objective, theta: float) -> float:
    return float(objective.value(confusion(of.gold, cumpt(of.tier_probs, [theta] * 3), of.weight)))


def breakpoints(of: Evidence) -> list[float]:
    """One θ for every way to decide: decisions change just above each cumulative probability."""
    scores = np.unique(cumulative(of.tier_probs))
    return [*scores[(scores > 0) & (scores < 1)].tolist(), 1.0]


@given(weighted(), OBJECTIVES_AND_COSTS)
@settings(deadline=None, max_examples=120)
def test_the_sweep_is_brute_force_over_all_breakpoints(of: Evidence, objective: Objective) -> None:
    curve = sweep(cumulative(of.tier_probs), of.gold, objective, of.weight)
    expected = [reached(of, objective, theta) for theta in breakpoints(of)]
    assert curve.edges.tolist() == [0.0, *breakpoints(of)]
    assert curve.values == pytest.approx(expected, abs=1e-9, nan_ok=True)
    assert 0 < curve.theta <= 1
    assert curve.value == pytest.approx(reached(of, objective, curve.theta), abs=1e-9, nan_ok=True)
    if not np.isnan(expected).all():
        assert curve.value == pytest.approx(np.nanmax(expected), abs=1e-9)


@given(weighted(), OBJECTIVES_AND_COSTS, st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=50)
def test_the_order_of_pairs_changes_nothing(of: Evidence, objective: Objective, random: Any) -> None:
    order = np.array(random.sample(range(len(of.gold)), len(of.gold)))
    curve = sweep(cumulative(of.tier_probs), of.gold, objective, of.weight)
    shuffled = sweep(cumulative(of.tier_probs[order]), of.gold[order], objective, of.weight[order])
    assert shuffled.theta == curve.theta
    assert shuffled.values == pytest.approx(curve.values, abs=1e-12, nan_ok=True)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    of = simulated(500, 50, weighted=True)
    scores = cumulative(of.tier_probs)
    whole = sweep(scores, of.gold, OBJECTIVES["macro_f1"], of.weight)
    monkeypatch.setattr("eval.partition.sweep._BLOCK", 7)
    assert len(list(steps(scores, of.gold, of.weight).counts())) > 200
    assert sweep(scores, of.gold, OBJECTIVES["macro_f1"], of.weight).values == pytest.approx(whole.values)


def test_a_boundary_alone_moves_its_own_counts_alone() -> None:
    of = simulated(200, 20)
    (counts,) = steps(cumulative(of.tier_probs), of.gold, None, (0,)).counts()
    assert (np.diff(counts[:, 3].sum(axis=0)) < 0).all()
    assert (counts[:, :2] == 0).all()


def test_theta_is_in_the_middle_of_the_widest_of_the_best_intervals() -> None:
    of = evidence([[0, 0, 0.9, 0.1], [0, 0, 0.7, 0.3], [0, 0, 0.3, 0.7], [0, 0, 0.2, 0.8]], [3, 3, 4, 4])
    curve = sweep(cumulative(of.tier_probs), of.gold, OBJECTIVES["accuracy"])
    assert curve.theta == pytest.approx(0.5)
    assert curve.value == 1
    assert between(0.5, np.nextafter(0.5, 1)) == np.nextafter(0.5, 1)


def test_without_a_breakpoint_every_theta_is_alike() -> None:
    of = evidence(np.eye(4), [1, 2, 3, 4])
    curve = sweep(cumulative(of.tier_probs), of.gold, OBJECTIVES["macro_f1"])
    assert (curve.edges.tolist(), curve.values.tolist(), curve.theta) == ([0.0, 1.0], [1.0], 0.5)


def test_what_is_undefined_for_every_theta_is_nan() -> None:
    of = evidence(np.eye(4)[[0, 0]], [1, 1])
    for name in ("quadratic_kappa", "f1_34"):
        assert math.isnan(sweep(cumulative(of.tier_probs), of.gold, OBJECTIVES[name]).value)


@pytest.mark.parametrize(
    "rows",
    [
        "",
        "0,1,2,3",
        "0,1,2;1,0,1;2,1,0;3,2,1",
        "0,1,2,3;1,0,1,2;2,1,0,1;3,2,1",
        "0,1,2,3;1,0,1,2;2,1,0,1;3,2,1,zero",
        "0,1,2,3;1,0,1,2;2,1,0,1;3,2,1,nan",
        "0,1,2,3;1,0,1,2;2,1,0,1;3,2,1,inf",
        "0,1,2,3;1,0,1,2;2,1,0,1;3,2,1,0;",
        "0,1,2,1e308;1,0,1,2;2,1,0,1;3,2,1,0",
        "0,1,2,3;1,0,1,2;2,1,0,1;3,2,-1000001,0",
    ],
)
def test_costs_that_are_no_matrix_are_refused(rows: str) -> None:
    with pytest.raises(TierwiseError, match="needs four rows of four numbers") as refused:
        cost_objective(rows)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "rows", ["0,0,0,0;0,0,0,0;0,0,0,0;0,0,0,0", "0,0,0,-0;1,1,1,1;2.5,2.5,2.5,2.5;-3,-3,-3,-3"]
)
def test_costs_that_no_prediction_changes_are_refused(rows: str) -> None:
    with pytest.raises(TierwiseError, match="costs the same whatever tier is predicted") as refused:
        cost_objective(rows)
    assert "\n" not in str(refused.value)


def test_the_largest_costs_are_swept_and_drawn() -> None:
    objective = cost_objective("0,0,0,1e6;0,0,0,0;0,0,0,0;-1e6,0,0,0")
    of = simulated(200, 20, weighted=True)
    curve = sweep(cumulative(of.tier_probs), of.gold, objective, of.weight)
    assert np.isfinite(curve.values).all()
    assert "nan" not in drawn(*curve.values.tolist())


def drawn(*values: float) -> str:
    """The plot of an objective that takes `values` in turn."""
    points = tuple((place / len(values), value) for place, value in enumerate(values, 1))
    return drawn_objective(
        "o", "title", "what it shows", [Line("eval_v1", points, ())], [("θ = 0.50", 0.5)], (0.4, 0.6)
    )


@given(
    st.lists(st.floats() | st.sampled_from([1e308, -1e308, 0.0, 1.0, 1e20, 5e-324]), min_size=1, max_size=5)
)
@settings(deadline=None)
def test_every_objective_can_be_drawn(values: list[float]) -> None:
    plot = drawn(*values)
    assert "nan" not in plot
    assert "inf" not in plot


def test_what_is_not_finite_is_left_out_of_the_plot() -> None:
    points = re.search(r'points="([^"]*)"', drawn(0.2, math.inf, math.nan, 0.4, -math.inf))
    alone = re.search(r'points="([^"]*)"', drawn(0.2, 0.4))
    assert points
    assert alone
    heights = [[point.split(",")[1] for point in found[1].split()] for found in (points, alone)]
    assert heights[0] == heights[1]
    assert len(heights[0]) == 2


def test_costs_are_by_gold_and_predicted_tier() -> None:
    objective = cost_objective("0,0,0,8;0,0,0,0;0,0,0,0;2,0,0,0")
    counts = np.zeros((4, 4))
    counts[0, 3], counts[3, 0] = 1, 3
    assert objective.value(counts) == -(8 + 6) / 4
