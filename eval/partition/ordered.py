"""Ordered thresholds, and all that they can decide.

Cumulative probabilities ascend from tier 4 to tier 2. With thresholds θ4 ≥ θ3 ≥ θ2, a pair that reaches one boundary
then reaches those below it, and its tier is at least t exactly where its score at boundary t reaches θt. What a tier
gets is what lies below the boundary above it less what lies below its own: each count depends on two neighbouring
thresholds, each sum of costs on one threshold at a time. A single θ is one of these thresholds; thresholds in another
order are not looked at.

Shapes: N pairs; boundaries 0, 1, 2 are those of tiers 4, 3, 2; K distinct scores at a boundary; M at all three.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from eval.partition.sweep import between, steps

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eval.metrics.counts import Counts

    Chosen = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Axis:
    """A boundary by its threshold.

    Attributes:
        edges: [K + 1], ascending from 0 to 1. Thresholds in (edges[i], edges[i + 1]] decide alike.
        below: Weights of the pairs below the threshold, by gold tier, [4, K].
        rows: How many pairs these are, [K].
    """

    edges: NDArray[np.float64]
    below: NDArray[np.float64]
    rows: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Grid:
    """All ordered thresholds: three of M intervals, no one before the next.

    Attributes:
        axes: Of tiers 4, 3 and 2.
        own: [3, M] the interval of each axis that an interval common to all lies in.
        gold: Summed weights of the gold tiers, [4].
        rows: N.
    """

    axes: tuple[Axis, Axis, Axis]
    own: NDArray[np.int32]
    gold: NDArray[np.float64]
    rows: int

    def counts(self, chosen: Chosen) -> Counts:
        """Counts [4, 4] at the intervals `chosen` for tiers 4, 3 and 2."""
        below = [
            axis.below[:, own[interval]]
            for axis, own, interval in zip(self.axes, self.own, chosen, strict=True)
        ]
        return np.diff(np.stack([np.zeros(4), *below[::-1], self.gold], axis=1), axis=1)

    def thetas(self, chosen: Chosen) -> tuple[float, float, float]:
        """Thresholds in the intervals `chosen`: each as far as can be from changing any decision of its own.

        Where the middles of intervals are out of order, the thresholds share the middle of what these have in common.
        """
        placed: list[tuple[float, float, int]] = []
        for axis, own, interval in zip(self.axes, self.own, chosen, strict=True):
            low, high = axis.edges[own[interval] : own[interval] + 2]
            together = 1
            while placed and between(*placed[-1][:2]) < between(low, high):
                above_low, above_high, above = placed.pop()
                low, high, together = max(low, above_low), min(high, above_high), together + above
            placed.append((low, high, together))
        four, three, two = (between(low, high) for low, high, together in placed for _ in range(together))
        return four, three, two


def grid(
    scores: NDArray[np.float64], gold: NDArray[np.int64], weight: NDArray[np.float64] | None = None
) -> Grid:
    """Sort `scores` [3, N], see `eval.decisions.cumulative`, of `gold` tiers and `weight` [N]."""
    axes = []
    for boundary in range(3):
        its = steps(scores, gold, weight, (boundary,))
        below = np.concatenate([counts[:, : 3 - boundary].sum(axis=1) for counts in its.counts()], axis=1)
        axes.append(Axis(its.edges, below, its.ends))
    edges = np.unique(np.concatenate([axis.edges[:-1] for axis in axes]))
    own = [np.searchsorted(axis.edges[:-1], edges, side="right") - 1 for axis in axes]
    return Grid((axes[0], axes[1], axes[2]), np.array(own, np.int32), its.gold, len(gold))
