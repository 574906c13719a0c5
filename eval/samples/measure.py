"""Metrics of samples, whole and by slice, with 95 % intervals.

Each is a ratio of two sums over pairs, so that a resample of queries is a product of multiplicities and sums of each
query, as in `eval.metrics.measure`. pass@k and agreement are means over pairs; shares and tokens are means over
samples. Either way a pair counts by its traffic weight.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from curation.checks.finding import KINDS
from eval.metrics.bootstrap import interval, resample_counts
from eval.metrics.counts import ratio
from eval.metrics.measure import Measured

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from eval.samples.sampled import Sampled

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Ratio:
    """Σ above / Σ below over pairs, [N] each; `lacking` says why there is none where below is 0."""

    above: NDArray[np.float64 | np.int64]
    below: Ints
    lacking: str = ""


def pass_at_k(n: Ints, c: Ints, k: int) -> Floats:
    """The unbiased pass@k of pairs with `n` samples, c of them correct, as the macro ``pass_at_k`` gives it, [N].

    Args:
        n: Samples, [N], at least `k` each.
        c: Correct ones, [N].
        k: Samples that one gets to try.
    """
    missed = np.ones(len(n))
    for drawn in range(k):
        # Where the wrong ones do not suffice, one of the factors is 0.
        missed *= 1 - c / (n - drawn)
    return 1 - missed


def offered(sampled: Sampled) -> tuple[int, ...]:
    """1, 2, 4, 8, …: every k of pass@k for which all pairs have samples."""
    return tuple(_powers(int(sampled.n.min())))


def left_out(sampled: Sampled) -> dict[int, int]:
    """Every further k for which some pairs have samples, with how many have not."""
    there = offered(sampled)
    return {k: int((sampled.n < k).sum()) for k in _powers(int(sampled.n.max())) if k not in there}


def measure(sampled: Sampled, *, resamples: int, seed: int) -> list[Measured]:
    """Every metric, weighted by traffic; `resamples` and `seed` are of the bootstrap."""
    return _measured(_ratios(sampled), sampled.query, sampled.weight, resamples, seed)


def measure_slices(sampled: Sampled, *, resamples: int, seed: int) -> dict[tuple[str, str], list[Measured]]:
    """`measure` of each value of each attribute with two values or more, as if its pairs were all there are."""
    ratios = _ratios(sampled)
    slices = {}
    for attribute, of in sampled.attributes.items():
        for value, name in enumerate(of.names if len(of.names) > 1 else ()):
            rows = of.codes == value
            part = {
                metric: _Ratio(each.above[rows], each.below[rows], each.lacking)
                for metric, each in ratios.items()
            }
            slices[attribute, name] = _measured(
                part, sampled.query[rows], sampled.weight[rows], resamples, seed
            )
    return slices


def _powers(most: int) -> list[int]:
    return [2**power for power in range(most.bit_length())]


def _ratios(sampled: Sampled) -> dict[str, _Ratio]:
    n, pairs = sampled.n, np.ones_like(sampled.n)
    unchecked = "no sample was checked"
    several = n > 1
    return {
        **{f"pass_{k}": _Ratio(pass_at_k(n, sampled.c, k), pairs) for k in offered(sampled)},
        "unparsable": _Ratio(sampled.unparsable, n),
        "unfinished": _Ratio(sampled.unfinished, n),
        "hallucination_rate": _Ratio(sampled.erring["any"], sampled.checked, unchecked),
        **{
            f"hallucination_rate.{kind}": _Ratio(sampled.erring[kind], sampled.checked, unchecked)
            for kind in KINDS
        },
        "completion_tokens": _Ratio(sampled.tokens, n),
        "self_agreement": _Ratio(
            several * sampled.agreeing / n, several.astype(np.int64), "no pair has two samples"
        ),
    }


def _measured(
    ratios: Mapping[str, _Ratio], query: Ints, weight: Floats, resamples: int, seed: int
) -> list[Measured]:
    query = np.unique(query, return_inverse=True)[1]
    queries = int(query.max()) + 1
    # [Q, 2, M]
    sums = np.stack(
        [
            np.stack([np.bincount(query, weight * column, queries) for column in columns], axis=1)
            for columns in (
                [each.above for each in ratios.values()],
                [each.below for each in ratios.values()],
            )
        ],
        axis=1,
    )
    values = ratio(*sums.sum(axis=0))
    drawn = np.concatenate(
        [
            ratio(*np.tensordot(block, sums, axes=1).swapaxes(0, 1))
            for block in resample_counts(queries, resamples, seed)
        ]
    )
    found = []
    for column, (name, each) in enumerate(ratios.items()):
        there = each.below > 0
        over = len(np.unique(query[there]))
        low = high = float("nan")
        if np.isnan(values[column]):
            reason: str | None = "all weights are 0" if there.any() else each.lacking
        else:
            low, high, reason = interval(drawn[:, column], over)
        found.append(Measured(name, float(values[column]), low, high, reason, int(there.sum()), over))
    return found
