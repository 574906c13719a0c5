"""Drawing whole queries or intents, so that tiers and kinds keep their shares."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Stratum = tuple[int, str]
"""Tier and kind."""


def draw_needs(counts: Iterable[tuple[str, Stratum, int]], size: int, seed: int) -> set[str]:
    """Choose whole needs that hold at most `size` pairs together and mirror the shares of the strata.

    A need is an intent with all its wordings, or a query without one. Needs are looked at in an order fixed by
    `seed`. One is taken if it fits and takes the counts of the strata no further from their targets (squared
    distance over target, as in a chi-square).

    Args:
        counts: Need, stratum and how many pairs the need has in it.
        size: Pairs wanted.
        seed: Other seeds draw other needs.

    Returns:
        The needs chosen; none if each alone holds more than `size` pairs.
    """
    by_need: defaultdict[str, Counter[Stratum]] = defaultdict(Counter)
    population: Counter[Stratum] = Counter()
    for need, stratum, pairs in counts:
        by_need[need][stratum] += pairs
        population[stratum] += pairs
    total = population.total()
    if total <= size:
        return set(by_need)
    target = {stratum: pairs * size / total for stratum, pairs in population.items()}
    drawn: Counter[Stratum] = Counter()
    chosen: set[str] = set()
    nearest: tuple[float, str] | None = None
    held = 0
    for need in sorted(by_need, key=lambda n: hashlib.sha256(f"{seed}:{n}".encode()).digest()):
        strata = by_need[need]
        pairs = strata.total()
        if held + pairs > size:
            continue
        gain = sum(
            ((drawn[s] - target[s]) ** 2 - (drawn[s] + added - target[s]) ** 2) / target[s]
            for s, added in strata.items()
        )
        # At a tie, more pairs are nearer to `size`; sums of floating-point numbers tie within their last digits.
        if gain > -1e-9:
            chosen.add(need)
            drawn.update(strata)
            held += pairs
        elif nearest is None or gain > nearest[0]:
            nearest = gain, need
    # Where `size` is too small for any mirror, the least crooked need is better than none.
    return chosen or ({nearest[1]} if nearest else set())
