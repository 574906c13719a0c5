"""Slots that several families share."""

from __future__ import annotations

from curation.shop.schema import Slot, value


def title_slot(name: str, *names: str, ask: bool = True) -> Slot:
    """A slot that titles state; `ask` says whether queries name its values."""
    return Slot(name, tuple(value(each, adj=each if ask else "") for each in names))


COLOUR = title_slot("colour", "black", "navy", "olive", "red", "grey")

WATERPROOFING = Slot(
    "waterproofing",
    (
        value(
            "waterproof",
            "Fully waterproof thanks to a sealed membrane.",
            "Tested waterproof for hours of rain.",
            adj="waterproof",
        ),
        value(
            "not waterproof", "Not waterproof: made for dry days.", "Breathes freely, but is not waterproof."
        ),
    ),
)

COMFORT = Slot(
    "comfort",
    (
        value("10 °C", "Comfortable down to 10 °C.", "For mild days and nights from 10 °C up."),
        value("0 °C", "Comfortable down to 0 °C.", "Keeps you warm down to freezing point (0 °C)."),
        value("-10 °C", "Comfortable down to -10 °C.", "Tested at -10 °C; too warm for 10 °C."),
    ),
    short="comfort {}",
)
