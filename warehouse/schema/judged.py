"""Queries, items, pairs and the judgments that their tiers are resolved from."""

from __future__ import annotations

from warehouse.ddl import Column, Table
from warehouse.schema.columns import ITEM_VERSION, PAIR, RUN, identifier

JUDGED: tuple[Table, ...] = (
    Table(
        "queries",
        "Distinct queries. A query is its exact text in a locale.",
        ("query_id",),
        (
            identifier("query_id", "Query."),
            Column("text", "VARCHAR", "Query as the source has it."),
            Column("locale", "VARCHAR", "Locale as the source has it, such as us."),
            Column("kind", "VARCHAR", "plain, negation, alternative, question or knowledge."),
            Column(
                "intent",
                "VARCHAR",
                "What wordings of one need have in common, where the source says so. Splits keep it in one role.",
                required=False,
            ),
            RUN,
        ),
    ),
    Table(
        "item_versions",
        "Texts of items. A changed text is a new version, never an overwrite.",
        ("item_version_id",),
        (
            identifier("item_version_id", "Version of an item's text."),
            identifier("item_id", "Item: the source's own id, or the raw text where it has none."),
            Column("version", "INTEGER", "1 for the first text seen, and so on."),
            Column("is_current", "BOOLEAN", "Whether this is the text that was read last."),
            Column("source", "VARCHAR", "Source that brought the text first."),
            Column("source_item_id", "VARCHAR", "The source's own item id.", required=False),
            Column("title", "VARCHAR", "Title as the source has it."),
            Column("description", "VARCHAR", "Description as plain text.", required=False),
            Column(
                "raw_description",
                "VARCHAR",
                "Description as the source has it, kept where cleaning changed it.",
                required=False,
            ),
            Column("brand", "VARCHAR", "Brand.", required=False),
            Column("attributes", "JSON", "Further attributes of the source, name to value.", required=False),
            RUN,
        ),
    ),
    Table(
        "pairs",
        "Distinct query–item pairs, with the tier resolved from their judgments.",
        ("pair_id",),
        (
            identifier("pair_id", "Query–item pair."),
            Column("query_id", "UUID", "Query.", "queries"),
            identifier("item_id", "Item; its current text is in the view items."),
            Column("item_version_id", "UUID", "Version that was judged, current or not.", "item_versions"),
            Column(
                "tier",
                "INTEGER",
                "Gold tier: 4 Excellent, 3 Related, 2 Mismatch, 1 Irrelevant. NULL while judgments conflict.",
                required=False,
            ),
            Column(
                "confidence",
                "DOUBLE",
                "0 to 1: summed confidence of the judgments for the tier, over the number of judgments; 1 where a "
                "person decided.",
                required=False,
            ),
            Column(
                "judgment_id",
                "UUID",
                "Judgment behind the tier: a person's decision, else the strongest for it. Grades hang on it.",
                "judgments",
                required=False,
            ),
            Column("source", "VARCHAR", "Source that brought the pair first."),
            Column("weight", "DOUBLE", "Traffic weight; 1 where the source has none."),
            Column(
                "source_split", "VARCHAR", "The source's own split of the pair, such as test.", required=False
            ),
            RUN,
        ),
    ),
    Table(
        "judgments",
        "Every judged row of every source, append-only. Tiers of pairs are resolved from these.",
        ("judgment_id",),
        (
            identifier("judgment_id", "Judgment."),
            PAIR,
            ITEM_VERSION,
            Column("tier", "INTEGER", "Tier that was given, 1 to 4."),
            Column(
                "confidence",
                "DOUBLE",
                "0 to 1 from rater agreement, 1 for a decision; NULL where unknown.",
                required=False,
            ),
            Column(
                "source",
                "VARCHAR",
                "Data set that it came with, such as crowdflower; review where an annotator judged the pair, decision "
                "where a person settled it.",
            ),
            Column("source_file", "VARCHAR", "File it came from; NULL for a decision.", required=False),
            Column(
                "source_row",
                "BIGINT",
                "Line (CSV, JSONL) or row (Parquet) where it starts, from 1; NULL for a decision.",
                required=False,
            ),
            Column(
                "source_key",
                "VARCHAR",
                "The source's own row id, or the judgment's number within its pair. Of several judgments of a "
                "pair with one source and key, the newest stands.",
            ),
            Column("judged_by", "VARCHAR", "Person or process that judged.", required=False),
            Column("judged_at", "TIMESTAMP", "When it was judged.", required=False),
            Column(
                "reason",
                "VARCHAR",
                "Why: in the judge's words, or the derivation of a generated label.",
                required=False,
            ),
            RUN,
        ),
    ),
)
