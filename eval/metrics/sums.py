"""Metrics that follow from sums over pairs: sums of each query, and the metrics of any sum of them.

A resample of queries is then a product of multiplicities [R, Q] and sums [Q, S]. The S sums of a query are, in order:
the 16 cells of the confusion matrix (gold, predicted), log loss, Brier score, its NDCG and its weight in NDCG (both 0
where NDCG is undefined), and for each calibration bin the sum of confidence − hit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from eval.metrics.counts import TIERS, accuracy, f1, macro_f1, mean_cost, quadratic_kappa, query_counts, ratio
from eval.metrics.ranks import expected_tier, ndcg

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

BINS = 15
_CELLS = 16
_LOG_LOSS, _BRIER, _NDCG, _RANKED = range(_CELLS, _CELLS + 4)
_GAPS = _CELLS + 4


def per_query(
    tier_probs: Floats,
    gold: NDArray[np.int64],
    predicted: NDArray[np.int64],
    query: NDArray[np.int64],
    weight: Floats,
    k: int,
) -> Floats:
    """Sums of each query, [Q, S], each pair times its weight.

    Args:
        tier_probs: [N, 4].
        gold: Gold tiers, [N].
        predicted: Decided tiers, [N].
        query: Index of each pair's query, [N], each of 0 to Q − 1 there.
        weight: [N]. In NDCG a query counts by the mean weight of its pairs, so that without weights all count alike.
        k: Ranks that earn in NDCG.
    """
    sizes = np.bincount(query)
    queries = len(sizes)
    sums = np.empty((queries, _GAPS + BINS))
    sums[:, :_CELLS] = query_counts(gold, predicted, query, weight, queries)
    sums[:, _LOG_LOSS] = np.bincount(query, weight * log_loss(tier_probs, gold))
    sums[:, _BRIER] = np.bincount(query, weight * brier(tier_probs, gold))

    of_query = ndcg(expected_tier(tier_probs), gold, query, k)
    traffic = np.where(np.isnan(of_query), 0.0, np.bincount(query, weight) / sizes)
    sums[:, _RANKED] = traffic
    sums[:, _NDCG] = traffic * np.nan_to_num(of_query)

    confidence = tier_probs.max(axis=1)
    gap = weight * (confidence - (tier_probs.argmax(axis=1) + 1 == gold))
    bins = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
    sums[:, _GAPS:] = np.bincount(query * BINS + bins, gap, queries * BINS).reshape(queries, BINS)
    return sums


def ranked(sums: Floats) -> NDArray[np.bool_]:
    """Which queries of `sums` [Q, S] have an NDCG, [Q]."""
    there: NDArray[np.bool_] = sums[:, _RANKED] > 0
    return there


def metrics(sums: Floats, k: int) -> dict[str, Floats]:
    """Metrics of `sums` [R, S], by name, each [R]; NaN where undefined.

    ``f1_34`` is of tiers 3 and 4 together. ``mae`` is in tiers. ``brier`` is the sum over tiers, 0 to 2, as
    scikit-learn has it for several classes. ``ece``, the expected calibration error, is the mean over pairs of
    |confidence − accuracy| of their bin, by the most probable tier, in 15 bins of equal width (Guo et al.,
    "On Calibration of Modern Neural Networks", ICML 2017). Chance alone moves bins apart, so that it is biased upwards,
    and more so in a resample: near 0 its interval lies too high.
    """
    counts = sums[:, :_CELLS].T.reshape(4, 4, -1)
    weight = counts.sum(axis=(0, 1))
    return {
        "accuracy": accuracy(counts),
        "macro_f1": macro_f1(counts),
        **{f"f1_{tier}": f1(counts, (tier,)) for tier in TIERS},
        "f1_34": f1(counts, (3, 4)),
        "quadratic_kappa": quadratic_kappa(counts),
        "mae": mean_cost(counts),
        f"ndcg_{k}": ratio(sums[:, _NDCG], sums[:, _RANKED]),
        "log_loss": ratio(sums[:, _LOG_LOSS], weight),
        "brier": ratio(sums[:, _BRIER], weight),
        "ece": ratio(np.abs(sums[:, _GAPS:]).sum(axis=1), weight),
    }


def log_loss(tier_probs: Floats, gold: NDArray[np.int64]) -> Floats:
    """−log of the probability of gold, [N]; probabilities are clipped as scikit-learn does, at the machine epsilon."""
    least = np.finfo(np.float64).eps
    of_gold = tier_probs[np.arange(len(gold)), gold - 1]
    losses: Floats = -np.log(np.clip(of_gold, least, 1 - least))
    return losses


def brier(tier_probs: Floats, gold: NDArray[np.int64]) -> Floats:
    """Σ over tiers t of (p(t) − [gold = t])², [N], 0 to 2."""
    scores: Floats = ((tier_probs - np.eye(4)[gold - 1]) ** 2).sum(axis=1)
    return scores
