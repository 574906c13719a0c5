"""Reasoning without any statement of its tier: what a verdict can be derived from anew."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from curation.checks.chain import read_chain
from curation.grading import parse, statement_spans

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from curation.checks.checked_text import CheckedText

    Place = tuple[int, int]

_LONGEST = 20_000
_FEWEST_LETTERS = 10
_LETTER = re.compile(r"[^\W\d_]")
_KEYS = ("verdict", "tier")
# The grader takes no notice of these.
_VERDICT = re.compile(r"[\W\d_]*+(?:(?:final|overall)[ \t*_]+)?verdict\b[^:=\n]{0,20}[:=]", re.IGNORECASE)
_NAME = re.compile(
    r"[\W\d_]*+(?:excellent|related|mismatch|irrelevant)[\W_]*?(?:[:.,;!=–—-]|\Z)[\W_]*", re.IGNORECASE
)
_JOINT = re.compile(r"[\W_]*")


def unlabelled_reasoning(checked: CheckedText) -> str:
    """The reasoning of a text with all that states a tier left out; empty where too little is left to go by.

    Left out are the lines of verdict and tier, every other line of a rationale and every sentence of prose that holds a
    statement, what an answer-first text opens with, the tier's name as a heading, and what has no letters. The rest
    parses to no tier in any form.

    Args:
        checked: The text. One that is far too long is not read.
    """
    if len(checked.text) > _LONGEST:
        return ""
    text = checked.text
    places = [
        line.span
        for line in read_chain(checked).lines
        if line.key not in _KEYS and not _VERDICT.match(text, *line.span)
    ]
    # Again, as what stood behind a statement may be one where it stands now.
    while True:
        headless = [
            (name.end() if (name := _NAME.match(text, *place)) else place[0], place[1]) for place in places
        ]
        places = [place for place in headless if _LETTER.search(text, *place)]
        reasoning, begins = _joined(text, places)
        spans = statement_spans(reasoning)
        if not spans:
            return reasoning if len(_LETTER.findall(reasoning)) >= _FEWEST_LETTERS else ""
        places = list(_without(text, places, begins, spans))


def verdict_span(checked: CheckedText) -> Place | None:
    """Where a text gives its tier: the line of its verdict, else the statement; None where it holds reasoning alone."""
    if lines := read_chain(checked).having("verdict"):
        return lines[0].span
    offset = parse(checked.text, checked.form).offset if checked.form else None
    if offset is None:
        return None
    start, stop = next(span for span in statement_spans(checked.text) if span[0] <= offset < span[1])
    lead = _JOINT.match(checked.text, start, stop)
    return (lead.end() if lead else start), stop


def _joined(text: str, places: Sequence[Place]) -> tuple[str, list[int]]:
    """The text at `places`, on lines as before, and where each begins in it."""
    pieces: list[str] = []
    begins = []
    length = 0
    before = 0
    for start, stop in places:
        if pieces:
            pieces.append("\n" if "\n" in text[before:start] else " ")
            length += 1
        begins.append(length)
        pieces.append(text[start:stop])
        length += stop - start
        before = stop
    return "".join(pieces), begins


def _without(
    text: str, places: Sequence[Place], begins: Sequence[int], spans: Sequence[Place]
) -> Iterator[Place]:
    """`places` less those that hold one of `spans`; of what they open with, the rest of the sentence is kept."""
    opening = max((stop for start, stop in spans if start == 0), default=0)
    stated = bytearray(max(stop for _, stop in spans))
    for start, stop in spans:
        if start >= opening:
            stated[start:stop] = b"\1" * (stop - start)
    for (start, stop), begin in zip(places, begins, strict=True):
        cut = min(max(0, opening - begin), stop - start)
        if any(stated[begin + cut : begin + stop - start]):
            continue
        joint = _JOINT.match(text, start + cut, stop) if cut else None
        yield (joint.end() if joint else start), stop
