"""What is planted, and how it reads, for the tests of the generator."""

import re
from functools import cache

from benchmarks.hallucination.planting import DEVELOPMENT, REPORTED, Planted, plant
from curation.rationales.rationale import Rationale
from curation.rulebook.logic import decide
from curation.shop.rulebook import shop_rulebook
from curation.shop.values import forms
from curation.shop.wordings import Steps, steps_right

SIZE = 20
PARTS = (DEVELOPMENT, REPORTED)


@cache
def planted_parts() -> dict[str, list[Planted]]:
    """The texts of each part."""
    return {part.name: plant(SIZE, part.seed, part) for part in PARTS}


def of(texts: list[Planted], fault: str | None, *words: str) -> list[Planted]:
    """The texts of a fault whose variant has one of the words, or all."""
    found = [
        each
        for each in texts
        if each.fault == fault and (not words or any(word in each.variant for word in words))
    ]
    assert found
    return found


def body(planted: Planted) -> str:
    if planted.form == "answer-first":
        return planted.text.split("\n", 1)[1]
    return planted.text.rsplit("\n", 1)[0]


def digit(planted: Planted) -> int:
    found = (
        re.match(r"([1-4])\n", planted.text)
        if planted.form == "answer-first"
        else re.search(r"\nTier: ([1-4])\Z", planted.text)
    )
    assert found, planted.text
    return int(found[1])


def read_back(planted: Planted) -> Rationale:
    return Rationale.parse(body(planted))


def selected(planted: Planted) -> str:
    assert planted.span is not None
    start, end = planted.span
    assert 0 <= start < end <= len(planted.text)
    return planted.text[start:end]


def line_of_span(planted: Planted) -> str:
    assert planted.span is not None
    start = planted.text.rfind("\n", 0, planted.span[0]) + 1
    return planted.text[start:].split("\n")[0]


def wrong(planted: Planted, rationale: Rationale | None = None) -> set[str]:
    steps = steps_right(rationale or read_back(planted), planted.pair.derivation)
    return {name for name in Steps.__slots__ if not getattr(steps, name)}


def following_tier(planted: Planted) -> int:
    derivation = planted.pair.derivation
    return decide(
        shop_rulebook().rules,
        read_back(planted),
        kind=planted.pair.kind,
        locale=planted.pair.locale,
        categories=(derivation.asked, derivation.item),
    ).tier


def answer(planted: Planted, number: int) -> tuple[str, str, frozenset[str]]:
    """Outcome, attribute and values of a check as it should be."""
    derivation = planted.pair.derivation
    constraint, finding = derivation.requirements[number], derivation.findings[number]
    return "met" if finding.met else "missed", constraint.slot, frozenset({finding.actual})


def changed_checks(planted: Planted) -> list[int]:
    """The checks that do not say what is true, in the words that the shop knows."""
    changed = []
    for number, check in enumerate(read_back(planted).checks[: len(planted.pair.derivation.findings)]):
        values = forms(planted.pair.derivation.family, check.attribute).named(check.evidence)
        if (check.outcome, check.attribute, values) != answer(planted, number):
            changed.append(number)
    return changed


def claims_of_item_line(planted: Planted) -> set[tuple[str, str]]:
    """Slots and values of the item's line that are not the item's, the planted words left out."""
    line = next(line for line in planted.text.split("\n") if re.match(r"[\W\d]*item\b", line, re.IGNORECASE))
    if planted.span and line == line_of_span(planted):
        line = line.replace(selected(planted), "…")
    pair = planted.pair
    return {
        (slot.name, value)
        for slot in pair.family.slots
        for value in forms(pair.family, slot.name).named(line)
        if value != pair.value(slot.name)
    }
