"""Which errors to show: those that teach most, the same ones each time."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from eval.decisions import argmax

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray

    from eval.evidence import Evidence

SHOWN = 50
PER_QUERY = 3

_FAR, _SUSPECT, _MOVED = 20, 12, 8
"""At most so many that are far off, whose gold is suspect, that a partition moved away from gold."""
_FAR_PER_CELL = 5


def choose(
    evidence: Evidence,
    predicted: NDArray[np.int64],
    suspects: Mapping[int, str],
    shown: int = SHOWN,
) -> dict[int, str]:
    """At most `shown` wrongly decided pairs, and at most `PER_QUERY` of a query.

    First the far-off ones that it is surest of, then those whose gold is doubted, then those that were right before
    the partition, then the rest in turn over kinds and confusions, the frequent confusions first.

    Args:
        evidence: N pairs.
        predicted: Decided tiers, [N].
        suspects: Who doubts the gold of which pairs, and the tier that they suggest, in words; worst first.
        shown: How many.

    Returns:
        Index of each pair to why it is shown, in this order.
    """
    gold, query = evidence.gold, evidence.query
    most_probable = argmax(evidence.tier_probs)
    wrong = np.flatnonzero(predicted != gold)
    distance = np.abs(predicted - gold)[wrong]
    surer = _margin(evidence, predicted, wrong)
    wrong = wrong[np.lexsort((wrong, -surer, -distance))]
    cell, size = _cells(evidence, predicted, wrong)
    rank = _rank_within(cell)

    chosen: dict[int, str] = {}
    of_query: Counter[int] = Counter()

    def take(rows: Iterable[int], at_most: int, why: Callable[[int], str]) -> None:
        most = min(len(chosen) + at_most, shown)
        for row in rows:
            if len(chosen) >= most:
                return
            if row not in chosen and of_query[int(query[row])] < PER_QUERY:
                chosen[row] = why(row)
                of_query[int(query[row])] += 1

    far = (np.abs(predicted - gold)[wrong] >= 2) & (rank < _FAR_PER_CELL)
    take(
        wrong[far].tolist(),
        _FAR,
        lambda row: (
            f"Far off: tier {predicted[row]} in place of {gold[row]}, with a probability of "
            f"{evidence.tier_probs[row, predicted[row] - 1]:.2f} against {evidence.tier_probs[row, gold[row] - 1]:.2f}"
        ),
    )
    doubted = set(wrong.tolist())
    take(
        (row for row in suspects if row in doubted), _SUSPECT, lambda row: f"Gold is doubted: {suspects[row]}"
    )
    moved = most_probable[wrong] == gold[wrong]
    take(
        wrong[moved].tolist(),
        _MOVED,
        lambda row: (
            f"Moved away from gold: {gold[row]} was the most probable tier, the partition decides "
            f"{predicted[row]}"
        ),
    )
    frequency = dict(zip(wrong.tolist(), size.tolist(), strict=True))
    in_turn = wrong[np.lexsort((np.arange(len(wrong)), cell, -size, rank))]
    take(
        in_turn.tolist(),
        shown,
        lambda row: (
            f"One of {frequency[row]:,} pairs of gold {gold[row]} decided {predicted[row]} in queries of kind "
            f"{_kind(evidence, row)}"
        ),
    )
    return chosen


def _margin(evidence: Evidence, predicted: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Probability of the decided tier less that of gold, to nine digits: ties are ties on every machine."""
    probs = evidence.tier_probs
    margin: NDArray[np.float64] = np.round(
        probs[rows, predicted[rows] - 1] - probs[rows, evidence.gold[rows] - 1], 9
    )
    return margin


def _cells(
    evidence: Evidence, predicted: NDArray[np.int64], rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Kind and confusion of each of `rows` as one number, and how many share it."""
    kind = evidence.attributes["kind"].codes[rows]
    cell = kind * 16 + (evidence.gold[rows] - 1) * 4 + predicted[rows] - 1
    _, inverse, counts = np.unique(cell, return_inverse=True, return_counts=True)
    return cell, counts[inverse]


def _rank_within(cell: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many of the same cell come before, [len(cell)]."""
    order = np.argsort(cell, kind="stable")
    ordered = cell[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    sizes = np.diff(np.append(starts, len(cell)))
    rank = np.empty(len(cell), np.int64)
    rank[order] = np.arange(len(cell)) - np.repeat(starts, sizes)
    return rank


def _kind(evidence: Evidence, row: int) -> str:
    kind = evidence.attributes["kind"]
    return kind.names[int(kind.codes[row])]
