"""One θ, exactly.

A pair's tier changes only where θ crosses one of its three cumulative probabilities, so all that any θ can reach is
seen by sorting those once and moving pairs from cell to cell of the confusion matrix in that order: no grid.

Shapes: N pairs; M distinct cumulative probabilities.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from eval.metrics.counts import Counts
    from eval.partition.objectives import Objective

_BLOCK = 1 << 13
"""Breakpoints looked at together: their counts stay in the processor's cache."""


@dataclass(frozen=True, slots=True)
class Steps:
    """The counts between breakpoints, for thresholds in (0, 1].

    Attributes:
        edges: [M + 1], ascending from 0. Thresholds in (edges[i], edges[i + 1]] decide alike; the last reach to 1.
        codes: [≤ 3 N] which count each breakpoint raises: boundary (0 to 2 for tiers 4, 3, 2) · 4 + gold − 1, by edge.
        ends: [M + 1] how many breakpoints lie at or below each edge.
        weight: [≤ 3 N] weight of each breakpoint's pair, None where all are 1.
        gold: Summed weights of the gold tiers, [4].
    """

    edges: NDArray[np.float64]
    codes: NDArray[np.uint8]
    ends: NDArray[np.int64]
    weight: NDArray[np.float64] | None
    gold: NDArray[np.float64]

    def counts(self) -> Iterator[Counts]:
        """Counts [4, 4, B] for each interval of thresholds in turn, in blocks of at most `_BLOCK`."""
        below = np.zeros((3, 4, 1))
        done = 0
        for start in range(0, len(self.ends), _BLOCK):
            ends = self.ends[start : start + _BLOCK]
            codes = self.codes[done : ends[-1]]
            if self.weight is None and len(codes) < 1 << 16:
                passed = below + _passed(codes, ends - done)
            else:
                position = np.searchsorted(ends, np.arange(done, ends[-1]), side="right")
                weight = None if self.weight is None else self.weight[done : ends[-1]]
                raised = np.bincount(position * 12 + codes, weight, minlength=12 * len(ends))
                running = np.cumsum(raised.reshape(len(ends), 12), axis=0, dtype=np.float64)
                passed = below + np.ascontiguousarray(running.T).reshape(3, 4, len(ends))
            below, done = passed[:, :, -1:], int(ends[-1])
            yield counts_below(passed, self.gold)


_LANES = np.zeros((3, 12), np.uint64)
"""By boundary and code: 1 in the 16 bits of the gold tier, which add up apart from each other."""
_LANES[np.repeat(np.arange(3), 4), np.arange(12)] = np.tile(1 << 16 * np.arange(4, dtype=np.uint64), 3)


def _passed(codes: NDArray[np.uint8], ends: NDArray[np.int64]) -> NDArray[np.float64]:
    """How many of the first `ends` [B] of fewer than 65,536 `codes` are of each boundary and gold, [3, 4, B]."""
    running = np.zeros((3, len(codes) + 1), np.uint64)
    np.cumsum(_LANES[:, codes], axis=1, out=running[:, 1:])
    lanes = np.take(running, ends, axis=1).astype("<u8", copy=False).view("<u2").reshape(3, len(ends), 4)
    return np.ascontiguousarray(lanes.transpose(0, 2, 1), np.float64)


def steps(
    scores: NDArray[np.float64],
    gold: NDArray[np.int64],
    weight: NDArray[np.float64] | None = None,
    boundaries: Sequence[int] = (0, 1, 2),
) -> Steps:
    """Sort the breakpoints of `scores` [3, N], see `eval.decisions.cumulative`.

    Args:
        scores: Cumulative probabilities at tiers 4, 3, 2.
        gold: Gold tiers, 1 to 4, [N].
        weight: Traffic weights, [N]; 1 if not given.
        boundaries: Those that the threshold moves: 0, 1, 2 for tiers 4, 3, 2.
    """
    if weight is not None and (weight == 1).all():
        weight = None
    if weight is None:
        values, codes = _sorted(scores, gold, boundaries)
        order = None
    else:
        values = np.concatenate([scores[boundary] for boundary in boundaries])
        codes = np.concatenate([(4 * boundary + gold - 1).astype(np.uint8) for boundary in boundaries])
        order = np.argsort(values)
        values, codes = values[order], codes[order]
    # A threshold above 0 that no score can fail to reach moves nothing: scores of 1 are never below it.
    movable = int(np.searchsorted(values, 1.0, side="left"))
    values = values[:movable]
    new = np.ones(movable, bool)
    np.not_equal(values[1:], values[:-1], out=new[1:])
    starts = np.flatnonzero(new)
    ends = np.append(starts, len(values))
    edges = np.append(values[starts], 1.0)
    if len(starts) and values[0] <= 0:
        # Scores of 0 are below every threshold.
        ends = ends[1:]
    else:
        edges = np.append(0.0, edges)
    moved = None if order is None or weight is None else np.tile(weight, len(boundaries))[order[:movable]]
    total = np.bincount(gold - 1, weight, minlength=4).astype(np.float64)
    return Steps(edges, codes[:movable], ends, moved, total)


def _sorted(
    scores: NDArray[np.float64], gold: NDArray[np.int64], boundaries: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """The breakpoints ascending, and the code of each.

    Numbers from 0 to 1 sort as their bits do, the first two of which are 0 and make room for gold: to sort integers
    and merge what is sorted takes a third of the time of an argsort.
    """
    bits = (np.ascontiguousarray(scores[list(boundaries)]) + 0.0).view(np.uint64)
    keys = bits << 2 | (gold - 1).astype(np.uint64)
    keys.sort(axis=1)
    flat = keys.ravel()
    order = np.argsort(flat, kind="stable")
    flat = flat[order]
    boundary = np.array(boundaries, np.uint8)[order // len(gold)]
    return (flat >> 2).view(np.float64), 4 * boundary + (flat & 3).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class Curve:
    """An objective over all thresholds.

    Attributes:
        edges: [M + 1], see `Steps`.
        values: [M] the objective for thresholds in (edges[i], edges[i + 1]]; NaN where undefined.
    """

    edges: NDArray[np.float64]
    values: NDArray[np.float64]

    @property
    def best(self) -> int:
        """Interval of the largest value; of several the widest, of these the first."""
        values = np.where(np.isnan(self.values), -np.inf, self.values)
        largest = np.flatnonzero(values >= values.max() - _TIE)
        return int(largest[np.argmax(np.diff(self.edges)[largest])])

    @property
    def theta(self) -> float:
        """The middle of the best interval: as far as can be from changing any decision."""
        return between(self.edges[self.best], self.edges[self.best + 1])

    @property
    def value(self) -> float:
        """The objective there."""
        return float(self.values[self.best])


_TIE = 1e-12
"""Values that near are one value, whatever the order of additions."""


def between(low: float, high: float) -> float:
    """The middle of (low, high], or high where no number lies between."""
    middle = low + (high - low) / 2
    return float(middle if low < middle <= high else high)


def sweep(
    scores: NDArray[np.float64],
    gold: NDArray[np.int64],
    objective: Objective,
    weight: NDArray[np.float64] | None = None,
) -> Curve:
    """`objective` of CumPT at every θ in (0, 1], for `scores` [3, N] and `gold` [N]."""
    sorted_steps = steps(scores, gold, weight)
    values = np.concatenate([np.asarray(objective.value(counts)) for counts in sorted_steps.counts()])
    return Curve(sorted_steps.edges, values)


def counts_below(below: NDArray[np.float64], gold: NDArray[np.float64]) -> Counts:
    """Counts [4, 4, B] from the weights `below` thresholds, [3, 4, B] by boundary and gold tier, and in all, [4]."""
    counts = np.empty((4, 4, below.shape[2]))
    counts[:, 3] = gold[:, None] - below[0]
    counts[:, 2] = below[0] - below[1]
    counts[:, 1] = below[1] - below[2]
    counts[:, 0] = below[2]
    # Sums of weights that should cancel do so only nearly; a tier that nobody predicts must not count as predicted.
    counts[np.abs(counts) < _TIE * gold.sum()] = 0.0
    return counts
