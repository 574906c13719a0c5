"""A rulebook's own mistakes are found and told by the rule that makes them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from curation.rulebook.cells import Space
from curation.rulebook.check import Finding, Vocabulary, check_rulebook
from curation.rulebook.reading import built_in, read_rulebook
from curation.rulebook.rule import Example
from tests.curation.rulebook.books import SOUND, book, rule, rulebooks

if TYPE_CHECKING:
    from pathlib import Path

    from curation.rulebook.rule import Rulebook

DAY = date(2026, 6, 1)
STORE = Vocabulary(category=frozenset({"Hats", "socks"}), attribute=frozenset({"colour"}))

SHOP = """\
rulebook: shop
version: 1
rules:
  - {id: substitute, text: A substitute is Related at best., tier: 3, when: {relation: substitute}}
  - {id: complement, over: shy, text: It is Mismatch at best., tier: 2, when: {relation: complement}}
  - {id: other, text: Other goods are Irrelevant., tier: 1, when: {relation: other}}
  - id: missed-must
    text: What misses a must is no longer Related but Mismatch.
    tier: 2
    when: {strength: [must, not], outcome: missed}
  - id: missed-wish
    text: What misses a wish is Related at best.
    tier: 3
    when: {strength: wish, outcome: missed}
  - {id: unstated, text: What is not stated is Related at best., tier: 3, when: {outcome: unknown}}
  - id: hat-colours
    text: Nobody minds the colour of hats much.
    tier: 3
    when: {strength: must, outcome: missed}
    scope: {category: hats, attribute: colour}
    over: missed-must
    examples:
      - {query: red hat, item: blue hat}
    counter-examples:
      - {query: white wedding hat, item: black hat}
  - {id: sock-pairs, text: Socks come in pairs., valid: {from: 2026-01-01, to: 2026-12-31}}
  - {id: knee-socks, text: Knee socks end below the knee., valid: {from: 2026-01-02}}
  - {id: warm-hats, text: Warm hats cover the ears., scope: {category: hats}}
  - {id: shy, text: Shy hats hide., scope: {category: hats}}
  - {id: thick, text: Thick socks are warm., scope: {category: socks}}
  - {id: colours, text: Colours are what one sees., scope: {attribute: colour}}
"""

# The sound text, the fault in its place, the rule that the finding names, and words of its message.
PLANTED = [
    (
        "{relation: complement}",
        "{relation: [complement, substitute]}",
        "complement",
        "contradicts substitute: for a substitute, substitute says Related and complement says Mismatch",
    ),
    (
        "stated is Related",
        "stated is Mismatch",
        "unstated",
        "its text says Mismatch but its tier is 3 (Related)",
    ),
    (
        "    over: missed-must\n",
        "",
        "hat-colours",
        "contradicts missed-must: for a missed must for colour",
    ),
    (
        "query: white wedding hat, item: black hat",
        "query: Red  hat, item: blue hat",
        "hat-colours",
        '"red hat" with "blue hat" is example and counter-example',
    ),
    ("to: 2026-12-31", "to: 2026-05-31", "sock-pairs", "never applies: it ended on 2026-05-31"),
    ("from: 2026-01-02", "from: 2026-07-01", "knee-socks", "it begins on 2026-07-01"),
    ("Knee socks end below the knee.", "socks come in pairs", "knee-socks", "says the same as sock-pairs"),
    ("ears., scope: {category: hats}", "ears., scope: {category: hat}", "warm-hats", 'did you mean "Hats"?'),
    (
        "{strength: wish, outcome: missed}",
        "{strength: wish, outcome: missed, relation: match}",
        None,
        "no rule says what a missed wish on a substitute or a complement is worth",
    ),
    (
        "id: shy,",
        "id: shy, tier: 1, when: {relation: complement},",
        "shy",
        "never decides: wherever it applies, complement overrides it",
    ),
    (
        "id: thick,",
        "id: thick, tier: 1, when: {relation: other},",
        "thick",
        "caps nothing that other would not cap the same",
    ),
    ("id: colours,", "id: colours, tier: 3,", "colours", "it names the attribute"),
]
WARNINGS = {"knee-socks", "warm-hats", "thick", None}


def _findings(folder: Path, text: str) -> list[Finding]:
    path = folder / "book.yaml"
    path.write_text(text, encoding="utf-8")
    return check_rulebook(read_rulebook(path), DAY, STORE)


def test_a_dozen_planted_faults_are_found_each_by_its_rule_and_none_is_once_mended(tmp_path: Path) -> None:
    broken = SHOP
    for sound, fault, _, _ in PLANTED:
        assert broken.count(sound) == 1
        broken = broken.replace(sound, fault)
    found = _findings(tmp_path, broken)
    for _, _, name, words in PLANTED:
        assert [each for each in found if each.rule == name and words in each.message], words
    assert _findings(tmp_path, SHOP) == []


@pytest.mark.parametrize(("sound", "fault", "name", "words"), PLANTED)
def test_a_planted_fault_is_the_only_one_found(
    tmp_path: Path, sound: str, fault: str, name: str | None, words: str
) -> None:
    (finding,) = _findings(tmp_path, SHOP.replace(sound, fault))
    assert finding.rule == name
    assert finding.severity == ("warning" if name in WARNINGS else "error")
    assert words in finding.message


def test_the_general_rulebook_has_nothing_wrong() -> None:
    general = read_rulebook(built_in("general"))
    assert check_rulebook(general, date.today()) == []
    assert 35 <= len(general.rules) <= 55
    assert all(each.examples for each in general.rules)
    assert {each.tier for each in general.rules} == {None, 1, 2, 3, 4}


def test_a_book_without_tiers_is_told_once() -> None:
    (finding,) = check_rulebook(book(rule("a", relation="match")), DAY)
    assert "no rule has a tier" in finding.message


def test_gaps_name_what_is_open_only_somewhere() -> None:
    narrow = [
        replace(each, scope=rule("x", category="hats").scope) if each.name == "complement" else each
        for each in SOUND
    ]
    (finding,) = check_rulebook(book(*narrow), DAY)
    assert "no rule says what a complement in any category but hats is worth" in finding.message


def test_requirements_of_goods_that_are_irrelevant_anyway_are_no_gap() -> None:
    rules = [
        replace(each, when=replace(each.when, relation=("match", "substitute", "complement")))
        if each.when.of_requirements
        else each
        for each in SOUND
    ]
    assert check_rulebook(book(*rules), DAY) == []


def test_a_contradiction_that_begins_later_names_its_day() -> None:
    season = rule(
        "advent", 1, relation="complement", valid_from=date(2026, 12, 1), valid_to=date(2026, 12, 24)
    )
    found = check_rulebook(book(*SOUND, season), DAY)
    assert [each.severity for each in found] == ["error", "warning"]
    assert "for a complement from 2026-12-01 to 2026-12-24, complement says Mismatch" in found[0].message
    assert check_rulebook(book(*SOUND, replace(season, over=("complement",))), date(2026, 12, 5)) == []


def test_an_example_under_two_tiers_is_told() -> None:
    pair = (Example("sofa", "armchair"),)
    rules = [
        replace(each, examples=pair) if each.tier in (1, 2) and each.when.relation else each for each in SOUND
    ]
    (finding,) = check_rulebook(book(*rules), DAY)
    assert (
        '"sofa" with "armchair" is an example of complement (Mismatch) and of other (Irrelevant)'
        in finding.message
    )


@pytest.mark.parametrize(
    "text",
    [
        "Goods of one family are Related at best.",
        "Such an item is Related, never Excellent.",
        "It is Related and not quite Mismatch.",
        "Related goods stand in for each other.",
        "Excellent shoes are a mismatch for irrelevant queries.",
        "Tier 3 at best.",
    ],
)
def test_a_text_may_deny_other_tiers_and_use_their_words(text: str) -> None:
    rules = [replace(each, text=text) if each.name == "substitute" else each for each in SOUND]
    assert check_rulebook(book(*rules), DAY) == []


def test_a_vocabulary_that_knows_no_names_asks_for_none() -> None:
    rules = (*SOUND, rule("hats", category="hats", locale=("us", "de")))
    assert check_rulebook(book(*rules), DAY, Vocabulary()) == []
    (finding,) = check_rulebook(book(*rules), DAY, Vocabulary(locale=frozenset({"us"})))
    assert finding.message.startswith('the store has no locale "de"')


@given(rulebooks())
def test_contradictions_are_found_where_there_are_any(book: Rulebook) -> None:
    found = [each for each in check_rulebook(book, DAY) if each.message.startswith("contradicts")]
    space = Space([book.rules])
    assert bool(found) == any(len(space.tiers(mask)) > 1 for _, mask in space.boxes())


@given(rulebooks())
def test_caps_stay_as_they_are_without_the_rules_that_are_said_to_do_nothing(book: Rulebook) -> None:
    idle = {
        each.rule
        for each in check_rulebook(book, DAY)
        if each.message.startswith(("caps nothing", "never decides"))
    }
    # Without their tiers they still pass on what others override through them.
    rules = [replace(each, tier=None) if each.name in idle else each for each in book.rules]
    space = Space([book.rules, rules])
    assert all(space.tier(mask, 0) == space.tier(mask, 1) for _, mask in space.boxes())
