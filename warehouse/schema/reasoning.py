"""Relevance rules, and the rationales that were written under them."""

from __future__ import annotations

from warehouse.ddl import Column, Table
from warehouse.schema.columns import PAIR, RUN, identifier

REASONING: tuple[Table, ...] = (
    Table(
        "rulebooks",
        "Versions of rulebooks that were loaded. A version never changes; the highest is in force.",
        ("rulebook", "version"),
        (
            Column("rulebook", "VARCHAR", "Name."),
            Column("version", "INTEGER", "Version, as its file says."),
            Column("about", "VARCHAR", "What it is for."),
            Column("content_hash", "VARCHAR", "SHA-256 over what it is for and its rules."),
            Column("loaded_at", "TIMESTAMP", "When it was loaded."),
            RUN,
        ),
    ),
    Table(
        "rules",
        "Relevance rules of each version of a rulebook. A rule with a tier is a cap, one without explains.",
        ("rule_id",),
        (
            identifier("rule_id", "Rule in this version of the rulebook."),
            Column("rulebook", "VARCHAR", "Rulebook."),
            Column("version", "INTEGER", "Version of the rulebook."),
            Column("place", "INTEGER", "1, 2, … in the order of the file."),
            Column("rule", "VARCHAR", "Name in the rulebook, which rationales cite."),
            Column("text", "VARCHAR", "The rule."),
            Column(
                "tier",
                "INTEGER",
                "Highest tier where it applies; NULL where it explains only.",
                required=False,
            ),
            Column("categories", "VARCHAR[]", "Categories of query or item that it is for; empty is all."),
            Column("kinds", "VARCHAR[]", "Kinds of query that it is for; empty is all."),
            Column("attributes", "VARCHAR[]", "Attributes that it is about; empty is all."),
            Column("locales", "VARCHAR[]", "Locales that it is for; empty is all."),
            Column(
                "relations",
                "VARCHAR[]",
                "Category steps it applies to: match, substitute, complement, other; empty is all.",
            ),
            Column("strengths", "VARCHAR[]", "Requirements it applies to: must, not, wish; empty is all."),
            Column("outcomes", "VARCHAR[]", "Outcomes it applies to: met, missed, unknown; empty is all."),
            Column("overrides", "VARCHAR[]", "Rules that it overrides where both apply."),
            Column("examples", "JSON", "List of query, item and why."),
            Column("counter_examples", "JSON", "The same, where it only seems to apply."),
            Column("valid_from", "DATE", "First day; NULL is from ever.", required=False),
            Column("valid_to", "DATE", "Last day; NULL is for ever.", required=False),
            RUN,
        ),
    ),
    Table(
        "rationales",
        "Reasoning for a pair and its tier, read from a teacher's sample or written by a person.",
        ("rationale_id",),
        (
            identifier("rationale_id", "Rationale."),
            PAIR,
            Column("tier", "INTEGER", "Tier that it leads to."),
            Column(
                "text", "VARCHAR", "The reasoning alone; completion_text adds the tier where a format has it."
            ),
            Column("source", "VARCHAR", "teacher, or review where an annotator corrected a sample."),
            Column("written_by", "VARCHAR", "Who wrote it: a model or a person."),
            Column("written_at", "TIMESTAMP", "When."),
            Column("sample_id", "UUID", "Sample that it was read from.", "samples", required=False),
            Column(
                "gold",
                "VARCHAR",
                "blind, or conditioned where its teacher was told the gold tier; NULL for a person's.",
                required=False,
            ),
            Column("rules_cited", "VARCHAR[]", "Names of the rules that it cites.", required=False),
            Column("corrects_sample_id", "UUID", "Sample that it corrects.", "samples", required=False),
            Column("review_id", "UUID", "Answer that it came with.", "reviews", required=False),
            RUN,
        ),
    ),
    Table(
        "rationale_rejects",
        "Samples of teachers that are no rationale, with the reason.",
        ("sample_id", "reader_version"),
        (
            Column("sample_id", "UUID", "Sample.", "samples"),
            PAIR,
            Column("reader_version", "VARCHAR", "Version of the reader."),
            Column("reason", "VARCHAR", "Short reason, the same for samples of the same fault."),
            Column("detail", "VARCHAR", "What exactly was found."),
            RUN,
        ),
    ),
)
