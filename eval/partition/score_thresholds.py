"""Thresholds on the probabilities of single tiers, by grid: what teams set by hand, to be held against CumPT."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eval.metrics.counts import Counts
    from eval.partition.objectives import Objective

STEPS = 20
"""Thresholds 1/20, 2/20, … 1 for each of the tiers 4, 3 and 2: 8,000 combinations."""


def tier_scores(tier_probs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities of tiers 4, 3 and 2 of `tier_probs` [N, 4], [3, N], for `eval.decisions.walk`."""
    return np.ascontiguousarray(tier_probs.T[:0:-1])


def fit_score_thresholds(
    scores: NDArray[np.float64],
    gold: NDArray[np.int64],
    objective: Objective,
    weight: NDArray[np.float64],
) -> tuple[float, float, float]:
    """The thresholds of tiers 4, 3 and 2 on the grid with the largest `objective`; of several the lowest.

    Args:
        scores: Of `tier_scores`, [3, N].
        gold: Gold tiers, 1 to 4, [N].
        objective: To maximise.
        weight: Traffic weights, [N].
    """
    grid = np.arange(1, STEPS + 1) / STEPS
    # How many thresholds a score reaches, 0 to STEPS.
    four, three, two = np.searchsorted(grid, scores, side="right")
    side = STEPS + 1
    cells = ((four * side + three) * side + two) * 4 + gold - 1
    mass = np.bincount(cells, weight, minlength=4 * side**3).astype(np.float64)
    histogram = mass.reshape(side, side, side, 4)
    values = np.asarray(objective.value(_counts(histogram))).ravel()
    best = int(np.argmax(np.where(np.isnan(values), -np.inf, values).round(12)))
    i, j, k = np.unravel_index(best, (STEPS,) * 3)
    return float(grid[i]), float(grid[j]), float(grid[k])


def _counts(histogram: NDArray[np.float64]) -> Counts:
    """Counts [4, 4, STEPS, STEPS, STEPS] by threshold of tiers 4, 3 and 2 from weights by scores reached and gold."""
    # Below the threshold with index i are the scores that reach i thresholds or fewer.
    below4 = histogram.cumsum(axis=0)[:STEPS]
    below43 = below4.cumsum(axis=1)[:, :STEPS]
    below432 = below43.cumsum(axis=2)[:, :, :STEPS]
    not4 = below4.sum(axis=(1, 2))[:, None, None]
    not43 = below43.sum(axis=2)[:, :, None]
    shape = below432.shape
    total = np.broadcast_to(histogram.sum(axis=(0, 1, 2)), shape)
    tiers = [below432, not43 - below432, not4 - not43, total - not4]
    counts = np.stack([np.broadcast_to(tier, shape) for tier in tiers])
    return np.moveaxis(counts, -1, 0)
