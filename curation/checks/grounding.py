"""Claims that neither query nor item states, or that they contradict.

Requirements and the query's line are held against the query and the rules that were shown, for a need implies a value;
checks and the item's line against title, description, brand and attributes; all else against both.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from curation.checks.claims import Claims
from curation.checks.context import Context, Fault
from curation.checks.finding import Finding
from curation.checks.outcomes import outcome_findings
from curation.checks.sources import read_sources
from curation.checks.words import words
from curation.rationales.rationale import CHECK, STRENGTHS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from curation.checks.chain import Chain, Line
    from curation.checks.checked_text import CheckedText
    from curation.checks.vocabulary import Vocabulary

_MOST_FINDINGS = 40
_CONFIDENCE = {"error": 0.95, "warning": 0.5}


def grounding_findings(checked: CheckedText, chain: Chain, vocabulary: Vocabulary) -> list[Finding]:
    """Claims of a text that its sources do not state, contradict, or state of other goods, and outcomes against them.

    Args:
        checked: The text and its pair.
        chain: Its steps.
        vocabulary: What the catalogue speaks of.

    Returns:
        At most some 40 of them, in the order of the text, outcomes last.
    """
    attributes = frozenset(each.stem for line in chain.lines if line.about for each in words(line.about))
    context = Context(checked, read_sources(checked, chain), vocabulary, attributes)
    asked = _asked(chain)
    found = (
        Finding(
            "grounding",
            fault.name,
            line.step,
            fault.evidence,
            (line.text_start + fault.start, line.text_start + fault.stop),
            fault.severity,
            _CONFIDENCE[fault.severity],
        )
        for line in chain.lines
        if line.key != "rules"
        for fault in _joined(_faults(line, context, asked.get(line.start, "")), line.text)
    )
    return [*islice(found, _MOST_FINDINGS), *outcome_findings(chain)]


def _faults(line: Line, context: Context, asked: str) -> Iterator[Fault]:
    claims = Claims(line, context, asked)
    if line.key in STRENGTHS:
        return claims.of_query(is_value=True)
    if line.key in {CHECK, "item"}:
        return claims.of_item()
    if line.key == "query":
        return claims.of_query(is_value=False)
    return claims.of_both()


def _joined(faults: Iterable[Fault], text: str) -> Iterator[Fault]:
    """The faults, those of neighbouring words made one."""
    last: Fault | None = None
    for fault in faults:
        if (
            last is not None
            and (last.name, last.severity) == (fault.name, fault.severity)
            and 0 <= fault.start - last.stop <= 1
            and text[last.stop : fault.start] in {" ", "-", ""}
        ):
            last = last._replace(
                stop=fault.stop,
                evidence=last.evidence.replace(text[last.start : last.stop], text[last.start : fault.stop]),
            )
            continue
        if last is not None:
            yield last
        last = fault
    if last is not None:
        yield last


def _asked(chain: Chain) -> dict[int, str]:
    """What is required where a check answers, by the check's place."""
    required: dict[str, list[str]] = {}
    for line in chain.having(*STRENGTHS):
        required.setdefault(line.about.lower(), []).append(line.text)
    return {line.start: " ".join(required.get(line.about.lower(), [])) for line in chain.having(CHECK)}
