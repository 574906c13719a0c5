"""The numbers behind the plots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from eval.decisions import argmax, cumulative
from eval.metrics.sums import BINS
from eval.partition.sweep import between, sweep
from eval.report.data import Bin, Line, Reliability

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eval.evidence import Evidence
    from eval.partition.objectives import Objective
    from eval.partition.sweep import Curve

COLUMNS = 190
"""Columns of θ in which a curve keeps its lowest and its highest point."""

_TOLD = tuple(step / 20 for step in range(1, 21))


def reliability(evidence: Evidence) -> tuple[Reliability, ...]:
    """Of the most probable tier, in the bins of ``ece``; of tier 4; and of tiers 3 and 4 together."""
    tier_probs, gold, weight = evidence.tier_probs, evidence.gold, evidence.weight
    reached = cumulative(tier_probs)
    return (
        Reliability(
            "the most probable tier", bins(tier_probs.max(axis=1), argmax(tier_probs) == gold, weight)
        ),
        Reliability("tier 4", bins(reached[0], gold == 4, weight)),
        Reliability("tier 3 or 4", bins(reached[1], gold >= 3, weight)),
    )


def bins(
    probability: NDArray[np.float64], came_true: NDArray[np.bool_], weight: NDArray[np.float64]
) -> tuple[Bin, ...]:
    """Bins of equal width that hold weight; all arguments are [N]."""
    number = np.clip(np.ceil(probability * BINS).astype(np.int64) - 1, 0, BINS - 1)
    pairs = np.bincount(number, minlength=BINS)
    total = np.bincount(number, weight, BINS)
    there = np.flatnonzero(total)
    mean = np.bincount(number, weight * probability, BINS)[there] / total[there]
    observed = np.bincount(number, weight * came_true, BINS)[there] / total[there]
    return tuple(
        Bin(int(i) / BINS, (int(i) + 1) / BINS, float(m), float(o), int(pairs[i]))
        for i, m, o in zip(there, mean, observed, strict=True)
    )


def line(evidence: Evidence, objective: Objective) -> Line:
    """`objective` of one θ, at every θ in (0, 1]."""
    curve = sweep(cumulative(evidence.tier_probs), evidence.gold, objective, evidence.weight)
    at = np.searchsorted(curve.edges, _TOLD, side="left") - 1
    told = tuple(
        (theta, None if np.isnan(curve.values[i]) else float(curve.values[i]))
        for theta, i in zip(_TOLD, np.clip(at, 0, len(curve.values) - 1), strict=True)
    )
    return Line(evidence.split, thinned(curve), told)


def thinned(curve: Curve, columns: int = COLUMNS) -> tuple[tuple[float, float], ...]:
    """At most 2 · `columns` + 1 points (θ, value) of `curve` by θ: the extremes of each column, the best among them.

    Undefined values are left out.
    """
    bounds = np.linspace(0, 1, columns + 1)
    # The intervals of thresholds that reach into each column.
    first = np.searchsorted(curve.edges[1:], bounds[:-1], side="right")
    last = np.searchsorted(curve.edges[:-1], bounds[1:], side="left")
    points = {curve.theta: curve.value}
    for low, high, left, right in zip(first, last, bounds[:-1], bounds[1:], strict=True):
        values = curve.values[low:high]
        if np.isnan(values).all():
            continue
        for i in {int(np.nanargmin(values)), int(np.nanargmax(values))}:
            # The part of the interval that lies in the column.
            begin, end = max(curve.edges[low + i], left), min(curve.edges[low + i + 1], right)
            points.setdefault(between(begin, end), float(values[i]))
    return tuple(sorted((theta, value) for theta, value in points.items() if not np.isnan(value)))
