"""A fixed grid of θ, the same whatever the data, and what CumPT decides at each.

Shapes: N pairs, K thetas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eval.metrics.counts import Counts

    Floats = NDArray[np.float64]

_TAIL = np.array([0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005])

THETAS = np.concatenate([_TAIL, np.arange(1, 100) / 100, np.round(1 - _TAIL[::-1], 4)])
"""Ascending, [K]: hundredths, and finer at the ends, where language models are."""


def reached(scores: Floats) -> NDArray[np.uint8]:
    """How many thetas each of `scores` reaches, same shape: the first so many."""
    count: NDArray[np.uint8] = np.searchsorted(THETAS, scores.ravel(), side="right").astype(np.uint8)
    return count.reshape(scores.shape)


def grid_counts(scores: Floats, gold: NDArray[np.int64], weight: Floats) -> Counts:
    """Summed weights by gold tier, decided tier and theta, [4, 4, K].

    Args:
        scores: Cumulative probabilities at tiers 4, 3, 2, [3, N]; see `eval.decisions.cumulative`.
        gold: Gold tiers, 1 to 4, [N].
        weight: Traffic weights, [N].
    """
    cells = ((np.arange(3)[:, None] * 4 + gold - 1) * (len(THETAS) + 1) + reached(scores)).ravel()
    # Sums of weights that should cancel do so only nearly; numbers of pairs do.
    pairs, traffic = (_summed(cells, each) for each in (None, np.tile(weight, 3)))
    return np.where(pairs > 0, traffic, 0.0)


def runs(flags: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """Places of `flags` that are set, those of neighbours together."""
    places = np.flatnonzero(flags)
    return [run for run in np.split(places, np.flatnonzero(np.diff(places) > 1) + 1) if len(run)]


def _summed(cells: NDArray[np.int64], weight: Floats | None) -> Floats:
    """Counts [4, 4, K] from each boundary's and pair's `cells` of boundary, gold and number of thetas reached."""
    count = len(THETAS) + 1
    exactly = np.bincount(cells, weight, 12 * count).reshape(3, 4, count)
    at_least = np.cumsum(exactly[:, :, ::-1], axis=2, dtype=np.float64)[:, :, ::-1]
    every = at_least[0, :, :1].repeat(len(THETAS), axis=1)
    from_tier = np.stack([every, *at_least[::-1, :, 1:]], axis=1)
    return -np.diff(from_tier, axis=1, append=0.0)
