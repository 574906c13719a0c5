"""Which tier follows from a rationale's steps, and by which rules."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from curation.rationales.rationale import (
    OUTCOMES,
    RELATIONS,
    STRENGTHS,
    Check,
    Rationale,
    Relation,
    Requirement,
)
from curation.rulebook.logic import Decision, decide
from tests.curation.rulebook.books import SOUND, rule, rulebooks

if TYPE_CHECKING:
    from random import Random

    from curation.rulebook.rule import Rule, Rulebook


def _rationale(relation: Relation, *answers: tuple[str, str, str | None]) -> Rationale:
    """Answers are strength, attribute and outcome, None for a check that is missing."""
    return Rationale(
        "what is wanted",
        tuple(Requirement(strength, attribute, "so") for strength, attribute, _ in answers),  # type: ignore[arg-type]
        "an item",
        relation,
        "",
        tuple(Check(outcome, attribute, "so") for _, attribute, outcome in answers if outcome),  # type: ignore[arg-type]
        (),
        4,
        "",
    )


def _decide(rules: tuple[Rule, ...], rationale: Rationale, *categories: str) -> Decision:
    return decide(rules, rationale, kind="plain", locale="us", categories=categories)


ANSWERS = st.tuples(
    st.sampled_from(STRENGTHS), st.sampled_from(("colour", "size")), st.none() | st.sampled_from(OUTCOMES)
)
RATIONALES = st.builds(
    lambda relation, answers: _rationale(relation, *answers),
    st.sampled_from(RELATIONS),
    st.lists(ANSWERS, max_size=3),
)


def test_the_lowest_cap_decides_and_names_its_rules() -> None:
    decision = _decide(
        SOUND, _rationale("substitute", ("must", "sole", "missed"), ("wish", "size", "missed"))
    )
    assert decision.tier == 2
    assert decision.deciding == ("missed-must",)
    assert [(cap.cell.attribute, cap.tier, cap.rules) for cap in decision.caps] == [
        (None, 3, ("substitute",)),
        ("sole", 2, ("missed-must",)),
        ("size", 3, ("missed-wish",)),
    ]


def test_an_item_that_nothing_caps_is_excellent() -> None:
    decision = _decide(SOUND, _rationale("match", ("must", "sole", "met")))
    assert decision.tier == 4
    assert [cap.tier for cap in decision.caps] == [None, None]
    assert decision.deciding == ()


def test_a_requirement_without_a_check_is_unknown() -> None:
    assert _decide(SOUND, _rationale("match", ("must", "sole", None))).deciding == ("unstated",)


def test_two_requirements_of_an_attribute_are_answered_in_their_order() -> None:
    rationale = _rationale("match", ("must", "price", "met"), ("wish", "price", "missed"))
    assert [cap.tier for cap in _decide(SOUND, rationale).caps] == [None, None, 3]


def test_a_rule_overrides_others_through_a_third_that_does_not_apply() -> None:
    rules = (
        rule("general", 3, relation="substitute"),
        rule("hats", 1, relation="substitute", category="hats", over="general"),
        rule("special", 2, relation="substitute", over="hats"),
    )
    decision = _decide(rules, _rationale("substitute"))
    assert (decision.tier, decision.deciding, decision.contradictions) == (2, ("special",), ())


def test_rules_that_disagree_are_a_contradiction_and_the_lower_tier_counts() -> None:
    rules = (rule("strict", 1, relation="substitute"), rule("mild", 3, relation="substitute"))
    decision = _decide(rules, _rationale("substitute"))
    assert decision.tier == 1
    ((cap,)) = decision.contradictions
    assert (cap.rules, cap.outvoted) == (("strict",), ("mild",))


def test_scopes_keep_rules_away_and_names_compare_without_case() -> None:
    rules = (
        rule("hats", 1, relation="match", category="Bobble Hats"),
        rule("questions", 1, relation="match", kind="question"),
        rule("german", 1, relation="match", locale="de"),
        rule("colours", 2, outcome="missed", attribute="Colour"),
    )
    assert _decide(rules, _rationale("match"), "socks").tier == 4
    assert _decide(rules, _rationale("match"), "bobble hats").deciding == ("hats",)
    assert _decide(rules, _rationale("match", ("must", "colour", "missed"))).tier == 2
    assert _decide(rules, _rationale("match", ("must", "size", "missed"))).tier == 4
    asked = decide(rules, _rationale("match"), kind="question", locale="de", categories=())
    assert asked.deciding == ("questions", "german")


def test_relations_narrow_rules_of_requirements() -> None:
    rules = (rule("on-substitutes", 2, relation="substitute", outcome="missed"),)
    assert _decide(rules, _rationale("substitute", ("wish", "size", "missed"))).tier == 2
    assert _decide(rules, _rationale("match", ("wish", "size", "missed"))).tier == 4


@given(rulebooks(), RATIONALES, st.randoms(use_true_random=False))
def test_neither_order_nor_rules_without_a_tier_change_a_decision(
    book: Rulebook, rationale: Rationale, rng: Random
) -> None:
    decision = _decide(book.rules, rationale, "hats")
    shuffled = [replace(each, text="Other words.") for each in book.rules] + [rule("zz", attribute="size")]
    rng.shuffle(shuffled)
    again = _decide(tuple(shuffled), rationale, "HATS")
    assert again.tier == decision.tier
    assert set(again.deciding) == set(decision.deciding)


@given(rulebooks(), RATIONALES)
def test_the_tier_is_the_lowest_cap_and_its_rules_have_it(book: Rulebook, rationale: Rationale) -> None:
    decision = _decide(book.rules, rationale, "socks")
    assert len(decision.caps) == 1 + len(rationale.requirements)
    assert decision.tier == min((cap.tier for cap in decision.caps if cap.tier), default=4)
    for name in decision.deciding:
        assert book.by_name[name].tier == decision.tier
    for cap in decision.caps:
        assert bool(cap.rules) == (cap.tier is not None)
        assert all((book.by_name[name].tier or 0) > (cap.tier or 4) for name in cap.outvoted)
