"""The numbers behind the plots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.decisions import cumpt, cumulative
from eval.metrics.counts import confusion
from eval.metrics.measure import measure
from eval.partition.objectives import OBJECTIVES
from eval.partition.sweep import sweep
from eval.report.series import line, reliability, thinned
from tests.eval.arrays import evidences, simulated

if TYPE_CHECKING:
    from eval.evidence import Evidence


@settings(deadline=None, max_examples=40)
@given(evidences(), st.sampled_from(sorted(OBJECTIVES)), st.integers(1, 12))
def test_a_thinned_curve_is_the_curve_at_fewer_thetas(found: Evidence, name: str, columns: int) -> None:
    objective = OBJECTIVES[name]
    curve = sweep(cumulative(found.tier_probs), found.gold, objective, found.weight)
    points = thinned(curve, columns)
    assert len(points) <= 2 * columns + 1
    assert list(points) == sorted(points)
    for theta, value in points:
        counts = confusion(found.gold, cumpt(found.tier_probs, [theta] * 3), found.weight)
        assert float(objective.value(counts)) == pytest.approx(value, abs=1e-9)
    defined = curve.values[~np.isnan(curve.values)]
    if len(defined):
        values = [value for _, value in points]
        assert max(values) == pytest.approx(defined.max(), abs=1e-12)
        assert min(values) == pytest.approx(defined.min(), abs=1e-12)
        assert (curve.theta, curve.value) in points


def test_a_line_tells_the_objective_at_round_thetas() -> None:
    found = simulated(500, 60, weighted=True)
    objective = OBJECTIVES["macro_f1"]
    for theta, value in line(found, objective).told:
        counts = confusion(found.gold, cumpt(found.tier_probs, [theta] * 3), found.weight)
        assert value == pytest.approx(float(objective.value(counts)), abs=1e-9)


def test_the_bins_of_the_most_probable_tier_add_up_to_the_calibration_error() -> None:
    found = simulated(2000, 100)
    of_top = reliability(found)[0]
    assert sum(b.pairs for b in of_top.bins) == 2000
    error = sum(b.pairs * abs(b.mean - b.observed) for b in of_top.bins) / 2000
    ece = next(of for of in measure(found, resamples=100) if of.metric == "ece")
    assert error == pytest.approx(ece.value)


@settings(deadline=None, max_examples=40)
@given(evidences())
def test_every_pair_lies_in_the_bin_of_its_probability(found: Evidence) -> None:
    for of in reliability(found):
        assert sum(b.pairs for b in of.bins) == len(found.gold)
        for b in of.bins:
            assert b.low - 1e-12 <= b.mean <= b.high + 1e-12
            assert 0 <= b.observed <= 1
