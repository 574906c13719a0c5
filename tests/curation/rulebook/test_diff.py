"""What changed between two versions is told in sentences, with what it does to verdicts."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

from curation.rulebook.cells import Space
from curation.rulebook.diff import explain_changes
from curation.rulebook.rule import Example, Rulebook
from tests.curation.rulebook.books import SOUND, book, rule, rulebooks

if TYPE_CHECKING:
    from curation.rulebook.rule import Rule

HATS = rule("hats", text="Hats warm.", category=("hats", "caps"), kind="question")


def _changed(old: Rule, **fields: Any) -> list[str]:
    return explain_changes(book(*SOUND, old), book(*SOUND, replace(old, **fields)))


def test_no_change_is_said() -> None:
    newer = replace(book(*SOUND), version=2)
    assert explain_changes(book(*SOUND), newer) == [
        "Nothing changed between shop version 1 and shop version 2."
    ]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"text": "Hats cool."}, 'hats: reworded, now "Hats cool."; was "Hats warm.".'),
        (
            {"scope": rule("x", category=("hats", "caps", "hoods"), kind="question").scope},
            "hats: now also for hoods.",
        ),
        ({"scope": rule("x", category="hats", kind="question").scope}, "hats: no longer for caps."),
        (
            {"scope": rule("x", category=("hats", "caps")).scope},
            "hats: now for every kind; was only for queries of kind question.",
        ),
        (
            {"scope": rule("x", category=("hats", "caps"), kind="question", locale=("us", "uk")).scope},
            "hats: now only for the locale us and uk; was for every locale.",
        ),
        (
            {"when": rule("x", relation="other").when},
            "hats: now only for the relation other; was for every relation.",
        ),
        ({"over": ("other",)}, "hats: now overrides other; was none."),
        ({"valid_to": date(2026, 12, 31)}, "hats: now holds to 2026-12-31; was always."),
        ({"examples": (Example("a", "b"),)}, "hats: 1 example, 1 new."),
    ],
)
def test_each_field_has_its_sentence(fields: dict[str, Any], sentence: str) -> None:
    assert _changed(HATS, **fields) == [sentence]


def test_a_changed_tier_tells_what_it_does() -> None:
    softer = [replace(each, tier=3) if each.name == "missed-must" else each for each in SOUND]
    assert explain_changes(book(*SOUND), book(*softer)) == [
        "missed-must: now Related at best; was Mismatch at best.",
        'A missed must or "not": was Mismatch, now Related.',
    ]


def test_new_and_gone_rules_are_quoted() -> None:
    colour = rule(
        "colours",
        2,
        text="Colour counts.",
        strength="wish",
        outcome="missed",
        attribute="colour",
        over="missed-wish",
    )
    assert explain_changes(book(*SOUND), book(*SOUND, colour)) == [
        'colours: new, Mismatch at best: "Colour counts".',
        "A missed wish for colour: was Related, now Mismatch.",
    ]
    assert explain_changes(book(*SOUND, colour, HATS), book(*SOUND)) == [
        'colours is gone: "Colour counts."',
        'hats is gone: "Hats warm."',
        "A missed wish for colour: was Mismatch, now Related.",
    ]


def test_an_effect_names_where_and_when_it_holds() -> None:
    season = rule(
        "season", 1, relation="complement", category="gloves", over="complement", valid_to=date(2026, 12, 24)
    )
    assert explain_changes(book(*SOUND), book(*SOUND, season))[1:] == [
        "A complement in the category gloves to 2026-12-24: was Mismatch, now Irrelevant."
    ]


@given(rulebooks(days=True), rulebooks(days=True))
def test_effects_are_told_where_a_cap_changed(old: Rulebook, new: Rulebook) -> None:
    space = Space([old.rules, new.rules])
    changed = any((space.tier(mask, 0) or 4) != (space.tier(mask, 1) or 4) for _, mask in space.boxes())
    sentences = explain_changes(old, new)
    assert any(": was " in each and ", now " in each for each in sentences) == changed
    assert all(each.strip() == each and "\n" not in each for each in sentences)


@given(rulebooks(days=True, texts=True))
def test_a_book_does_not_differ_from_itself(book: Rulebook) -> None:
    (sentence,) = explain_changes(book, replace(book))
    assert sentence.startswith("Nothing changed")
