"""Words of a text with their places, in one spelling: case, inflection, British or American, numbers as digits."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

_WORD = re.compile(r"[^\W_]+(?:['’][^\W\d_]{1,3}(?![^\W_]))?")
_LONGEST = 40
_SHORTEST_STEM = 3
_SPELLINGS = (
    (re.compile(r"sulph"), "sulf"),
    (re.compile(r"(?<=\w{3})our(?=(?:s|ed|ing|ful|less|able)?$)"), "or"),
    (re.compile(r"(?<=\w[bt])re(?=s?$)"), "er"),
    (re.compile(r"(?<=\w{3})is(?=(?:e|es|ed|er|ers|ing|ation|ations)$)"), "iz"),
    (re.compile(r"(?<=\w{3})yse(?=[sd]?$)"), "yze"),
    (re.compile(r"(?<=\w{2})ogue(?=s?$)"), "og"),
    (re.compile(r"(?<=\w{2}l)l(?=(?:ed|ing|er|ers)$)"), ""),
)
_ENDINGS = (
    # Plural, then participles and what is made of a verb, then a silent e.
    (re.compile(r"(?<=\w{2})ies$"), "y"),
    (re.compile(r"(?<=[xz])es$|(?<=ss)es$|(?<=[cs]h)es$"), ""),
    (re.compile(r"(?<=\w{2}[^siu])s$"), ""),
    (re.compile(r"(?<=\w{3})ly$"), ""),
    (re.compile(r"(?<=\w{3})(?:ing|(?<!e)ed)$"), ""),
    (re.compile(r"(?<=\w{4}[ts])(?:ion|ive|or)$"), ""),
    (re.compile(r"(?<=\w{2}([^aeious\W]))\1$"), ""),
    (re.compile(r"(?<=\w{3})e$|(?<=\w{4})y$"), ""),
)
_DERIVED = re.compile(r"(?<=\w{3})(?:abl|ibl|er|ment|ish|ful|al|ic|at|en)$")


class Word(NamedTuple):
    """A word of a text.

    Attributes:
        start: Its first character.
        stop: The one after its last.
        raw: As it is written.
        stem: In one spelling.
        hyphened: Whether a hyphen joins it to the word before.
    """

    start: int
    stop: int
    raw: str
    stem: str
    hyphened: bool


def words(text: str) -> list[Word]:
    """Words and numbers of a text in their order; what is longer than any word is left out."""
    found = []
    last = -2
    for match in _WORD.finditer(text):
        start, stop = match.span()
        if stop - start <= _LONGEST:
            raw = match[0]
            hyphened = last == start - 1 and text[last] in "-‐‑"
            found.append(Word(start, stop, raw, stem(raw), hyphened))
        last = stop
    return found


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """A word in one spelling; no word of a language, but the same for what is the same word."""
    plain = word.casefold()
    if not plain.isascii():
        plain = unicodedata.normalize("NFKD", plain.replace("’", "'"))
        plain = "".join(each for each in plain if not unicodedata.combining(each))
    plain = plain.removesuffix("'s")
    lists = _lists()
    plain = lists.numbers.get(plain, plain)
    if len(plain) <= _SHORTEST_STEM or not plain.isalpha():
        return lists.spellings.get(plain, plain)
    plain = lists.spellings.get(plain) or lists.spellings.get(plain.removesuffix("s")) or plain
    for pattern, replacement in _SPELLINGS:
        plain = pattern.sub(replacement, plain)
    for pattern, replacement in _ENDINGS:
        plain = pattern.sub(replacement, plain)
    return plain


def is_silent(word: Word) -> bool:
    """Whether a word claims nothing of goods: a function word, or one that reports."""
    lists = _silent()
    return word.stem in lists or word.raw.casefold().replace("’", "'") in lists


def is_function_word(word: Word) -> bool:
    """Whether a word has a grammatical sense only."""
    return word.stem in _function_words()


def is_joined(word: Word) -> bool:
    """Whether a word only says how the one is meant that a hyphen joins it to, as in ``dishwasher-safe``."""
    return word.hyphened and word.raw.casefold() in _lists().joined


def is_attribute(word: Word) -> bool:
    """Whether a word names an attribute rather than a value."""
    return word.raw.casefold() in _lists().attributes


@lru_cache(maxsize=100_000)
def root(stem: str) -> str:
    """What a stem has in common with those made of the same word: ``dim`` of ``dimmer`` and ``dimmable``."""
    cut = _DERIVED.sub("", stem)
    return cut[:-1] if len(cut) > _SHORTEST_STEM and cut[-1] == cut[-2] else cut


class _Lists(NamedTuple):
    stop: frozenset[str]
    reporting: frozenset[str]
    joined: frozenset[str]
    attributes: frozenset[str]
    spellings: Mapping[str, str]
    numbers: Mapping[str, str]


@cache
def _lists() -> _Lists:
    tables = tomllib.loads(files("curation.checks").joinpath("data/words.toml").read_text(encoding="utf-8"))
    return _Lists(
        frozenset(tables["stop"].split()),
        frozenset(tables["reporting"].split()),
        frozenset(tables["joined"].split()),
        frozenset(tables["attributes"].split()),
        tables["spellings"],
        tables["numbers"],
    )


@cache
def _function_words() -> frozenset[str]:
    return frozenset(map(stem, _lists().stop)) | _lists().stop


@cache
def _silent() -> frozenset[str]:
    return _function_words() | frozenset(map(stem, _lists().reporting)) | _lists().reporting
