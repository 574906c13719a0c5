"""What people said of samples."""

from __future__ import annotations

from warehouse.ddl import View
from warehouse.views.columns import comments_of

REVIEW_VIEWS: tuple[View, ...] = (
    View(
        "current_reviews",
        "The newest version of each annotator's answer to a sample, with what it was about.",
        "SELECT r.review_id, r.response_id, r.dataset_id, d.name AS dataset, r.sample_id, r.pair_id, "
        "q.text AS query, q.kind, v.title, s.tier AS model_tier, r.annotator, r.status, r.gold_tier, r.tier, "
        "r.quality, r.failing_steps, r.correction, r.note, r.begun_at, r.answered_at, r.run_id "
        "FROM (SELECT * FROM reviews QUALIFY row_number() OVER (PARTITION BY response_id "
        "ORDER BY pulled_at DESC, answered_at DESC, review_id) = 1) r "
        "JOIN review_datasets d USING (dataset_id) JOIN samples s ON s.sample_id = r.sample_id "
        "JOIN pairs p ON p.pair_id = r.pair_id JOIN queries q ON q.query_id = p.query_id "
        "JOIN item_versions v ON v.item_version_id = p.item_version_id",
        (
            *comments_of("reviews", "review_id", "response_id", "dataset_id"),
            ("dataset", "Name of the dataset in Argilla."),
            *comments_of("reviews", "sample_id", "pair_id"),
            ("query", "Query text."),
            *comments_of("queries", "kind"),
            *comments_of("item_versions", "title"),
            ("model_tier", "Tier that the sample states."),
            *comments_of(
                "reviews",
                "annotator",
                "status",
                "gold_tier",
                "tier",
                "quality",
                "failing_steps",
                "correction",
            ),
            *comments_of("reviews", "note", "begun_at", "answered_at", "run_id"),
        ),
    ),
    View(
        "current_review_spans",
        "Spans of the answers in current_reviews, with their words.",
        "SELECT r.sample_id, r.annotator, r.status, c.kind, c.span_start, c.span_stop, "
        "substr(s.text, c.span_start + 1, c.span_stop - c.span_start) AS words, r.review_id "
        "FROM review_spans c JOIN current_reviews r USING (review_id) JOIN samples s ON s.sample_id = r.sample_id",
        (
            *comments_of("reviews", "sample_id", "annotator", "status"),
            *comments_of("review_spans", "kind", "span_start", "span_stop"),
            ("words", "What was marked."),
            *comments_of("reviews", "review_id"),
        ),
    ),
)
