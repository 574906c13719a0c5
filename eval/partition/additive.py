"""The best ordered thresholds, exactly, where the objective is a sum over pairs, or a ratio of two.

A sum over pairs is a sum over boundaries of a function of one threshold each, and its maximum over ordered thresholds
takes one pass over the intervals. A ratio of sums is maximised by maximising sums, numerator − rate · denominator, for
a rate that rises to the best ratio (Dinkelbach, "On Nonlinear Fractional Programming", Management Science 13, 1967).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eval.metrics.counts import Counts
    from eval.partition.objectives import Objective
    from eval.partition.ordered import Chosen, Grid

    Floats = NDArray[np.float64]

_TIE = 1e-12


@dataclass(frozen=True, slots=True)
class Ratio:
    """Σ counts · above / Σ counts · below, both [gold, predicted]; the second sum is never negative."""

    above: Floats
    below: Floats

    def value(self, counts: Counts) -> float:
        """The ratio of `counts` [4, 4]; NaN where the second sum is 0."""
        below = float((self.below * counts).sum())
        return float((self.above * counts).sum()) / below if below > 0 else float("nan")


def as_ratio(objective: Objective, gold: Floats) -> Ratio | None:
    """What is largest where `objective` is, given the summed weights of the `gold` tiers, [4]; None if no ratio is."""
    if objective.cost is not None:
        return Ratio(-objective.cost, np.ones((4, 4)))
    if objective.name == "f1_34":
        upper = np.array([0.0, 0.0, 1.0, 1.0])
        return Ratio(2 * np.outer(upper, upper), np.add.outer(upper, upper))
    if objective.name == "quadratic_kappa":
        distance = np.subtract.outer(np.arange(4.0), np.arange(4.0)) ** 2
        # Gold does not depend on thresholds, so what chance would disagree is a sum over pairs by predicted tier.
        chance = np.tile(gold @ distance / gold.sum(), (4, 1))
        return Ratio(chance - distance, chance)
    return None


def best_of_ratio(grid: Grid, ratio: Ratio, start: float) -> Chosen | None:
    """The intervals of the ordered thresholds with the largest `ratio`; None where that is not above `start`."""
    best, rate = None, start
    while True:
        chosen = best_of_sum(grid, ratio.above - rate * ratio.below)
        reached = ratio.value(grid.counts(chosen))
        if not reached > rate:
            return best
        best, rate = chosen, reached


def best_of_sum(grid: Grid, gain: Floats) -> Chosen:
    """The intervals of the ordered thresholds with the largest Σ counts · `gain` [gold, predicted].

    Of several the one with the widest own interval, from tier 4 down, of these the first.
    """
    best: Floats = np.zeros(grid.own.shape[1])
    sums = []
    for boundary in (2, 1, 0):
        lost = (gain[:, 3 - boundary] - gain[:, 2 - boundary]) / grid.gold.sum()
        of_axis = -(lost @ grid.axes[boundary].below)
        sums.append(of_axis[grid.own[boundary]] + best)
        best = np.maximum.accumulate(sums[-1])
    chosen: list[int] = []
    last = len(best)
    for boundary, values in enumerate(reversed(sums)):
        largest = np.flatnonzero(values[:last] >= values[:last].max() - _TIE)
        widths = np.diff(grid.axes[boundary].edges)[grid.own[boundary, largest]]
        chosen.append(int(largest[np.argmax(widths)]))
        last = chosen[-1] + 1
    return chosen[0], chosen[1], chosen[2]
