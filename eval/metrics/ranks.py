"""Metrics of order: NDCG within queries, and the area under the ROC curve at the boundaries between tiers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from eval.decisions import cumulative

if TYPE_CHECKING:
    from numpy.typing import NDArray

BOUNDARIES = (2, 3, 4)

# Of one boundary, one pair and one resample; measured with benchmarks/metrics.py.
_AUC_SECONDS = 1.6e-8


def expected_tier(tier_probs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Σ t · p(t) of each row of `tier_probs` [N, 4]: what pairs are ranked by. [N]."""
    # Not a matrix product, whose last digit depends on where a row stands: equal rows must tie.
    p1, p2, p3, p4 = tier_probs.T
    expected: NDArray[np.float64] = p1 + 2 * p2 + 3 * p3 + 4 * p4
    return expected


def ndcg(
    scores: NDArray[np.float64], gold: NDArray[np.int64], query: NDArray[np.int64], k: int
) -> NDArray[np.float64]:
    """NDCG@k of each query, [Q], with gain 2^(tier − 1) − 1 and discount 1 / log2(1 + rank).

    Pairs with equal scores share what their ranks earn, as in scikit-learn's ``ndcg_score`` (McSherry and Najork,
    ECIR 2008).

    Args:
        scores: What pairs are ranked by, [N].
        gold: Gold tiers, [N].
        query: Index of each pair's query, [N], each of 0 to Q − 1 there.
        k: Ranks that earn.

    Returns:
        NaN for a query with one pair, where there is nothing to rank, or with no pair above tier 1.
    """
    gain = np.exp2(gold - 1) - 1
    sizes = np.bincount(query)
    starts = np.cumsum(sizes) - sizes
    # Sorted by query, pairs of a query are next to each other whatever comes after: ranks are the same for all orders.
    rank = np.arange(len(query)) - np.repeat(starts, sizes)
    discount = np.where(rank < k, 1 / np.log2(rank + 2.0), 0.0)
    by_query = np.repeat(np.arange(len(sizes)), sizes)

    by_score = np.lexsort((-scores, query))
    ranked = scores[by_score]
    tied = np.cumsum(np.r_[True, (by_query[1:] != by_query[:-1]) | (ranked[1:] != ranked[:-1])]) - 1
    mean_gain = np.bincount(tied, gain[by_score]) / np.bincount(tied)
    dcg = np.bincount(by_query, mean_gain[tied] * discount)
    ideal = np.bincount(by_query, gain[np.lexsort((-gain, query))] * discount)

    values = np.full(len(sizes), np.nan)
    np.divide(dcg, ideal, out=values, where=(sizes > 1) & (ideal > 0))
    return values


@dataclass(frozen=True, slots=True)
class SortedPairs:
    """N pairs by ascending score, for the area under the ROC curve in many resamples.

    Attributes:
        query: Index of each pair's query, [N].
        positive: Weights of the positive pairs, 0 for the others, [N].
        negative: Weights of the negative ones, [N].
        ties: Where each of the G groups of equal scores begins, [G].
    """

    query: NDArray[np.int64]
    positive: NDArray[np.float64]
    negative: NDArray[np.float64]
    ties: NDArray[np.int64]


def sort_pairs(
    scores: NDArray[np.float64],
    positive: NDArray[np.bool_],
    query: NDArray[np.int64],
    weight: NDArray[np.float64],
) -> SortedPairs:
    """Pairs by ascending `scores`; all [N]."""
    order = np.argsort(scores, kind="stable")
    ranked, its_weight, is_positive = scores[order], weight[order], positive[order]
    return SortedPairs(
        query=query[order],
        positive=its_weight * is_positive,
        negative=its_weight * ~is_positive,
        ties=np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]]),
    )


def boundary_pairs(
    tier_probs: NDArray[np.float64],
    gold: NDArray[np.int64],
    query: NDArray[np.int64],
    weight: NDArray[np.float64],
) -> dict[int, SortedPairs]:
    """Pairs by P(tier ≥ t), positive with gold ≥ t, for each boundary t: 2, 3, 4."""
    reached = cumulative(tier_probs)
    return {t: sort_pairs(reached[4 - t], gold >= t, query, weight) for t in BOUNDARIES}


def auc(pairs: SortedPairs, multiplicity: NDArray[np.float64]) -> float:
    """Area under the ROC curve where each query counts `multiplicity` times, [Q].

    The share of (positive, negative) pairs, by the product of their weights, in which the positive one scores higher;
    ties count half. NaN where one of the sides has no weight.
    """
    times = multiplicity[pairs.query]
    positive, negative = times * pairs.positive, times * pairs.negative
    if len(pairs.ties) < len(times):
        positive, negative = (np.add.reduceat(side, pairs.ties) for side in (positive, negative))
    both = positive.sum() * negative.sum()
    if not both:
        return float("nan")
    # Negatives below, and half of those that tie.
    below = np.cumsum(negative) - negative / 2
    return float(positive @ below / both)


def auc_seconds(pairs: int, resamples: int) -> float:
    """About how long the intervals of the areas at all boundaries take."""
    return len(BOUNDARIES) * pairs * resamples * _AUC_SECONDS
