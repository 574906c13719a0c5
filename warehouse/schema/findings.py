"""What automatic checks find in generated texts, and which texts they have read."""

from __future__ import annotations

from warehouse.ddl import Column, Table
from warehouse.schema.columns import PAIR, RUN, identifier

_TEXT = Column("text_id", "UUID", "The sample, or the rationale where a person wrote it.")
_CHECKER = Column("checker", "VARCHAR", "text, or the model that derived the verdict anew.")
_VERSION = Column("checker_version", "VARCHAR", "Version of the checks.")

FINDINGS: tuple[Table, ...] = (
    Table(
        "checked_texts",
        "Texts that a checker has read; one without findings passed.",
        ("text_id", "checker", "checker_version"),
        (
            _TEXT,
            PAIR,
            _CHECKER,
            _VERSION,
            Column("findings", "INTEGER", "How many it found."),
            RUN,
        ),
    ),
    Table(
        "findings",
        "What is wrong with a generated text, or deserves a look.",
        ("finding_id",),
        (
            identifier("finding_id", "Finding."),
            _TEXT,
            PAIR,
            _CHECKER,
            _VERSION,
            Column("kind", "VARCHAR", "verdict, grounding, rule, form or copy."),
            Column("finding", "VARCHAR", "Short name, the same for findings of the same fault."),
            Column("step", "VARCHAR", "query, item, category, attribute, rules, verdict, or whole."),
            Column("severity", "VARCHAR", "error, or warning where it may be meant so."),
            Column(
                "confidence",
                "DOUBLE",
                "How likely it holds; of a model's finding what that gives its own tier.",
            ),
            Column(
                "span_start",
                "INTEGER",
                "First character in the text, from 0; NULL for what is missing.",
                required=False,
            ),
            Column("span_stop", "INTEGER", "Character after the last.", required=False),
            Column("evidence", "VARCHAR", "What it was held against, in a sentence."),
            RUN,
        ),
    ),
    Table(
        "derived_verdicts",
        "Tiers that a model derived from reasoning alone, whose own verdict it was not shown.",
        ("text_id", "checker", "checker_version"),
        (
            _TEXT,
            PAIR,
            _CHECKER,
            _VERSION,
            Column("tier", "INTEGER", "Its most probable tier; NULL where it gave none.", required=False),
            Column(
                "tier_probs",
                "DOUBLE[]",
                "Probabilities that it gives tiers 1 to 4; NULL without a tier.",
                required=False,
            ),
            Column("reason", "VARCHAR", "Why there is no tier.", required=False),
            Column("prompt_tokens", "INTEGER", "Tokens of the prompt with the chat template."),
            RUN,
        ),
    ),
)
