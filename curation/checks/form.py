"""Answers out of form: steps missing or out of order, loops, another language, a label that comes too early."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from curation.checks.chain import relation_of
from curation.checks.finding import Finding
from curation.checks.languages import other_language
from curation.rationales.rationale import CHECK, FormError, Rationale
from curation.rationales.reading import in_another_script

if TYPE_CHECKING:
    from collections.abc import Iterator

    from curation.checks.chain import Chain
    from curation.checks.checked_text import CheckedText

_LETTERS = 10
_LOOP_WORDS = 4
_LOOP_TIMES = 4
_LINE_TIMES = 3
_WORD = re.compile(r"\w+")
_LETTER = re.compile(r"[^\W\d_]")
_EARLY = re.compile(r"\btier\b\W{0,6}[1-4]\b|\A\W{0,4}[1-4]\W{0,4}\n", re.IGNORECASE)
_ECHO = re.compile(
    r"</?(?:query|item)>|^\s*(?:title|description):|\bone or two short sentences\b|\bTier: <digit>"
    r"|\bline of the form\b",
    re.IGNORECASE | re.MULTILINE,
)
# The category step settles the verdict there, and nothing more is checked.
_SETTLED = ("complement", "other")


def as_rationale(checked: CheckedText, chain: Chain) -> Rationale | FormError | None:
    """The lines as a rationale, or why they are none; None for prose."""
    if not chain.is_rationale:
        return None
    try:
        return Rationale.parse("\n".join(checked.text[line.start : line.stop] for line in chain.lines))
    except FormError as error:
        return error


def form_findings(
    checked: CheckedText, chain: Chain, rationale: Rationale | FormError | None
) -> Iterator[Finding]:
    """What is not as the prompt asked for it.

    Args:
        checked: The text.
        chain: Its steps.
        rationale: As `as_rationale` gives it.
    """
    text = checked.text
    said = "".join(line.text for line in chain.lines)
    if len(_LETTER.findall(said)) < _LETTERS:
        yield Finding("form", "no reasoning", "whole", "the text gives no reason of ten letters or more")
    elif isinstance(rationale, FormError):
        yield Finding("form", "step missing or out of order", "whole", str(rationale))
    elif isinstance(rationale, Rationale):
        yield from _unanswered(chain, rationale)
    if checked.form is not None and checked.tier is None:
        yield Finding("form", "no tier", "verdict", f"no single tier stands where {checked.form} has it")
    if not checked.finished:
        yield Finding("form", "cut off", "whole", "the text ran to its token limit")
    if checked.form == "reason-first" and (early := _label_too_early(text)):
        yield Finding(
            "form", "tier before the reasoning", "verdict", "reason-first gives its tier last", early
        )
    if echo := _ECHO.search(text):
        yield Finding("form", "echoes the prompt", "whole", "these are words of the prompt", echo.span())
    if loop := _repeated_line(chain) if chain.is_rationale else _repeated_words(text):
        evidence = f"{text[slice(*loop)]!r} comes again and again"
        yield Finding("form", "loop", "whole", evidence, loop)
    if in_another_script(text, f"{checked.query} {checked.title}"):
        evidence = "query and item are in Latin letters, most of the text is not"
        yield Finding("form", "another script", "whole", evidence)
    elif found := other_language(text, f"{checked.query} {checked.title} {checked.description}"):
        evidence = f"the text is in {found.code!r} (ISO 639), not in English nor as query and item are"
        if found.is_sure:
            yield Finding("form", "another language", "whole", evidence, found.span, confidence=0.95)
        else:
            yield Finding("form", "another language", "whole", evidence, found.span, "warning", 0.5)


def _unanswered(chain: Chain, rationale: Rationale) -> Iterator[Finding]:
    requirements = Counter(each.attribute for each in rationale.requirements)
    checks = Counter(each.attribute for each in rationale.checks)
    settled = rationale.relation in _SETTLED and not rationale.checks
    for line in chain.having("must", "not", "wish"):
        if not settled and requirements[line.about] > checks[line.about]:
            evidence = f"no line says whether the item meets {line.about}: {line.text}"
            yield Finding("form", "requirement without check", "attribute", evidence, line.span)
    for line in chain.having(CHECK):
        if checks[line.about] > requirements[line.about]:
            evidence = f"no requirement is on {line.about}"
            yield Finding("form", "check without requirement", "attribute", evidence, line.span)
    for line in chain.having("category"):
        if relation_of(line) in _SETTLED and rationale.checks:
            evidence = "the category settles the verdict, and checks follow"
            yield Finding(
                "form", "checks after a settled category", "category", evidence, line.span, "warning", 0.5
            )


def _label_too_early(text: str) -> tuple[int, int] | None:
    """Where a reason-first text states its tier before its last line."""
    last = text.rstrip().rfind("\n")
    found = _EARLY.search(text, 0, max(last, 0))
    return found.span() if found else None


def _repeated_line(chain: Chain) -> tuple[int, int] | None:
    """The first line that is there three times; values may well come back in a rationale."""
    times: Counter[tuple[str, str, str]] = Counter()
    for line in chain.lines:
        times[line.key, line.about, line.text] += 1
        if times[line.key, line.about, line.text] == _LINE_TIMES:
            return line.span
    return None


def _repeated_words(text: str) -> tuple[int, int] | None:
    """The first run of words that comes again and again."""
    words = list(_WORD.finditer(text))
    times: Counter[tuple[str, ...]] = Counter()
    for n in range(len(words) - _LOOP_WORDS + 1):
        run = words[n : n + _LOOP_WORDS]
        said = tuple(word[0].lower() for word in run)
        times[said] += 1
        if times[said] == _LOOP_TIMES:
            return run[0].start(), run[-1].end()
    return None
