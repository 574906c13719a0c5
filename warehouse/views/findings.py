"""What the checks say of generated texts."""

from __future__ import annotations

from warehouse.ddl import View
from warehouse.views.columns import comments_of

FINDINGS_VIEWS: tuple[View, ...] = (
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
            *comments_of("checked_texts", "text_id", "pair_id", "checker", "checker_version", "findings"),
            ("sample_id", "The sample, where it is one."),
            ("rationale_id", "The rationale, where a person wrote it."),
            ("model", "Model, or person, that wrote it."),
            *comments_of("samples", "configuration_id"),
            ("query_kind", "Kind of the query."),
            ("band", "How hard the pair is for this configuration; NULL where it has no difficulty."),
            *comments_of("checked_texts", "run_id"),
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
            *comments_of("findings", "finding_id", "text_id"),
            ("sample_id", "The sample, where it is one."),
            ("rationale_id", "The rationale, where a person wrote it."),
            *comments_of("findings", "pair_id"),
            ("query", "Query text."),
            ("query_kind", "Kind of the query."),
            *comments_of("item_versions", "title"),
            ("model", "Model, or person, that wrote the text."),
            *comments_of("samples", "configuration_id"),
            ("band", "How hard the pair is for this configuration; NULL where it has no difficulty."),
            *comments_of(
                "findings", "kind", "finding", "step", "severity", "confidence", "span_start", "span_stop"
            ),
            ("words", "What stands in the span."),
            *comments_of("findings", "evidence", "checker", "checker_version", "run_id"),
        ),
    ),
    View(
        "hallucinations",
        "Rates of errors by model, configuration, kind of query and band: for each kind and step of findings, the "
        "texts with an error among those that a checker read. kind or step `any` counts a text once; the rate of "
        "several rows is sum(found) / sum(texts).",
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
        "WHERE checker = 'text' OR (text_id, checker, checker_version) IN (SELECT (text_id, checker, checker_version) "
        "FROM derived_verdicts WHERE tier IS NOT NULL) GROUP BY ALL) "
        "SELECT c.checker, c.model, c.configuration_id, c.query_kind, c.band, a.kind, a.step, c.texts, "
        "coalesce(f.found, 0) AS found, coalesce(f.found, 0) / c.texts AS rate "
        "FROM checked c CROSS JOIN asked a LEFT JOIN found f ON f.checker = c.checker AND f.model = c.model "
        "AND f.configuration_id IS NOT DISTINCT FROM c.configuration_id AND f.query_kind = c.query_kind "
        "AND f.band IS NOT DISTINCT FROM c.band AND f.kind = a.kind AND f.step = a.step",
        (
            *comments_of("checked_texts", "checker"),
            ("model", "Model, or person, that wrote the texts."),
            *comments_of("samples", "configuration_id"),
            ("query_kind", "Kind of the query."),
            ("band", "How hard the pairs are for this configuration."),
            ("kind", "Kind of findings: verdict, grounding, rule, form, copy, or any."),
            ("step", "Step that they are in, or any."),
            ("texts", "Texts that were checked; by a model those from whose reasoning it derived a tier."),
            ("found", "Those with such a finding."),
            ("rate", "found / texts."),
        ),
    ),
)
