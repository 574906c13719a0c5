"""Rules that a rationale cites: whether they exist, were shown, and apply to its steps."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from curation.checks.finding import Finding
from curation.checks.verdict import named_categories
from curation.rulebook.logic import cells_of, fits, folded, speaks_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from curation.checks.chain import Chain, Line
    from curation.checks.checked_text import CheckedText
    from curation.rationales.rationale import Rationale

_NAME = re.compile(r"[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*")


def rule_findings(checked: CheckedText, chain: Chain, rationale: Rationale | None) -> Iterator[Finding]:
    """Citations that do not hold.

    Args:
        checked: The text; without a rulebook nothing is found.
        chain: Its steps.
        rationale: The same as a rationale; None if it is none, and then no step tells whether a rule applies.
    """
    if checked.rulebook is None:
        return
    cells = cells_of(rationale) if rationale else []
    categories = folded(named_categories(checked.rulebook, checked, rationale)) if rationale else frozenset()
    for name, span in _cited(chain.having("rules")):
        rule = checked.rulebook.by_name.get(name)
        if rule is None:
            evidence = f"rulebook {checked.rulebook.name} has no rule {name}"
            yield Finding("rule", "no such rule", "rules", evidence, span)
        elif checked.shown and name not in checked.shown:
            yield Finding("rule", "not shown", "rules", f"the prompt did not show {name}: {rule.text}", span)
        elif cells and rule.tier is not None:
            applies = any(speaks_of(rule, cell) for cell in cells) and fits(rule.scope.category, categories)
            if not applies:
                evidence = f"no step meets {name}: {rule.text}"
                yield Finding("rule", "does not apply", "rules", evidence, span)


def _cited(lines: list[Line]) -> Iterator[tuple[str, tuple[int, int]]]:
    for line in lines:
        for found in re.finditer(r"[^,]+", line.text):
            if (name := _NAME.search(found[0])) and name[0].lower() != "none":
                start = line.text_start + found.start() + name.start()
                yield name[0].lower(), (start, start + len(name[0]))
