"""Rationales without a fault, in words that a check may stumble over."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks.hallucination.drafts import paraphrases, spellings
from benchmarks.hallucination.quantities import in_multiples, read
from benchmarks.hallucination.sowing import Setting, Sown, points_on
from curation.shop.units import imperial
from curation.shop.wordings import word

if TYPE_CHECKING:
    from collections.abc import Callable


_MOST_VALUES = 4


def as_worded(setting: Setting) -> Sown:
    """In the shop's own words."""
    pair = setting.pair
    rationale = word(pair.derivation, pair.query, pair.item_text, setting.rng, setting.part.held_out)
    return Sown(str(rationale.tier), rationale.render())


def paraphrased(setting: Setting) -> Sown:
    """In the words of `wordings.toml`."""
    rationale = setting.draft().rationale(setting.rng, paraphrases(setting.part))
    return Sown(str(rationale.tier), rationale.render())


def in_other_system(setting: Setting) -> Sown | None:
    """An amount in imperial units where the item has metric ones, or the other way round."""

    def convert(value: str, form: str) -> str | None:
        converted = imperial(value)
        if converted == value:
            return None
        return converted if form == value else value

    return _said_otherwise(setting, convert)


def in_other_multiple(setting: Setting) -> Sown | None:
    """A metric amount in a larger or smaller unit, exactly: 1200 g for 1.2 kg."""

    def convert(value: str, form: str) -> str | None:
        quantity = read(form)
        multiple = in_multiples(quantity) if quantity and form == value else None
        return str(multiple) if multiple else None

    return _said_otherwise(setting, convert)


def in_other_spelling(setting: Setting) -> Sown | None:
    """A value in American spelling."""

    def convert(_: str, form: str) -> str | None:
        spelt = _american(form)
        return spelt if spelt != form else None

    return _said_otherwise(setting, convert, _american)


def decorated(setting: Setting) -> Sown:
    """With list marks, numbers, bold or capitals, as models like them."""
    sown = setting.sow(setting.draft())
    decorate = setting.rng.choice((_listed, _numbered, _bold, _bold_list, _capital))
    lines = sown.body.split("\n")
    return replace(sown, body="\n".join(decorate(line, number) for number, line in enumerate(lines, 1)))


def with_more_values(setting: Setting) -> Sown | None:
    """The item's line quotes values that nobody asked for."""
    draft, pair = setting.draft(), setting.pair
    slots = setting.open_slots(draft)
    if not slots:
        return None
    more = []
    for slot in setting.rng.sample(slots, min(len(slots), setting.rng.randint(2, _MOST_VALUES))):
        value = pair.value(slot.name)
        more.append(pair.listed(slot.name, value, pair.form(slot.name, value)))
    return setting.sow(replace(draft, more=tuple(more)))


def _american(text: str) -> str:
    for british, american in spellings().items():
        text = re.sub(rf"\b{british}\b", american, text)
    return text


def _said_otherwise(
    setting: Setting,
    convert: Callable[[str, str], str | None],
    spell: Callable[[str], str] = str,
) -> Sown | None:
    """One value as `convert` has it, of a slot with checks if there is one, else in the item's line.

    Args:
        setting: The setting.
        convert: Another form of a value, given the value and its form in the item's text; None where there is none.
        spell: How the value is spelt in the item's line.
    """
    draft, pair = setting.draft(), setting.pair
    choices = []
    for slot in pair.family.slots:
        value = pair.value(slot.name)
        if form := convert(value, pair.form(slot.name, value)):
            choices.append((slot, value, form))
    checked = [each for each in choices if points_on(draft, each[0].name)]
    if not choices:
        return None
    slot, value, form = setting.rng.choice(checked or choices)
    listed = spell(pair.listed(slot.name, value, form))
    if not checked:
        return setting.sow(replace(draft, more=(listed,)))
    points = tuple(
        replace(point, said=form, listed=listed) if point.constraint.slot == slot.name else point
        for point in draft.points
    )
    return setting.sow(replace(draft, points=points))


def _listed(line: str, _: int) -> str:
    return f"- {line}"


def _numbered(line: str, number: int) -> str:
    return f"{number}. {line}"


def _bold(line: str, _: int) -> str:
    key, colon, text = line.partition(":")
    return f"**{key}{colon}**{text}"


def _bold_list(line: str, number: int) -> str:
    return f"* {_bold(line, number)}"


def _capital(line: str, _: int) -> str:
    key, space, rest = line.partition(":")[0].partition(" ")
    return f"{key.upper()}{space}{rest}{line[len(key + space + rest) :]}"
