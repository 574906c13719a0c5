"""From tier probabilities to a tier.

All decisions but argmax are a walk down the tiers: 4 where its score reaches its threshold, else 3 where its score
does, else 2, else 1. CumPT (arXiv 2508.12365) walks with cumulative probabilities and one threshold θ; per-boundary
CumPT has one θ for each; the thresholds that teams set by hand walk with the probabilities of single tiers.

Shapes: N pairs. Tier t stands in column t − 1 of `tier_probs`; scores and thresholds are ordered 4, 3, 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def argmax(tier_probs: NDArray[np.float64]) -> NDArray[np.int64]:
    """Most probable tier of each row of `tier_probs` [N, 4]; at a tie the lower one. [N], 1 to 4."""
    tiers: NDArray[np.int64] = tier_probs.argmax(axis=1) + 1
    return tiers


def cumulative(tier_probs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cumulative probabilities from tier 4 down: p4, p4 + p3, p4 + p3 + p2 over the total, [3, N] ascending.

    Added and divided in this order, which the exported functions repeat: a tie with a threshold is a tie
    everywhere. Rows that do not sum to 1 are decided as if they did.
    """
    p1, p2, p3, p4 = tier_probs.T
    two, three = p4 + p3, p4 + p3 + p2
    reached: NDArray[np.float64] = np.stack([p4, two, three]) / (three + p1)
    return reached


def walk(scores: NDArray[np.float64], thresholds: Sequence[float]) -> NDArray[np.int64]:
    """Tiers by `scores` [3, N] and the `thresholds` of tiers 4, 3 and 2: the first that is reached. [N], 1 to 4."""
    tiers = np.ones(scores.shape[1], np.int64)
    for row, tier in ((2, 2), (1, 3), (0, 4)):
        tiers[scores[row] >= thresholds[row]] = tier
    return tiers


def cumpt(tier_probs: NDArray[np.float64], thetas: Sequence[float]) -> NDArray[np.int64]:
    """CumPT of `tier_probs` [N, 4] by the thetas of tiers 4, 3 and 2, all equal in the paper. [N], 1 to 4."""
    return walk(cumulative(tier_probs), thetas)
