"""Metrics that follow from a confusion matrix, over any number of matrices at once.

`counts` has shape [4, 4, …]: gold tier, predicted tier (index t − 1 for tier t), then whatever there are many of,
resamples or thresholds. Results have the trailing shape. Where a metric is undefined it is NaN, never 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    Counts = NDArray[np.float64]

TIERS = (1, 2, 3, 4)

ABSOLUTE_COST = np.abs(np.subtract.outer(np.arange(4.0), np.arange(4.0)))
"""Cost of predicting a tier in place of gold: how far they are apart."""


def confusion(
    gold: NDArray[np.int64], predicted: NDArray[np.int64], weight: NDArray[np.float64] | None = None
) -> Counts:
    """Summed weights by gold and predicted tier (1 to 4), [4, 4]; weights are 1 if not given."""
    cells = (gold - 1) * 4 + predicted - 1
    return np.bincount(cells, weight, minlength=16).astype(np.float64).reshape(4, 4)


def query_counts(
    gold: NDArray[np.int64],
    predicted: NDArray[np.int64],
    query: NDArray[np.int64],
    weight: NDArray[np.float64],
    queries: int,
) -> NDArray[np.float64]:
    """Summed weights of each query, 0 to `queries` − 1, by gold and predicted tier, [Q, 16]."""
    cells = query * 16 + (gold - 1) * 4 + predicted - 1
    return np.bincount(cells, weight, minlength=queries * 16).astype(np.float64).reshape(queries, 16)


def accuracy(counts: Counts) -> Any:
    """Share of pairs whose predicted tier is gold."""
    return ratio(sum(counts[t, t] for t in range(4)), _total(counts))


def f1(counts: Counts, tiers: Collection[int]) -> Any:
    """F1 of `tiers` taken together against the others: 2 TP / (predicted + gold).

    NaN where no pair has any of them, in gold or prediction.
    """
    inside = [tier - 1 for tier in tiers]
    both = sum(counts[g, p] for g in inside for p in inside)
    gold = sum(counts[g, p] for g in inside for p in range(4))
    predicted = sum(counts[g, p] for g in range(4) for p in inside)
    return ratio(2 * both, gold + predicted)


def macro_f1(counts: Counts) -> Any:
    """Mean F1 of the tiers that occur in gold or prediction, as scikit-learn's ``f1_score(average="macro")``."""
    scores = np.stack([np.asarray(f1(counts, (tier,))) for tier in TIERS])
    there = ~np.isnan(scores)
    return ratio(np.where(there, scores, 0.0).sum(axis=0), there.sum(axis=0))


def precision(counts: Counts, tiers: Collection[int]) -> Any:
    """Share of the pairs predicted in `tiers` whose gold is in them; NaN where none is predicted."""
    inside = [tier - 1 for tier in tiers]
    return ratio(
        sum(counts[g, p] for g in inside for p in inside),
        sum(counts[g, p] for g in range(4) for p in inside),
    )


def recall(counts: Counts, tiers: Collection[int]) -> Any:
    """Share of the pairs with gold in `tiers` that are predicted in them; NaN where there are none."""
    inside = [tier - 1 for tier in tiers]
    return ratio(
        sum(counts[g, p] for g in inside for p in inside),
        sum(counts[g, p] for g in inside for p in range(4)),
    )


def quadratic_kappa(counts: Counts) -> Any:
    """Cohen's kappa with quadratic weights: 1 − Σ w O / Σ w E; NaN where chance would not disagree either."""
    gold = [sum(counts[g, p] for p in range(4)) for g in range(4)]
    predicted = [sum(counts[g, p] for g in range(4)) for p in range(4)]
    cells = [(g, p, float((g - p) ** 2)) for g in range(4) for p in range(4) if g != p]
    observed = sum(w * counts[g, p] for g, p, w in cells)
    expected = sum(w * gold[g] * predicted[p] for g, p, w in cells)
    return 1 - ratio(observed * _total(counts), expected)


def mean_cost(counts: Counts, cost: NDArray[np.float64] = ABSOLUTE_COST) -> Any:
    """Mean of `cost` [gold, predicted]; by default the ordinal mean absolute error, in tiers."""
    paid = sum(cost[g, p] * counts[g, p] for g in range(4) for p in range(4) if cost[g, p])
    return ratio(paid + 0.0 * counts[0, 0], _total(counts))


def _total(counts: Counts) -> Any:
    return counts.sum(axis=(0, 1))


def ratio(above: Any, below: Any) -> Any:
    """`above` / `below`; NaN where `below` is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.asarray(below) != 0, np.divide(above, below), np.nan)
