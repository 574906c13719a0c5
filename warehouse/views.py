"""Macros and views: what analysts may lean on. Kept stable, documented in docs/data-dictionary.md."""

from __future__ import annotations

from warehouse.ddl import Macro, View
from warehouse.schema import TABLE_BY_NAME


def _of(table: str, *names: str) -> tuple[tuple[str, str], ...]:
    """Comments of view columns that are columns of `table` as they stand."""
    comments = {column.name: column.comment for column in TABLE_BY_NAME[table].columns}
    return tuple((name, comments[name]) for name in names)


MACROS: tuple[Macro, ...] = (
    Macro(
        "netstring",
        ("field",),
        "unambiguous encoding of a field inside a content id.",
        "CASE WHEN field IS NULL THEN '-' "
        "ELSE concat(strlen(CAST(field AS VARCHAR)), ':', CAST(field AS VARCHAR)) END",
    ),
    Macro(
        "pass_at_k",
        ("n", "c", "k"),
        "unbiased pass@k over n samples with c correct, 1 − C(n−c,k)/C(n,k); NULL where k > n.",
        # The product over no factors, which c = 0 asks for, is NULL in SQL.
        "CASE WHEN n IS NULL OR c NOT BETWEEN 0 AND n OR k NOT BETWEEN 1 AND n THEN NULL "
        "WHEN c = 0 THEN 0.0 WHEN n - c < k THEN 1.0 ELSE 1.0 - list_aggregate(list_transform("
        "range(CAST(n - c + 1 AS BIGINT), CAST(n + 1 AS BIGINT)), lambda i: 1.0 - CAST(k AS DOUBLE) / i), "
        "'product') END",
    ),
    Macro(
        "difficulty_band",
        ("n", "c"),
        "solved, easy (≥ 3/4), medium (≥ 3/8), hard (> 0) or unsolved.",
        "CASE WHEN n IS NULL OR c IS NULL OR n = 0 THEN NULL WHEN c = n THEN 'solved' "
        "WHEN c * 4 >= n * 3 THEN 'easy' WHEN c * 8 >= n * 3 THEN 'medium' WHEN c > 0 THEN 'hard' ELSE 'unsolved' END",
    ),
    Macro(
        "tier_name",
        ("tier",),
        "Excellent, Related, Mismatch or Irrelevant.",
        "CASE tier WHEN 4 THEN 'Excellent' WHEN 3 THEN 'Related' WHEN 2 THEN 'Mismatch' "
        "WHEN 1 THEN 'Irrelevant' END",
    ),
    Macro(
        "completion_text",
        ("format", "tier", "reasoning"),
        "reasoning with its verdict, as a prompt of that format asks for it: answer-first or reason-first.",
        "CASE format WHEN 'answer-first' THEN tier || chr(10) || reasoning "
        "WHEN 'reason-first' THEN reasoning || chr(10) || 'Tier: ' || tier END",
    ),
    Macro(
        "query_bucket",
        ("query_id", "buckets"),
        "a stable number from 0 to buckets − 1; cuts queries into disjoint shares.",
        "CAST(concat('0x', substr(CAST(query_id AS VARCHAR), 1, 8)) AS BIGINT) % buckets",
    ),
)

VIEWS: tuple[View, ...] = (
    View(
        "items",
        "Items with their current text.",
        "SELECT item_id, title, description, brand, attributes, source, source_item_id, item_version_id, "
        "version, run_id FROM item_versions WHERE is_current",
        _of(
            "item_versions",
            *("item_id", "title", "description", "brand", "attributes", "source", "source_item_id"),
            *("item_version_id", "version", "run_id"),
        ),
    ),
    View(
        "conflicts",
        "Pairs whose judgments disagree and that the resolution rule left without a tier.",
        "SELECT p.pair_id, q.text AS query, v.title, list(j.tier ORDER BY j.tier, j.judgment_id) AS tiers, "
        "list(j.confidence ORDER BY j.tier, j.judgment_id) AS confidences, "
        "list(j.source ORDER BY j.tier, j.judgment_id) AS sources "
        "FROM pairs p JOIN (SELECT j.* FROM judgments j JOIN runs USING (run_id) "
        "SEMI JOIN (SELECT pair_id FROM pairs ANTI JOIN tombstones USING (item_id) WHERE tier IS NULL) USING (pair_id) "
        # The newest judgment of a source row stands; the others are history.
        "QUALIFY row_number() OVER (PARTITION BY j.pair_id, j.source, j.source_key "
        "ORDER BY coalesce(j.judged_at, started_at) DESC, started_at DESC, j.judgment_id) = 1) j USING (pair_id) "
        "JOIN queries q USING (query_id) JOIN item_versions v ON v.item_version_id = p.item_version_id "
        "GROUP BY ALL",
        (
            *_of("pairs", "pair_id"),
            ("query", "Query text."),
            *_of("item_versions", "title"),
            ("tiers", "Tiers given by the judgments that stand, ascending."),
            ("confidences", "Confidences of the judgments, in the order of tiers."),
            ("sources", "Sources of the judgments, in the order of tiers."),
        ),
    ),
    View(
        "suspect_labels",
        "Gold tiers that confident learning holds for wrong, by scorer; worst first by rank. For a person to read; "
        "what a person decided is not among them.",
        "SELECT row_number() OVER (PARTITION BY s.scorer, s.configuration_id ORDER BY s.label_quality, s.pair_id) "
        "AS rank, s.scorer, s.configuration_id, s.pair_id, q.text AS query, v.title, v.description, q.kind, "
        "s.tier, s.suggested_tier, s.label_quality, s.tier_probs, p.confidence, s.judgment_id, j.source, "
        "j.judged_by, j.reason, s.run_id FROM label_scores s "
        # A score of a judgment that is no longer the pair's says nothing of the tier that it has now.
        "JOIN pairs p ON p.pair_id = s.pair_id AND p.judgment_id = s.judgment_id "
        "JOIN judgments j ON j.judgment_id = s.judgment_id JOIN queries q USING (query_id) "
        "JOIN item_versions v ON v.item_version_id = p.item_version_id "
        # Whoever decided has read the pair: it need not be read again.
        "WHERE s.suspect AND j.source <> 'decision'",
        (
            ("rank", "1 for the lowest label_quality of the scorer."),
            *_of("label_scores", "scorer", "configuration_id", "pair_id"),
            ("query", "Query text."),
            *_of("item_versions", "title", "description"),
            *_of("queries", "kind"),
            *_of("label_scores", "tier", "suggested_tier", "label_quality", "tier_probs"),
            *_of("pairs", "confidence"),
            *_of("label_scores", "judgment_id"),
            *_of("judgments", "source", "judged_by", "reason"),
            *_of("label_scores", "run_id"),
        ),
    ),
    View(
        "rationale_overview",
        "Rationales with their pair, their teacher, and the rules that it was shown and cites.",
        "SELECT a.rationale_id, a.pair_id, q.text AS query, q.kind, v.title, p.tier AS gold_tier, a.tier, "
        "a.tier = p.tier AND (x.title, x.description, x.brand) IS NOT DISTINCT FROM (v.title, v.description, v.brand) "
        "AS lands, a.text, a.source, a.written_by, a.gold, "
        "(SELECT list(u.rule ORDER BY u.place) FROM (SELECT unnest(r.rule_ids) AS rule_id) "
        "JOIN rules u USING (rule_id)) AS rules_shown, a.rules_cited, s.configuration_id, "
        "a.sample_id, s.prompt_tokens, s.completion_tokens, o.outcome, a.written_at, a.run_id "
        "FROM rationales a "
        "JOIN pairs p ON p.pair_id = a.pair_id JOIN queries q ON q.query_id = p.query_id "
        "JOIN item_versions v ON v.item_version_id = p.item_version_id "
        "LEFT JOIN samples s ON s.sample_id = a.sample_id "
        "LEFT JOIN rendered_prompts r ON r.pair_id = s.pair_id AND r.prompt_hash = s.prompt_hash "
        "LEFT JOIN item_versions x ON x.item_version_id = coalesce(r.item_version_id, p.item_version_id) "
        "LEFT JOIN review_outcomes o ON o.sample_id = a.sample_id",
        (
            *_of("rationales", "rationale_id", "pair_id"),
            ("query", "Query text."),
            *_of("queries", "kind"),
            *_of("item_versions", "title"),
            ("gold_tier", "Gold tier of the pair."),
            *_of("rationales", "tier"),
            ("lands", "Whether it leads to the gold tier, and is about the text that was judged."),
            *_of("rationales", "text", "source", "written_by", "gold"),
            ("rules_shown", "Names of the rules that were retrieved for its prompt."),
            *_of("rationales", "rules_cited"),
            *_of("samples", "configuration_id"),
            *_of("rationales", "sample_id"),
            *_of("samples", "prompt_tokens", "completion_tokens"),
            ("outcome", "What reviews of the sample come to; NULL without any."),
            *_of("rationales", "written_at", "run_id"),
        ),
    ),
    View(
        "teacher_disputes",
        "Pairs for which several gold-blind teachers all lead to one tier, and it is not the gold tier: likely label "
        "errors. What a person decided is not among them. A teacher's voice is the tier that most of its rationales "
        "lead to.",
        "SELECT pair_id, any_value(q.text) AS query, any_value(v.title) AS title, any_value(p.tier) AS gold_tier, "
        "any_value(t.tier) AS suggested_tier, list(t.written_by ORDER BY t.written_by) AS teachers "
        "FROM (SELECT pair_id, written_by, arg_max(tier, rationales) AS tier FROM ("
        "SELECT a.pair_id, a.written_by, a.tier, count(*) AS rationales FROM rationales a "
        "JOIN samples s ON s.sample_id = a.sample_id JOIN pairs p ON p.pair_id = a.pair_id "
        "JOIN rendered_prompts r ON r.pair_id = s.pair_id AND r.prompt_hash = s.prompt_hash "
        "AND r.item_version_id = p.item_version_id WHERE a.gold = 'blind' GROUP BY ALL) "
        "GROUP BY ALL HAVING count(*) = 1 OR max(rationales) > list_sort(list(rationales), 'DESC')[2]) t "
        # Whoever decided has read the pair: it need not be read again.
        "JOIN pairs p USING (pair_id) JOIN judgments j ON j.judgment_id = p.judgment_id AND j.source <> 'decision' "
        "JOIN queries q USING (query_id) JOIN item_versions v ON v.item_version_id = p.item_version_id "
        "GROUP BY pair_id HAVING count(*) > 1 AND min(t.tier) = max(t.tier) AND min(t.tier) <> min(p.tier)",
        (
            *_of("pairs", "pair_id"),
            ("query", "Query text."),
            *_of("item_versions", "title"),
            ("gold_tier", "Gold tier of the pair."),
            ("suggested_tier", "Tier that the teachers agree on."),
            ("teachers", "Their names."),
        ),
    ),
    View(
        "current_checks",
        "Texts that were checked, by the newest version of each checker, with who wrote them.",
        "SELECT k.text_id, k.pair_id, k.checker, k.checker_version, k.findings, s.sample_id, a.rationale_id, "
        "coalesce(m.name, a.written_by) AS model, s.configuration_id, q.kind AS query_kind, d.band, k.run_id "
        "FROM (SELECT c.* FROM checked_texts c JOIN runs USING (run_id) QUALIFY row_number() OVER (PARTITION BY "
        "c.text_id, c.checker ORDER BY started_at DESC, c.checker_version DESC) = 1) k "
        "JOIN pairs p ON p.pair_id = k.pair_id JOIN queries q ON q.query_id = p.query_id "
        "LEFT JOIN samples s ON s.sample_id = k.text_id LEFT JOIN rationales a ON a.rationale_id = k.text_id "
        "LEFT JOIN configurations c ON c.configuration_id = s.configuration_id "
        "LEFT JOIN models m ON m.model_id = c.model_id "
        "LEFT JOIN difficulty d ON d.pair_id = k.pair_id AND d.configuration_id = s.configuration_id "
        "AND d.step IS NULL",
        (
            *_of("checked_texts", "text_id", "pair_id", "checker", "checker_version", "findings"),
            ("sample_id", "The sample, where it is one."),
            ("rationale_id", "The rationale, where a person wrote it."),
            ("model", "Model, or person, that wrote it."),
            *_of("samples", "configuration_id"),
            ("query_kind", "Kind of the query."),
            ("band", "How hard the pair is for this configuration; NULL where it has no difficulty."),
            *_of("checked_texts", "run_id"),
        ),
    ),
    View(
        "current_findings",
        "Findings of current_checks, with query, item and the words that they are about.",
        "SELECT f.finding_id, f.text_id, c.sample_id, c.rationale_id, f.pair_id, q.text AS query, c.query_kind, "
        "v.title, c.model, c.configuration_id, c.band, f.kind, f.finding, f.step, f.severity, f.confidence, "
        "f.span_start, f.span_stop, substr(coalesce(s.text, a.text), f.span_start + 1, f.span_stop - f.span_start) "
        "AS words, f.evidence, f.checker, f.checker_version, f.run_id "
        "FROM findings f JOIN current_checks c USING (text_id, checker, checker_version) "
        "JOIN pairs p ON p.pair_id = f.pair_id JOIN queries q ON q.query_id = p.query_id "
        "JOIN item_versions v ON v.item_version_id = p.item_version_id "
        "LEFT JOIN samples s ON s.sample_id = f.text_id LEFT JOIN rationales a ON a.rationale_id = f.text_id",
        (
            *_of("findings", "finding_id", "text_id"),
            ("sample_id", "The sample, where it is one."),
            ("rationale_id", "The rationale, where a person wrote it."),
            *_of("findings", "pair_id"),
            ("query", "Query text."),
            ("query_kind", "Kind of the query."),
            *_of("item_versions", "title"),
            ("model", "Model, or person, that wrote the text."),
            *_of("samples", "configuration_id"),
            ("band", "How hard the pair is for this configuration; NULL where it has no difficulty."),
            *_of("findings", "kind", "finding", "step", "severity", "confidence", "span_start", "span_stop"),
            ("words", "What stands in the span."),
            *_of("findings", "evidence", "checker", "checker_version", "run_id"),
        ),
    ),
    View(
        "hallucinations",
        "Rates of errors by model, configuration, kind of query and band: for each kind and step of findings, the "
        "texts with an error among those checked. kind or step `any` counts a text once; the rate of several rows is "
        "sum(found) / sum(texts).",
        # A text counts once for each kind, for each step, and in all.
        "WITH found AS (SELECT checker, model, configuration_id, query_kind, band, coalesce(kind, 'any') AS kind, "
        "coalesce(step, 'any') AS step, count(DISTINCT text_id) AS found FROM current_findings "
        "WHERE severity = 'error' "
        "GROUP BY GROUPING SETS ((checker, model, configuration_id, query_kind, band, kind, step), "
        "(checker, model, configuration_id, query_kind, band, kind), "
        "(checker, model, configuration_id, query_kind, band, step), "
        "(checker, model, configuration_id, query_kind, band))), "
        "asked AS (SELECT unnest(['any', 'verdict', 'grounding', 'rule', 'form', 'copy']) AS kind, 'any' AS step "
        "UNION SELECT DISTINCT kind, step FROM found), "
        "checked AS (SELECT checker, model, configuration_id, query_kind, band, count(*) AS texts FROM current_checks "
        "GROUP BY ALL) "
        "SELECT c.checker, c.model, c.configuration_id, c.query_kind, c.band, a.kind, a.step, c.texts, "
        "coalesce(f.found, 0) AS found, coalesce(f.found, 0) / c.texts AS rate "
        "FROM checked c CROSS JOIN asked a LEFT JOIN found f ON f.checker = c.checker AND f.model = c.model "
        "AND f.configuration_id IS NOT DISTINCT FROM c.configuration_id AND f.query_kind = c.query_kind "
        "AND f.band IS NOT DISTINCT FROM c.band AND f.kind = a.kind AND f.step = a.step",
        (
            *_of("checked_texts", "checker"),
            ("model", "Model, or person, that wrote the texts."),
            *_of("samples", "configuration_id"),
            ("query_kind", "Kind of the query."),
            ("band", "How hard the pairs are for this configuration."),
            ("kind", "Kind of findings: verdict, grounding, rule, form, copy, or any."),
            ("step", "Step that they are in, or any."),
            ("texts", "Texts that were checked."),
            ("found", "Those with such a finding."),
            ("rate", "found / texts."),
        ),
    ),
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
            *_of("reviews", "review_id", "response_id", "dataset_id"),
            ("dataset", "Name of the dataset in Argilla."),
            *_of("reviews", "sample_id", "pair_id"),
            ("query", "Query text."),
            *_of("queries", "kind"),
            *_of("item_versions", "title"),
            ("model_tier", "Tier that the sample states."),
            *_of(
                "reviews",
                "annotator",
                "status",
                "gold_tier",
                "tier",
                "quality",
                "failing_steps",
                "correction",
            ),
            *_of("reviews", "note", "begun_at", "answered_at", "run_id"),
        ),
    ),
    View(
        "current_review_spans",
        "Spans of the answers in current_reviews, with their words.",
        "SELECT r.sample_id, r.annotator, r.status, c.kind, c.span_start, c.span_stop, "
        "substr(s.text, c.span_start + 1, c.span_stop - c.span_start) AS words, r.review_id "
        "FROM review_spans c JOIN current_reviews r USING (review_id) JOIN samples s ON s.sample_id = r.sample_id",
        (
            *_of("reviews", "sample_id", "annotator", "status"),
            *_of("review_spans", "kind", "span_start", "span_stop"),
            ("words", "What was marked."),
            *_of("reviews", "review_id"),
        ),
    ),
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
            *_of("predictions", "prediction_id", "predictor_id"),
            ("predictor", "Name of the predictor."),
            *_of("predictions", "pair_id"),
            ("query", "Query text."),
            *_of("queries", "kind"),
            *_of("item_versions", "title"),
            ("gold_tier", "Gold tier of the pair now."),
            ("most_probable_tier", "Tier of the highest probability, the lower one at a tie."),
            *_of(
                "predictions", "tier_probs", "digit_logprobs", "sample_id", "item_version_id", "judgment_id"
            ),
            *_of("predictions", "prompt_tokens", "completion_tokens", "seconds", "reason", "run_id"),
        ),
    ),
    View(
        "newest_configuration",
        "One row: the configuration of the newest finished sampling run. What `band` means where no "
        "configuration is named.",
        "SELECT configuration_id, run_id, ended_at FROM runs "
        "WHERE kind = 'sample' AND status = 'finished' ORDER BY ended_at DESC, run_id LIMIT 1",
        (*_of("configurations", "configuration_id"), *_of("runs", "run_id", "ended_at")),
    ),
    View(
        "pair_overview",
        "Pairs with query, item and the difficulty under the newest configuration.",
        "SELECT p.pair_id, p.query_id, p.item_id, p.item_version_id, q.text AS query, q.locale, q.kind, q.intent, "
        "v.title, v.description, v.brand, p.tier, p.confidence, p.source, p.source_split, p.weight, "
        "d.configuration_id, d.n, d.c, d.pass_1, d.pass_n, d.solve_rate, d.band "
        "FROM pairs p JOIN queries q USING (query_id) "
        "JOIN item_versions v ON v.item_version_id = p.item_version_id "
        "LEFT JOIN (SELECT * FROM difficulty WHERE step IS NULL AND configuration_id = "
        "(SELECT configuration_id FROM newest_configuration)) d ON d.pair_id = p.pair_id",
        (
            *_of("pairs", "pair_id", "query_id", "item_id", "item_version_id"),
            ("query", "Query text."),
            *_of("queries", "locale", "kind", "intent"),
            *_of("item_versions", "title", "description", "brand"),
            *_of("pairs", "tier", "confidence", "source", "source_split", "weight"),
            *_of("difficulty", "configuration_id", "n", "c", "pass_1", "pass_n", "solve_rate", "band"),
        ),
    ),
    View(
        "split_queries",
        "Queries that a split holds, by themselves or by another wording of their intent.",
        "SELECT DISTINCT m.split, s.role, q.query_id FROM (SELECT DISTINCT split, query_id FROM split_members) m "
        "JOIN splits s USING (split) JOIN queries h ON h.query_id = m.query_id "
        "JOIN queries q ON coalesce(q.intent, CAST(q.query_id AS VARCHAR)) = "
        "coalesce(h.intent, CAST(h.query_id AS VARCHAR))",
        (*_of("splits", "split", "role"), *_of("queries", "query_id")),
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
        "FROM samples GROUP BY ALL",
        (
            *_of("samples", "pair_id", "configuration_id", "prompt_hash"),
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
            *_of("samples", "sample_id", "pair_id"),
            ("query", "Query text."),
            *_of("item_versions", "title"),
            *_of("judgments", "judgment_id", "source", "source_file", "source_row"),
            ("prompt", "Name of the prompt template."),
            ("prompt_format", "answer-first or reason-first."),
            ("model", "Name of the model."),
            *_of("samples", "configuration_id"),
            ("sample_run_id", "Run that drew the sample."),
            ("ingest_run_id", "Run that read the judgment."),
        ),
    ),
)
