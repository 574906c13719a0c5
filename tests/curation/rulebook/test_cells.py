"""The situations that rules tell apart are all there are, and the logic decides each as they say."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from hypothesis import assume, given
from hypothesis import strategies as st

from curation.kinds import KINDS
from curation.rationales.rationale import OUTCOMES, RELATIONS, STRENGTHS, Check, Rationale, Requirement
from curation.rulebook.cells import Box, Space, merged
from curation.rulebook.logic import decide
from tests.curation.rulebook.books import book, rule, rulebooks

if TYPE_CHECKING:
    from curation.rationales.rationale import Outcome, Relation, Strength
    from curation.rulebook.rule import Rulebook

_CELLS = st.tuples(
    st.sampled_from(RELATIONS),
    st.sampled_from(STRENGTHS),
    st.sampled_from(("size", "weight")),
    st.sampled_from(OUTCOMES),
)
_PAIRS = st.tuples(
    st.sampled_from(("hats", "belts")), st.sampled_from(KINDS[:3]), st.sampled_from(("us", "de"))
)
_DAYS = st.dates(date(2024, 6, 1), date(2028, 6, 1))


@given(rulebooks(days=True), _CELLS, _PAIRS, _DAYS)
def test_every_situation_is_in_one_box_and_has_the_cap_that_the_logic_gives(
    book: Rulebook, cell: tuple[Relation, Strength, str, Outcome], pair: tuple[str, str, str], day: date
) -> None:
    relation, strength, attribute, outcome = cell
    category, kind, locale = pair
    rationale = Rationale(
        "query",
        (Requirement(strength, attribute, "so"),),
        "item",
        relation,
        "",
        (Check(outcome, attribute, "so"),),
        (),
        4,
        "",
    )
    valid = [each for each in book.rules if each.is_valid(day)]
    # Chains of over run on through a rule that does not hold on the day, which `decide` is not given.
    ended = {each.name for each in book.rules} - {each.name for each in valid}
    assume(not any(each.over and (each.name in ended or ended & set(each.over)) for each in book.rules))
    decision = decide(valid, rationale, kind=kind, locale=locale, categories=(category,))
    space = Space([book.rules])
    boxes = list(space.boxes())
    known = {value for box, _ in boxes for side in box for value in side}
    start = max(value for value in known if isinstance(value, date) and value <= day)
    around = (category if category in known else None, kind, locale if locale in known else None, start)
    steps = (
        (relation, None, None, None),
        (relation, strength, outcome, attribute if attribute in known else None),
    )
    for cap, step in zip(decision.caps, steps, strict=True):
        found = [mask for box, mask in boxes if _holds(box, (*step, *around))]
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
