"""Faults of grounding: claims turned round, and attributes that neither query nor item has; see `swaps`."""

from __future__ import annotations

import re
from dataclasses import replace

from benchmarks.hallucination.drafts import Point, invented, mark
from benchmarks.hallucination.sowing import (
    COLOURS,
    DENIALS,
    Setting,
    Sown,
    claim,
    claim_foreign,
    is_denial,
    is_number,
    points_on,
)
from curation.rationales.rationale import CHECK
from curation.shop.schema import Constraint
from curation.shop.values import forms

_SHORTEST_WORD = 4


def outcome_turned(setting: Setting) -> Sown | None:
    """A check says met for missed or missed for met, with the item's true value."""
    draft = setting.draft()
    if draft.is_settled:
        return None
    turned = setting.rng.randrange(len(draft.points))
    points = tuple(
        replace(point, met=not point.met) if number == turned else point
        for number, point in enumerate(draft.points)
    )
    sown = setting.sow(replace(draft, points=points))
    lines = sown.body.split("\n")
    at = [n for n, line in enumerate(lines) if line.startswith(f"{CHECK} ")][turned]
    said, _, outcome = lines[at].rpartition(", ")
    lines[at] = f"{said}, {mark(outcome)}"
    return replace(sown, body="\n".join(lines))


def feature_denied(setting: Setting) -> Sown | None:
    """The item is said to lack a feature that it has."""
    return _other_of_two(setting, denies=True)


def feature_affirmed(setting: Setting) -> Sown | None:
    """The item is said to have a feature that it lacks."""
    return _other_of_two(setting, denies=False)


def decoy_affirmed(setting: Setting) -> Sown | None:
    """The item is said to have what its own sentences deny or say of other versions."""
    draft, pair = setting.draft(), setting.pair
    found = []
    for slot in pair.family.slots:
        if slot.name in COLOURS or is_number(slot) or is_denial(slot):
            continue
        known = forms(pair.family, slot.name)
        found += [
            (slot.name, value, form)
            for value in setting.false_values(slot)
            if value in known.named(pair.own_text) and (form := known.said(value, pair.own_text))
        ]
    if not found:
        return None
    return setting.sow(claim(draft, *setting.rng.choice(found)))


def value_invented(setting: Setting) -> Sown | None:
    """The item's line has a value that stands nowhere in the pair, of a slot that nothing else is said of."""
    draft = setting.draft()
    slots = [
        slot
        for slot in setting.open_slots(draft)
        if slot.name not in COLOURS and not is_number(slot) and not is_denial(slot)
    ]
    return claim_foreign(setting, draft, slots)


def extra_invented(setting: Setting) -> Sown | None:
    """The item's line has something that no item of the shop says of itself."""
    text = setting.pair.text.casefold()
    phrases = [
        phrase
        for phrase in invented(setting.part)
        if not any(
            word.casefold() in text for word in re.findall(r"\w+", phrase) if len(word) >= _SHORTEST_WORD
        )
    ]
    if not phrases:
        return None
    draft = setting.draft()
    return setting.sow(replace(draft, more=(*draft.more, mark(setting.rng.choice(phrases)))))


def requirement_invented(setting: Setting) -> Sown | None:
    """A must that the query does not state, of a value that the item does not have, with its check."""
    draft, pair = setting.draft(), setting.pair
    derivation = pair.derivation
    if derivation.kind == "knowledge":  # a situation might be said to ask for it
        return None
    required = {each.slot for each in derivation.requirements}
    choices = []
    for slot in derivation.family.slots:
        if slot.name in required:
            continue
        named = forms(derivation.family, slot.name).named(pair.text)
        foreign = setting.foreign_values(slot) if pair.family is derivation.family else None
        choices += [
            (slot.name, each.name)
            for each in slot.values
            if each.ask and each.name not in named and (foreign is None or each.name in foreign)
        ]
    if not choices:
        return None
    slot_name, value = setting.rng.choice(choices)
    asked = mark(forms(derivation.family, slot_name).usual(value))
    said = listed = ""
    if not draft.is_settled:
        true = pair.value(slot_name)
        said = pair.form(slot_name, true)
        listed = pair.listed(slot_name, true, said)
    point = Point(Constraint("must", slot_name, "=", value), asked, False, said, listed)
    return setting.sow(replace(draft, points=(*draft.points, point)))


def _other_of_two(setting: Setting, *, denies: bool) -> Sown | None:
    """The other value of a slot of which one value denies the other; of a slot with a check if there is one."""
    draft, pair = setting.draft(), setting.pair
    choices = []
    for slot in pair.family.slots:
        if is_denial(slot):
            choices += [
                (slot.name, value)
                for value in setting.false_values(slot)
                if (DENIALS.get(value) == slot.name) == denies
            ]
    checked = [each for each in choices if points_on(draft, each[0])]
    if not choices:
        return None
    return setting.sow(claim(draft, *setting.rng.choice(checked or choices)))
