"""All checks of one text that need no model and no other text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curation.checks.chain import read_chain
from curation.checks.finding import Finding
from curation.checks.form import as_rationale, form_findings
from curation.checks.grounding import grounding_findings
from curation.checks.rules import rule_findings
from curation.checks.verdict import verdict_findings
from curation.rationales.rationale import Rationale

if TYPE_CHECKING:
    from curation.checks.checked_text import CheckedText
    from curation.checks.vocabulary import Vocabulary

CHECKS_VERSION = "2"

_LONGEST = 20_000


def check_text(checked: CheckedText, vocabulary: Vocabulary) -> list[Finding]:
    """What is wrong with a text, by where it stands; what is missing comes first.

    Args:
        checked: The text with all that its writer was given. An empty one has no findings, one that is far too long
            has that one.
        vocabulary: The catalogue's words.
    """
    if not checked.text.strip():
        return []
    if len(checked.text) > _LONGEST:
        evidence = f"{len(checked.text):,} characters, and nothing beyond {_LONGEST:,} is checked"
        return [Finding("form", "too long", "whole", evidence)]
    chain = read_chain(checked)
    read = as_rationale(checked, chain)
    rationale = read if isinstance(read, Rationale) else None
    findings = [
        *form_findings(checked, chain, read),
        *verdict_findings(checked, chain, rationale),
        *rule_findings(checked, chain, rationale),
        *grounding_findings(checked, chain, vocabulary),
    ]
    return sorted(findings, key=lambda finding: finding.span or (-1, -1))
