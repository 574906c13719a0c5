"""The rules that matter for a pair are found, and the others stay away."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from curation.rulebook.reading import built_in, read_rulebook
from curation.rulebook.retrieval import Retriever, Subject
from curation.rulebook.rule import Example
from tests.curation.rulebook.books import SOUND, rule, rulebooks

if TYPE_CHECKING:
    from curation.rulebook.rule import Rule, Rulebook

BOOTS = ("hiking boots", "trekking boots")
RULES = (
    *SOUND,
    rule("pans-family", text="Frying pans and woks stand in for each other.", category=("frying pan", "wok")),
    rule("boots-family", text="Boots and shoes for trails stand in for each other.", category=BOOTS),
    rule("mud", text="Muddy ground needs a lugged sole.", category=BOOTS, attribute="sole", kind="knowledge"),
    rule(
        "rain",
        text="Bogs and puddles need a waterproof upper.",
        category=BOOTS,
        attribute="rain",
        kind="knowledge",
    ),
    rule("vegan", text="A vegan wears no leather.", category=BOOTS, attribute="material", kind="knowledge"),
    rule(
        "induction",
        text="A magnetic cooktop heats only iron.",
        category=("frying pan", "wok"),
        attribute="hob",
    ),
    rule("sizes", text="EU 42 is UK 8.", attribute="size", locale="uk"),
    rule("wishes", text='"Ideally" makes a wish of what it goes with.'),
    rule(
        "weights",
        2,
        strength="wish",
        outcome="missed",
        attribute="weight",
        text="A light shoe weighs under 300 g.",
    ),
    rule("questions", text="What a question asks is a must.", kind="question"),
)
CORE = [each.name for each in SOUND]


def _subject(
    query: str, title: str = "", category: str | None = None, kind: str = "plain", locale: str = "us"
) -> Subject:
    return Subject(query, title, "", category, kind, locale)


def _names(subject: Subject, k: int = 6, rules: tuple[Rule, ...] = RULES) -> list[str]:
    return [each.name for each in Retriever(rules, k).retrieve(subject)]


def test_the_core_comes_always_and_alone_where_nothing_is_shared() -> None:
    assert _names(_subject("umbrella")) == CORE
    assert _names(_subject("")) == CORE


def test_rules_of_a_kind_come_with_their_kind_alone() -> None:
    assert _names(_subject("umbrella", kind="question")) == [*CORE, "questions"]


def test_core_rules_stay_in_their_kind_and_locale() -> None:
    narrow = tuple(replace(each, scope=rule("x", kind="question", locale="US").scope) for each in SOUND)
    assert _names(_subject("umbrella", kind="question"), rules=narrow) == CORE
    assert _names(_subject("umbrella"), rules=narrow) == []
    assert _names(_subject("umbrella", kind="question", locale="de"), rules=narrow) == []


def test_the_words_of_the_query_find_the_rule_of_a_situation() -> None:
    found = _names(_subject("trekking boots for muddy tracks", "Leather Hiking Boots", kind="knowledge"), k=2)
    assert found == [*CORE, "boots-family", "mud"]


def test_the_query_counts_more_than_the_title() -> None:
    subject = _subject(
        "hiking boots for a vegan", "Hiking boots for bogs and puddles, waterproof", kind="knowledge"
    )
    assert _names(subject, k=1) == [*CORE, "vegan"]


def test_categories_are_found_as_whole_phrases_in_singular_and_plural_wherever_the_pair_names_them() -> None:
    assert "induction" in _names(_subject("frying pans for a magnetic cooktop"))
    assert "induction" in _names(_subject("magnetic cooktop", "Wok, 28 cm"))
    assert "induction" in _names(_subject("magnetic cooktop", category="Frying-Pan"))
    assert "induction" not in _names(_subject("magnetic cooktop"))
    assert "induction" not in _names(_subject("magnetic cooktop pan for frying"))


def test_accents_and_case_do_not_matter() -> None:
    rules = (rule("saute", text="Sautéing needs high walls.", category="sauté pan"),)
    assert _names(_subject("SAUTE PAN with high walls"), rules=rules) == ["saute"]


def test_rules_without_a_category_are_found_by_their_words_kind_and_locale() -> None:
    assert "wishes" in _names(_subject("umbrella, ideally red"))
    assert "weights" in _names(_subject("light umbrella"))
    assert "sizes" not in _names(_subject("boots size EU 42"))
    assert "sizes" in _names(_subject("boots size EU 42", locale="uk"))


def test_examples_find_their_rule() -> None:
    shown = rule(
        "gifts",
        text="A present is for somebody.",
        examples=(Example("something for grandpa", "fishing rod"),),
    )
    assert _names(_subject("grandpa birthday"), rules=(shown,)) == ["gifts"]


def test_no_more_than_k_come_besides_the_core() -> None:
    subject = _subject("hiking boots for a vegan in muddy bogs, ideally light", kind="knowledge")
    assert [len(_names(subject, k)) - len(CORE) for k in (0, 1, 2, 3, 99)] == [0, 1, 2, 3, 6]


def test_a_book_without_words_and_a_book_without_rules_find_nothing() -> None:
    assert _names(_subject("umbrella"), rules=()) == []
    assert _names(_subject("umbrella"), rules=(rule("a", text="?"),)) == []


def test_the_general_rulebook_tells_what_a_query_is_about() -> None:
    retriever = Retriever(read_rulebook(built_in("general")).rules)
    wanted = {
        ("24 pack of batteries", "Batteries, pack of 4"): "pack-quantity",
        ("refurbished laptop", "Laptop, factory sealed"): "condition",
        ("blue bath mat", "Bath mat, navy"): "colour",
        ("gift for a fishing grandpa", "Fishing rod"): "gifts",
        ("leather belt", "Belt of polyurethane"): "material",
        ("personalized mug", "Mug with motif"): "personalised-goods",
    }
    for (query, title), name in wanted.items():
        assert name in {each.name for each in retriever.retrieve(_subject(query, title))}


_QUERIES = st.lists(st.sampled_from(("text", "a", "b", "hats", "socks", "size", "colour")), max_size=6).map(
    " ".join
)


@given(rulebooks(), _QUERIES, _QUERIES, st.integers(0, 4))
def test_retrieval_keeps_order_scope_and_number(book: Rulebook, query: str, title: str, k: int) -> None:
    subject = _subject(query, title, kind="plain")
    retriever = Retriever(book.rules, k)
    found = retriever.retrieve(subject)
    assert found == retriever.retrieve(subject)
    assert found == [each for each in book.rules if each in found]
    words = f"{query} | {title}".split()
    for each in found:
        assert not each.scope.kind or "plain" in each.scope.kind
        assert not each.scope.category or set(each.scope.category) & set(words)
    core = [
        each
        for each in book.rules
        if (each.tier is not None or each.scope.kind)
        and not each.scope.category
        and not each.scope.attribute
        and (not each.scope.kind or "plain" in each.scope.kind)
    ]
    assert all(each in found for each in core)
    assert len(found) - len(core) <= k
