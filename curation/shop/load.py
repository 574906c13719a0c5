"""Reading the shop's data files."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, cast

from curation.shop.schema import Brand, Category, Family, Limits, Need, Operator, Slot, Value

_FILES = ("wear", "kitchen", "home", "carry")


@dataclass(frozen=True, slots=True)
class ShopData:
    """All of `data/`."""

    families: tuple[Family, ...]
    brands: tuple[Brand, ...]
    phrases: dict[str, tuple[str, ...]]

    def family(self, name: str) -> Family:
        """The family called `name`."""
        return next(each for each in self.families if each.name == name)


@cache
def shop_data() -> ShopData:
    """The shop's goods, brands and phrases, read once."""
    phrases = {name: tuple(texts) for name, texts in _read("phrases").items()}
    shared = {slot["name"]: slot for slot in _read("shared")["slots"]}
    families = tuple(
        _family(name, table, shared, phrases["without"])
        for file in _FILES
        for name, table in _read(file).items()
    )
    brands = tuple(
        Brand(name, rank, tuple(sold.split())) for name, (rank, sold) in _read("brands")["brands"].items()
    )
    return ShopData(families, brands, phrases)


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(files("curation.shop").joinpath("data", f"{name}.toml").read_text(encoding="utf-8"))


def _family(name: str, table: dict[str, Any], shared: dict[str, Any], without: tuple[str, ...]) -> Family:
    slots = [shared[each] for each in table.get("shared", ())] + table["slots"]
    return Family(
        name,
        table["complement"],
        tuple(
            Category(
                name,
                tuple(each["names"]),
                tuple(each.get("plurals", each["names"])),
                cast("tuple[float, float]", tuple(each["price"])),
                tuple(each["intros"]),
            )
            for each in table["categories"]
        ),
        tuple(_slot(each, without) for each in slots),
        tuple(_need(*each) for each in table["needs"]),
        tuple(_need(*each) for each in table["questions"]),
    )


def _slot(table: dict[str, Any], without: tuple[str, ...]) -> Slot:
    values = tuple(_value(table, each) for each in table["values"])
    unit = table.get("unit")
    limits = tuple(
        Limits(
            operator,
            tuple(f"{each:g} {unit}" for each in table["limits"]),
            tuple(table[word]),
            tuple(table[f"{word}_verbs"]),
        )
        for word, operator in cast("tuple[tuple[str, Operator], ...]", (("under", "<"), ("over", ">")))
        if word in table
    )
    return Slot(
        table["name"],
        table.get("title", False),
        values,
        limits,
        tuple(each for each in values if each.name in table.get("no", ())),
        tuple(table.get("no_forms", without)),
    )


def _value(slot: dict[str, Any], value: Any) -> Value:
    if isinstance(value, int | float):
        value = [f"{value:g} {slot['unit']}"]
    own = value if isinstance(value, dict) else {"name": value[0], "words": value}
    name = own["name"]
    # A slot's own forms need a word to put into them.
    forms = {
        key: own.get(key, slot.get(key, ()) if "words" in own else ()) for key in ("says", "ask", "verbs")
    }
    return Value(
        name,
        tuple(own.get("words", ())),
        tuple(forms["says"]),
        own.get("brief", slot.get("brief", "{v}") if "words" in own else name),
        tuple(forms["ask"]),
        tuple(forms["verbs"]),
    )


def _need(constraints: list[str], phrases: list[str], fact: str = "") -> Need:
    parsed = [re.fullmatch(r"(\w+) (=|!=|<|>) (.+)", each) for each in constraints]
    parts = tuple(cast("tuple[str, Operator, str]", each.groups()) for each in parsed if each)
    assert len(parts) == len(constraints), constraints
    return Need(parts, tuple(phrases), fact)
