"""How a text speaks of its words: of the item itself, denying them, of other goods, or of what the item is made for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

from curation.checks.quantities import Quantity, quantities
from curation.checks.words import Word, is_function_word, root, words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Stance = Literal["own", "for", "unclear", "denied", "other"]
_STANCES: tuple[Stance, ...] = ("own", "for", "unclear", "denied", "other")
_LONGEST = 50_000
_LONGEST_KEPT = 8_000
_AROUND = 30
_END = re.compile(r"[.!?](?=\s|$)|[\n\r]|\s[|•]\s")


class _Cue(NamedTuple):
    """Words that tell how the text speaks of what follows them, or of what goes before.

    Attributes:
        stance: How.
        cue: Pattern of the words.
        until: Pattern of what ends their reach.
        reach: Characters that they reach at most.
        backward: Whether they tell it of what goes before.
    """

    stance: Stance
    cue: re.Pattern[str]
    until: re.Pattern[str]
    reach: int
    backward: bool = False


def _any(*phrases: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{'|'.join(phrases)})", re.IGNORECASE)


_CLAUSE = re.compile(
    r"[.!?](?=\s|$)|[;:|()\[\]\n\r•/]|\s[-–—+]\s"
    r"|,(?!\s*(?:or|nor)\b)"
    r"|\b(?:but|while|whereas|though|although|which|that|this|instead|it|and (?:with|has|is|a|the))\b"
    # "not for rain", "not with wool" go on.
    r"|(?<!not )(?<!meant )(?<!made )(?<!suited )(?<!suitable )(?<!intended )\b(?:for|with|made)\b",
    re.IGNORECASE,
)
_START = re.compile(r"[.!?]\s|[;:|()\[\]\n\r•,/]|\s[-–—+]\s|\b(?:but|while|with|and)\b", re.IGNORECASE)
_TABLE = (
    # What a later line says holds over what an earlier one says.
    _Cue(
        "for",
        _any(
            r"for\b(?! (?:less|under|only)\b)",
            r"fits?\b",
            r"fitting\b",
            r"suits?\b",
            r"compatible with\b",
            r"works? with\b",
            r"designed for\b",
        ),
        re.compile(r"[.!?](?=\s|$)|[;:|()\[\]\n\r•,]|\s[-–—+]\s|\b(?:by|from|in|with|but)\b", re.IGNORECASE),
        80,
    ),
    _Cue(
        "unclear",
        _any(
            r"blocks?\b", r"prevents?\b", r"stops?\b", r"avoids?\b", r"keeps? out\b", r"against\b", r"like\b"
        ),
        _CLAUSE,
        60,
    ),
    _Cue(
        "denied",
        _any(
            r"not\b(?! (?:only|just|merely|more|less|least|until|over|under|exceed)\b)",
            r"no\b(?! (?:more|less|longer|later|fewer|matter|problem|need|doubt|other)\b|\.)",
            r"non(?=[-‐])",
            r"without\b",
            r"w/o\b",
            r"never\b",
            r"neither\b",
            r"nor\b",
            r"lack(?:s|ing)?\b",
            r"free (?:of|from)\b",
            r"instead of\b",
            r"rather than\b",
            r"in place of\b",
            r"other than\b",
            r"unlike\b",
            r"anything but\b",
            r"except(?:ing)?\b",
            r"exclud(?:es?|ing)\b",
            r"apart from\b",
            r"minus\b(?! \d)",
            r"(?:is|are|was|were|do|does|did|has|have|ca|wo|would|could)n['’]t\b",
            r"cannot\b",
        ),
        _CLAUSE,
        90,
    ),
    _Cue(
        "denied",
        re.compile(
            r"(?<=\w)[-‐ ]free(?![-‐\w]| (?:of|from|shipping|delivery|returns?|gift)\b)", re.IGNORECASE
        ),
        re.compile(r"\s"),
        40,
        backward=True,
    ),
    _Cue(
        "denied",
        re.compile(
            r"\b(?:not included|sold separately|not available|not supplied|excluded)\b",
            re.IGNORECASE,
        ),
        _START,
        40,
        backward=True,
    ),
    _Cue(
        "other",
        _any(
            r"(?:the |an)?other (?:\w+ )?(?:version|variant|model|size|colou?r|edition|one|type|kind)s?\b",
            r"the other \w+",
            r"(?:where|while|unlike) (?:\w+ )?others\b",
            r"also (?:available|comes|sold|offered) (?:in|as|with)\b",
            r"available separately\b",
        ),
        re.compile(r"[.!?](?=\s|$)|[;|()\[\]\n\r•]|\s[-–—+]\s|,\s", re.IGNORECASE),
        120,
    ),
    _Cue(
        "other",
        _any(
            r"see also\b",
            r"also (?:in|at|from) (?:this|our|the) (?:shop|store|range|catalog(?:ue)?)\b",
            r"(?:others?|also|customers?|people|shoppers?|buyers?)(?: also)? (?:bought|buy|liked?|viewed)\b",
            r"you (?:may|might|could) also (?:like|love|need|want)\b",
            r"(?:frequently|often) bought (?:together )?with\b",
            r"(?:related|similar|recommended|matching) (?:items?|products?|goods|articles?)\b",
            r"goes (?:well )?with\b",
            r"pairs? (?:well|nicely) with\b",
            r"from the same (?:shop|store|seller)\b",
        ),
        _END,
        400,
    ),
)


@dataclass(frozen=True)
class Statements:
    """What a text says.

    Attributes:
        words: How it speaks of each stem.
        roots: The same of what stems are made of.
        joined: How it speaks of two words written as one.
        quantities: Its quantities, and how it speaks of each.
        after: Stems that follow a stem.
    """

    words: Mapping[str, frozenset[Stance]]
    roots: Mapping[str, frozenset[Stance]]
    joined: Mapping[str, frozenset[Stance]]
    quantities: tuple[tuple[Quantity, Stance], ...]
    after: Mapping[str, frozenset[str]]

    def of_word(self, stem: str) -> frozenset[Stance]:
        """How the text speaks of a word, be it written as one or two; empty where it does not."""
        return self.words.get(stem) or self.joined.get(stem) or self.roots.get(root(stem)) or frozenset()


class Scopes:
    """How a text speaks of each of its characters."""

    def __init__(self, text: str) -> None:
        self._at = bytearray(len(text))
        for cue in _TABLE:
            code = _STANCES.index(cue.stance)
            for start, stop in _reaches(cue, text):
                self._at[start:stop] = bytes([code]) * (stop - start)

    def at(self, place: int) -> Stance:
        """How the text speaks of the character at a place."""
        return _STANCES[self._at[place]]


def _reaches(cue: _Cue, text: str) -> Iterator[tuple[int, int]]:
    for match in cue.cue.finditer(text):
        if cue.backward:
            first = max(0, match.start() - cue.reach)
            starts = [each.end() for each in cue.until.finditer(text, first, match.start())]
            start = starts[-1] if starts else first
            yield (
                (start if " " not in match[0][:1] else max(start, text.rfind(" ", start, match.start()))),
                match.start(),
            )
            continue
        last = min(len(text), match.end() + cue.reach)
        end = cue.until.search(text, match.end(), last)
        yield match.start(), end.start() if end else last


def statements(found: list[Word], amounts: tuple[Quantity, ...], scopes: Scopes) -> Statements:
    """What the words and quantities of a text say."""
    of_words: dict[str, set[Stance]] = {}
    roots: dict[str, set[Stance]] = {}
    joined: dict[str, set[Stance]] = {}
    after: dict[str, set[str]] = {}
    before: Word | None = None
    for word in found:
        stance = scopes.at(word.start)
        of_words.setdefault(word.stem, set()).add(stance)
        roots.setdefault(root(word.stem), set()).add(stance)
        if before is not None and word.start - before.stop <= 1:
            joined.setdefault(before.stem + word.stem, set()).add(stance)
            if not is_function_word(word):
                after.setdefault(before.stem, set()).add(word.stem)
        before = word
    return Statements(
        {each: frozenset(stances) for each, stances in of_words.items()},
        {each: frozenset(stances) for each, stances in roots.items()},
        {each: frozenset(stances) for each, stances in joined.items()},
        tuple((each, scopes.at(each.start)) for each in amounts),
        {each: frozenset(stems) for each, stems in after.items()},
    )


def read_statements(text: str) -> Statements:
    """What a text says; kept for the next time, as a pair and its rules have many texts about them.

    Of a text longer than any that a model is shown, only the beginning is read.
    """
    text = text[:_LONGEST]
    return _kept(text) if len(text) <= _LONGEST_KEPT else _read(text)


def _read(text: str) -> Statements:
    return statements(words(text), quantities(text), Scopes(text))


_kept = lru_cache(maxsize=4_096)(_read)


def excerpt(title: str, description: str, stem: str) -> str:
    """Some words around a word of title or description, in quotation marks."""
    for text in (title[:_LONGEST], description[:_LONGEST]):
        for word in words(text):
            if word.stem == stem:
                start, stop = max(0, word.start - _AROUND), word.stop + _AROUND
                around = text[start:stop].encode("utf-8", "replace").decode("utf-8")
                return f"“{' '.join(around.split())}”"
    return "as another word"
