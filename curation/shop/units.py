"""Metric numbers as shoppers elsewhere write them."""

from __future__ import annotations

_FACTORS = {
    "cm": ("in", 1 / 2.54),
    "kg": ("lb", 1 / 0.45359237),
    "g": ("oz", 1 / 28.349523),
    "ml": ("fl oz", 1 / 29.5735),
}


def imperial(text: str) -> str:
    """`text`, such as ``28 cm``, in inches, pounds, ounces, US fluid ounces or °F; unchanged without such a unit.

    Rounded to a tenth, degrees to whole ones: the shop's numbers stay apart and in order (a test sees to it).
    """
    amount, _, unit = text.partition(" ")
    if unit == "°C":
        return f"{float(amount) * 9 / 5 + 32:.0f} °F"
    if unit not in _FACTORS:
        return text
    other, factor = _FACTORS[unit]
    return f"{round(float(amount) * factor, 1):g} {other}"
