"""What is asked and what is stored become words by one rule."""

from __future__ import annotations

import re

import pytest
from argilla_database_search.query import Group, Node, Not, Phrase, parse, phrases
from argilla_database_search.tokens import runs, tokens
from hypothesis import given
from hypothesis import strategies as st


def shown(node: Node | None) -> str:
    """A query with all its parentheses."""
    if node is None:
        return "nothing"
    if isinstance(node, Phrase):
        return "_".join(node.words) + ("*" if node.is_prefix else "")
    if isinstance(node, Not):
        return f"-{shown(node.part)}"
    return "(" + (" | " if node.any_of else " ").join(map(shown, node.parts)) + ")"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("red steel", "(red steel)"),
        ("red + steel", "(red steel)"),
        ("red | steel wool", "((red | steel) wool)"),
        ("red steel | wool", "((red steel) | wool)"),
        ("red (steel | wool)", "(red (steel | wool))"),
        ("red -steel", "(red -steel)"),
        ("-red", "-red"),
        ("--red", "red"),
        ("red - | steel", "(red | steel)"),
        ("-(red | steel)", "-(red | steel)"),
        ('"Stainless  Steel" pan', "(stainless_steel pan)"),
        ("sta*", "sta*"),
        ("t-shirt", "(t shirt)"),
        ("t-sh*", "(t sh*)"),
        (r"wi\*", "wi"),
        ("steel~2", "steel"),
        ('"red pan"~3', "red_pan"),
        ("5<6 inch", "(5 6 inch)"),
        ("无线吸尘器", "无_线_吸_尘_器"),
        ("Crème BRÛLÉE", "(crème brûlée)"),
        ("cafe\u0301", "café"),
        ("हिन्दी", "हिन्दी"),
        ('"open', "open"),
        ("red ) steel", "(red steel)"),
        ("((red", "red"),
        ("", "nothing"),
        ("!!! … ☃", "nothing"),
        ("()", "nothing"),
        ('"!!!"', "nothing"),
        ("\\", "nothing"),
    ],
)
def test_queries(text: str, expected: str) -> None:
    assert shown(parse(text)) == expected


@given(st.text(alphabet=st.sampled_from('ab*~"()|+-\\ 吸é1'), max_size=60))
def test_no_query_is_an_error(text: str) -> None:
    node = parse(text)
    for phrase in phrases(node) if node else []:
        assert phrase.words
        assert all(words and not re.search(r"[\s\"'\\]", words) for words in phrase.words)


@given(st.text(max_size=200))
def test_what_a_text_says_it_is_found_by(text: str) -> None:
    words = tokens(text)
    assert words == [word for run in runs(text) for word in run]
    assert tokens(" ".join(words)) == words
    for word in words:
        assert parse(f'"{word}"') == Phrase((word,))


def test_parentheses_without_end() -> None:
    assert isinstance(parse("(" * 100_000 + "red"), Phrase | Group | None)
