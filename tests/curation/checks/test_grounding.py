from __future__ import annotations

import pickle
from dataclasses import replace
from typing import TYPE_CHECKING

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.checks.chain import read_chain
from curation.checks.checked_text import CheckedText
from curation.checks.grounding import grounding_findings
from curation.checks.vocabulary import Vocabulary, stored_vocabulary
from curation.rulebook.rule import Rule, Rulebook

if TYPE_CHECKING:
    from curation.checks.finding import Finding

VOCABULARY = Vocabulary.of(
    [
        "hiking boots in navy, black or red with lugged sole",
        "leather running shoes, fully water-repellent, mesh upper",
        "phone case for Nova 7 with wrist strap",
        "waterproof silicone cashmere cotton wool parka",
    ],
    ["Brislowe", "Pernwick & Vale", "Torvanka", "Nova"],
)
PAIR = CheckedText(
    text="",
    form=None,
    tier=None,
    query="hiking boots in red, under 150 €, not leather",
    title="Bistro Hiking Boots by Brislowe (black, EU 42)",
    description="Fully water-repellent. Mesh instead of leather. Weighs 310 g; the other width weighs 340 g. "
    "See also: navy parka.",
    brand="Brislowe",
    attributes={"price": "142.9"},
    steps_asked=True,
)
TRUE = """Query: hiking boots
must colour: red
must price: under 150 €
not material: leather
Item: hiking boots by Brislowe, black, 142.90 €, mesh, water-repellent, EU 42, 10.9 oz
Category: match, hiking boots
check colour: says black, missed
check price: given as 142.90 €, met
check material: mesh, not leather, met
Rules: none
Verdict: Mismatch, misses colour"""


def findings(text: str, pair: CheckedText = PAIR) -> list[Finding]:
    checked = replace(pair, text=text)
    return grounding_findings(checked, read_chain(checked), VOCABULARY)


def wrong(old: str, new: str) -> list[tuple[str, str, str]]:
    """Name, step and words of the errors in the true text with a word of it changed."""
    assert old in TRUE
    text = TRUE.replace(old, new)
    return [
        (each.name, each.step, text[slice(*each.span)] if each.span else "")
        for each in findings(text)
        if each.severity == "error"
    ]


def test_a_true_text_has_no_finding() -> None:
    assert findings(TRUE) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("Brislowe, black", "Brislowe, cashmere", ("not stated", "item", "cashmere")),
        ("says black", "says red", ("not stated", "attribute", "red")),
        ("Brislowe, black", "Brislowe, navy", ("of other goods", "item", "navy")),
        ("by Brislowe", "by Torvanka", ("brand not stated", "item", "Torvanka")),
        ("by Brislowe", "by Pernwick & Vale", ("brand not stated", "item", "Pernwick & Vale")),
        (", mesh,", ", leather,", ("contradicted", "item", "leather")),
        ("water-repellent", "not water-repellent", ("contradicted", "item", "water-repellent")),
        ("10.9 oz", "12 oz", ("of other goods", "item", "12 oz")),
        ("10.9 oz", "10.9 g", ("number not stated", "item", "10.9 g")),
        ("EU 42", "EU 43", ("number not stated", "item", "43")),
        ("given as 142.90 €", "given as 128.61 €", ("number not stated", "attribute", "128.61 €")),
        ("given as 142.90 €", "given as 142.90 $", ("number not stated", "attribute", "142.90 $")),
        ("under 150 €", "under 165 €", ("number not stated", "query", "165 €")),
        ("must colour: red", "must colour: navy", ("not stated", "query", "navy")),
        ("must colour: red", "must material: leather", ("contradicted", "query", "leather")),
        ("mesh, water", "certified organic, water", ("not stated", "item", "certified organic")),
        (
            "given as 142.90 €, met",
            "given as 142.90 €, missed",
            ("outcome against value", "attribute", "missed"),
        ),
    ],
)
def test_a_fault_is_found_where_it_stands(old: str, new: str, expected: tuple[str, str, str]) -> None:
    assert expected in wrong(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("10.9 oz", "0.31 kg"),
        ("10.9 oz", "310 g"),
        ("says black", "the listing states Black"),
        ("says black", "black rather than the red asked for"),
        ("water-repellent", "water repellant"),
        (", mesh,", ", no leather,"),
        ("given as 142.90 €", "142.90"),
    ],
)
def test_other_words_for_what_is_true(old: str, new: str) -> None:
    assert wrong(old, new) == []


def test_a_rule_that_is_cited_states_what_a_need_implies() -> None:
    pair = replace(
        PAIR,
        query="boots for a wool allergy",
        rulebook=Rulebook("r", 1, "", (Rule("boots-cotton", "An allergy to wool asks for cotton."),)),
        shown=frozenset({"boots-cotton"}),
    )
    text = "Query: boots\nmust material: {}\nItem: boots\nCategory: match\nRules: {}\nVerdict: Related"
    assert findings(text.format("cotton", "boots-cotton"), pair) == []
    (uncited,) = findings(text.format("cotton", "none"), pair)
    assert (uncited.name, uncited.severity) == ("not stated", "warning")
    (invented,) = findings(text.format("cashmere", "boots-cotton"), pair)
    assert (invented.name, invented.severity) == ("not stated", "error")


def test_the_maker_of_the_phone_is_not_the_maker_of_the_case() -> None:
    pair = replace(PAIR, title="Torvanka Phone Case for Nova 7", description="", brand="Torvanka")
    text = "Query: boots\nmust a: boots\nItem: {}\nCategory: other\nRules: none\nVerdict: Irrelevant"
    assert findings(text.format("phone case by Torvanka for Nova 7"), pair) == []
    (found,) = findings(text.format("phone case by Nova"), pair)
    assert found.name == "brand not stated"


def test_prose() -> None:
    pair = replace(PAIR, steps_asked=False)
    assert findings("The item is a black hiking boot by Brislowe.", pair) == []
    text = "The item is a black hiking boot. It has a silicone sole by Torvanka and weighs 2 kg."
    found = {(each.name, text[slice(*each.span)]) for each in findings(text, pair) if each.span}
    assert {
        ("not stated", "silicone sole"),
        ("brand not stated", "Torvanka"),
        ("number not stated", "2 kg"),
    } <= found


@pytest.mark.parametrize(
    ("requirement", "check", "is_wrong"),
    [
        ("must price: less than 264.90", "check price: 205.90, missed", True),
        ("must price: less than 264.90", "check price: 205.90, met", False),
        ("not price: over 50 €", "check price: 60 €, met", True),
        ("must length: at least 1 m", "check length: 80 cm, met", True),
        ("must phone: Nova 7", "check phone: Nova 7 Plus, missed", False),
        ("must size: EU 44", "check size: EU 38, met", True),
        ("must upper: leather", "check upper: states leather, missed", True),
        ("not upper: leather", "check upper: leather, met", True),
        ("must hood: hood", "check hood: no hood, met", True),
        ("must hood: hood", "check hood: hood, unknown", False),
    ],
)
def test_outcomes(requirement: str, check: str, is_wrong: bool) -> None:
    found = findings(
        f"Query: boots\n{requirement}\nItem: boots\nCategory: match\n{check}\nRules: none\nVerdict: Related"
    )
    errors = [each for each in found if each.name == "outcome against value" and each.severity == "error"]
    assert bool(errors) == is_wrong


@given(st.text(st.characters()), st.text(st.characters()), st.booleans())
def test_any_text_is_checked(text: str, title: str, steps_asked: bool) -> None:
    pair = replace(PAIR, title=title, description=text, steps_asked=steps_asked)
    for each in (text, f"Query: {text}\nmust a: {text}\nItem: {text}\ncheck a: {title}, met"):
        for found in findings(each, pair):
            found.evidence.encode()
            assert found.span is None or 0 <= found.span[0] <= found.span[1] <= len(each)


@pytest.mark.parametrize(
    "unit", ["no ", "see also black ", "5 cm, ", "ab\ud800c", "<b>", "not black without ", "Ulk-", "\n"]
)
def test_a_megabyte_is_checked(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    for each in (text, f"Item: {text}", f"check a: {text}, met"):
        assert len(findings(each)) < 100
    assert len(findings(TRUE, replace(PAIR, description=text))) < 100


def test_a_vocabulary_is_read_from_a_store_and_pickled() -> None:
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE item_versions AS SELECT 1 AS item_version_id, 'Red parka' AS title,"
            " 'Pernwick & Vale' AS brand,"
            """ '{"filling": "goose down"}'::JSON AS attributes"""
        )
        connection.execute("CREATE TABLE queries AS SELECT 1 AS query_id, 'warm coats' AS text")
        found = stored_vocabulary(connection)
    assert {"red", "parka", "goos", "coat"} <= found.words
    assert found.brands == {"pernwick": (("pernwick", "val"),)}
    assert pickle.loads(pickle.dumps(found)) == found
