"""Metrics of a predictor on a split, whole, by slice and against another predictor, with 95 % intervals.

All metrics but the areas under the ROC curve follow from sums of each query (`eval.metrics.sums`), and their
intervals cost one matrix product. The areas are computed anew in every resample.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from eval.decisions import argmax
from eval.evidence import require_same_pairs
from eval.metrics.bootstrap import interval, resample_counts
from eval.metrics.ranks import auc, boundary_pairs
from eval.metrics.sums import metrics, per_query, ranked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from eval.evidence import Evidence
    from eval.metrics.ranks import SortedPairs

    Floats = NDArray[np.float64]
    Tiers = NDArray[np.int64]

K = 10
RESAMPLES = 1000
_DECIMALS = 9


@dataclass(frozen=True, slots=True)
class Measured:
    """A metric, or a difference of one between two predictors.

    Attributes:
        metric: Its name, as in `eval.metrics.sums.metrics`, or ``auc_2``, ``auc_3``, ``auc_4``.
        value: NaN where undefined.
        low: Lower end of the 95 % interval.
        high: Upper end. Both are NaN where there is none.
        reason: Why value or interval is NaN.
        pairs: Pairs it is over; for NDCG, those of the queries that can be ranked.
        queries: Queries it is over.
    """

    metric: str
    value: float
    low: float
    high: float
    reason: str | None
    pairs: int
    queries: int


@dataclass(frozen=True, slots=True)
class Difference(Measured):
    """`ours` less `theirs`, in each resample on the same queries."""

    ours: float
    theirs: float


def rounded(value: float) -> float | None:
    """`value` as it is stored and told: None for NaN, no difference is -0, and no digits that machines differ in."""
    return None if np.isnan(value) else round(float(value), _DECIMALS) + 0.0


def measure(
    evidence: Evidence,
    predicted: Tiers | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    k: int = K,
    areas: bool = True,
) -> list[Measured]:
    """Every metric, weighted by traffic.

    Args:
        evidence: Probabilities and gold tiers of N pairs, at least one.
        predicted: Decided tiers, [N]; the most probable ones if not given.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.
        k: Ranks that earn in NDCG.
        areas: Whether to measure the areas under the ROC curve, whose intervals are slow, too.
    """
    side = _Side(evidence, predicted, k, areas=areas)
    points = side.values()
    drawn = _drawn([side], resamples, seed)[0]
    return [_measured(side, name, value, drawn[name], side.why(name)) for name, value in points.items()]


def measure_slices(
    evidence: Evidence,
    predicted: Tiers | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    k: int = K,
) -> dict[tuple[str, str], list[Measured]]:
    """Every metric but the areas, for each value of each attribute with two values or more.

    A slice is measured as if it were all there is: its queries are drawn, and NDCG ranks its pairs alone.

    Returns:
        By attribute and value.
    """
    predicted = argmax(evidence.tier_probs) if predicted is None else predicted
    return {
        (name, attribute.names[value]): measure(
            _part(evidence, rows), predicted[rows], resamples=resamples, seed=seed, k=k, areas=False
        )
        for name, attribute in evidence.attributes.items()
        if len(attribute.names) > 1
        for value, rows in enumerate(_rows_by_value(attribute.codes, len(attribute.names)))
    }


def compare(
    ours: Evidence,
    theirs: Evidence,
    ours_predicted: Tiers | None = None,
    theirs_predicted: Tiers | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    k: int = K,
    areas: bool = True,
) -> list[Difference]:
    """Every metric's difference on the same pairs; arguments as `measure`.

    Raises:
        TierwiseError: They decided different pairs.
    """
    require_same_pairs(ours, theirs)
    sides = [
        _Side(ours, ours_predicted, k, areas=areas),
        _Side(theirs, theirs_predicted, k, areas=areas),
    ]
    a, b = (side.values() for side in sides)
    drawn_a, drawn_b = _drawn(sides, resamples, seed)
    differences = []
    for name in a:
        value = a[name] - b[name]
        undefined = next((side for side, of in zip(sides, (a, b), strict=True) if np.isnan(of[name])), None)
        why = undefined and f"of {undefined.evidence.predictor.name}: {undefined.why(name)}"
        found = _measured(sides[0], name, value, drawn_a[name] - drawn_b[name], why or "")
        differences.append(
            Difference(
                found.metric,
                *(found.value, found.low, found.high, found.reason, found.pairs, found.queries),
                ours=a[name],
                theirs=b[name],
            )
        )
    return differences


class _Side:
    """One predictor's numbers: sums of each query, and the sorted pairs of each boundary."""

    def __init__(self, evidence: Evidence, predicted: Tiers | None, k: int, *, areas: bool) -> None:
        self.evidence, self.k = evidence, k
        rows = (evidence.gold, argmax(evidence.tier_probs) if predicted is None else predicted)
        self.sums = per_query(evidence.tier_probs, *rows, evidence.query, evidence.weight, k)
        self.boundaries: dict[int, SortedPairs] = (
            boundary_pairs(evidence.tier_probs, evidence.gold, evidence.query, evidence.weight)
            if areas
            else {}
        )
        self.ranked = ranked(self.sums)

    def values(self) -> dict[str, float]:
        once = np.ones(self.evidence.queries)
        return {
            name: float(value[0]) for name, value in metrics(self.sums.sum(axis=0)[None], self.k).items()
        } | {f"auc_{tier}": auc(pairs, once) for tier, pairs in self.boundaries.items()}

    def why(self, metric: str) -> str:
        """Why `metric`, if it is undefined, is."""
        if not self.evidence.weight.any():
            return "all weights are 0"
        kind, _, which = metric.partition("_")
        if kind == "auc":
            gold = np.unique(self.evidence.gold[self.evidence.weight > 0])
            return f"no pair has gold tier {f'{which} or above' if gold.max() < int(which) else f'below {which}'}"
        if kind == "f1":
            return f"no pair has tier {' or '.join(which)}, in gold or prediction"
        if kind == "ndcg":
            return "no query has two pairs and one above tier 1"
        return "gold and predicted tiers are all one tier"


def _drawn(sides: Sequence[_Side], resamples: int, seed: int) -> list[dict[str, Floats]]:
    """Metrics of each side in each resample, [R], the same resamples for all."""
    sums: list[list[Floats]] = [[] for _ in sides]
    areas: list[dict[int, list[float]]] = [{tier: [] for tier in side.boundaries} for side in sides]
    for block in resample_counts(sides[0].evidence.queries, resamples, seed):
        for number, side in enumerate(sides):
            # A product for each side: within one, equal sides could differ in their last digits.
            sums[number].append(block @ side.sums)
            for tier, pairs in side.boundaries.items():
                areas[number][tier].extend(auc(pairs, multiplicity) for multiplicity in block)
    return [
        metrics(np.concatenate(sums[number]), side.k)
        | {f"auc_{tier}": np.array(values) for tier, values in areas[number].items()}
        for number, side in enumerate(sides)
    ]


def _measured(side: _Side, metric: str, value: float, drawn: Floats, why: str) -> Measured:
    pairs, queries = len(side.evidence.gold), side.evidence.queries
    if metric.startswith("ndcg"):
        pairs, queries = int(side.ranked[side.evidence.query].sum()), int(side.ranked.sum())
    if np.isnan(value):
        return Measured(metric, value, float("nan"), float("nan"), why, pairs, queries)
    low, high, reason = interval(drawn, queries)
    return Measured(metric, value, low, high, reason, pairs, queries)


def _rows_by_value(codes: NDArray[np.int64], values: int) -> Iterator[NDArray[np.int64]]:
    order = np.argsort(codes, kind="stable")
    yield from np.split(order, np.searchsorted(codes[order], np.arange(1, values)))


def _part(evidence: Evidence, rows: NDArray[np.int64]) -> Evidence:
    return replace(
        evidence,
        tier_probs=evidence.tier_probs[rows],
        gold=evidence.gold[rows],
        query=np.unique(evidence.query[rows], return_inverse=True)[1],
        weight=evidence.weight[rows],
        pair_ids=evidence.pair_ids.take(rows),
        attributes={},
    )
