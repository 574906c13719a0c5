"""What the checks of form, rules and verdict find in a rationale, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.checks.chain import read_chain
from curation.checks.checked_text import CheckedText
from curation.checks.form import as_rationale
from curation.checks.text_checks import check_text
from curation.checks.vocabulary import Vocabulary
from curation.rationales.rationale import Rationale
from tests.curation.checks.conftest import SOUND, TEXT

if TYPE_CHECKING:
    from collections.abc import Callable

    from curation.checks.finding import Finding
    from curation.grading import Format

VOCABULARY = Vocabulary.of(
    ["red beanies, not wool", "Vidda Stride Beanie, navy", "silk scarf in green"], ["Vidda"]
)


def found(checked: CheckedText) -> list[Finding]:
    return check_text(checked, VOCABULARY)


def told(checked: CheckedText) -> set[tuple[str, str, str | None]]:
    """Kind, name and words of the findings, grounding left out."""
    return {
        (each.kind, each.name, each.span and checked.text[slice(*each.span)])
        for each in found(checked)
        if each.kind != "grounding"
    }


def test_a_sound_rationale_has_no_finding() -> None:
    assert found(SOUND) == []


@pytest.mark.parametrize(
    ("pieces", "fields", "expected"),
    [
        (
            [("Tier: 2", "Tier: 4")],
            {"tier": 4},
            ("verdict", "tier against verdict", "Verdict: Mismatch, wrong colour"),
        ),
        (
            [("Verdict: Mismatch", "Verdict: Excellent"), ("Tier: 2", "Tier: 4")],
            {"tier": 4},
            ("verdict", "steps against verdict", "Verdict: Excellent, wrong colour"),
        ),
        ([("missed-must", "missed-musts")], {}, ("rule", "no such rule", "missed-musts")),
        ([("missed-must", "question")], {}, ("rule", "not shown", "question")),
        ([("missed-must", "missed-must, violated-not")], {}, ("rule", "does not apply", "violated-not")),
        (
            [("check fibre: says cotton, met\n", "")],
            {},
            ("form", "requirement without check", "not fibre: wool"),
        ),
        (
            [("not fibre: wool\n", "")],
            {},
            ("form", "check without requirement", "check fibre: says cotton, met"),
        ),
        ([("Category: match, beanie\n", "")], {}, ("form", "step missing or out of order", None)),
        ([], {"tier": None}, ("form", "no tier", None)),
        ([], {"finished": False}, ("form", "cut off", None)),
        ([("Query:", "Tier: 2\nQuery:")], {}, ("form", "tier before the reasoning", "Tier: 2")),
    ],
)
def test_what_is_wrong_is_named_and_placed(
    written: Callable[..., CheckedText],
    pieces: list[tuple[str, str]],
    fields: dict[str, object],
    expected: tuple[str, str, str | None],
) -> None:
    assert expected in told(written(*pieces, **fields))


def test_another_script_is_noticed(written: Callable[..., CheckedText]) -> None:
    text = "Query: 毛线帽\nItem: 毛线帽\nCategory: match, 毛线帽\nRules: none\nVerdict: Mismatch, 颜色不对\nTier: 2"
    text = text.replace("毛线帽", "毛线帽保暖柔软舒适时尚百搭秋冬男女通用" * 3)
    assert ("form", "another script", None) in told(written(text=text))


ENGLISH = "The query asks for a red beanie that is not made of wool, and the item is a navy beanie of cotton."
SPANISH = (
    "El artículo es un gorro azul marino de algodón, y por lo tanto no coincide con lo que pide la consulta."
)


@pytest.mark.parametrize(
    ("text", "query", "marked"),
    [
        (f"{SPANISH}\nTier: 2", "red beanies", f"{SPANISH}\nTier: 2"),
        (f"{ENGLISH} {SPANISH} {SPANISH}\nTier: 2", "red beanies", "artículo"),
        (f"{ENGLISH}\nTier: 2", "red beanies", None),
        (
            f"{SPANISH}\nTier: 2",
            "gorros rojos de punto que no sean de lana, por favor, para el invierno",
            None,
        ),
        ("El gorro es azul.\nTier: 2", "red beanies", None),
        (f"{SPANISH}\nTier: 2", "funda iphone 6 Funda Carcasa iPhone 6", None),
    ],
)
def test_a_switch_to_another_language_is_noticed(
    written: Callable[..., CheckedText], text: str, query: str, marked: str | None
) -> None:
    fields = {"title": query, "description": "", "brand": "", "steps_asked": False}
    found = [
        words
        for _, name, words in told(written(text=text, query=query, **fields))
        if name == "another language"
    ]
    assert len(found) == (marked is not None)
    assert all(marked in words for words in found if marked and words)


def test_lines_that_come_again_are_a_loop_and_values_that_do_are_none(
    written: Callable[..., CheckedText],
) -> None:
    line = "check colour: states navy, missed\n"
    assert ("form", "loop", line.rstrip()) in told(written((line, line * 3)))
    assert not any(name == "loop" for _, name, _ in told(SOUND))


def test_steps_are_read_whatever_decorates_them(written: Callable[..., CheckedText]) -> None:
    decorated = written(
        text="\n".join(
            f"{n}. **{line.partition(':')[0]}**:{line.partition(':')[2]}"
            for n, line in enumerate(TEXT.split("\n"), 1)
        )
    )
    assert isinstance(as_rationale(decorated, read_chain(decorated)), Rationale)
    assert [line.step for line in read_chain(decorated).lines] == [
        line.step for line in read_chain(SOUND).lines
    ]


PROSE = CheckedText(
    "", "answer-first", 1, "red beanies, not wool", "Vidda Stride Beanie, navy", "Cotton, unlined."
)


@pytest.mark.parametrize(
    ("text", "tier", "name", "words"),
    [
        ("1\nThe beanie is exactly what the query asks.", 1, "reasoning against verdict", "exactly what"),
        ("4\nThis item is not related to the query.", 4, "reasoning against verdict", "not related"),
        ("4\nNavy instead of red, so it is tier 2.", 4, "states another tier", "2"),
        ("4\nThe beanie is exactly what the query asks.", 4, None, None),
        ("1\nThis item is not a match.", 1, None, None),
        ("2\nA perfect match in kind, but not relevant in colour.", 2, None, None),
    ],
)
def test_prose_for_or_against_is_held_against_its_tier(
    text: str, tier: int, name: str | None, words: str | None
) -> None:
    checked = CheckedText(text, "answer-first", tier, PROSE.query, PROSE.title, PROSE.description)
    assert {(each, words) for kind, each, words in told(checked) if kind == "verdict"} == (
        {(name, words)} if name else set()
    )


def test_spans_count_characters_with_an_emoji_before_them(written: Callable[..., CheckedText]) -> None:
    checked = written(("Query: beanies", "Query: 🙂 beanies"), ("missed-must", "missed-musts"))
    [span] = [each.span for each in found(checked) if each.name == "no such rule"]
    assert span
    assert checked.text[slice(*span)] == "missed-musts"


@settings(deadline=None, max_examples=200)
@given(
    st.text(alphabet=st.characters(exclude_categories=()), max_size=300)
    | st.lists(st.sampled_from([*TEXT.split("\n"), "", "x", "<b>", "4"]), max_size=14).map("\n".join),
    st.sampled_from([None, "answer-first", "reason-first"]),
    st.booleans(),
)
def test_any_text_is_read_and_spans_lie_in_it(text: str, form: Format | None, steps_asked: bool) -> None:
    checked = CheckedText(
        text, form, 2, SOUND.query, SOUND.title, steps_asked=steps_asked, rulebook=SOUND.rulebook
    )
    for each in found(checked):
        assert each.span is None or 0 <= each.span[0] < each.span[1] <= len(text)


@pytest.mark.parametrize(
    "text", ["", " \n", "word " * 200_000, "Query: x\n" * 100_000, "<b>" * 300_000, "-1.5" * 250_000]
)
def test_empty_and_huge_texts_end(text: str) -> None:
    checked = CheckedText(
        text, "answer-first", None, SOUND.query, SOUND.title, steps_asked=True, rulebook=SOUND.rulebook
    )
    assert (found(checked) == []) == (not text.strip())
