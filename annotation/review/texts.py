"""Hostile text in Argilla's pages: shown as it is, without running or hiding anything, and found again by offset.

Argilla's pages put fields into the document as HTML and count the characters of a selection as JavaScript does, in
UTF-16 units of what is shown. So every text is escaped such that what is shown has the units of the original, one by
one; an offset from the page is then one into the original, once units are turned into code points.
"""

from __future__ import annotations

import re

# What would not survive a database, turns the order of what is shown, or is there unseen: controls, bidirectional
# marks, zero-width characters (but for the joiners that scripts and emoji need), tag characters.
_SHOWN_AS_UNKNOWN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]"
    "|[\U000e0000-\U000e007f]"
)
_MARKUP = re.compile("[&<>\"'`\r]|[^\\x00-\\uffff]")
_LINE_END = re.compile("\r\n?|\n")
_ASTRAL = 0xFFFF


def shown_text(text: str) -> str:
    """HTML that shows `text` and nothing else, unit by unit.

    Code points beyond the first 65,536 become references: Argilla's server measures the text as Python does and would
    refuse a span whose offset in UTF-16 units lies behind that end.
    """
    known = _SHOWN_AS_UNKNOWN.sub(lambda found: "\ufffd" * unit_offset(found[0], 1), text)
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", known)


def shown_inline(text: str) -> str:
    """As `shown_text`, for a block of HTML: line breaks are elements, as an empty line would end the block."""
    return "<br>".join(map(shown_text, _LINE_END.split(text)))


def code_point_offset(text: str, units: int) -> int:
    """Index in `text` of the code point that holds the UTF-16 unit number `units`; the end for what lies behind it."""
    if text.isascii():
        return min(units, len(text))
    passed = 0
    for index, character in enumerate(text):
        passed += 2 if ord(character) > _ASTRAL else 1
        if passed > units:
            return index
    return len(text)


def unit_offset(text: str, index: int) -> int:
    """How many UTF-16 units the first `index` code points of `text` take."""
    return index + sum(ord(character) > _ASTRAL for character in text[:index])
