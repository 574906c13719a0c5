from __future__ import annotations

import contextlib
import dataclasses
import re
import string
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.grading import follows_format, parse
from curation.rationales.rationale import (
    OUTCOMES,
    RELATIONS,
    STRENGTHS,
    Check,
    FormError,
    Rationale,
    Requirement,
)

if TYPE_CHECKING:
    from collections.abc import Callable

BOOTS = Rationale(
    intent="hiking boots for muddy paths",
    requirements=(
        Requirement("must", "sole", "lugged sole"),
        Requirement("not", "material", "leather"),
        Requirement("not", "material", "suede"),
        Requirement("wish", "size", "EU 44"),
    ),
    item="Bistro Running Shoes, mesh upper, lugged sole, EU 38",
    relation="substitute",
    category="running shoes in place of hiking boots",
    checks=(
        Check("met", "sole", "lugged sole"),
        Check("met", "material", "mesh"),
        Check("unknown", "material", "nothing says so"),
        Check("missed", "size", "EU 38"),
    ),
    rules=("same-family", "mud-needs-lugs"),
    tier=3,
    verdict="every must holds but the shoes only stand in for boots",
)

LINES = st.text(max_size=60).map(str.strip).filter(lambda text: len(text.splitlines()) <= 1)
SAID = LINES.filter(bool)
ATTRIBUTES = (
    st.text(st.characters(exclude_characters=":", exclude_categories=["Cc", "Zl", "Zp", "Cs"]), max_size=40)
    .map(str.strip)
    .filter(lambda name: re.fullmatch(r"[^\s:](?:[^:\n]{0,38}[^\s:])?", name) is not None)
)
RULES = st.lists(
    st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=8), min_size=1, max_size=4
)
RATIONALES = st.builds(
    Rationale,
    intent=SAID,
    requirements=st.lists(st.builds(Requirement, st.sampled_from(STRENGTHS), ATTRIBUTES, SAID)).map(tuple),
    item=SAID,
    relation=st.sampled_from(RELATIONS),
    category=LINES,
    checks=st.lists(st.builds(Check, st.sampled_from(OUTCOMES), ATTRIBUTES, SAID)).map(tuple),
    rules=st.lists(RULES.map("-".join), max_size=4).map(tuple).filter(lambda rules: "none" not in rules),
    tier=st.integers(1, 4),
    verdict=LINES,
)


@given(RATIONALES)
def test_what_is_rendered_is_read_back(rationale: Rationale) -> None:
    assert Rationale.parse(rationale.render()) == rationale


@given(RATIONALES)
def test_text_has_one_line_for_each_step_requirement_and_check(rationale: Rationale) -> None:
    lines = rationale.render().split("\n")
    assert len(lines) == 5 + len(rationale.requirements) + len(rationale.checks)


def test_text_is_what_the_documentation_shows() -> None:
    assert BOOTS.render() == (
        "Query: hiking boots for muddy paths\n"
        "must sole: lugged sole\n"
        "not material: leather\n"
        "not material: suede\n"
        "wish size: EU 44\n"
        "Item: Bistro Running Shoes, mesh upper, lugged sole, EU 38\n"
        "Category: substitute, running shoes in place of hiking boots\n"
        "check sole: lugged sole, met\n"
        "check material: mesh, met\n"
        "check material: nothing says so, unknown\n"
        "check size: EU 38, missed\n"
        "Rules: same-family, mud-needs-lugs\n"
        "Verdict: Related, every must holds but the shoes only stand in for boots"
    )


def test_checks_answer_the_requirements_of_their_attribute_in_turn() -> None:
    answered = [(each.value, check and check.evidence) for each, check in BOOTS.answers()]
    assert answered == [
        ("lugged sole", "lugged sole"),
        ("leather", "mesh"),
        ("suede", "nothing says so"),
        ("EU 44", "EU 38"),
    ]
    unchecked = dataclasses.replace(BOOTS, checks=BOOTS.checks[:2])
    assert [check is None for _, check in unchecked.answers()] == [False, False, True, True]


def test_a_models_decoration_does_not_matter() -> None:
    decorated = (
        "**Query:** hiking boots\n\n- Must sole: lugged sole\n* **Item**: running shoes\n"
        "3. CATEGORY: Substitute - shoes for boots\n• Check sole: lugged – **Met**.\nRules: [Same-Family], `lugs`.\n"
        "Verdict: 3, all met"
    )
    assert Rationale.parse(decorated) == Rationale(
        intent="hiking boots",
        requirements=(Requirement("must", "sole", "lugged sole"),),
        item="running shoes",
        relation="substitute",
        category="shoes for boots",
        checks=(Check("met", "sole", "lugged"),),
        rules=("same-family", "lugs"),
        tier=3,
        verdict="all met",
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: "", "no step Query where the text ends"),
        (lambda text: text.replace("Item:", "Product:"), "no step Item where line 6 is 'Product: Bistro"),
        (lambda text: text.replace("substitute,", "cousin,"), "begins with none of match, substitute"),
        (lambda text: text.replace("Related", "Great"), "begins with none of excellent, related"),
        (lambda text: text.rsplit("\n", 1)[0], "no step Verdict where the text ends"),
        (
            lambda text: text + "\ncheck sole: again, met",
            "line 14: 'check sole: again, met' stands after the verdict",
        ),
        (lambda text: text.replace("sole: lugged sole, met", "sole: met"), "says nothing"),
        (
            lambda text: text.replace("lugged sole, met", "lugged sole"),
            "line 8: 'check sole: lugged sole' ends with none of met, missed, unknown",
        ),
        (lambda text: text.replace("lugged sole, met", "lugged sole, unmet"), "ends with none of met"),
        (lambda text: text.replace("check sole", "check"), "no name of an attribute"),
        (lambda text: text.replace("same-family", "same family!"), "no name of a rule"),
        (lambda text: "<html><body>502</body></html>", "no step Query where line 1 is '<html>"),
        (lambda text: '{"Query": "hiking bo', "no step Query where line 1"),
        (lambda text: "\n".join(sorted(text.split("\n"))), "no step Query where line 1 is 'Category"),
    ],
)
def test_what_is_no_rationale_is_refused_with_the_line(change: Callable[[str], str], message: str) -> None:
    with pytest.raises(FormError, match=re.escape(message)):
        Rationale.parse(change(BOOTS.render()))


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(FormError):
        assert Rationale.parse(Rationale.parse(text).render()) == Rationale.parse(text)


@pytest.mark.parametrize("value", [" led", "a\nb", "a\x85b", ""])
def test_what_could_not_be_read_back_is_no_rationale(value: str) -> None:
    with pytest.raises(FormError):
        dataclasses.replace(BOOTS, intent=value)


@given(RATIONALES)
def test_the_grader_reads_the_tier_in_both_formats(rationale: Rationale) -> None:
    text = rationale.render()
    assert parse(f"{rationale.tier}\n{text}", "answer-first").offset == 0
    assert parse(f"{text}\nTier: {rationale.tier}", "reason-first").tier == rationale.tier


def test_both_formats_are_followed() -> None:
    assert follows_format(f"3\n{BOOTS.render()}", "answer-first")
    assert follows_format(f"{BOOTS.render()}\nTier: 3", "reason-first")
