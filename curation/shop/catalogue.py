"""The items on the shelf and the text that describes them."""

from __future__ import annotations

import hashlib
import html
import math
from dataclasses import dataclass
from itertools import combinations
from random import Random
from typing import TYPE_CHECKING

from curation.shop.data import FAMILIES
from curation.shop.wordings import BRANDS, TITLES

if TYPE_CHECKING:
    from curation.shop.schema import Brand, Category, Family

_ITEMS_PER_CATEGORY = 120
_ITEMS_PER_COMPLEMENT = 24


@dataclass(frozen=True)
class Item:
    """A product of the shop. Its id and its text follow from these fields alone, whatever the seed."""

    family: Family
    category: Category
    brand: str
    price: float
    attributes: dict[str, str]

    @property
    def item_id(self) -> str:
        """A content hash of brand and attributes."""
        parts = (self.brand, *(f"{slot}={name}" for slot, name in self.attributes.items()))
        return "shop-" + hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:12]

    def fact(self, slot: str) -> str:
        """The value that a constraint on `slot` looks at."""
        match slot:
            case "brand":
                return self.brand
            case "price":
                return f"{self.price:.2f}"
            case _:
                return self.attributes[slot]

    def text(self) -> tuple[str, str]:
        """Title and description. One item in twelve or so has no description: then the title states it all."""
        rng = _random("text", self.item_id)
        sentences = [rng.choice(self.category.intros)]
        stated: list[str] = []
        titled: list[str] = []
        for slot in self.family.slots:
            if slot.name not in self.attributes:
                continue
            name = self.attributes[slot.name]
            if slot.in_title:
                titled.append(name)
            else:
                stated.append(slot.short.format(name))
                sentences.append(rng.choice(slot.lookup(name).says))
        description = _description(rng, sentences, stated)
        detail = titled if description else [*stated, *titled]
        title = rng.choice(TITLES).format(
            brand=self.brand,
            line=self.attributes["line"],
            category=_capitals(self.category.name),
            detail=", ".join(detail),
        )
        return title, description


def build_catalogue(rng: Random) -> dict[str, list[Item]]:
    """The items of each category, by its name."""
    catalogue: dict[str, list[Item]] = {}
    for family in FAMILIES:
        for category in family.categories:
            catalogue[category.name] = _stock(rng, family, category, _ITEMS_PER_CATEGORY)
        catalogue[family.complement.name] = _stock(rng, family, family.complement, _ITEMS_PER_COMPLEMENT)
    return catalogue


def _stock(rng: Random, family: Family, category: Category, size: int) -> list[Item]:
    brands = [brand for brand in BRANDS if family.name in brand.families]
    items: dict[str, Item] = {}
    while len(items) < size:
        index = rng.randrange(len(brands))
        brand = brands[index]
        line = family.lines[(2 * index + rng.randrange(2)) % len(family.lines)]
        attributes = {"category": category.name, "line": line}
        for slot in family.slots:
            name = rng.choice(slot.values).name
            if category is not family.complement or slot.name == family.taste:
                attributes[slot.name] = name
        if _possible(family, attributes):
            item = Item(family, category, brand.name, _price(brand, line, category), attributes)
            items.setdefault(item.item_id, item)
    return list(items.values())


def _possible(family: Family, attributes: dict[str, str]) -> bool:
    pairs = combinations(attributes.values(), 2)
    return not any((a, b) in family.impossible or (b, a) in family.impossible for a, b in pairs)


def _price(brand: Brand, line: str, category: Category) -> float:
    low, high = category.price
    share = (brand.rank - 1 + _random("price", brand.name, line, category.name).random()) / 4
    return math.floor(low + (high - low) * share) + 0.9


def _description(rng: Random, sentences: list[str], stated: list[str]) -> str:
    style = rng.choices(("prose", "list", "markup", "terse", "empty"), (42, 22, 16, 12, 8))[0]
    escaped = [html.escape(each).replace("°", "&deg;") for each in sentences]
    match style:
        case "prose":
            return " ".join(sentences)
        case "list":
            rows = "".join(f"<li>{each}</li>" for each in escaped[1:])
            return f"<p>{escaped[0]}</p><ul>{rows}</ul>" if rows else f"<p>{escaped[0]}</p>"
        case "markup":
            return f"<b>{escaped[0]}</b><br/>" + "&nbsp;".join(escaped[1:])
        case "terse" if stated:
            terse = ", ".join(stated)
            return terse[0].upper() + terse[1:] + "."
        case "empty":
            return ""
        case _:
            return sentences[0]


def _capitals(text: str) -> str:
    return " ".join(word[0].upper() + word[1:] for word in text.split())


def _random(*key: str) -> Random:
    return Random("\x1f".join(key))  # noqa: S311 - a reproducible shop, not a secret
