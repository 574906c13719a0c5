"""The situations that rules tell apart are all there are, and the logic decides each as they say."""

from __future__ import annotations

from datetime import date
from itertools import product
from typing import TYPE_CHECKING

from hypothesis import given, settings

from curation.kinds import KINDS
from curation.rationales.rationale import OUTCOMES, RELATIONS, STRENGTHS, Check, Rationale, Requirement
from curation.rulebook.cells import Box, Space, merged
from curation.rulebook.logic import decide
from tests.curation.rulebook.books import book, rule, rulebooks

if TYPE_CHECKING:
    from curation.rulebook.rule import Rulebook

DAYS = (date(2024, 6, 1), date(2026, 1, 1), date(2028, 6, 1))


@given(rulebooks(days=True))
@settings(deadline=None)
def test_every_situation_is_in_one_box_and_has_the_cap_that_the_logic_gives(book: Rulebook) -> None:
    space = Space([book.rules])
    boxes = list(space.boxes())
    named = {
        name
        for rule in space.rules
        for name in (*rule.scope.category, *rule.scope.attribute, *rule.scope.locale)
    }

    def side(name: str) -> str | None:
        return name if name in named else None

    for relation, category, kind, locale, day in product(
        RELATIONS, ("hats", "belts"), KINDS[:3], ("us", "de"), DAYS
    ):
        rules = [each for each in book.rules if each.is_valid(day)]
        for strength, attribute, outcome in product(STRENGTHS[:2], ("size", "weight"), OUTCOMES):
            rationale = Rationale(
                "q",
                (Requirement(strength, attribute, "v"),),
                "i",
                relation,
                "",
                (Check(outcome, attribute, "e"),),
                (),
                4,
                "",
            )
            decision = decide(rules, rationale, kind=kind, locale=locale, categories=(category,))
            starts = sorted({start for box, _ in boxes for start in box.day if isinstance(start, date)})
            start = max(each for each in starts if each <= day)
            pair = (side(category), kind, side(locale), start)
            steps = ((relation, None, None, None), (relation, strength, outcome, side(attribute)))
            for cap, step in zip(decision.caps, steps, strict=True):
                found = [mask for box, mask in boxes if _holds(box, (*step, *pair))]
                assert [space.tier(mask) for mask in found] == [cap.tier]


def _holds(box: Box, values: tuple[object, ...]) -> bool:
    of_requirements = values[1] is not None
    return bool(box.strength) == of_requirements and all(
        value in chosen
        for side, value, chosen in zip(Box._fields, values, box, strict=True)
        if of_requirements or side not in ("strength", "outcome", "attribute")
    )


@given(rulebooks(days=True))
def test_merged_boxes_hold_the_same_situations(book: Rulebook) -> None:
    boxes = [box for box, mask in Space([book.rules]).boxes() if mask]
    together = merged(boxes)
    assert len(together) <= len(boxes)
    assert sum(map(_size, together)) == sum(map(_size, boxes))
    for box in boxes:
        assert any(all(part <= whole for part, whole in zip(box, each, strict=True)) for each in together)


def _size(box: Box) -> int:
    size = 1
    for side in box:
        size *= len(side) or 1
    return size


def test_situations_have_words() -> None:
    rules = book(
        rule(
            "a",
            1,
            strength="wish",
            outcome="missed",
            attribute="Colour",
            relation="substitute",
            category="Hats",
        ),
        rule("b", 2, relation="match", kind="question", locale="us", valid_to=date(2026, 5, 31)),
    ).rules
    space = Space([rules])
    words = {space.words(box) for box, mask in space.boxes() if mask}
    assert words == {
        "a missed wish for Colour on a substitute in the category Hats",
        "a match in question queries in the locale us to 2026-05-31",
    }
