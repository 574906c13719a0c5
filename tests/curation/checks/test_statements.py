from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.checks.statements import Scopes, read_statements
from curation.checks.words import stem, words


def stances(text: str, word: str) -> set[str]:
    return set(read_statements(text).of_word(stem(word)))


@pytest.mark.parametrize(
    ("text", "word", "stance"),
    [
        ("Not cashmere but cotton.", "cashmere", "denied"),
        ("Not cashmere but cotton.", "cotton", "own"),
        ("Fleece instead of cotton.", "fleece", "own"),
        ("Fleece instead of cotton.", "cotton", "denied"),
        ("Leather rather than suede", "suede", "denied"),
        ("silicone-free, plant-based", "silicone", "denied"),
        ("silicone-free, plant-based", "plant", "own"),
        ("Hair Mask silicone-free", "mask", "own"),
        ("Free of silicones.", "silicones", "denied"),
        ("Without silicones and sulphates, black", "sulphates", "denied"),
        ("Without silicones and sulphates, black", "black", "own"),
        ("Neither wool nor down", "down", "denied"),
        ("No wool felt: made of aluminium.", "felt", "denied"),
        ("No wool felt: made of aluminium.", "aluminum", "own"),
        ("Coated with PTFE, not with ceramic.", "ceramic", "denied"),
        ("Batteries not included", "batteries", "denied"),
        ("Not only black but striped", "black", "own"),
        ("Other versions are red; this one is blue", "red", "other"),
        ("Other versions are red; this one is blue", "blue", "own"),
        ("Red lamp. See also: black chairs", "black", "other"),
        ("Red lamp + others bought black chairs", "black", "other"),
        ("Red lamp. Also in this shop: black chairs.\nSturdy.", "sturdy", "own"),
        ("Case for Nova 7, not Slate", "nova", "for"),
        ("Case for Nova 7, not Slate", "slate", "denied"),
        ("compatible with Galaxy phones", "galaxy", "for"),
        ("Unlined", "lined", ""),
    ],
)
def test_how_a_text_speaks_of_a_word(text: str, word: str, stance: str) -> None:
    assert stances(text, word) == ({stance} if stance else set())


def test_quantities_of_other_versions() -> None:
    found = read_statements("Weighs 120 g; the other width weighs 450 g.").quantities
    assert [(each.number, stance) for each, stance in found] == [(120, "own"), (450, "other")]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("colours", "color"),
        ("grey", "Gray"),
        ("fibres", "fiber"),
        ("sulphates", "sulfate"),
        ("aluminium", "aluminum"),
        ("coated", "coating"),
        ("boxes", "box"),
        ("batteries", "battery"),
        ("zipped", "zip"),
        ("twin", "two"),
        ("four", "4"),
        ("shop's", "shop"),
    ],
)
def test_one_word_in_two_forms(a: str, b: str) -> None:
    assert stem(a) == stem(b)


def test_one_word_written_as_two() -> None:
    assert stances("a water-proof bag", "waterproof") == {"own"}


def test_words_of_one_root() -> None:
    assert stances("lamp with dimmer", "dimmable") == {"own"}


@given(st.text(st.characters()))
def test_any_text_has_stances(text: str) -> None:
    scopes = Scopes(text)
    for word in words(text):
        assert scopes.at(word.start) in {"own", "for", "unclear", "denied", "other"}
        assert text[word.start : word.stop] == word.raw
