"""Intervals by a bootstrap over queries.

Queries are drawn whole, with replacement, as many as there are: pairs of a query resemble each other, and an interval
that took them for independent would be too narrow (Field and Welsh, "Bootstrapping Clustered Data", JRSS B 69,
2007). Most metrics follow from sums over pairs, so that a resample needs only how often each query was drawn, times
the sums of each query.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_INTERVAL = (2.5, 97.5)

_UNDEFINED_AT_MOST = 0.05

# Multiplicities that are held at once: 32 MiB of them.
_CELLS = 2**22


def resample_counts(queries: int, resamples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """How often each of `queries` is in each resample, as blocks [b, Q] that add up to `resamples` rows.

    The same numbers give the same resamples, which is what makes a difference of two models a paired one.
    """
    rng = np.random.default_rng(seed)
    block = max(1, _CELLS // queries)
    for start in range(0, resamples, block):
        counts = np.empty((min(block, resamples - start), queries))
        for row in counts:
            row[:] = np.bincount(rng.integers(queries, size=queries), minlength=queries)
        yield counts


def interval(values: NDArray[np.float64], queries: int) -> tuple[float, float, str | None]:
    """The 95 % percentile interval of `values`, a metric in each resample of `queries`, [R].

    Returns:
        Its ends, and why there are none: both are NaN with fewer than two queries, or where the metric is undefined
        (NaN) in more than 5 % of the resamples. Fewer are left out.
    """
    if queries < 2:
        return float("nan"), float("nan"), "no interval: it takes two queries"
    undefined = np.isnan(values)
    share = float(undefined.mean())
    if share > _UNDEFINED_AT_MOST:
        return float("nan"), float("nan"), f"no interval: undefined in {share:.0%} of the resamples"
    low, high = np.percentile(values[~undefined], _INTERVAL)
    return float(low), float(high), None
