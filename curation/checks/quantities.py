"""Numbers with their units in a text, and whether two of them are the same amount as far as each is rounded."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pint

# Spellings by the name that pint has for the unit.
_UNITS = {
    spelling: unit
    for unit, spellings in {
        "millimeter": "mm|millimetres|millimeters|millimetre|millimeter",
        "centimeter": "cm|cms|centimetres|centimeters|centimetre|centimeter",
        "meter": "m|metres|meters|metre|meter",
        "kilometer": "km|kilometres|kilometers",
        "inch": "in|in.|inch|inches|\"|”|″|''|’’|′′",
        "foot": "ft|ft.|foot|feet|'|’|′",
        "yard": "yd|yds|yard|yards",
        "milligram": "mg|milligrams|milligrammes",
        "gram": "g|gr|gram|grams|gramme|grammes",
        "kilogram": "kg|kgs|kilo|kilos|kilogram|kilograms",
        "ounce": "oz|oz.|ounce|ounces",
        "pound": "lb|lbs|lb.|lbs.|pound|pounds",
        "milliliter": "ml|millilitres|milliliters|millilitre|milliliter",
        "centiliter": "cl|centilitres|centiliters",
        "liter": "l|litres|liters|litre|liter",
        "fluid_ounce": "fl oz|fl. oz|fl. oz.|fl oz.|fluid ounce|fluid ounces",
        "pint": "pt|pint|pints",
        "quart": "qt|quart|quarts",
        "gallon": "gal|gallon|gallons",
        "watt": "w|watt|watts",
        "kilowatt": "kw|kilowatt|kilowatts",
        "volt": "v|volt|volts",
        "ampere_hour": "ah",
        "milliampere_hour": "mah",
        "hertz": "hz",
        "kilohertz": "khz",
        "megahertz": "mhz",
        "gigahertz": "ghz",
        "megabyte": "mb|megabyte|megabytes",
        "gigabyte": "gb|gig|gigabyte|gigabytes",
        "terabyte": "tb|terabyte|terabytes",
        "lumen": "lm|lumen|lumens",
        "kelvin": "kelvin",
        "degree_Celsius": "°c|℃|degrees celsius|celsius",
        "degree_Fahrenheit": "°f|℉|degrees fahrenheit|fahrenheit",
        "hour": "h|hr|hrs|hour|hours",
        "minute": "min|mins|minute|minutes",
        "percent": "%|percent|per cent",
    }.items()
    for spelling in spellings.split("|")
}
_CURRENCIES = {
    spelling: currency
    for currency, spellings in {
        "EUR": "€|eur|euro|euros",
        "USD": "$|usd|us$|dollar|dollars",
        "GBP": "£|gbp|quid",
        "JPY": "¥|jpy|yen",
        "INR": "₹|inr|rs|rupees",
    }.items()
    for spelling in spellings.split("|")
}
_SIGNS = "€$£¥₹"


def _alternatives(spellings: Iterable[str]) -> str:
    """A pattern for any of them, none of which goes on as a word."""
    longest_first = sorted(spellings, key=len, reverse=True)
    return "|".join(re.escape(each) + (r"(?![^\W_])" if each[-1].isalnum() else "") for each in longest_first)


_NUMBER = r"\d{1,3}(?:,\d{3})+(?![\d,])(?:\.\d+)?|\d+(?:[.,]\d+)?"
_QUANTITY = re.compile(
    rf"(?P<sign>(?:us)?[{_SIGNS}]\s?)?(?<![\w.])(?P<minus>[-−](?=\d))?(?P<number>{_NUMBER})(?![\d]|\.\d)"
    rf"(?:[ \t\u00a0-]?(?P<unit>{_alternatives((*_UNITS, *_CURRENCIES))}))?",
    re.IGNORECASE,
)
# 35-38, 10 x 12 x 3: what follows gives the unit of what goes before.
_SAME_UNIT = re.compile(r"\s?(?:[-–x×*/]|to|and|or|by)\s?\Z")
_MAY_BE_PREPOSITION = frozenset({"in"})
_MOST_SIDES = 3
_GOES_ON = re.compile(r" [^\W\d_]")
_ROUNDED = 0.03
"""Largest share by which an amount in other units may be off, however few digits it shows."""


class _Measure(NamedTuple):
    dimension: str
    scale: float
    offset: float


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number as a text has it, with its unit.

    Attributes:
        number: The number.
        decimals: Digits that it shows after the point.
        unit: Its unit by the name that pint has for it, or a currency's code; empty for a bare number.
        start: Its first character in the text.
        stop: The one after its last.
        is_doubtful: Whether what was read as a unit may be a preposition, as in "size 4 in black".
    """

    number: float
    decimals: int
    unit: str
    start: int = 0
    stop: int = 0
    is_doubtful: bool = False

    @property
    def is_price(self) -> bool:
        """Whether it is an amount of money."""
        return self.unit in _CURRENCIES.values()


def quantities(text: str) -> tuple[Quantity, ...]:
    """Numbers of a text with their units, in their order.

    Numbers inside of words, such as those of ``M5A78L`` or ``GU10``, are none.
    """
    found: list[Quantity] = []
    for match in _QUANTITY.finditer(text):
        if match["unit"] is None and match.end() < len(text) and text[match.end()].isalpha():
            continue
        sign, unit = (match["sign"] or "").strip().lower(), (match["unit"] or "").lower()
        name = _CURRENCIES.get(sign) or _CURRENCIES.get(unit) or _UNITS.get(unit, "")
        number, decimals = _read(match["number"])
        if match["minus"] and not (found and found[-1].stop == match.start()):
            number = -number
        doubtful = unit in _MAY_BE_PREPOSITION and not decimals and bool(_GOES_ON.match(text, match.end()))
        quantity = Quantity(number, decimals, name, match.start(), match.end(), doubtful)
        found.append(quantity)
        if name and len(found) > 1 and not found[-2].unit:
            _give_unit(found, text)
    return tuple(found)


def _give_unit(found: list[Quantity], text: str) -> None:
    """Give the unit of the last quantity to the bare numbers of the range or product that it ends."""
    last = found[-1]
    for place in range(len(found) - 2, max(-1, len(found) - 2 - _MOST_SIDES), -1):
        each, following = found[place], found[place + 1]
        if each.unit or not _SAME_UNIT.match(text[each.stop : following.start]):
            return
        found[place] = replace(each, unit=last.unit, is_doubtful=True)


def same(a: Quantity, b: Quantity) -> bool:
    """Whether two amounts may be the same: equal in one unit, as far as both are rounded."""
    if not (a.unit and b.unit):
        return a.number == b.number
    if a.unit == b.unit:
        decimals = min(a.decimals, b.decimals)
        half = 0.5 * 10.0**-decimals
        return abs(a.number - b.number) < half + 1e-9 if a.decimals != b.decimals else a.number == b.number
    if not comparable(a, b):
        return False
    one, other = amount(a), amount(b)
    rounding = _half_step(a) + _half_step(b)
    if "temperature" in measure(a.unit).dimension:
        return abs(one - other) <= rounding
    return abs(one - other) <= min(rounding, _ROUNDED * max(abs(one), abs(other))) + 1e-9


def comparable(a: Quantity, b: Quantity) -> bool:
    """Whether two quantities measure the same: both bare, or in units of one dimension."""
    return a.unit == b.unit or bool(
        a.unit and b.unit and measure(a.unit).dimension == measure(b.unit).dimension
    )


def amount(quantity: Quantity) -> float:
    """The amount in the base unit of its dimension; of a bare number the number."""
    to_base = measure(quantity.unit)
    return quantity.number * to_base.scale + to_base.offset


@lru_cache(maxsize=1_000)
def measure(unit: str) -> _Measure:
    """Dimension of a unit, and how its amounts become those of the base unit: times scale, plus offset."""
    if not unit or unit in _CURRENCIES.values():
        return _Measure(unit, 1.0, 0.0)
    registry = _registry()
    # Hertz and a bare number of turns, percent and a share: names keep apart what dimensions do not.
    zero, one = (float(registry.Quantity(each, unit).to_base_units().magnitude) for each in (0.0, 1.0))
    dimension = str(registry.Unit(unit).dimensionality)
    return _Measure(unit if dimension == "dimensionless" else dimension, one - zero, zero)


@cache
def _registry() -> pint.UnitRegistry[float]:
    import pint

    return pint.UnitRegistry(cache_folder=None)


def _half_step(quantity: Quantity) -> float:
    return 0.5 * 10.0**-quantity.decimals * measure(quantity.unit).scale


def _read(number: str) -> tuple[float, int]:
    """The number, and how many decimals it shows."""
    if re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", number):
        number = number.replace(",", "")
    number = number.replace(",", ".")
    return float(number[:300]), len(number.partition(".")[2])
