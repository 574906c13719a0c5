"""What an annotator is asked, in the words of the paper's problem, and how the answers are read back."""

from __future__ import annotations

import importlib.resources
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argilla

CARD, REASONING = "card", "reasoning"
"""Names of the fields."""

TIER, QUALITY, STEPS = "tier", "quality", "failing_steps"
SPANS, CORRECTION, NOTE = "hallucinations", "correction", "note"
"""Names of the questions."""

TIERS = {"1": "Irrelevant", "2": "Mismatch", "3": "Related", "4": "Excellent", "unclear": "Cannot tell"}
RATINGS = (1, 2, 3, 4, 5)
FAILING = {
    "query": "Query",
    "item": "Item",
    "category": "Category match",
    "attribute": "Attribute match",
    "verdict": "Verdict",
    "none": "None",
}
SPAN_KINDS = {
    "unsupported": "Unsupported claim",
    "contradicted": "Contradicted by the item",
    "self": "Contradicts itself",
    "verdict": "Verdict does not follow",
}


def settings(client: argilla.Argilla, overlap: int) -> argilla.Settings:
    """Fields, questions, guidelines and metadata of a review dataset."""
    import argilla as rg

    return rg.Settings(
        guidelines=guidelines(),
        fields=[
            rg.TextField(name=CARD, title="Query and item", use_markdown=True, client=client),
            rg.TextField(name=REASONING, title="Reasoning of the model", client=client),
        ],
        questions=[
            rg.LabelQuestion(
                name=TIER,
                title="Which tier is right?",
                description="Choose by query and item alone. Another tier than gold is a vote on the pair's label.",
                labels=TIERS,
                client=client,
            ),
            rg.RatingQuestion(
                name=QUALITY,
                title="How good is the reasoning?",
                description="5 teach it as it is · 4 sound · 3 thin but right · 2 a step is wrong · 1 useless",
                values=list(RATINGS),
                client=client,
            ),
            rg.MultiLabelQuestion(
                name=STEPS,
                title="Which steps fail?",
                description="None, if every step and the verdict hold.",
                labels=FAILING,
                client=client,
            ),
            rg.SpanQuestion(
                name=SPANS,
                title="Hallucinated spans",
                description="Choose a kind, then drag over the words. Hold Shift to mark single characters.",
                field=REASONING,
                labels=SPAN_KINDS,
                required=False,
                client=client,
            ),
            rg.TextQuestion(
                name=CORRECTION,
                title="Corrected rationale",
                description="The reasoning as it should be taught. The tier chosen above is added for you.",
                required=False,
                client=client,
            ),
            rg.TextQuestion(name=NOTE, title="Note", required=False, client=client),
        ],
        metadata=[
            rg.IntegerMetadataProperty(name="gold_tier", title="Gold tier", min=1, max=4, client=client),
            rg.IntegerMetadataProperty(name="model_tier", title="Model's tier", min=1, max=4, client=client),
            rg.TermsMetadataProperty(name="kind", title="Kind of query", client=client),
            rg.TermsMetadataProperty(name="band", title="Difficulty band", client=client),
            rg.TermsMetadataProperty(name="model", title="Model", client=client),
            rg.TermsMetadataProperty(name="configuration", title="Configuration", client=client),
            rg.IntegerMetadataProperty(name="length", title="Length in tokens", min=0, client=client),
            rg.FloatMetadataProperty(
                name="confidence", title="Model's probability of its tier", min=0, max=1, client=client
            ),
        ],
        # The hash of a record's content travels with it and is nobody's filter.
        allow_extra_metadata=True,
        distribution=rg.TaskDistribution(min_submitted=overlap),
    )


def guidelines() -> str:
    """Markdown for annotators, with worked examples."""
    return (importlib.resources.files("annotation") / "guidelines.md").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Answers:
    """The values of a response, read by the questions above.

    Attributes:
        tier: 1 to 4; None where the annotator cannot tell or has not said.
        quality: 1 to 5.
        failing_steps: Keys of `FAILING`.
        spans: Kind, first UTF-16 unit, unit after the last.
        correction: Corrected rationale; None where it is blank.
        note: Note; None where it is blank.
        unknown: Questions that are not ours or whose value is none of ours.
    """

    tier: int | None
    quality: int | None
    failing_steps: tuple[str, ...] | None
    spans: tuple[tuple[str, int, int], ...]
    correction: str | None
    note: str | None
    unknown: tuple[str, ...]


def read_answers(values: dict[str, Any]) -> Answers:
    """Read the values of a response, question to value; what is not as asked is named, never guessed."""
    unknown = {name for name in values if name not in (TIER, QUALITY, STEPS, SPANS, CORRECTION, NOTE)}
    tier, quality, steps = values.get(TIER), values.get(QUALITY), values.get(STEPS)
    spans = values.get(SPANS)
    if tier is not None and not (isinstance(tier, str) and tier in TIERS):
        unknown.add(TIER)
        tier = None
    if quality is not None and not (isinstance(quality, int) and quality in RATINGS):
        unknown.add(QUALITY)
        quality = None
    known_steps: tuple[str, ...] | None = None
    if isinstance(steps, list):
        known_steps = tuple(key for key in FAILING if key in steps)
    if steps is not None and (known_steps is None or len(known_steps) != len(steps)):
        unknown.add(STEPS)
    read_spans = []
    for span in spans if isinstance(spans, list) else []:
        if isinstance(span, dict) and span.get("label") in SPAN_KINDS:
            read_spans.append((str(span["label"]), int(span["start"]), int(span["end"])))
        else:
            unknown.add(SPANS)
    return Answers(
        tier=int(tier) if tier in ("1", "2", "3", "4") else None,
        quality=quality,
        failing_steps=known_steps,
        spans=tuple(sorted(read_spans, key=lambda span: span[1:])),
        correction=_text(values.get(CORRECTION)),
        note=_text(values.get(NOTE)),
        unknown=tuple(sorted(unknown)),
    )


def _text(value: Any) -> str | None:
    return value.strip() or None if isinstance(value, str) else None
