"""Findings of the checks as suggestions: marked spans, and steps that fail."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from annotation.review.questions import SPANS, STEPS
from annotation.review.texts import unit_offset

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import duckdb

# What Argilla's annotators call it, by kind and name of a finding; None takes all other names of the kind.
_LABELS: dict[tuple[str, str | None], str] = {
    ("grounding", "contradicted"): "contradicted",
    ("grounding", "of other goods"): "contradicted",
    ("grounding", "outcome against value"): "contradicted",
    ("grounding", None): "unsupported",
    ("rule", None): "unsupported",
    ("copy", None): "unsupported",
    ("verdict", "states another tier"): "self",
    ("verdict", None): "verdict",
}
# What Argilla does not take in an agent's name, and how much of one it takes.
_NO_AGENT = re.compile(r"[^a-zA-Z0-9_:./ -]")
_LONGEST_AGENT = 200
_FAILING = {step: step for step in ("query", "item", "category", "attribute", "verdict")} | {
    "rules": "verdict"
}


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An automatic finding, as an answer that stands in the form already."""

    question: str
    value: Any
    agent: str
    score: float | list[float]


@dataclass(frozen=True, slots=True)
class FoundInText:
    """A finding as the store has it."""

    kind: str
    finding: str
    step: str
    confidence: float
    span: tuple[int, int] | None
    checker: str


def found_in_texts(
    connection: duckdb.DuckDBPyConnection, sample_ids: Sequence[str]
) -> dict[str, list[FoundInText]]:
    """Current findings of samples, in the order of their texts."""
    rows = connection.execute(
        "SELECT CAST(f.text_id AS VARCHAR), f.kind, f.finding, f.step, f.confidence, f.span_start, f.span_stop, "
        "concat('check ', f.checker, ' ', f.checker_version) "
        "FROM findings f SEMI JOIN current_checks USING (text_id, checker, checker_version) "
        "WHERE f.text_id IN (SELECT unnest($samples)::UUID) "
        "ORDER BY f.text_id, f.span_start, f.span_stop, f.finding_id",
        {"samples": list(sample_ids)},
    ).fetchall()
    found: dict[str, list[FoundInText]] = {}
    for text_id, kind, finding, step, confidence, start, stop, checker in rows:
        span = None if start is None else (start, stop)
        found.setdefault(text_id, []).append(FoundInText(kind, finding, step, confidence, span, checker))
    return found


def of_findings(text: str, found: Sequence[FoundInText]) -> Iterator[Suggestion]:
    """Spans and failing steps that `found` suggests; of spans that overlap, which Argilla refuses, the surer one."""
    spans: list[tuple[FoundInText, str, tuple[int, int]]] = []
    for each in sorted(found, key=lambda finding: -finding.confidence):
        label = _LABELS.get((each.kind, each.finding)) or _LABELS.get((each.kind, None))
        if label and each.span and not any(_overlap(each.span, other) for _, _, other in spans):
            spans.append((each, label, each.span))
    spans.sort(key=lambda marked: marked[2])
    if spans:
        yield Suggestion(
            SPANS,
            [
                {"label": label, "start": unit_offset(text, start), "end": unit_offset(text, stop)}
                for _, label, (start, stop) in spans
            ],
            _agent([each for each, _, _ in spans]),
            [each.confidence for each, _, _ in spans],
        )
    steps: dict[str, float] = {}
    at_steps = [each for each in found if each.step in _FAILING]
    for each in at_steps:
        failing = _FAILING[each.step]
        steps[failing] = max(steps.get(failing, 0.0), each.confidence)
    if steps:
        yield Suggestion(STEPS, list(steps), _agent(at_steps), list(steps.values()))


def agent_name(name: str) -> str:
    """`name` as Argilla takes an agent's."""
    return _NO_AGENT.sub("-", name)[:_LONGEST_AGENT]


def _agent(found: Sequence[FoundInText]) -> str:
    """The checkers that found it."""
    return agent_name(" and ".join(dict.fromkeys(each.checker for each in found)))


def _overlap(a: tuple[int, int], b: tuple[int, int]) -> bool:
    return a[0] < b[1] and b[0] < a[1]
