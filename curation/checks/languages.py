"""Which language a text is in, by byte n-grams (py3langid; Lui and Baldwin, ACL 2012)."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_LETTERS = 60
_SURE = 0.95
# Prompts are in English; the other is what has no language.
_PASSED = frozenset({"en", "zxx"})
_LETTER = re.compile(r"[^\W\d_]")


def other_language(text: str, about: str) -> tuple[str, tuple[int, int]] | None:
    """A language that `text`, or its second half, is in, and neither English nor the language of `about`.

    Args:
        text: What was generated. Fewer than sixty letters tell nothing.
        about: What it is about, of the shop or the shopper.

    Returns:
        Its ISO 639 code and the characters that are in it.
    """
    for start, stop in _parts(text):
        part = text[start:stop]
        if len(_LETTER.findall(part)) < _LETTERS:
            continue
        language, probability = _identifier().classify(part)
        if probability >= _SURE and language not in _PASSED and language != _identifier().classify(about)[0]:
            return language, (start, stop)
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
