"""Verdicts that do not follow: discriminative hallucination.

The steps of a rationale go through the rulebook's logic, which gives the tier that they lead to. Prose is read by its
grader, which finds other tiers that it names, and by a few phrases that are for or against the item.

Source: TaoSR1 (arXiv 2508.12365, section 1): reasoning that supports one tier, and a label that is another.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from curation.checks.finding import Finding
from curation.grading import contradictions
from curation.rationales.rationale import TIER_NAMES
from curation.rulebook.logic import decide

if TYPE_CHECKING:
    from collections.abc import Iterator

    from curation.checks.chain import Chain
    from curation.checks.checked_text import CheckedText
    from curation.rationales.rationale import Rationale
    from curation.rulebook.rule import Rulebook

_FOR = re.compile(
    r"\b(?:exactly what|what the (?:query|shopper|customer|user) (?:asks|wants|is looking)"
    r"|(?:perfect|exact|excellent|good|great|close|strong) match|matches (?:the|what|all|every)"
    r"|(?:is|are) (?:highly |very |directly )?relevant|(?:meets|fulfils|fulfills|satisfies) (?:all|every|each|the)"
    r"|every requirement (?:is )?met|answers the query)\b",
    re.IGNORECASE,
)
_AGAINST = re.compile(
    r"\b(?:irrelevant|unrelated|mismatch|nothing to do with|another kind of"
    r"|a different (?:kind|type|item|product|category)"
    r"|(?:not|n['’]t|never) (?:\w+ ){0,3}(?:match|relevant|related|what|meet|answer|fit|satisfy)\w*"
    r"|no (?:match|relation|relevance))\b",
    re.IGNORECASE,
)
_GOOD = (3, 4)


def verdict_findings(checked: CheckedText, chain: Chain, rationale: Rationale | None) -> Iterator[Finding]:
    """Where the tier is not the one that the reasoning leads to.

    Args:
        checked: The text.
        chain: Its steps.
        rationale: The same as a rationale; None if it is none.
    """
    if rationale is not None:
        yield from _of_rationale(checked, chain, rationale)
    elif checked.tier is not None and not chain.is_rationale:
        yield from _of_prose(checked, chain)


def steps_tier(checked: CheckedText, rationale: Rationale) -> tuple[int, tuple[str, ...]] | None:
    """The tier that the steps lead to by the rulebook, and the rules that give it.

    None without a rulebook, and where its rules contradict each other on these steps.
    """
    if checked.rulebook is None:
        return None
    decision = decide(
        checked.rulebook.rules,
        rationale,
        kind=checked.kind,
        locale=checked.locale,
        categories=named_categories(checked.rulebook, checked, rationale),
    )
    return None if decision.contradictions else (decision.tier, decision.deciding)


def named_categories(rulebook: Rulebook, checked: CheckedText, rationale: Rationale) -> list[str]:
    """Categories of the rulebook's scopes that pair or rationale name."""
    names = {name for rule in rulebook.rules for name in rule.scope.category}
    said = " ".join(
        (checked.query, checked.title, rationale.intent, rationale.item, rationale.category)
    ).casefold()
    return [name for name in names if name.casefold() in said]


def _of_rationale(checked: CheckedText, chain: Chain, rationale: Rationale) -> Iterator[Finding]:
    verdict = next((line.span for line in chain.having("verdict")), None)
    said = TIER_NAMES[rationale.tier]
    if checked.tier is not None and checked.tier != rationale.tier:
        evidence = f"the verdict is {said}, the tier {checked.tier} {TIER_NAMES[checked.tier]}"
        yield Finding("verdict", "tier against verdict", "verdict", evidence, verdict)
    if (follows := steps_tier(checked, rationale)) and follows[0] != rationale.tier:
        tier, rules = follows
        reason = f"by {', '.join(rules)}" if rules else "as no rule caps them"
        evidence = f"the steps lead to {TIER_NAMES[tier]} {reason}; the verdict is {said}"
        yield Finding("verdict", "steps against verdict", "verdict", evidence, verdict)


def _of_prose(checked: CheckedText, chain: Chain) -> Iterator[Finding]:
    if checked.form is not None:
        for span in contradictions(checked.text, checked.form):
            evidence = f"the tier is {checked.tier}, and here the text says {checked.text[slice(*span)]}"
            yield Finding("verdict", "states another tier", "verdict", evidence, span)
    found = [
        (match, is_for)
        for line in chain.lines
        for pattern, is_for in ((_FOR, True), (_AGAINST, False))
        for match in pattern.finditer(checked.text, line.start, line.stop)
    ]
    sides = {is_for for _, is_for in found}
    if len(sides) == 1 and sides.pop() != (checked.tier in _GOOD):
        match = found[0][0]
        evidence = (
            f"{match[0]!r} speaks {'for' if found[0][1] else 'against'} the item; the tier is {checked.tier}"
        )
        yield Finding(
            "verdict", "reasoning against verdict", "verdict", evidence, match.span(), "warning", 0.7
        )
