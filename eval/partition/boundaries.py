"""One θ per boundary.

CumPT with a threshold for each of the tiers 4, 3 and 2, among ordered thresholds θ4 ≥ θ3 ≥ θ2
(`eval.partition.ordered`). Costs, accuracy, F1 of {3, 4} and quadratic kappa are maximised exactly
(`eval.partition.additive`); macro-F1 by a search that tells how far it may be from the best (`eval.partition.chain`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from eval.decisions import walk
from eval.metrics.counts import confusion
from eval.partition.additive import as_ratio, best_of_ratio
from eval.partition.chain import best_macro_f1
from eval.partition.ordered import grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eval.partition.objectives import Objective

_TIE = 1e-12


@dataclass(frozen=True, slots=True)
class Boundaries:
    """Fitted thresholds.

    Attributes:
        thetas: Of tiers 4, 3 and 2, in (0, 1], none below the next.
        value: The objective with them; NaN where it is undefined whatever the threshold.
        bound: What the objective exceeds with no ordered thresholds, within rounding.
    """

    thetas: tuple[float, float, float]
    value: float
    bound: float

    @property
    def gap(self) -> float:
        """How much better than `value` the best ordered thresholds are at most; 0 where these are proved the best."""
        return self.bound - self.value


def fit_boundaries(
    scores: NDArray[np.float64],
    gold: NDArray[np.int64],
    objective: Objective,
    weight: NDArray[np.float64] | None = None,
    *,
    start: float,
) -> Boundaries:
    """Fit ordered thresholds; where none are better than one θ, that.

    Args:
        scores: Cumulative probabilities at tiers 4, 3, 2, [3, N], see `eval.decisions.cumulative`.
        gold: Gold tiers, 1 to 4, [N].
        objective: To maximise: one of `eval.partition.objectives.OBJECTIVES`, or of costs.
        weight: Traffic weights, [N]; 1 if not given.
        start: The best single θ, see `eval.partition.sweep.sweep`.
    """
    if weight is not None and (weight != 1).any():
        # Sums that depend on no order of rows, and no thresholds between rows that count for nothing.
        order = np.lexsort((weight, gold, *scores))
        order = order[weight[order] > 0]
        scores, gold, weight = scores[:, order], gold[order], weight[order]

    def value(thetas: tuple[float, float, float]) -> float:
        return float(objective.value(confusion(gold, walk(scores, thetas), weight)))

    single = (start, start, start)
    least = value(single)
    if np.isnan(least):
        return Boundaries(single, least, least)
    space = grid(scores, gold, weight)
    ratio = as_ratio(objective, space.gold)
    if ratio is None:
        _, chosen, bound = best_macro_f1(space, least)
    else:
        chosen = best_of_ratio(space, ratio, ratio.value(confusion(gold, walk(scores, single), weight)))
        bound = -np.inf
    thetas = single if chosen is None else space.thetas(chosen)
    reached = value(thetas)
    if not reached > least + _TIE:
        thetas, reached = single, least
    return Boundaries(thetas, reached, bound if bound > reached + _TIE else reached)
