"""The best ordered thresholds for macro-F1: a bounded search.

The F1 of a tier depends on the thresholds above and below it alone, so macro-F1 is a chain: tier 4 hangs on θ4, tier 3
on θ4 and θ3, tier 2 on θ3 and θ2, tier 1 on θ2. For bins of thresholds, the F1 of a tier is at most that with all that
may be right in the bins and only what must be wrong; the best chain of such bounds bounds every threshold in the bins,
and costs one pass over pairs of neighbouring bins. Pairs that cannot beat the best thresholds found so far are
dropped, the others halved, until none is left or too many are.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eval.partition.ordered import Chosen, Grid

    Floats = NDArray[np.float64]
    Bins = NDArray[np.int64]
    Pairs = tuple[Bins, Bins]

_MOST_PAIRS = 1 << 20
"""Pairs of neighbouring bins that are looked at together: a limit that depends on no clock."""

_BLOCK = 1 << 17
_TIE = 1e-12


@dataclass(frozen=True, slots=True)
class _Edge:
    """What lies below a boundary, by own interval: pairs right and wrong for the tier above it or below, and rows."""

    right: Floats
    wrong: Floats
    rows: NDArray[np.int64]
    own: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class _Tier:
    """A tier between two boundaries, `gold` of it, whether it must not be predicted.

    Bins are intervals (first, last) of the grid, both included.
    """

    upper: _Edge
    lower: _Edge
    gold: float
    barred: bool

    def f1(self, upper: Pairs, lower: Pairs) -> Floats:
        """The largest F1 with a threshold in the bins `upper` and `lower`; 0 without gold."""
        above_first, above_last = (self.upper.own[at] for at in upper)
        below_first, below_last = (self.lower.own[at] for at in lower)
        right = self.upper.right[above_last] - self.lower.right[below_first]
        wrong = np.maximum(self.upper.wrong[above_first] - self.lower.wrong[below_last], 0.0)
        scores: Floats = 2 * right / (right + wrong + self.gold) if self.gold else np.zeros(len(right))
        if self.barred:
            scores[self.upper.rows[above_first] > self.lower.rows[below_last]] = -np.inf
        return scores


@dataclass(frozen=True, slots=True)
class _Chains:
    """Best sums of F1 with θ3 in a bin: of tiers 4 and 3 `above` it, of 2 and 1 `below`, and by pair of bins."""

    above: Floats
    below: Floats
    pairs_above: Floats
    pairs_below: Floats

    @property
    def best(self) -> float:
        return float((self.above + self.below).max())


def best_macro_f1(grid: Grid, start: float) -> tuple[float, Chosen | None, float]:
    """Search the intervals of the ordered thresholds with the largest macro-F1.

    A tier without gold counts where it is predicted, see `eval.metrics.counts.macro_f1`: one search for each choice of
    those that must not be.

    Args:
        grid: The thresholds.
        start: Macro-F1 to beat.

    Returns:
        The largest macro-F1 found, its intervals, None where it is `start`, and a bound that no ordered thresholds
        exceed.
    """
    best, chosen, bound = start, None, start
    mass = _mass(grid)
    absent = [tier for tier in range(4) if not grid.gold[tier]]
    for barred in (bars for size in range(len(absent) + 1) for bars in combinations(absent, size)):
        tiers = [_tier(grid, tier, tier in barred) for tier in (3, 2, 1, 0)]
        counted = 4 - len(barred)
        found, its, at_most = _search(tiers, mass, best * counted)
        if its is not None:
            best, chosen = found / counted, its
        bound = max(bound, at_most / counted)
    return best, chosen, max(bound, best)


def _search(tiers: list[_Tier], mass: Floats, best: float) -> tuple[float, Chosen | None, float]:
    """As `best_macro_f1`, for the sum of F1 of `tiers` 4 to 1."""
    chosen = None
    bins: Pairs = (np.zeros(1, np.int64), np.array([len(mass) - 1]))
    upper: Pairs = (np.zeros(1, np.int64), np.zeros(1, np.int64))
    lower = upper
    while True:
        middle = (bins[0] + bins[1]) // 2
        points = _chains(tiers, (middle, middle), upper, lower)
        if points.best > best + _TIE:
            best = points.best
            chosen = _at(middle, points, upper, lower)
        bounds = _chains(tiers, bins, upper, lower)
        beats_above = bounds.pairs_above + bounds.below[upper[1]] > best + _TIE
        beats_below = bounds.pairs_below + bounds.above[lower[0]] > best + _TIE
        upper = (upper[0][beats_above], upper[1][beats_above])
        lower = (lower[0][beats_below], lower[1][beats_below])
        if not len(upper[0]):
            return best, chosen, best
        if len(upper[0]) + len(lower[0]) > _MOST_PAIRS:
            return best, chosen, bounds.best
        bins, upper, lower = _halved(mass, bins, upper, lower)


def _chains(tiers: list[_Tier], bins: Pairs, upper: Pairs, lower: Pairs) -> _Chains:
    """Sums of F1 over pairs of `bins`: `upper` of θ4 and θ3, `lower` of θ3 and θ2."""
    four, three, two, one = tiers
    of_four, of_one = four.f1(bins, bins), one.f1(bins, bins)
    pairs_above = _blockwise(three, bins, upper) + of_four[upper[0]]
    pairs_below = _blockwise(two, bins, lower) + of_one[lower[1]]
    above, below = np.full((2, len(bins[0])), -np.inf)
    np.maximum.at(above, upper[1], pairs_above)
    np.maximum.at(below, lower[0], pairs_below)
    return _Chains(above, below, pairs_above, pairs_below)


def _blockwise(tier: _Tier, bins: Pairs, pairs: Pairs) -> Floats:
    scores = np.empty(len(pairs[0]))
    for start in range(0, len(scores), _BLOCK):
        high, low = (of[start : start + _BLOCK] for of in pairs)
        scores[start : start + _BLOCK] = tier.f1((bins[0][high], bins[1][high]), (bins[0][low], bins[1][low]))
    return scores


def _at(middle: Bins, points: _Chains, upper: Pairs, lower: Pairs) -> Chosen:
    """The intervals of the best of `points`."""
    three = int(np.argmax(points.above + points.below))
    four = upper[0][np.argmax(np.where(upper[1] == three, points.pairs_above, -np.inf))]
    two = lower[1][np.argmax(np.where(lower[0] == three, points.pairs_below, -np.inf))]
    return int(middle[four]), int(middle[three]), int(middle[two])


def _halved(mass: Floats, bins: Pairs, upper: Pairs, lower: Pairs) -> tuple[Pairs, Pairs, Pairs]:
    """The bins that pairs are left of, each cut where half its `mass` [M] is reached, and all pairs of these."""
    first, last = bins
    used = np.zeros(len(first), np.bool_)
    for of in (*upper, *lower):
        used[of] = True
    wide = used & (last > first)
    halves = used.astype(np.int64) + wide
    place = np.cumsum(halves) - halves
    middle = np.searchsorted(mass, (mass[first] + mass[last]) / 2, side="right")
    cut = np.clip(middle, first + 1, last)[wide]
    first, last = np.repeat(first, halves), np.repeat(last, halves)
    last[place[wide]] = cut - 1
    first[place[wide] + 1] = cut
    return (first, last), _pairs_of_halves(upper, place, wide), _pairs_of_halves(lower, place, wide)


def _pairs_of_halves(pairs: Pairs, place: Bins, wide: NDArray[np.bool_]) -> Pairs:
    """All `pairs` of halves, in order: a bin has one at its `place`, and another after it where it is `wide`."""
    later, earlier = pairs
    found = []
    for one in (0, 1):
        for other in (0, 1):
            there = (one <= wide[later]) & (other <= wide[earlier])
            found.append((place[later[there]] + one, place[earlier[there]] + other))
    later, earlier = (np.concatenate(of) for of in zip(*found, strict=True))
    ordered = later >= earlier
    return later[ordered], earlier[ordered]


def _mass(grid: Grid) -> Floats:
    """How much lies below each interval of the grid, all gold tiers alike, [M]: what bins are halved by."""
    share = np.divide(1.0, grid.gold, out=np.zeros(4), where=grid.gold > 0)
    mass = np.zeros(grid.own.shape[1])
    for axis, own in zip(grid.axes, grid.own, strict=True):
        mass += (share @ axis.below)[own]
    return mass


def _tier(grid: Grid, tier: int, barred: bool) -> _Tier:
    """Tier `tier` + 1."""
    everything = _Edge(
        grid.gold[tier : tier + 1],
        (grid.gold.sum() - grid.gold[tier])[None],
        np.array([grid.rows]),
        np.zeros(grid.own.shape[1], np.int32),
    )
    nothing = _Edge(np.zeros(1), np.zeros(1), np.zeros(1, np.int64), everything.own)
    edges = [everything, *(_edge(grid, boundary, tier) for boundary in range(3)), nothing]
    return _Tier(edges[3 - tier], edges[4 - tier], float(grid.gold[tier]), barred)


def _edge(grid: Grid, boundary: int, tier: int) -> _Edge:
    axis = grid.axes[boundary]
    right = axis.below[tier]
    return _Edge(right, axis.below.sum(axis=0) - right, axis.rows, grid.own[boundary])
