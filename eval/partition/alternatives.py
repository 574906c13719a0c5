"""Ways to decide tiers side by side: objectives of each with intervals, and their differences to argmax, paired."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from eval.metrics.bootstrap import interval, resample_counts
from eval.metrics.counts import query_counts
from eval.metrics.measure import rounded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from eval.evidence import Evidence
    from eval.partition.objectives import Objective

    Tiers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its 95 % interval by bootstrap over queries; NaN where undefined."""

    value: float
    low: float
    high: float

    def told(self) -> dict[str, float | None]:
        """For JSON."""
        return {name: rounded(getattr(self, name)) for name in ("value", "low", "high")}


def judge(drawn: Resampled, objectives: Mapping[str, Objective]) -> dict[str, dict[str, Interval]]:
    """The `objectives` of each way to decide, by its name and theirs."""
    return {
        way: {name: drawn.interval(objective, way) for name, objective in objectives.items()}
        for way in drawn.ways
    }


def differences(
    drawn: Resampled, objectives: Mapping[str, Objective], than: str
) -> dict[str, dict[str, Interval]]:
    """As `judge`, each less the way called `than` in the same resamples; `than` itself is left out."""
    return {
        way: {name: drawn.interval(objective, way, than) for name, objective in objectives.items()}
        for way in drawn.ways
        if way != than
    }


class Resampled:
    """Counts of each way to decide, as they are and in each resample: drawn once for all that is asked of them.

    Attributes:
        ways: Their names.
    """

    def __init__(self, evidence: Evidence, decided: Mapping[str, Tiers], resamples: int, seed: int) -> None:
        """Draw `resamples` of the queries of `evidence`, whose N pairs each way has `decided`, [N]."""
        self.ways = tuple(decided)
        self._queries = evidence.queries
        rows = (evidence.query, evidence.weight, evidence.queries)
        sums = {way: query_counts(evidence.gold, tiers, *rows) for way, tiers in decided.items()}
        self._whole = {way: counts.sum(axis=0).reshape(4, 4) for way, counts in sums.items()}
        blocks: dict[str, list[NDArray[np.float64]]] = {way: [] for way in sums}
        for block in resample_counts(evidence.queries, resamples, seed):
            for way, counts in sums.items():
                # A product for each way: within one, equal ways could differ in their last digits.
                blocks[way].append(block @ counts)
        self._drawn = {way: np.concatenate(parts).T.reshape(4, 4, resamples) for way, parts in blocks.items()}

    def interval(self, objective: Objective, way: str, than: str | None = None) -> Interval:
        """Of `objective`, or its difference."""
        value: Any = objective.value(self._whole[way])
        drawn: Any = objective.value(self._drawn[way])
        if than is not None:
            value = value - objective.value(self._whole[than])
            drawn = drawn - objective.value(self._drawn[than])
        low, high, _ = interval(np.asarray(drawn), self._queries)
        return Interval(float(value), low, high)
