"""Krippendorff's alpha: how far annotators agree beyond chance, with intervals by a bootstrap.

Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011) and "Content Analysis", 4th edition (2019),
chapter 12. Alpha is 1 where all agree, 0 where they agree as if by chance, and below 0 where they agree less.

All kinds of answers come down to a matrix of coincidences for each unit: how often two answers to it are c and k.
A distance then says how bad it is that they differ: `nominal` for answers without an order, `ordinal` for grades,
`jaccard` for sets of labels. In texts every character is a unit; see `span_coincidences`.

The bootstrap draws whole clusters of units, not units: units of a cluster resemble each other, and an interval
that took them for independent would be too narrow (Field and Welsh, "Bootstrapping Clustered Data", JRSS B 69,
2007).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence
    from typing import TypeAlias

    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Distance: TypeAlias = Floats | Callable[[Floats], Floats]
    Span: TypeAlias = tuple[str, int, int]

_INTERVAL = (2.5, 97.5)

# Weights of resamples that are held at once: 8 MiB of them.
_CELLS = 2**20


@dataclass(frozen=True, slots=True)
class Alpha:
    """An estimate of alpha. What cannot be estimated is NaN.

    Attributes:
        value: Alpha, at most 1. NaN where no unit has two answers or all answers are the same.
        low: Lower end of the 95 % interval.
        high: Its upper end. Both are NaN where fewer than two clusters have units with two answers, or where most
            resamples leave alpha undefined.
        units: Units with at least two answers.
        pairable: Answers to these units, the n of the formulas.
    """

    value: float
    low: float
    high: float
    units: int
    pairable: int


def coincidences(counts: Floats) -> Floats:
    """Coincidences of the answers to each unit, (vvᵀ − diag v) / (m − 1) for counts v that add up to m.

    Args:
        counts: How many annotators gave each value to each unit, whole numbers of shape (units, values).

    Returns:
        Shape (units, values, values). A unit's matrix adds up to its number of answers, or is zero where it has
        fewer than two: a single answer cannot be compared.
    """
    pairs = counts[:, :, None] * counts[:, None, :]
    diagonal = np.arange(counts.shape[1])
    pairs[:, diagonal, diagonal] -= counts
    # One answer alone has left zeros.
    pairs /= np.maximum(counts.sum(axis=1) - 1, 1)[:, None, None]
    return pairs


def nominal(size: int) -> Floats:
    """Distances of `size` values that are the same or not: 0 or 1, shape (size, size)."""
    return 1 - np.eye(size)


def ordinal(marginals: Floats) -> Floats:
    """Squared distances of ranked values, (n_c + … + n_k − (n_c + n_k) / 2)² for values c ≤ k.

    How far two ranks lie apart depends on how many answers lie between them, so resamples have distances of
    their own.

    Args:
        marginals: How often each value was given, lowest rank first, shape (…, values).

    Returns:
        Shape (…, values, values).
    """
    # The sum is the way from the middle of the answers c to the middle of the answers k.
    middles = marginals.cumsum(axis=-1) - marginals / 2
    squared: Floats = (middles[..., :, None] - middles[..., None, :]) ** 2
    return squared


def jaccard(sets: Sequence[frozenset[Hashable]]) -> Floats:
    """Distances of sets of labels, 1 − |a ∩ b| / |a ∪ b|, and 0 for two empty sets; shape (sets, sets)."""
    labels = {label: column for column, label in enumerate(frozenset[object]().union(*sets))}
    has = np.zeros((len(sets), len(labels)))
    for row, members in enumerate(sets):
        has[row, [labels[label] for label in members]] = 1
    shared = has @ has.T
    sizes = has.sum(axis=1)
    either = sizes[:, None] + sizes - shared
    distances: Floats = 1 - np.divide(shared, either, out=np.ones_like(shared), where=either > 0)
    return distances


def span_coincidences(annotations: Sequence[Sequence[Span]], length: int, kinds: Sequence[str]) -> Floats:
    """Coincidences of the kinds of spans in one text, summed over its characters.

    Each character is a unit, and no span is a value like the kinds. These are the observed coincidences of uα in
    Krippendorff, Mathet, Bouvry and Widlöcher, "On the Reliability of Unitizing Textual Continua", Quality &
    Quantity 50 (2016), and with all spans of one kind those of its |uα. Their D_e pairs no span with itself,
    where that of `estimate` pairs no character with itself, so the two alphas differ where spans are few.

    Args:
        annotations: For each annotator their spans, as kind, start and stop in code points, stop excluded. Who
            found nothing has an empty list; who did not look is left out. Where spans of an annotator overlap,
            the first listed wins.
        length: Code points of the text.
        kinds: All kinds; their values are 1 and up, and 0 is no span.

    Returns:
        Shape (1 + kinds, 1 + kinds). It adds up to annotators × `length`, or to 0 with fewer than two annotators.

    Raises:
        KeyError: A span is of another kind.
        ValueError: A span ends before it starts or leaves the text.
    """
    values = {kind: value for value, kind in enumerate(kinds, 1)}
    spans = [span for found in annotations for span in found]
    for _, start, stop in spans:
        if not 0 <= start <= stop <= length:
            raise ValueError(f"a span from {start} to {stop} is none in a text of {length} characters")
    edges = np.unique([0, length, *(edge for _, *ends in spans for edge in ends)])
    runs = np.diff(edges)
    counts = np.zeros((len(runs), 1 + len(kinds)))
    for found in annotations:
        covered = np.zeros(len(runs), dtype=np.intp)
        for kind, start, stop in reversed(found):
            first, last = np.searchsorted(edges, (start, stop))
            covered[first:last] = values[kind]
        counts[np.arange(len(runs)), covered] += 1
    summed: Floats = np.tensordot(runs.astype(np.float64), coincidences(counts), axes=1)
    return summed


def estimate(
    per_unit: Floats,
    distance: Distance,
    clusters: Sequence[int] | NDArray[np.int64],
    resamples: int = 1000,
    seed: int = 0,
) -> Alpha:
    """Alpha of units, 1 − D_o / D_e, with a 95 % percentile interval.

    D_o = Σ o_ck d_ck / n and D_e = Σ n_c n_k d_ck / (n (n − 1)), where o are the coincidences of all units, n_c
    their marginals and n their sum. (Krippendorff's n_c (n_c − 1) at c = k does not matter: d_cc = 0.)

    Args:
        per_unit: Coincidences of each unit, shape (units, values, values); for spans, of each text.
        distance: Shape (values, values), with zeros on the diagonal; or what makes such distances of marginals of
            shape (…, values), as `ordinal` does.
        clusters: The cluster of each unit. Clusters are drawn whole, from those with coincidences.
        resamples: How many times as many clusters as there are are drawn with replacement, at least once.
        seed: Of the draws. The order of the units does not change what is drawn.

    Raises:
        ValueError: Not as many clusters as units.
    """
    if len(clusters) != len(per_unit):
        raise ValueError(f"{len(clusters)} clusters for {len(per_unit)} units")
    has_pairs = per_unit.any(axis=(1, 2))
    per_unit = per_unit[has_pairs]
    total = per_unit.sum(axis=0)
    value = float(_alphas(total[None], distance)[0])
    low = high = float("nan")
    per_cluster = _summed(per_unit, np.asarray(clusters)[has_pairs])
    if len(per_cluster) >= 2:
        drawn = _alphas(_resampled(per_cluster, resamples, seed), distance)
        defined = drawn[~np.isnan(drawn)]
        if 2 * len(defined) >= resamples:
            low, high = (float(end) for end in np.percentile(defined, _INTERVAL))
    return Alpha(value, low, high, units=len(per_unit), pairable=round(float(total.sum())))


def _alphas(observed: Floats, distance: Distance) -> Floats:
    """Alpha of each of many matrices of coincidences, shape (matrices, values, values); NaN where undefined."""
    marginals = observed.sum(axis=-1)
    n = marginals.sum(axis=-1)
    distances = distance(marginals) if callable(distance) else distance
    differ = (observed * distances).sum(axis=(-2, -1))
    by_chance = np.einsum("...c,...k,...ck->...", marginals, marginals, distances)
    undefined = np.full_like(n, np.nan)
    alphas: Floats = 1 - np.divide(differ * (n - 1), by_chance, out=undefined, where=by_chance > 0)
    return alphas


def _summed(per_unit: Floats, clusters: NDArray[np.int64]) -> Floats:
    """Coincidences of each cluster, by cluster."""
    order = np.argsort(clusters, kind="stable")
    starts = np.unique(clusters[order], return_index=True)[1]
    return np.add.reduceat(per_unit[order], starts, axis=0) if len(starts) else per_unit


def _resampled(per_cluster: Floats, resamples: int, seed: int) -> Floats:
    """Coincidences of as many clusters, drawn with replacement, `resamples` times."""
    generator = np.random.default_rng(seed)
    clusters, *shape = per_cluster.shape
    flat = per_cluster.reshape(clusters, -1)
    sums = np.empty((resamples, flat.shape[1]))
    at_once = max(1, _CELLS // clusters)
    for start in range(0, resamples, at_once):
        rows = min(at_once, resamples - start)
        # Counted draws have the multinomial distribution, and are quicker than draws from it.
        drawn = generator.integers(clusters, size=(rows, clusters)) + clusters * np.arange(rows)[:, None]
        weights = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape)
        sums[start : start + rows] = weights.astype(np.float64) @ flat
    return sums.reshape(resamples, *shape)
