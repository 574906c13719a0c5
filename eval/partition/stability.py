"""How far a fitted θ can be relied on: its interval, and the tiers it gives month by month and kind by kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from eval.partition.sweep import counts_below

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eval.evidence import Evidence
    from eval.partition.objectives import Objective

RESAMPLES = 500
THETAS = 2_000
"""Thetas that are tried in each resample, at equally many breakpoints from one to the next."""

BY = ("month", "source", "kind")


@dataclass(frozen=True, slots=True)
class Shares:
    """Traffic shares of tiers 1 to 4 among the pairs with one value of an attribute."""

    by: str
    value: str
    pairs: int
    queries: int
    gold: tuple[float, ...]
    decided: tuple[float, ...]


def theta_interval(
    scores: NDArray[np.float64], evidence: Evidence, objective: Objective, seed: int
) -> tuple[float, float]:
    """The 95 % percentile interval of the best single θ, fitted anew to `RESAMPLES` resamples of the queries.

    A guide, no guarantee: where a function of steps is largest settles slowly, and its bootstrap is not exact however
    many queries there are (Abrevaya and Huang, Econometrica 73, 2005).

    Args:
        scores: Cumulative probabilities of the evidence, [3, N].
        evidence: N pairs.
        objective: To maximise.
        seed: Of the bootstrap.

    Returns:
        NaN twice with fewer than two queries.
    """
    if evidence.queries < 2:
        return float("nan"), float("nan")
    inside = np.unique(scores[(scores > 0) & (scores < 1)])
    between = np.append(inside, 1.0)
    if len(between) > THETAS:
        between = between[np.linspace(0, len(between) - 1, THETAS).round().astype(np.int64)]
    thetas = np.concatenate([between[:1], (between[:-1] + between[1:]) / 2])
    # A score is below the thetas from this index on.
    index = np.searchsorted(thetas, scores, side="right")
    width = len(thetas) + 1
    cells = ((np.arange(3)[:, None] * 4 + evidence.gold - 1) * width + index).ravel()
    rng = np.random.default_rng(seed)
    found = np.empty(RESAMPLES)
    for number in range(RESAMPLES):
        drawn = rng.integers(evidence.queries, size=evidence.queries)
        times = np.bincount(drawn, minlength=evidence.queries)[evidence.query] * evidence.weight
        mass = np.bincount(cells, np.tile(times, 3), minlength=12 * width).reshape(3, 4, width)
        below = mass.cumsum(axis=2)[:, :, : len(thetas)]
        values = np.asarray(objective.value(counts_below(below, mass[0].sum(axis=1)))).round(12)
        best = np.flatnonzero(values == np.nanmax(values)) if not np.isnan(values).all() else np.array([0])
        found[number] = thetas[best[len(best) // 2]]
    low, high = np.percentile(found, (2.5, 97.5))
    return float(low), float(high)


def tier_shares(evidence: Evidence, decided: NDArray[np.int64]) -> list[Shares]:
    """Shares of gold and of the tiers `decided` [N]: of all pairs, and by each of `BY` that has two values or more."""
    found = [_shares(evidence, decided, "all", "all", np.arange(len(decided)))]
    for by in BY:
        attribute = evidence.attributes.get(by)
        if attribute is not None and len(attribute.names) > 1:
            found += [
                _shares(evidence, decided, by, name, np.flatnonzero(attribute.codes == code))
                for code, name in enumerate(attribute.names)
            ]
    return found


def _shares(
    evidence: Evidence, decided: NDArray[np.int64], by: str, value: str, rows: NDArray[np.int64]
) -> Shares:
    weight = evidence.weight[rows]
    total = weight.sum()
    gold, now = (
        tuple(float(share) for share in np.bincount(tiers[rows] - 1, weight, minlength=4) / (total or np.nan))
        for tiers in (evidence.gold, decided)
    )
    return Shares(by, value, len(rows), len(np.unique(evidence.query[rows])), gold, now)
