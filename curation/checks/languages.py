"""Which language a text is in, by byte n-grams (py3langid; Lui and Baldwin, ACL 2012)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_LETTERS = 60
_SURE = 0.95
# Titles are short and full of names, so that nothing is sure of them.
_POSSIBLE = 0.01
_LIKELY = 0.25
# Prompts are in English; the other is what has no language.
_PASSED = frozenset({"en", "zxx"})
_LETTER = re.compile(r"[^\W\d_]")


@dataclass(frozen=True, slots=True)
class OtherLanguage:
    """A language that a text is not expected in.

    Attributes:
        code: ISO 639.
        span: First character that is in it, and the one after the last.
        is_sure: Whether what the text is about is likely in English.
    """

    code: str
    span: tuple[int, int]
    is_sure: bool


def other_language(text: str, about: str) -> OtherLanguage | None:
    """A language that `text`, or its second half, is in, and neither English nor one that `about` may be in.

    Args:
        text: What was generated. Fewer than sixty letters tell nothing.
        about: What it is about, of the shop or the shopper.
    """
    for start, stop in _parts(text):
        part = text[start:stop]
        if len(_LETTER.findall(part)) < _LETTERS:
            continue
        language, probability = _identifier().classify(part)
        if probability < _SURE or language in _PASSED:
            continue
        possible = dict(_identifier().rank(about))
        if possible.get(language, 0.0) < _POSSIBLE:
            return OtherLanguage(language, (start, stop), possible.get("en", 0.0) >= _LIKELY)
    return None


def _parts(text: str) -> Iterator[tuple[int, int]]:
    yield 0, len(text)
    half = text.find(" ", len(text) // 2)
    if half > 0:
        yield half + 1, len(text)


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
