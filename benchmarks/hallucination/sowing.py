"""What planting a fault takes: a pair with words to draw from, and an item's value said wrongly throughout a draft."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from benchmarks.hallucination.drafts import Draft, mark, true_draft
from curation.shop.values import forms

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from benchmarks.hallucination.drafts import Point
    from benchmarks.hallucination.pairs import Pair, Part
    from curation.rationales.rationale import Rationale
    from curation.shop.schema import Constraint, Slot
    from curation.shop.wordings import Templates

COLOURS = ("colour", "look")
# The slots of two values of which one denies the other, by the value that denies.
DENIALS = {
    "not dimmable": "dimming",
    "silicone-free": "silicones",
    "no hood": "hood",
    "unlined": "lining",
    "not reflective": "reflector",
    "no computer pocket": "pocket",
    "no handle": "grip",
    "hand wash only": "wash",
    "gas and electric only": "hob",
    "passive": "noise",
    "no microphone": "microphone",
    "not sweatproof": "sweat",
    "no cable clip": "cable",
    "sulphate-free": "sulphates",
    "blocks wireless charging": "coil",
    "no strap": "strap",
    "no frame": "mounting",
}
# Values of which an item with the first may be said to have the others as well: no such claim is planted.
_IMPLIED = {
    "waterproof": {"water-repellent"},
    "water-repellent": {"unproofed"},
    "winter-proof": {"three-season"},
    "suede": {"leather"},
    "titanium-coated burrs": {"steel burrs"},
    "noise cancelling": {"passive"},
}


@dataclass(frozen=True, slots=True)
class Sown:
    """A text before its mark is taken off.

    Attributes:
        digit: The tier digit that is emitted.
        body: The rationale, line by line.
    """

    digit: str
    body: str


@dataclass(frozen=True, slots=True)
class Setting:
    """A pair to plant on, with chance, templates and the part of the benchmark that it is for."""

    pair: Pair
    rng: Random
    templates: Templates
    part: Part

    def draft(self) -> Draft:
        """A draft without a fault."""
        return true_draft(self.pair, self.rng, self.templates)

    def write(self, draft: Draft) -> Rationale:
        """A draft in words."""
        return draft.rationale(self.rng, self.templates)

    def sow(self, draft: Draft) -> Sown:
        """A draft in words with the tier that follows."""
        rationale = self.write(draft)
        return Sown(str(rationale.tier), rationale.render())

    def open_slots(self, draft: Draft) -> list[Slot]:
        """The slots of the item of which the item's line says nothing yet."""
        said = set() if draft.is_settled else {each.constraint.slot for each in draft.points}
        return [slot for slot in self.pair.family.slots if slot.name not in said]

    def false_values(self, slot: Slot) -> list[str]:
        """Values of a slot of the item that it does not have, by any reading."""
        true = self.pair.value(slot.name)
        return [each.name for each in slot.values if each.name not in {true, *_IMPLIED.get(true, ())}]

    def foreign_values(self, slot: Slot) -> list[str]:
        """False values of a slot that stand nowhere in the pair."""
        usual = forms(self.pair.family, slot.name).usual
        return [
            value
            for value in self.false_values(slot)
            if not self.pair.names(slot.name, value)
            # A phone's name is part of its larger sister's.
            and not re.search(rf"\b{re.escape(usual(value))}\b", self.pair.text, re.IGNORECASE)
        ]


def points_on(draft: Draft, slot: str) -> list[Point]:
    """The points of a draft with checks on the slot."""
    return [] if draft.is_settled else [each for each in draft.points if each.constraint.slot == slot]


def is_number(slot: Slot) -> bool:
    """Whether the slot's values are amounts."""
    return slot.values[0].name[0].isdigit() and " " in slot.values[0].name


def is_denial(slot: Slot) -> bool:
    """Whether one of the slot's two values denies the other."""
    return len(slot.values) == 2 and any(DENIALS.get(each.name) == slot.name for each in slot.values)


def claim(draft: Draft, slot: str, value: str, form: str | None = None) -> Draft:
    """The draft with another value of the shop as the item's, in checks and the item's line.

    Outcomes follow from the value. What is planted is marked: in the first check on the slot, else in the item's line.
    """
    form = form or forms(draft.pair.family, slot).usual(value)
    listed = draft.pair.listed(slot, value, form)
    return claim_text(draft, slot, form, listed, lambda constraint, _: constraint.holds(value))


def claim_text(
    draft: Draft, slot: str, said: str, listed: str, holds: Callable[[Constraint, bool], bool]
) -> Draft:
    """The draft with `said` and `listed` as the item's value of the slot.

    Args:
        draft: The draft.
        slot: The slot.
        said: The value as a check has it.
        listed: The value as lists have it.
        holds: Whether a constraint, which held or not before, holds now.
    """
    if not points_on(draft, slot):
        return replace(draft, more=(*draft.more, mark(listed)))
    points: list[Point] = []
    is_marked = False
    for point in draft.points:
        if point.constraint.slot == slot:
            shown = said if is_marked else mark(said)
            is_marked = True
            met = holds(point.constraint, point.met)
            points.append(replace(point, said=shown, listed=listed, met=met))
        else:
            points.append(point)
    return replace(draft, points=tuple(points))


def claim_foreign(setting: Setting, draft: Draft, slots: list[Slot]) -> Sown | None:
    """The draft with a foreign value as the item's, of one of the slots."""
    choices = [(slot.name, value) for slot in slots for value in setting.foreign_values(slot)]
    return setting.sow(claim(draft, *setting.rng.choice(choices))) if choices else None
