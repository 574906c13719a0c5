"""A text as the steps of its reasoning, each with its place: lines of a rationale, or sentences of prose."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from curation.rationales.rationale import CHECK, RELATIONS, STRENGTHS, read_outcome

if TYPE_CHECKING:
    from curation.checks.checked_text import CheckedText
    from curation.checks.finding import Step
    from curation.rationales.rationale import Outcome

_STEPS: dict[str, Step] = {
    "query": "query",
    **dict.fromkeys(STRENGTHS, "query"),
    "item": "item",
    "category": "category",
    CHECK: "attribute",
    "rules": "rules",
    "verdict": "verdict",
    "tier": "verdict",
}
_ABOUT = frozenset(STRENGTHS) | {CHECK}
_LINE = re.compile(
    r"[\s>*_#•-]*+(?:\d{1,2}[.)]\s*+)?[*_]*+(?P<key>[A-Za-z]+)\b[*_]*(?P<about>[^:\n]{0,60}?)[*_]*"
    r":[*_]*[ \t]*(?P<text>.*?)\s*\Z"
)
_TIER_LINE = re.compile(r"\W{0,4}[1-4]\W{0,4}\Z")
_SENTENCE = re.compile(r"[^\s].*?(?:[.!?](?=\s)|$)", re.MULTILINE)
# A rationale has these whatever is left out.
_ENOUGH = 3
_THOUGHT = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a rationale, or a sentence.

    Attributes:
        step: Step that it belongs to; ``whole`` of a sentence.
        key: Its keyword in lower case; empty of a sentence.
        about: The attribute that a requirement or check is about.
        text: What it says after its colon, of a check without its outcome; of a sentence all of it.
        start: Its first character in the text that was checked.
        stop: The one after its last.
        text_start: First character of `text`.
        outcome: Outcome that a check ends with; None where it names none, and of other lines.
        outcome_start: First character of the outcome.
    """

    step: Step
    key: str
    about: str
    text: str
    start: int
    stop: int
    text_start: int
    outcome: Outcome | None = None
    outcome_start: int = 0

    @property
    def span(self) -> tuple[int, int]:
        """First character and the one after the last."""
        return self.start, self.stop


@dataclass(frozen=True, slots=True)
class Chain:
    """The reasoning of a text, the line that gives the tier digit left out.

    Attributes:
        lines: Lines in their order.
        is_rationale: Whether it is written in the lines of a rationale, or was to be.
    """

    lines: tuple[Line, ...]
    is_rationale: bool

    def having(self, *keys: str) -> list[Line]:
        """Lines with one of these keywords."""
        return [line for line in self.lines if line.key in keys]


def read_chain(checked: CheckedText) -> Chain:
    """Cut a text into its steps; what a model thinks aloud first is none."""
    thought = _THOUGHT.match(checked.text)
    begin = thought.end() if thought else 0
    lines = [line for line in _lines(checked.text, begin) if not (line.key == "tier" or _is_digit(line))]
    keyed = {line.key for line in lines} - {""}
    if checked.steps_asked or len(keyed) >= _ENOUGH:
        return Chain(tuple(lines), is_rationale=True)
    first = 1 if checked.form == "answer-first" else 0
    sentences = [
        Line("whole", "", "", found[0], found.start(), found.end(), found.start())
        for found in _SENTENCE.finditer(checked.text, begin)
    ]
    if first and sentences and _TIER_LINE.match(sentences[0].text):
        sentences = sentences[1:]
    return Chain(tuple(sentences), is_rationale=False)


def relation_of(line: Line) -> str | None:
    """The relation that a category line names, None where it names none."""
    word = re.match(r"\w+", line.text)
    return word[0].lower() if word and word[0].lower() in RELATIONS else None


def _lines(text: str, begin: int) -> list[Line]:
    found = []
    start = begin
    for raw in text[begin:].split("\n"):
        if raw.strip():
            found.append(_line(raw, start))
        start += len(raw) + 1
    return found


def _line(raw: str, start: int) -> Line:
    match = _LINE.match(raw)
    key = match["key"].lower() if match else ""
    if match and key in _STEPS and bool(match["about"].strip()) == (key in _ABOUT):
        text, text_start = match["text"], start + match.start("text")
        ending = read_outcome(text) if key == CHECK else None
        return Line(
            _STEPS[key],
            key,
            match["about"].strip(),
            text[: ending.evidence_stop] if ending else text,
            start + match.start("key"),
            start + len(raw.rstrip()),
            text_start,
            ending.outcome if ending else None,
            text_start + ending.start if ending else 0,
        )
    left = len(raw) - len(raw.lstrip())
    return Line("whole", "", "", raw.strip(), start + left, start + len(raw.rstrip()), start + left)


def _is_digit(line: Line) -> bool:
    return not line.key and bool(_TIER_LINE.match(line.text))
