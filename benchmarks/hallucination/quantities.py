"""Numbers with units: those that a text has, changed ones, and what is the same amount in other units."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Dimension, and how many of the dimension's first unit one is.
_UNITS = {
    "mm": ("length", 1.0),
    "cm": ("length", 10.0),
    "in": ("length", 25.4),
    "g": ("mass", 1.0),
    "oz": ("mass", 28.349523),
    "lb": ("mass", 453.59237),
    "kg": ("mass", 1000.0),
    "ml": ("volume", 1.0),
    "fl oz": ("volume", 29.5735),
    "l": ("volume", 1000.0),
    "lm": ("light", 1.0),
    "pairs": ("count", 1.0),
    "°C": ("temperature", 1.0),
    "°F": ("temperature", 1.0),
    "€": ("price", 1.0),
    "$": ("price of another currency", 1.0),
    "W": ("power", 1.0),
}
_SAME_DIMENSION = {
    "cm": ("in", "mm"),
    "in": ("cm", "mm"),
    "g": ("oz", "kg"),
    "oz": ("g", "lb"),
    "lb": ("kg", "oz"),
    "kg": ("lb", "g"),
    "ml": ("fl oz", "l"),
    "fl oz": ("ml", "l"),
    "l": ("ml", "fl oz"),
    "°C": ("°F",),
    "°F": ("°C",),
    "€": ("$",),
}
_OTHER_DIMENSION = {
    "cm": "kg",
    "in": "oz",
    "g": "cm",
    "oz": "in",
    "kg": "cm",
    "lb": "in",
    "ml": "cm",
    "fl oz": "in",
    "l": "kg",
    "lm": "W",
}
# Where 1.2 kg is 1,200 g to the last digit and nobody minds reading it so.
_MULTIPLES = {"kg": ("g", 1000.0), "g": ("kg", 0.001), "ml": ("l", 0.001), "cm": ("mm", 10.0)}

_ANY_UNIT = "|".join(sorted(map(re.escape, _UNITS), key=len, reverse=True))
_QUANTITY = re.compile(rf"(?<![\w.,-])(-?\d+(?:\.\d+)?) ({_ANY_UNIT})(?!\w)")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_CLOSE = 0.025
_SMALLEST_CHANGE, _LARGEST_CHANGE = 0.07, 0.13


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with its unit; the number as it is written."""

    number: str
    unit: str

    def __str__(self) -> str:
        return f"{self.number} {self.unit}"

    @property
    def dimension(self) -> str:
        """What is measured."""
        return _UNITS[self.unit][0]

    @property
    def amount(self) -> float:
        """The amount in the dimension's first unit, temperatures in °C."""
        if self.unit == "°F":
            return (float(self.number) - 32) / 1.8
        return float(self.number) * _UNITS[self.unit][1]

    def is_close(self, other: Quantity) -> bool:
        """Whether the two may be the same, rounded."""
        if self.dimension != other.dimension:
            return False
        if self.dimension == "temperature":
            return abs(self.amount - other.amount) < 1
        return abs(self.amount - other.amount) <= _CLOSE * max(abs(self.amount), abs(other.amount))


def read(text: str) -> Quantity | None:
    """The quantity that `text` is, if it is one."""
    found = _QUANTITY.fullmatch(text)
    return Quantity(found[1], found[2]) if found else None


def quantities(text: str) -> list[Quantity]:
    """All quantities that stand in `text`."""
    return [Quantity(*found) for found in _QUANTITY.findall(text)]


def off_by_a_tenth(quantity: Quantity, text: str) -> list[Quantity]:
    """The quantity a tenth larger or smaller, rounded as it is, where that is 7 to 13 % and foreign to `text`."""
    decimals = len(quantity.number.partition(".")[2])
    changed = []
    for factor in (0.9, 1.1):
        number = float(quantity.number) * factor
        other = Quantity(f"{number:.{decimals}f}", quantity.unit)
        change = abs(float(other.number) / float(quantity.number) - 1) if float(quantity.number) else 0
        if _SMALLEST_CHANGE <= change <= _LARGEST_CHANGE and is_foreign(other, text):
            changed.append(other)
    return changed


def in_other_units(quantity: Quantity, text: str, *, of_dimension: bool) -> list[Quantity]:
    """The same number with other units, of its dimension or of another, where that is foreign to `text`."""
    if of_dimension:
        units: tuple[str, ...] = _SAME_DIMENSION.get(quantity.unit, ())
    else:
        units = tuple(_OTHER_DIMENSION[each] for each in (quantity.unit,) if each in _OTHER_DIMENSION)
    changed = [Quantity(quantity.number, unit) for unit in units]
    return [each for each in changed if not any(each.is_close(other) for other in quantities(text))]


def in_multiples(quantity: Quantity) -> Quantity | None:
    """The same amount in a larger or smaller unit of the metric system, exactly."""
    if quantity.unit not in _MULTIPLES:
        return None
    unit, factor = _MULTIPLES[quantity.unit]
    return Quantity(f"{round(float(quantity.number) * factor, 6):g}", unit)


def is_foreign(quantity: Quantity, text: str) -> bool:
    """Whether neither the number nor, in any unit, about the same amount stands in `text`."""
    numbers = {float(each) for each in _NUMBER.findall(text)}
    return abs(float(quantity.number)) not in numbers and not any(map(quantity.is_close, quantities(text)))


def metric_like(quantity: Quantity, value: str) -> str:
    """The quantity in the unit of `value`, a value or limit of the shop; without a unit for prices."""
    unit = value.partition(" ")[2]
    if not unit:
        return quantity.number
    per_unit = 1.0 if unit == "°C" else _UNITS[unit][1]
    return f"{round(quantity.amount / per_unit, 3):g} {unit}"
