"""Drawing whole queries, so that tiers and kinds keep their shares."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Stratum = tuple[int, str]
"""Tier and kind."""


def draw_queries(counts: Iterable[tuple[str, Stratum, int]], size: int, seed: int) -> set[str]:
    """Choose whole queries that hold at most `size` pairs together and mirror the shares of the strata.

    Queries are looked at in an order fixed by `seed`. One is taken if it fits and brings the counts of the
    strata nearer to their targets (squared distance over target, as in a chi-square).

    Args:
        counts: Query, stratum and how many pairs the query has in it.
        size: Pairs wanted.
        seed: Other seeds draw other queries.

    Returns:
        The queries chosen; none if every query alone holds more than `size` pairs.
    """
    by_query: defaultdict[str, Counter[Stratum]] = defaultdict(Counter)
    population: Counter[Stratum] = Counter()
    for query, stratum, pairs in counts:
        by_query[query][stratum] += pairs
        population[stratum] += pairs
    total = population.total()
    if total <= size:
        return set(by_query)
    target = {stratum: pairs * size / total for stratum, pairs in population.items()}
    drawn: Counter[Stratum] = Counter()
    chosen: set[str] = set()
    held = 0
    for query in sorted(by_query, key=lambda q: hashlib.sha256(f"{seed}:{q}".encode()).digest()):
        strata = by_query[query]
        pairs = strata.total()
        if held + pairs > size:
            continue
        gain = sum(
            ((drawn[s] - target[s]) ** 2 - (drawn[s] + added - target[s]) ** 2) / target[s]
            for s, added in strata.items()
        )
        if gain > 0:
            chosen.add(query)
            drawn.update(strata)
            held += pairs
    return chosen
