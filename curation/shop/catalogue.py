"""The items on the shelves, found by what they have."""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass
from functools import cache, cached_property
from random import Random
from typing import TYPE_CHECKING, Literal

from curation.shop.load import shop_data
from curation.shop.texts import item_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from curation.shop.schema import Brand, Category, Constraint, Family

_ITEMS_PER_CATEGORY = 400
_WORD = re.compile(r"\w\w+")
_MARKUP = re.compile(r"<[^>]+>|&\w+;")


@dataclass(frozen=True, eq=False)
class Item:
    """A product of the shop. Its id, text and price follow from these fields alone, whatever the seed.

    `echo` names other goods in the title or the text, as shops do; it says nothing about the item.
    `echo_values` are the values it gives them.
    """

    family: Family
    category: Category
    brand: str
    line: str
    price: float
    values: dict[str, str]
    echo: str
    echo_of: Category
    echo_values: dict[str, str]
    echo_in: Literal["title", "text"]

    @cached_property
    def item_id(self) -> str:
        """A content hash of brand and attributes."""
        parts = (self.brand, self.echo_in, *(f"{slot}={name}" for slot, name in self.attributes.items()))
        return "shop-" + hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:12]

    @cached_property
    def attributes(self) -> dict[str, str]:
        """Category, line and the value of each slot, and the goods named beside it."""
        return {"category": self.category.name, "line": self.line, **self.values, "see_also": self.echo}

    def fact(self, slot: str) -> str:
        """The value that a constraint on `slot` looks at."""
        match slot:
            case "brand":
                return self.brand
            case "price":
                return f"{self.price:.2f}"
            case _:
                return self.values[slot]

    @cached_property
    def text(self) -> tuple[str, str]:
        """Title and description."""
        return item_text(self)

    @cached_property
    def words(self) -> tuple[set[str], set[str]]:
        """The words of the title and those of the description."""
        title, description = self.text
        return words(title), words(_MARKUP.sub(" ", description))

    @cached_property
    def features(self) -> tuple[str, ...]:
        """What must not tell a tier: see `curation.shop.matching`."""
        title, description = self.text
        return (
            self.category.name,
            self.brand,
            self.line,
            f"echo in {self.echo_in}",
            f"echo of {self.echo_of.name}",
            f"title length {len(title) // 30}",
            f"description length {len(description) // 60}",
            *(f"{self.family.name} {slot} {name}" for slot, name in self.values.items()),
        )


def words(text: str) -> set[str]:
    """Words of two letters or more, as scikit-learn's vectorizers take them."""
    return set(_WORD.findall(text.lower()))


class Shelf:
    """Items in random order, found by facts and by words. A set of them is an integer with a bit for each."""

    def __init__(self, items: list[Item], facts: Callable[[Item, str], str] = Item.fact) -> None:
        self.items = items
        self.everything = (1 << len(items)) - 1
        self._facts = facts
        self._by_value: dict[str, dict[str, int]] = {}
        self._holding: dict[tuple[str, str, str], int] = {}

    def holding(self, constraint: Constraint) -> int:
        """The items that satisfy `constraint`."""
        key = (constraint.slot, constraint.operator, constraint.value)
        if key not in self._holding:
            values = self._values(constraint.slot)
            self._holding[key] = sum(chosen for value, chosen in values.items() if constraint.holds(value))
        return self._holding[key]

    def sharing(self, asked: Iterable[str]) -> tuple[list[int], list[int]]:
        """At n, the items whose title shares n words with `asked`, and those whose description does."""
        title, description = self._by_word
        return self._counted(title, asked), self._counted(description, asked)

    def some(self, rng: Random, chosen: int, count: int) -> list[Item]:
        """At most `count` of the set `chosen`: those that follow a random place, as items stand in random order."""
        size = len(self.items)
        start = int(rng.random() * size)
        rotated = (chosen >> start) | (chosen << size - start) & self.everything
        found: list[Item] = []
        while rotated and len(found) < count:
            lowest = rotated & -rotated
            found.append(self.items[(start + lowest.bit_length() - 1) % size])
            rotated ^= lowest
        return found

    def _values(self, slot: str) -> dict[str, int]:
        """The items that have each value."""
        if slot not in self._by_value:
            values = self._by_value[slot] = {}
            for index, item in enumerate(self.items):
                value = self._facts(item, slot)
                values[value] = values.get(value, 0) | 1 << index
        return self._by_value[slot]

    @cached_property
    def _by_word(self) -> tuple[dict[str, int], dict[str, int]]:
        """The items with each word in the title, and in the description."""
        by_word: tuple[dict[str, int], dict[str, int]] = ({}, {})
        for index, item in enumerate(self.items):
            for having, found in zip(by_word, item.words, strict=True):
                for word in found:
                    having[word] = having.get(word, 0) | 1 << index
        return by_word

    def _counted(self, having: dict[str, int], asked: Iterable[str]) -> list[int]:
        at_least = [self.everything]
        for word in asked:
            if found := having.get(word):
                at_least.append(0)
                for n in range(len(at_least) - 1, 0, -1):
                    at_least[n] |= at_least[n - 1] & found
        return [more & ~most for more, most in zip(at_least, [*at_least[1:], 0], strict=True)]


class Catalogue:
    """The shelves, and who names whom; the same in every shop."""

    def __init__(self) -> None:
        rng = Random("shelves")  # noqa: S311 - a reproducible shop, not a secret
        families = shop_data().families
        self.shelves = {
            category: Shelf(_stock(rng, family, category))
            for family in families
            for category in family.categories
        }
        strangers: dict[Category, list[Item]] = {category: [] for category in self.shelves}
        for shelf in self.shelves.values():
            for item in shelf.items:
                if item.echo_of.family not in {item.category.family, item.family.complement}:
                    strangers[item.echo_of].append(item)
        self.strangers = {
            category: Shelf(rng.sample(items, len(items)), lambda item, slot: item.echo_values.get(slot, ""))
            for category, items in strangers.items()
        }
        """By category, the items of unrelated families that name it; their facts are what they say of it."""

    def similar(self, category: Category) -> list[Shelf]:
        """The shelf of the category and those of its substitutes."""
        others = [each for each in shop_data().family(category.family).categories if each is not category]
        return [self.shelves[each] for each in (category, *others)]

    def accessories(self, category: Category) -> list[Shelf]:
        """The shelves of what goes with the category and does not replace it."""
        complement = shop_data().family(shop_data().family(category.family).complement)
        return [self.shelves[each] for each in complement.categories]


@cache
def catalogue() -> Catalogue:
    """All goods of the shop, stocked once."""
    return Catalogue()


def _stock(rng: Random, family: Family, category: Category) -> list[Item]:
    data = shop_data()
    brands = [brand for brand in data.brands if family.name in brand.families]
    others = [(other, each) for other in data.families for each in other.categories if each is not category]
    items: dict[str, Item] = {}
    while len(items) < _ITEMS_PER_CATEGORY:
        brand, line = rng.choice(brands), rng.choice(data.phrases["lines"])
        values = {slot.name: rng.choice(slot.values).name for slot in family.slots}
        other, echo_of = rng.choice(others)
        echo, echo_values = _echo(rng, other, echo_of)
        item = Item(
            family,
            category,
            brand.name,
            line,
            _price(brand, line, category),
            values,
            echo,
            echo_of,
            echo_values,
            rng.choice(("title", "text")),
        )
        items.setdefault(item.item_id, item)
    return list(items.values())


def _echo(rng: Random, family: Family, category: Category) -> tuple[str, dict[str, str]]:
    """Goods as another item's text names them: the noun with a few values."""
    noun, values = rng.choice(category.plurals), {}
    for slot in rng.sample(family.slots, rng.choice((1, 2, 3))):
        if slot.asks:
            form, values[slot.name] = rng.choice(slot.asks)
            noun = form.replace("_", noun)
    return noun, values


def _price(brand: Brand, line: str, category: Category) -> float:
    low, high = category.price
    within = Random("\x1f".join((brand.name, line, category.name))).random()  # noqa: S311
    return math.floor(low + (high - low) * (brand.rank - 1 + within) / 4) + 0.9
