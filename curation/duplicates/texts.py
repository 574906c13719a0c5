"""Texts as sets of shingles, blind to what a near-copy changes: case, punctuation, word order, spelling of units."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_TOKEN = re.compile(
    r"\d{1,3}(?:,\d{3})+(?!\d)|\d+(?:[.,]\d+)?"
    # Marks of inch and foot stand right behind their number.
    r"|(?<=\d)(?:[\"”″]|''|’’|′′|['’′](?!\w))"
    r"|[^\W\d_]+"
)
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")

_UNITS = {
    spelling: unit
    for unit, spellings in {
        "inch": "inches in \" ” ″ '' ’’ ′′",
        "foot": "feet ft ' ’ ′",
        "cm": "cms centimeter centimeters centimetre centimetres",
        "mm": "millimeter millimeters millimetre millimetres",
        "m": "meter meters metre metres",
        "g": "gr gram grams",
        "kg": "kgs kilo kilos kilogram kilograms",
        "oz": "ounce ounces",
        "lb": "lbs pound pounds",
        "ml": "milliliter milliliters millilitre millilitres",
        "l": "liter liters litre litres",
        "mb": "megabyte megabytes",
        "gb": "gig gigabyte gigabytes",
        "tb": "terabyte terabytes",
        "w": "watt watts",
        "v": "volt volts",
        "pc": "pcs piece pieces",
        "pack": "packs pk",
        "ct": "count",
    }.items()
    for spelling in (unit, *spellings.split())
}
_CENTIMETRES = {"inch": 2.54, "foot": 30.48}


def words(text: str) -> list[str]:
    """Words and numbers of `text` in one spelling: ``12"``, ``12 inches`` and ``30 cm`` are all ``30 cm``.

    Inches and feet become whole centimetres, thousands lose their commas, other units get one spelling each.
    Letters and digits are words of their own. Applied to its own words, nothing changes.
    """
    found: list[str] = []
    for token in _TOKEN.findall(_caseless(text)):
        number = found[-1] if found and _NUMBER.fullmatch(found[-1]) else None
        unit = _UNITS.get(token) if number else None
        if number and unit in _CENTIMETRES:
            found[-1:] = [str(round(float(number) * _CENTIMETRES[unit])), "cm"]
        elif unit:
            found.append(unit)
        elif token[0].isdigit():
            found.append(_plain_number(token))
        elif token[0].isalpha():
            found.append(token)
    return found


def shingles(text: str, size: int) -> frozenset[str]:
    """Runs of `size` characters in the words of `text`, whose beginnings and ends count as one character each.

    No run spans two words, so that their order counts for nothing.
    """
    return frozenset(shingle for word in words(text) for shingle in _of_word(word, size))


@lru_cache(maxsize=10_000)
def numbers(text: str) -> frozenset[str]:
    """Numbers in `text`, as `words` spells them."""
    return frozenset(word for word in words(text) if word[0].isdigit())


def jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    """Shared over all elements: |a ∩ b| / |a ∪ b|; 1 for two empty sets."""
    shared = len(a & b)
    union = len(a) + len(b) - shared
    return shared / union if union else 1.0


@lru_cache(maxsize=100_000)
def _of_word(word: str, size: int) -> tuple[str, ...]:
    marked = f" {word} "
    return tuple(marked[start : start + size] for start in range(len(marked) - size + 1))


def _caseless(text: str) -> str:
    if text.isascii():
        return text.lower()
    # Compatibility caseless matching, Unicode standard, D146.
    for _ in range(2):
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFD", text).casefold())
    return text


def _plain_number(token: str) -> str:
    if _THOUSANDS.fullmatch(token):
        return token.replace(",", "")
    whole, point, decimals = token.replace(",", ".").partition(".")
    return f"{whole}{point}{decimals}".rstrip("0").rstrip(".") if point else whole
