"""Faults of grounding: a colour, number, unit or brand that is another one than query or item have.

A planter makes of a setting a text with one fault, or None where the pair does not lend itself to it. All but the fault
is true, and outcomes, rules and verdict follow from what is claimed; where a unit is wrong, outcomes stay true.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks.hallucination.drafts import mark
from benchmarks.hallucination.quantities import in_other_units, metric_like, off_by_a_tenth, read
from benchmarks.hallucination.sowing import (
    COLOURS,
    Setting,
    Sown,
    claim,
    claim_foreign,
    claim_text,
    is_number,
    points_on,
)
from curation.shop.load import shop_data
from curation.shop.values import forms

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.hallucination.drafts import Draft
    from benchmarks.hallucination.quantities import Quantity
    from curation.shop.schema import Constraint

    Change = Callable[[Quantity, str], list[Quantity]]


def colour_in_check(setting: Setting) -> Sown | None:
    """A check and the item's line have a colour that stands nowhere in the pair."""
    draft = setting.draft()
    slots = [
        slot for slot in setting.pair.family.slots if slot.name in COLOURS and points_on(draft, slot.name)
    ]
    return claim_foreign(setting, draft, slots)


def colour_in_item_line(setting: Setting) -> Sown | None:
    """The item's line has a colour that stands nowhere in the pair; no check is about colour."""
    draft = setting.draft()
    slots = [slot for slot in setting.open_slots(draft) if slot.name in COLOURS]
    return claim_foreign(setting, draft, slots)


def colour_asked(setting: Setting) -> Sown | None:
    """The item of another colour is said to have the one that the query asks for."""
    draft = setting.draft()
    for point in draft.points:
        constraint = point.constraint
        if (
            constraint.slot in COLOURS
            and constraint.operator == "="
            and points_on(draft, constraint.slot)
            and not point.met
        ):
            return setting.sow(claim(draft, constraint.slot, constraint.value, point.asked))
    return None


def colour_of_other_goods(setting: Setting) -> Sown | None:
    """The item is said to have the colour of goods that its text names beside it."""
    draft, pair = setting.draft(), setting.pair
    for slot in pair.family.slots:
        if slot.name not in COLOURS:
            continue
        known = forms(pair.family, slot.name)
        decoys = known.named(pair.item_text) - known.named(f"{pair.own_text}\n{pair.query}")
        for value in sorted(decoys):
            form = known.said(value, pair.item_text)
            return setting.sow(claim(draft, slot.name, value, form))
    return None


def number_in_check(setting: Setting) -> Sown | None:
    """A check and the item's line have a number that is a tenth off."""
    return _changed_in_check(setting, off_by_a_tenth, follows=True)


def number_in_item_line(setting: Setting) -> Sown | None:
    """The item's line has a number that is a tenth off; no check is about it."""
    return _changed_in_item_line(setting, off_by_a_tenth)


def number_in_requirement(setting: Setting) -> Sown | None:
    """A requirement has a number that is a tenth off the one in the query."""
    return _changed_in_requirement(setting, off_by_a_tenth, follows=True)


def unit_in_check(setting: Setting) -> Sown | None:
    """A check and the item's line have another unit of the same dimension."""
    return _changed_in_check(setting, _same_dimension, follows=False)


def unit_in_item_line(setting: Setting) -> Sown | None:
    """The item's line has another unit of the same dimension; no check is about it."""
    return _changed_in_item_line(setting, _same_dimension)


def unit_in_requirement(setting: Setting) -> Sown | None:
    """A requirement has another unit of the same dimension than the query."""
    return _changed_in_requirement(setting, _same_dimension, follows=False)


def unit_of_other_dimension(setting: Setting) -> Sown | None:
    """A check and the item's line, or that line alone, have a unit of another dimension."""
    return _changed_in_check(setting, _other_dimension, follows=False) or _changed_in_item_line(
        setting, _other_dimension
    )


def brand_of_shop(setting: Setting) -> Sown | None:
    """The item's line, and checks on the brand, have a brand that stands nowhere in the pair."""
    text = setting.pair.text.casefold()
    family = setting.pair.family.name
    foreign = [each for each in shop_data().brands if each.name.casefold() not in text]
    near = [each for each in foreign if family in each.families] or foreign
    return setting.sow(_with_brand(setting.draft(), setting.rng.choice(near).name))


def brand_of_query(setting: Setting) -> Sown | None:
    """The item's line, and checks on the brand, have the brand that the query names and the item is not of."""
    draft = setting.draft()
    for point in draft.points:
        if point.constraint.slot == "brand" and point.constraint.value != setting.pair.brand:
            return setting.sow(_with_brand(draft, point.constraint.value))
    return None


def brand_of_phone(setting: Setting) -> Sown | None:
    """The item's line has the brand of the phone that the item is made for."""
    pair = setting.pair
    maker = pair.row.attributes.get("phone", "").partition(" ")[0]
    if not maker or maker == pair.brand:
        return None
    return setting.sow(_with_brand(setting.draft(), maker))


def _with_brand(draft: Draft, brand: str) -> Draft:
    points = tuple(
        replace(point, said=brand, met=point.constraint.holds(brand))
        if point.constraint.slot == "brand"
        else point
        for point in draft.points
    )
    return replace(draft, brand=mark(brand), points=points)


def _same_dimension(quantity: Quantity, text: str) -> list[Quantity]:
    return in_other_units(quantity, text, of_dimension=True)


def _other_dimension(quantity: Quantity, text: str) -> list[Quantity]:
    return in_other_units(quantity, text, of_dimension=False)


def _changed_in_check(setting: Setting, change: Change, *, follows: bool) -> Sown | None:
    draft, pair = setting.draft(), setting.pair
    choices = []
    for slot in dict.fromkeys(each.constraint.slot for each in draft.points):
        quantity = read(points_on(draft, slot)[0].said) if points_on(draft, slot) else None
        limits = [read(each.constraint.value) for each in points_on(draft, slot)]
        choices += [
            (slot, each)
            for each in (change(quantity, pair.text) if quantity else ())
            if not any(limit and limit.is_close(each) for limit in limits)
        ]
    if not choices:
        return None
    slot, changed = setting.rng.choice(choices)

    def holds(constraint: Constraint, held: bool) -> bool:
        return constraint.holds(metric_like(changed, constraint.value)) if follows else held

    listed = pair.listed(slot, pair.value(slot), str(changed))
    return setting.sow(claim_text(draft, slot, str(changed), listed, holds))


def _changed_in_item_line(setting: Setting, change: Change) -> Sown | None:
    draft, pair = setting.draft(), setting.pair
    choices = []
    for slot in setting.open_slots(draft):
        value = pair.value(slot.name)
        quantity = read(pair.form(slot.name, value)) if is_number(slot) else None
        choices += [
            pair.listed(slot.name, value, str(each))
            for each in (change(quantity, pair.text) if quantity else ())
        ]
    if not choices:
        return None
    return setting.sow(replace(draft, more=(*draft.more, mark(setting.rng.choice(choices)))))


def _changed_in_requirement(setting: Setting, change: Change, *, follows: bool) -> Sown | None:
    """Of requirements whose number the query states in the shop's own unit: no fact in the text is about it then."""
    draft, pair = setting.draft(), setting.pair
    choices = []
    for number, point in enumerate(draft.points):
        value = point.constraint.value
        form = f"{value} €" if point.constraint.slot == "price" else value
        quantity = read(form)
        stated = re.search(rf"(?<![\w.]){re.escape(value)}(?![\w.])", pair.query)
        taken = any(value in fact for fact in pair.derivation.facts)
        if quantity and stated and not taken and point.asked.endswith(form):
            choices += [(number, form, each) for each in change(quantity, pair.text)]
    if not choices:
        return None
    number, form, changed = setting.rng.choice(choices)
    point = draft.points[number]
    met = point.met
    if follows and not draft.is_settled:
        asked = replace(point.constraint, value=metric_like(changed, point.constraint.value))
        met = asked.holds(pair.value(point.constraint.slot))
    changed_point = replace(point, asked=point.asked.removesuffix(form) + mark(str(changed)), met=met)
    points = (*draft.points[:number], changed_point, *draft.points[number + 1 :])
    return setting.sow(replace(draft, points=points))
