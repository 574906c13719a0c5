"""Which items are judged for a query: one of each tier, alike in all that is not the logic.

Whatever a bag of words could go by is kept equal. The four items share about as many words with the query, in the
title and in the description. And over the whole shop each category, brand, value and style stands about equally often
at each tier: among candidates the one is taken whose features its tier has seen least.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, get_args

from curation.shop.catalogue import words
from curation.shop.schema import Label

if TYPE_CHECKING:
    from random import Random

    from curation.shop.catalogue import Catalogue, Item, Shelf
    from curation.shop.queries import Query

LABELS: tuple[Label, ...] = get_args(Label)

_CANDIDATES = 6

Pool = list[tuple["Shelf", int]]
"""Sets of items, the one of the category asked for first."""
Overlap = tuple[int, int]
"""Words shared with the title and with the description."""


class Matcher:
    """Picks items for one query after the other, and counts what it picked."""

    def __init__(self, goods: Catalogue) -> None:
        self.goods = goods
        # By tier and feature, how often it was seen there more than at the others, times the number of tiers.
        self._surplus: dict[Label, defaultdict[str, int]] = {label: defaultdict(int) for label in LABELS}
        # By kind and tier, words shared more than the other tiers did, in titles and in descriptions.
        self._excess: defaultdict[tuple[str, Label], list[float]] = defaultdict(lambda: [0.0, 0.0])

    def pick(self, rng: Random, query: Query) -> dict[Label, Item] | None:
        """An item of each tier; None where some tier has none."""
        pools = self._pools(rng, query)
        if not all(any(chosen for _, chosen in pool) for pool in pools.values()):
            return None
        overlaps = _overlaps(pools, words(query.text))
        target = _common(rng, list(overlaps.values()))
        picked = {}
        shared = {}
        for label, found in overlaps.items():
            aim = self._corrected(target, query, label)
            if aim not in found:
                aim = min(found, key=lambda overlap: _distance(overlap, aim))
            shared[label] = aim
            sets = found[aim]
            shelf, chosen = sets[0] if rng.random() < 0.5 else rng.choice(sets)
            picked[label] = self._least_seen(label, shelf.some(rng, chosen, _CANDIDATES))
        self._count(query, picked, shared)
        return picked

    def _pools(self, rng: Random, query: Query) -> dict[Label, Pool]:
        """The items of each tier by the table in `Query.judge`."""
        pools: dict[Label, Pool] = {label: [] for label in LABELS}
        strangers = self.goods.strangers[query.intent.category]
        pools["Irrelevant"].append((strangers, strangers.everything))
        for shelf in self.goods.similar(query.intent.category):
            holding = preferred = shelf.everything
            for constraint in query.intent.constraints:
                if constraint.strength == "must":
                    holding &= shelf.holding(constraint)
                else:
                    preferred &= shelf.holding(constraint)
            pools["Mismatch"].append((shelf, shelf.everything & ~holding))
            if not pools["Excellent"]:
                pools["Excellent"].append((shelf, holding & preferred))
                pools["Related"].append((shelf, holding & ~preferred))
            else:
                pools["Related"].append((shelf, holding))
        accessory = rng.choice(self.goods.accessories(query.intent.category))
        pools["Mismatch"].append((accessory, accessory.everything))
        return pools

    def _corrected(self, target: Overlap, query: Query, label: Label) -> Overlap:
        """A word more or less than `target` where the tier has shared too few or too many so far."""
        title, description = (max(-1, min(1, round(each))) for each in self._excess[query.intent.kind, label])
        return target[0] - title, target[1] - description

    def _least_seen(self, label: Label, items: list[Item]) -> Item:
        """The item whose features stand least often at this tier, measured against all tiers."""
        surplus = self._surplus[label].__getitem__
        return min(items, key=lambda item: sum(map(surplus, item.features)))

    def _count(self, query: Query, picked: dict[Label, Item], shared: dict[Label, Overlap]) -> None:
        for label, item in picked.items():
            for feature in item.features:
                for each, surplus in self._surplus.items():
                    surplus[feature] += len(LABELS) - 1 if each == label else -1
        for place in (0, 1):
            mean = sum(overlap[place] for overlap in shared.values()) / len(LABELS)
            for label, overlap in shared.items():
                self._excess[query.intent.kind, label][place] += overlap[place] - mean


def _overlaps(pools: dict[Label, Pool], asked: set[str]) -> dict[Label, dict[Overlap, Pool]]:
    """The pools, parted by the words that their items share with the query."""
    shelves = dict.fromkeys(shelf for pool in pools.values() for shelf, _ in pool)
    sharing = {shelf: shelf.sharing(asked) for shelf in shelves}
    overlaps: dict[Label, dict[Overlap, Pool]] = {}
    for label, pool in pools.items():
        found = overlaps[label] = defaultdict(list)
        for shelf, chosen in pool:
            titles, descriptions = sharing[shelf]
            for in_title, titled in enumerate(titles):
                if some := chosen & titled:
                    for in_description, described in enumerate(descriptions):
                        if these := some & described:
                            found[in_title, in_description].append((shelf, these))
    return overlaps


def _common(rng: Random, tiers: list[dict[Overlap, Pool]]) -> Overlap:
    """An overlap that every tier has; else the largest of the tier that shares least."""
    shared = set.intersection(*map(set, tiers))
    if shared:
        return rng.choice(sorted(shared))
    return min((max(tier, key=sum) for tier in tiers), key=sum)


def _distance(a: Overlap, b: Overlap) -> int:
    return abs(a[0] - b[0]) + abs(a[1] - b[1])
