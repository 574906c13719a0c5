"""Samples, predictions, and where they came from."""

from __future__ import annotations

from warehouse.ddl import View
from warehouse.views.columns import comments_of

_CHECKED = (("grounded", "grounding"), ("cited", "rule"), ("formed", "form"), ("original", "copy"))


def _without(kind: str, name: str) -> str:
    """Whether a text has no error of a kind, under the name of that."""
    return f"CASE WHEN list_contains(e.kinds, '{kind}') THEN false WHEN k.text_id IS NOT NULL THEN true END AS {name}"


SAMPLING_VIEWS: tuple[View, ...] = (
    View(
        "current_predictions",
        "The newest prediction of each predictor for a pair and item text, beside the pair's gold tier.",
        "SELECT c.prediction_id, c.predictor_id, n.name AS predictor, c.pair_id, q.text AS query, q.kind, v.title, "
        "p.tier AS gold_tier, list_position(c.tier_probs, list_max(c.tier_probs)) AS most_probable_tier, "
        "c.tier_probs, c.digit_logprobs, c.sample_id, c.item_version_id, c.judgment_id, c.prompt_tokens, "
        "c.completion_tokens, c.seconds, c.reason, c.run_id "
        "FROM (SELECT s.* FROM predictions s JOIN runs USING (run_id) QUALIFY row_number() OVER (PARTITION BY "
        "s.predictor_id, s.pair_id, s.item_version_id ORDER BY started_at DESC, s.prediction_id) = 1) c "
        "JOIN predictors n USING (predictor_id) JOIN pairs p ON p.pair_id = c.pair_id "
        "JOIN queries q ON q.query_id = p.query_id JOIN item_versions v ON v.item_version_id = c.item_version_id",
        (
            *comments_of("predictions", "prediction_id", "predictor_id"),
            ("predictor", "Name of the predictor."),
            *comments_of("predictions", "pair_id"),
            ("query", "Query text."),
            *comments_of("queries", "kind"),
            *comments_of("item_versions", "title"),
            ("gold_tier", "Gold tier of the pair now."),
            ("most_probable_tier", "Tier of the highest probability, the lower one at a tie."),
            *comments_of(
                "predictions", "tier_probs", "digit_logprobs", "sample_id", "item_version_id", "judgment_id"
            ),
            *comments_of("predictions", "prompt_tokens", "completion_tokens", "seconds", "reason", "run_id"),
        ),
    ),
    View(
        "sample_votes",
        "What the samples of a pair vote for under a configuration, beside the model's own probabilities.",
        "SELECT pair_id, configuration_id, prompt_hash, count(*) AS samples, "
        "count(*) FILTER (tier = 1) AS votes_1, count(*) FILTER (tier = 2) AS votes_2, "
        "count(*) FILTER (tier = 3) AS votes_3, count(*) FILTER (tier = 4) AS votes_4, "
        "count(*) FILTER (tier IS NULL) AS votes_unparsable, "
        "avg(tier_probs[1]) AS mean_p1, avg(tier_probs[2]) AS mean_p2, "
        "avg(tier_probs[3]) AS mean_p3, avg(tier_probs[4]) AS mean_p4 "
        "FROM samples WHERE configuration_id NOT IN (SELECT configuration_id FROM configurations JOIN prompts "
        "USING (prompt_id) WHERE purpose = 'continuations') GROUP BY ALL",
        (
            *comments_of("samples", "pair_id", "configuration_id", "prompt_hash"),
            ("samples", "Samples drawn."),
            *((f"votes_{t}", f"Samples that state tier {t}.") for t in (1, 2, 3, 4)),
            ("votes_unparsable", "Samples that state no tier."),
            *(
                (f"mean_p{t}", f"Mean probability of tier {t} over the samples that have it.")
                for t in (1, 2, 3, 4)
            ),
        ),
    ),
    View(
        "graded_samples",
        "Samples of the text that was judged, with their grade under the gold of their pair by the newest version of "
        "the grader, and what the checks found. grounded, cited, formed and original: true where the text was checked "
        "and has no error of that kind, false where it has one, NULL where it was not checked; warnings do not count.",
        "WITH graded AS (SELECT g.* FROM grades g JOIN runs USING (run_id) QUALIFY row_number() OVER (PARTITION BY "
        "g.sample_id, g.judgment_id ORDER BY started_at DESC, g.grader_version DESC) = 1), "
        "erring AS (SELECT f.text_id, list(DISTINCT f.kind) AS kinds FROM findings f "
        "SEMI JOIN current_checks USING (text_id, checker, checker_version) WHERE f.severity = 'error' GROUP BY 1), "
        "checked AS (SELECT text_id FROM current_checks WHERE checker = 'text') "
        "SELECT s.sample_id, s.pair_id, s.configuration_id, s.prompt_hash, s.sample_index, g.gold_tier, g.tier, "
        "g.outcome, g.correct, g.distance, "
        "CASE WHEN NOT g.consistent OR list_contains(e.kinds, 'verdict') THEN false "
        "WHEN k.text_id IS NOT NULL THEN true END AS consistent, "
        f"{', '.join(_without(kind, name) for name, kind in _CHECKED)}, "
        "g.grade_id, g.judgment_id, g.grader_version "
        "FROM samples s JOIN pairs p ON p.pair_id = s.pair_id "
        "SEMI JOIN rendered_prompts r ON r.pair_id = s.pair_id AND r.prompt_hash = s.prompt_hash "
        "AND r.item_version_id = p.item_version_id "
        "JOIN graded g ON g.sample_id = s.sample_id AND g.judgment_id = p.judgment_id "
        "LEFT JOIN checked k ON k.text_id = s.sample_id LEFT JOIN erring e ON e.text_id = s.sample_id",
        (
            *comments_of(
                "samples", "sample_id", "pair_id", "configuration_id", "prompt_hash", "sample_index"
            ),
            *comments_of("grades", "gold_tier", "tier", "outcome", "correct", "distance"),
            (
                "consistent",
                "False where the grader finds another tier in the text, or the checks a verdict that does not follow; "
                "true where it was checked and neither does; NULL else.",
            ),
            ("grounded", "No claim that neither query nor item states."),
            ("cited", "No rule that does not hold."),
            ("formed", "No fault in its form."),
            ("original", "No reasoning of another pair."),
            *comments_of("grades", "grade_id", "judgment_id", "grader_version"),
        ),
    ),
    View(
        "step_values",
        "Monte Carlo values of reasoning steps: of the continuations from the end of a step, the share that ends on "
        "the gold tier. Step 0 is the prompt alone, whose continuations are the other samples.",
        "WITH ended AS (SELECT s.pair_id, s.configuration_id, s.prompt_hash, count(*) AS continuations, "
        "count(*) FILTER (s.tier = p.tier) AS correct FROM samples s JOIN pairs p USING (pair_id) GROUP BY ALL), "
        "steps AS (SELECT t.sample_id, t.pair_id, t.step_index, t.step, t.span_start, t.span_stop, e.continuations, "
        "e.correct FROM sample_steps t LEFT JOIN ended e ON e.pair_id = t.pair_id "
        "AND e.configuration_id = t.continued_by AND e.prompt_hash = t.prefix_hash UNION ALL BY NAME "
        "SELECT s.sample_id, s.pair_id, 0 AS step_index, 'whole' AS step, 0 AS span_start, 0 AS span_stop, "
        "e.continuations - 1 AS continuations, "
        "e.correct - CAST(s.tier IS NOT DISTINCT FROM p.tier AS INTEGER) AS correct "
        "FROM samples s SEMI JOIN sample_steps USING (sample_id) JOIN pairs p USING (pair_id) "
        "JOIN ended e USING (pair_id, configuration_id, prompt_hash)) "
        "SELECT t.sample_id, t.pair_id, s.configuration_id, t.step_index, t.step, t.span_start, t.span_stop, "
        "substr(s.text, t.span_start + 1, t.span_stop - t.span_start) AS words, "
        "coalesce(t.continuations, 0) AS continuations, coalesce(t.correct, 0) AS correct, "
        "t.correct / nullif(t.continuations, 0) AS value, "
        "value - lag(value) OVER (PARTITION BY t.sample_id ORDER BY t.step_index) AS change, s.tier AS stated_tier, "
        "p.tier AS gold_tier "
        "FROM steps t JOIN samples s ON s.sample_id = t.sample_id JOIN pairs p ON p.pair_id = t.pair_id "
        "WHERE p.tier IS NOT NULL",
        (
            *comments_of("samples", "sample_id", "pair_id", "configuration_id"),
            ("step_index", "From 1 in the order of the text; 0 is before it."),
            *comments_of("sample_steps", "step", "span_start", "span_stop"),
            ("words", "The step."),
            ("continuations", "Continuations drawn from its end; 0 where a run has not come to it."),
            ("correct", "Those that end on the gold tier of the pair now."),
            ("value", "correct / continuations; NULL without any."),
            ("change", "Value less that of the step before."),
            ("stated_tier", "Tier that the sample itself states."),
            ("gold_tier", "Gold tier of the pair now."),
        ),
    ),
    View(
        "lineage",
        "Where each sample came from: one row per sample and judgment of its pair.",
        "SELECT s.sample_id, s.pair_id, q.text AS query, v.title, j.judgment_id, j.source, j.source_file, "
        "j.source_row, t.name AS prompt, t.format AS prompt_format, m.name AS model, s.configuration_id, "
        "s.run_id AS sample_run_id, j.run_id AS ingest_run_id "
        "FROM samples s JOIN pairs p USING (pair_id) JOIN queries q USING (query_id) "
        "JOIN configurations c ON c.configuration_id = s.configuration_id "
        "JOIN prompts t USING (prompt_id) JOIN models m ON m.model_id = c.model_id "
        "JOIN rendered_prompts r ON r.prompt_hash = s.prompt_hash AND r.pair_id = s.pair_id "
        "JOIN item_versions v ON v.item_version_id = r.item_version_id "
        "JOIN judgments j ON j.pair_id = s.pair_id",
        (
            *comments_of("samples", "sample_id", "pair_id"),
            ("query", "Query text."),
            *comments_of("item_versions", "title"),
            *comments_of("judgments", "judgment_id", "source", "source_file", "source_row"),
            ("prompt", "Name of the prompt template."),
            ("prompt_format", "answer-first or reason-first."),
            ("model", "Name of the model."),
            *comments_of("samples", "configuration_id"),
            ("sample_run_id", "Run that drew the sample."),
            ("ingest_run_id", "Run that read the judgment."),
        ),
    ),
)
