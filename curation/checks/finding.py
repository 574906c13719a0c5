"""What a check says of a text, and the names under which others ask for texts without findings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["verdict", "grounding", "rule", "form", "copy"]
Step = Literal["query", "item", "category", "attribute", "rules", "verdict", "whole"]
Severity = Literal["error", "warning"]
Requirement = Literal["consistent", "grounded", "cited", "formed", "original"]

KINDS: tuple[Kind, ...] = get_args(Kind)
STEPS: tuple[Step, ...] = get_args(Step)
REQUIRED: Mapping[Requirement, Kind] = {
    "consistent": "verdict",
    "grounded": "grounding",
    "cited": "rule",
    "formed": "form",
    "original": "copy",
}
"""What a text is called that has no finding of a kind."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with a text, or worth a look.

    Attributes:
        kind: What kind of fault.
        name: Short name, the same for findings of the same fault.
        step: Step of the reasoning that it stands in.
        evidence: What the text was held against, in a sentence.
        span: First character in the text, from 0, and the one after the last; None for what is missing.
        severity: ``error``, or ``warning`` where it may be meant so.
        confidence: How likely it holds; of a model's finding what that gives its own tier.
    """

    kind: Kind
    name: str
    step: Step
    evidence: str
    span: tuple[int, int] | None = None
    severity: Severity = "error"
    confidence: float = 1.0
