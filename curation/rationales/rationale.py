"""A rationale: the paper's steps from query to verdict, and the one text they are written as.

    Query: hiking boots for muddy paths
    must sole: lugged sole
    not material: leather
    wish size: EU 44
    Item: Bistro Running Shoes, mesh upper, lugged sole, EU 38
    Category: substitute, running shoes in place of hiking boots
    check sole: lugged sole, met
    check material: mesh, met
    check size: EU 38, missed
    Rules: same-family, mud-needs-lugs
    Verdict: Related, every must holds but the shoes only stand in for boots

Each line is a keyword, then text that may hold anything but a line break, so that `Rationale.parse` gives back what
`render` was given. A check ends with its outcome: whoever writes word by word has named what the item says before
saying whether it will do. The k-th requirement of an attribute is answered by the k-th check of that attribute.
Answer-first puts the tier digit on a line before this text, reason-first `Tier: <digit>` on a line after it
(``completion_text``).

Source: the reasoning steps of TaoSR1 (arXiv 2508.12365, section 3.1): query understanding, item understanding, category
match, attribute match, rules, verdict.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar, get_args

if TYPE_CHECKING:
    from collections.abc import Iterator

Relation = Literal["match", "substitute", "complement", "other"]
Strength = Literal["must", "not", "wish"]
Outcome = Literal["met", "missed", "unknown"]

RELATIONS: tuple[Relation, ...] = get_args(Relation)
STRENGTHS: tuple[Strength, ...] = get_args(Strength)
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
V = TypeVar("V")

CHECK = "check"
"""Keyword of a line that says what the item has, and whether that meets the requirement."""
TIER_NAMES = {4: "Excellent", 3: "Related", 2: "Mismatch", 1: "Irrelevant"}
TIERS_BY_NAME = {name: tier for tier, name in TIER_NAMES.items()}

_TIERS = {name.lower(): tier for name, tier in TIERS_BY_NAME.items()}
_ATTRIBUTE = re.compile(r"[^\s:](?:[^:\n]{0,38}[^\s:])?")
_NONE = "none"
_RULE = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_OUTCOME = re.compile(rf"\b(?:{'|'.join(OUTCOMES)})\b\W{{0,4}}\Z", re.IGNORECASE)
_LONGEST_OUTCOME = 16
# Models like to decorate: a list mark before the keyword, bold around it.
_LINE = re.compile(
    r"[\s>*_#•-]*+(?:\d{1,2}[.)]\s*+)?[*_]*+(?P<key>[A-Za-z]+)\b(?P<about>[^:\n]*):[*_]*(?P<text>.*)"
)


class FormError(ValueError):
    """A text that is no rationale; the message says which line is not, and what was to stand there."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """What the query asks of an attribute: it must have the value, must not have it, or had better have it."""

    strength: Strength
    attribute: str
    value: str


@dataclass(frozen=True, slots=True)
class Check:
    """How the item meets a requirement on an attribute, with what it says of it."""

    outcome: Outcome
    attribute: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Rationale:
    """The steps of a judgment.

    Attributes:
        intent: What the shopper wants, in a phrase.
        requirements: What the query asks, in its order.
        item: What the item is, in a phrase.
        relation: How the item's category stands to the one asked for.
        category: The categories in words; may be empty.
        checks: How each requirement is met; may be empty where the category settles the verdict.
        rules: Names of the rules applied.
        tier: The tier that the steps lead to, 1 to 4.
        verdict: Why, in a sentence; may be empty.
    """

    intent: str
    requirements: tuple[Requirement, ...]
    item: str
    relation: Relation
    category: str
    checks: tuple[Check, ...]
    rules: tuple[str, ...]
    tier: int
    verdict: str

    def __post_init__(self) -> None:
        """Refuse what could not be read back.

        Raises:
            FormError: A field is blank, has white space at an end or a line break, or is none of its words.
        """
        names = [each.attribute for each in self.requirements] + [each.attribute for each in self.checks]
        needed = [self.intent, self.item]
        needed += [each.value for each in self.requirements] + [each.evidence for each in self.checks]
        for text in (*needed, self.category, self.verdict):
            if text != text.strip() or len(text.splitlines()) > 1:
                raise FormError(f"{text!r} is not one line of text without space around it")
        if not all(needed):
            raise FormError("query, item, a requirement or a check says nothing")
        if wrong := [name for name in names if not _ATTRIBUTE.fullmatch(name)]:
            raise FormError(f"{wrong[0]!r} is no name of an attribute: 1 to 40 characters without a colon")
        if wrong := [name for name in self.rules if not _RULE.fullmatch(name) or name == _NONE]:
            raise FormError(f"{wrong[0]!r} is no name of a rule: lower-case words joined by hyphens")
        if self.tier not in TIER_NAMES:
            raise FormError(f"there is no tier {self.tier!r}")

    def answers(self) -> list[tuple[Requirement, Check | None]]:
        """Each requirement with the check that answers it, None where there is none."""
        open_checks: dict[str, list[Check]] = {}
        for check in self.checks:
            open_checks.setdefault(check.attribute, []).append(check)
        return [
            (each, found.pop(0) if (found := open_checks.get(each.attribute)) else None)
            for each in self.requirements
        ]

    def render(self) -> str:
        """The rationale as text, without its tier digit."""
        lines = [f"Query: {self.intent}"]
        lines += [f"{each.strength} {each.attribute}: {each.value}" for each in self.requirements]
        lines += [f"Item: {self.item}", f"Category: {_joined(self.relation, self.category)}"]
        lines += [f"{CHECK} {each.attribute}: {each.evidence}, {each.outcome}" for each in self.checks]
        lines.append(f"Rules: {', '.join(self.rules) or _NONE}")
        lines.append(f"Verdict: {_joined(TIER_NAMES[self.tier], self.verdict)}")
        return "\n".join(lines)

    @classmethod
    def parse(cls, text: str) -> Rationale:
        """Read what `render` wrote, or a model's attempt at it: list marks, bold and capitals do not matter.

        Raises:
            FormError: A step is missing, out of order, twice there, or a line is none.
        """
        return _Reader(text).rationale()


@dataclass(frozen=True, slots=True)
class OutcomeEnding:
    """How the text of a check ends.

    Attributes:
        outcome: The outcome that it names.
        evidence_stop: Where the evidence before it ends.
        start: Where the outcome begins.
    """

    outcome: Outcome
    evidence_stop: int
    start: int


def read_outcome(text: str) -> OutcomeEnding | None:
    """The outcome at the end of a check's text, after a comma, a dash or the like; None where none stands there."""
    word = _OUTCOME.search(text, max(0, len(text) - _LONGEST_OUTCOME))
    if word is None:
        return None
    outcome = next(each for each in OUTCOMES if word[0].lower().startswith(each))
    before = text[: word.start()].rstrip("*_").rstrip()
    evidence = before[:-1] if before.endswith(",") else before.rstrip(";:.=>→(–—-")
    return OutcomeEnding(outcome, len(evidence.rstrip()), word.start())


class _Reader:
    """The lines of a text, taken step by step."""

    def __init__(self, text: str) -> None:
        self._lines = [(n, line) for n, line in enumerate(text.split("\n"), 1) if line.strip()]

    def rationale(self) -> Rationale:
        intent = self._step("query")
        requirements = tuple(self._requirements())
        item = self._step("item")
        relation, category = self._choice("category", {each: each for each in RELATIONS})
        checks = tuple(self._checks())
        rules = self._rules()
        tier, verdict = self._choice("verdict", _TIERS | {str(tier): tier for tier in TIER_NAMES})
        if self._lines:
            raise FormError(f"line {self._lines[0][0]}: {_shown(self._lines[0][1])} stands after the verdict")
        return Rationale(intent, requirements, item, relation, category, checks, rules, tier, verdict)

    def _next(self) -> tuple[str, str, str]:
        """Keyword, what stands between it and its colon, and the text of the next line; empty at the end."""
        found = _LINE.match(self._lines[0][1]) if self._lines else None
        return (
            (found["key"].lower(), found["about"].strip(), found["text"].strip()) if found else ("", "", "")
        )

    def _step(self, key: str) -> str:
        found, about, text = self._next()
        if found != key or about.strip("*_"):
            there = (
                f"line {self._lines[0][0]} is {_shown(self._lines[0][1])}" if self._lines else "the text ends"
            )
            raise FormError(f"no step {key.capitalize()} where {there}")
        self._lines.pop(0)
        return text

    def _requirements(self) -> Iterator[Requirement]:
        by_name = {str(each): each for each in STRENGTHS}
        while (found := self._next())[0] in by_name:
            self._lines.pop(0)
            yield Requirement(by_name[found[0]], found[1], found[2])

    def _checks(self) -> Iterator[Check]:
        while (found := self._next())[0] == CHECK:
            number, line = self._lines.pop(0)
            ending = read_outcome(found[2])
            if ending is None:
                raise FormError(f"line {number}: {_shown(line)} ends with none of {', '.join(OUTCOMES)}")
            yield Check(ending.outcome, found[1], found[2][: ending.evidence_stop])

    def _choice(self, key: str, choices: dict[str, V]) -> tuple[V, str]:
        text = self._step(key)
        word = re.match(r"\w+", text)
        if not word or (chosen := choices.get(word[0].lower())) is None:
            raise FormError(f"{key.capitalize()}: {_shown(text)} begins with none of {', '.join(choices)}")
        return chosen, re.sub(r"^\s*[,:;.–—-]?", "", text[word.end() :]).strip()

    def _rules(self) -> tuple[str, ...]:
        text = self._step("rules").removesuffix(".")
        if text.lower() in (_NONE, ""):
            return ()
        return tuple(name.strip(" []`").lower() for name in text.split(","))


def _joined(head: str, rest: str) -> str:
    return f"{head}, {rest}" if rest else head


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:39]}…")
