"""What people were asked in Argilla and what they answered."""

from __future__ import annotations

from warehouse.ddl import Column, Table
from warehouse.schema.columns import PAIR, RUN, identifier

REVIEW: tuple[Table, ...] = (
    Table(
        "review_datasets",
        "Datasets in Argilla that samples were pushed to for review.",
        ("dataset_id",),
        (
            identifier("dataset_id", "Argilla's id of the dataset."),
            Column("name", "VARCHAR", "Name in Argilla."),
            Column("overlap", "INTEGER", "Annotators who are to answer each record."),
            Column("blind", "BOOLEAN", "Whether annotators see no suggestions."),
            Column("created_at", "TIMESTAMP", "When it was made."),
            Column(
                "pulled_state",
                "VARCHAR",
                "What the server said of its answers before the last pull; while it is the same there is nothing new.",
                required=False,
            ),
            Column("pulled_at", "TIMESTAMP", "Last pull that found something new.", required=False),
            RUN,
        ),
    ),
    Table(
        "review_records",
        "What was pushed for review, by content: a record whose texts change is a new row.",
        ("dataset_id", "sample_id", "content_hash"),
        (
            Column("dataset_id", "UUID", "Argilla's id of the dataset.", "review_datasets"),
            Column("sample_id", "UUID", "Sample; its hex digits are the record's id in Argilla.", "samples"),
            PAIR,
            Column("content_hash", "VARCHAR", "Hash of the record as an annotator sees it."),
            Column("gold_tier", "INTEGER", "Gold tier that it shows."),
            Column("pushed_at", "TIMESTAMP", "When it was pushed."),
            RUN,
        ),
    ),
    Table(
        "reviews",
        "Answers of annotators, every version that a pull met; the newest of each are in current_reviews.",
        ("review_id",),
        (
            identifier("review_id", "Version of an answer."),
            Column("response_id", "UUID", "Argilla's id of the answer, the same for all its versions."),
            Column("dataset_id", "UUID", "Argilla's id of the dataset.", "review_datasets"),
            Column("sample_id", "UUID", "Sample that was reviewed.", "samples"),
            PAIR,
            Column("annotator", "VARCHAR", "Name of the user who answered."),
            Column("annotator_id", "UUID", "Argilla's id of that user."),
            Column(
                "status",
                "VARCHAR",
                "submitted, draft, discarded, or deleted where the annotator took it back.",
            ),
            Column("gold_tier", "INTEGER", "Gold tier that the annotator saw.", required=False),
            Column(
                "tier",
                "INTEGER",
                "Tier that is right; NULL where they cannot tell or say nothing.",
                required=False,
            ),
            Column("quality", "INTEGER", "Quality of the reasoning, 1 to 5.", required=False),
            Column(
                "failing_steps",
                "VARCHAR[]",
                "Steps that fail: query, item, category, attribute, verdict; none.",
                required=False,
            ),
            Column("correction", "VARCHAR", "Corrected rationale.", required=False),
            Column("note", "VARCHAR", "Note.", required=False),
            Column("answers", "JSON", "All values as Argilla has them, question to value."),
            Column("begun_at", "TIMESTAMP", "When the annotator first saved it."),
            Column("answered_at", "TIMESTAMP", "When the annotator last saved it."),
            Column("pulled_at", "TIMESTAMP", "When it was pulled."),
            RUN,
        ),
    ),
    Table(
        "review_spans",
        "Hallucinated spans that annotators marked in the text of the sample.",
        ("review_id", "span_index"),
        (
            Column("review_id", "UUID", "Version of an answer.", "reviews"),
            Column("span_index", "INTEGER", "0, 1, … in the order of the text."),
            Column("kind", "VARCHAR", "unsupported, contradicted, self or verdict."),
            Column("span_start", "INTEGER", "First code point of the sample's text, from 0."),
            Column("span_stop", "INTEGER", "Code point after the last."),
            RUN,
        ),
    ),
    Table(
        "review_outcomes",
        "What the reviews of a sample come to, by the newest `decide`.",
        ("sample_id",),
        (
            Column("sample_id", "UUID", "Sample.", "samples"),
            PAIR,
            Column("outcome", "VARCHAR", "accepted, rejected, corrected or disputed."),
            Column("tier", "INTEGER", "Tier that most annotators gave; NULL at a tie.", required=False),
            Column("reviews", "INTEGER", "Annotators who submitted."),
            Column("accepting", "INTEGER", "Those who found verdict and reasoning sound."),
            Column("quality", "DOUBLE", "Mean rating, 1 to 5.", required=False),
            Column("p_accepted", "DOUBLE", "Probability of being sound, by the rule."),
            Column("rule", "VARCHAR", "majority or dawid-skene."),
            Column(
                "rationale_id",
                "UUID",
                "Correction that stands in for a corrected sample.",
                "rationales",
                required=False,
            ),
            RUN,
        ),
    ),
)
