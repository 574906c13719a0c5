"""How the shop writes the values of a slot, and which values a text names."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from curation.shop.load import shop_data
from curation.shop.units import imperial

if TYPE_CHECKING:
    from collections.abc import Iterable

    from curation.shop.schema import Family, Value

_NUMBER = re.compile(r"\d+(?:\.\d+)?")


class Forms:
    """The texts that stand for each value of a slot.

    Args:
        spoken: By value, its synonyms in metric and imperial units, the usual one first.
        listed: By value, the texts that name it in lists and labels besides.
    """

    def __init__(self, spoken: dict[str, list[str]], listed: dict[str, list[str]]) -> None:
        self._spoken = spoken
        self._values = {
            text.casefold(): value
            for texts in (listed, spoken)
            for value, forms in texts.items()
            for text in forms
        }
        self._any = _any_of(self._values)
        self._each = {value: _any_of(map(str.casefold, forms)) for value, forms in spoken.items()}

    def said(self, value: str, text: str) -> str | None:
        """The form of `value` that `text` uses, None where it uses none."""
        found = self._each[value].search(text.casefold())
        return found and next(each for each in self._spoken[value] if each.casefold() == found[0])

    def usual(self, value: str) -> str:
        """The form of `value` that needs no context."""
        return self._spoken[value][0]

    def named(self, text: str) -> frozenset[str]:
        """The values that `text` names, in any form."""
        return frozenset(self._values[found[0]] for found in self._any.finditer(text.casefold()))


class Prices(Forms):
    """Prices in euros: any number is one."""

    def __init__(self) -> None:
        super().__init__({}, {})

    def said(self, value: str, text: str) -> str | None:
        """None: a price has one form."""
        return None

    def usual(self, value: str) -> str:
        """The price with its currency."""
        return f"{value} €"

    def named(self, text: str) -> frozenset[str]:
        """The prices in `text`, to the cent."""
        return frozenset(f"{float(number):.2f}" for number in _NUMBER.findall(text))


@cache
def forms(family: Family, slot: str) -> Forms:
    """The forms of a family's slot, of `brand` or of `price`.

    Raises:
        KeyError: The family has no such slot.
    """
    if slot == "price":
        return Prices()
    if slot == "brand":
        return Forms({brand.name: [brand.name] for brand in shop_data().brands}, {})
    values = [each for each in family.slots if each.name == slot]
    if not values:
        raise KeyError(slot)
    spoken: dict[str, list[str]] = {}
    listed: dict[str, list[str]] = {}
    for value in values[0].values:
        spoken[value.name] = _in_both_units(value.words or (value.brief, value.name))
        listed[value.name] = [value.name, *(value.brief.format(v=form) for form in spoken[value.name])]
    for limits in values[0].limits:
        spoken |= {limit: _in_both_units((limit,)) for limit in limits.values}
    return Forms(spoken, listed)


def in_list(value: Value, form: str) -> str:
    """`form` of a value as the shop puts it in a list: `mesh upper` for mesh."""
    return value.brief.format(v=form)


def _in_both_units(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(form for text in texts for form in (text, imperial(text))))


def _any_of(texts: Iterable[str]) -> re.Pattern[str]:
    """Whichever of the folded `texts` stands as words of its own, the longest first."""
    longest_first = sorted(texts, key=lambda text: (-len(text), text))
    return re.compile(rf"(?<![\w.'’-])(?:{'|'.join(map(re.escape, longest_first))})(?![\w-])")
