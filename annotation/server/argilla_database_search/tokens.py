"""Words of a text, the same for what is stored and for what is asked."""

from __future__ import annotations

import re
import sys
import unicodedata
from itertools import groupby

_LONGEST = 255
"""Characters of a word that count: a lexeme of PostgreSQL holds 2,046 bytes."""


def _character_class(belongs: str) -> str:
    """Regular-expression class of the characters whose category begins with one of `belongs`."""
    ranges = []
    numbers = (n for n in range(sys.maxunicode + 1) if unicodedata.category(chr(n))[0] in belongs)
    for _, run in groupby(enumerate(numbers), key=lambda found: found[1] - found[0]):
        members = [number for _, number in run]
        ranges.append(f"\\U{members[0]:08x}-\\U{members[-1]:08x}")
    return "".join(ranges)


# Han and Hiragana are written without spaces: each character is a word, as in Elasticsearch's standard analyzer.
_UNSPACED = "\u3005-\u3007\u3040-\u309f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_WORD = re.compile(f"[{_UNSPACED}]+|(?:(?![{_UNSPACED}])[{_character_class('LNM')}])+")
_UNSPACED_RUN = re.compile(f"[{_UNSPACED}]")


def runs(text: str) -> list[list[str]]:
    """Words of `text` in order, in lower case; characters that stand without spaces between them are one run."""
    lowered = unicodedata.normalize("NFC", text).lower()
    return [list(word) if _UNSPACED_RUN.match(word) else [word[:_LONGEST]] for word in _WORD.findall(lowered)]


def tokens(text: str) -> list[str]:
    """Words of `text` in order, in lower case."""
    return [word for run in runs(text) for word in run]
