"""Outcomes that their own line refutes: ``check price: 205.90, missed`` under ``must price: less than 264.90``."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from curation.checks.finding import Finding
from curation.checks.quantities import Quantity, amount, comparable, quantities, same
from curation.checks.statements import Scopes
from curation.checks.words import is_silent, words
from curation.rationales.rationale import CHECK, STRENGTHS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from curation.checks.chain import Chain, Line

_BELOW = re.compile(
    r"(?:less|lower|cheaper|smaller|shorter|lighter|fewer|thinner|narrower) than|under|below|up to|at most|no more than"
    r"|not (?:over|above|more than)|max(?:imum|\.)?|within|<=?|≤",
    re.IGNORECASE,
)
_ABOVE = re.compile(
    r"(?:more|higher|larger|bigger|longer|taller|heavier|greater|wider|thicker|brighter) than|over|above|at least"
    r"|no less than|not (?:under|below|less than)|min(?:imum|\.)?|from|>=?|≥",
    re.IGNORECASE,
)
_OFF = 0.05
"""Share by which a value has to be off what was asked for to miss it for sure."""
_INTENSIFIERS = frozenset({"fully", "very", "completely", "entirely", "totally", "truly", "really", "quite"})
_CONFIDENCE = 0.98
_WEAK = 0.6


def outcome_findings(chain: Chain) -> list[Finding]:
    """Checks of which requirement and value show that the outcome is the other one.

    The k-th requirement of an attribute is answered by the k-th check of that attribute.
    """
    waiting: dict[str, list[Line]] = defaultdict(list)
    for line in chain.having(*STRENGTHS):
        waiting[line.about.lower()].append(line)
    answers: dict[str, Iterator[Line]] = {about: iter(lines) for about, lines in waiting.items()}
    found = []
    for check in chain.having(CHECK):
        requirement = next(answers.get(check.about.lower(), iter(())), None)
        if requirement is None or check.outcome in {None, "unknown"}:
            continue
        holds, certain = _holds(requirement.text, check.text)
        if holds is None:
            continue
        is_met = holds != (requirement.key == "not")
        if is_met != (check.outcome == "met"):
            found.append(
                Finding(
                    "grounding",
                    "outcome against value",
                    "attribute",
                    f"{_shown(check.text)} is called {check.outcome} where {requirement.key} {requirement.about} is"
                    f" {_shown(requirement.text)}",
                    (check.outcome_start, check.outcome_start + len(str(check.outcome))),
                    "error" if certain else "warning",
                    _CONFIDENCE if certain else _WEAK,
                )
            )
    return found


def _holds(required: str, evidence: str) -> tuple[bool | None, bool]:
    """Whether the item has what is required (None: cannot tell), and whether that is sure."""
    if len(required) + len(evidence) > 1_000:
        return None, False
    limits, amounts = quantities(required), quantities(evidence)
    if limits and amounts and not any(each.unit for each in (*limits, *amounts)) and not _bound(required):
        return _same_numbers(required, limits, evidence, amounts)
    if len(limits) == 1 and amounts:
        bound = required[: limits[0].start]
        compared = [
            each for each in amounts if comparable(each, limits[0]) or _one_bare_price(each, limits[0])
        ]
        if not compared:
            return None, False
        return _within(compared[0], limits[0], bound), True
    if limits or amounts:
        return None, False
    return _same_words(required, evidence)


def _one_bare_price(a: Quantity, b: Quantity) -> bool:
    return (a.is_price and not b.unit) or (b.is_price and not a.unit)


def _within(value: Quantity, limit: Quantity, before: str) -> bool | None:
    """Whether an amount keeps to a limit; None where it is too close to tell."""
    is_same = same(value, limit)
    if value.unit and limit.unit and value.unit != limit.unit:
        actual, wanted = amount(value), amount(limit)
    else:
        actual, wanted = value.number, limit.number
    if bound := _bound(before):
        return None if is_same else (actual < wanted) == (bound == "below")
    if is_same:
        return True
    return False if abs(actual - wanted) > _OFF * max(abs(actual), abs(wanted)) else None


def _bound(text: str) -> str | None:
    """Whether what is wanted is ``below`` or ``above`` an amount; None where it is the amount itself, or unclear."""
    below, above = bool(_BELOW.search(text)), bool(_ABOVE.search(text))
    if below == above:
        return None
    return "below" if below else "above"


def _same_numbers(
    required: str, limits: tuple[Quantity, ...], evidence: str, amounts: tuple[Quantity, ...]
) -> tuple[bool | None, bool]:
    """Of sizes and models without a unit: whether numbers and words are the same."""
    if _words(required, no_numbers=True) != _words(evidence, no_numbers=True) or len(limits) != len(amounts):
        return None, False
    return all(map(same, limits, amounts)), True


def _words(text: str, *, no_numbers: bool = False) -> frozenset[tuple[str, bool]]:
    """The words of a value that claim something, each with whether it is denied."""
    scopes = Scopes(text)
    return frozenset(
        (word.stem, scopes.at(word.start) == "denied")
        for word in words(text)
        if not is_silent(word)
        and word.raw.casefold() not in _INTENSIFIERS
        and not (no_numbers and word.raw.isdigit())
    )


def _same_words(required: str, evidence: str) -> tuple[bool | None, bool]:
    wanted, had = _words(required), _words(evidence)
    if not wanted or not had:
        return None, False
    if wanted == had:
        return True, True
    if {(stem, not denied) for stem, denied in wanted} == had and len({denied for _, denied in had}) == 1:
        return False, True
    if not {stem for stem, _ in wanted} & {stem for stem, _ in had}:
        return False, False
    return None, False


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:59]}…")
