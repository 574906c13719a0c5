"""What was used of models."""

from __future__ import annotations

from warehouse.ddl import View
from warehouse.views.columns import comments_of

USAGE_VIEWS: tuple[View, ...] = (
    View(
        "token_usage",
        "Tokens, seconds and money of every answer that a model gave: samples, continuations, predictions from one "
        "token, tiers derived by a model that checks. Money where the run was given a price. Of samples of before "
        "schema 10 the first of each pair stands for the prompts.",
        "WITH answers AS ("
        "SELECT s.run_id, s.configuration_id, c.model_id, s.pair_id, "
        "coalesce(s.sent_tokens, CASE WHEN s.sample_index = 0 THEN s.prompt_tokens ELSE 0 END) AS prompt_tokens, "
        "coalesce(s.cached_tokens, 0) AS cached_tokens, s.completion_tokens, s.seconds "
        "FROM samples s JOIN configurations c USING (configuration_id) UNION ALL BY NAME "
        "SELECT s.run_id, n.configuration_id, c.model_id, s.pair_id, s.prompt_tokens, "
        "coalesce(s.cached_tokens, 0) AS cached_tokens, s.completion_tokens, s.seconds FROM predictions s "
        "JOIN predictors n USING (predictor_id) JOIN configurations c USING (configuration_id) "
        "WHERE s.sample_id IS NULL AND s.prompt_tokens IS NOT NULL UNION ALL BY NAME "
        "SELECT run_id, model_id, pair_id, prompt_tokens, 0 AS cached_tokens, 1 AS completion_tokens "
        "FROM derived_verdicts JOIN runs USING (run_id)) "
        "SELECT a.run_id, r.kind AS run_kind, r.started_at, m.name AS model, a.configuration_id, a.pair_id, "
        "q.kind AS query_kind, d.band, a.prompt_tokens, a.cached_tokens, a.completion_tokens, a.seconds, "
        "usd_of(r.parameters -> '$.price', a.prompt_tokens, a.cached_tokens, a.completion_tokens, a.seconds) AS usd "
        "FROM answers a JOIN runs r ON r.run_id = a.run_id JOIN pairs p ON p.pair_id = a.pair_id "
        "JOIN queries q USING (query_id) LEFT JOIN models m ON m.model_id = a.model_id "
        "LEFT JOIN difficulty d ON d.pair_id = a.pair_id AND d.configuration_id = a.configuration_id "
        "AND d.step IS NULL",
        (
            *comments_of("samples", "run_id"),
            ("run_kind", "Command: sample, rationales, continuations, predict, check."),
            *comments_of("runs", "started_at"),
            ("model", "Name of the model."),
            *comments_of("samples", "configuration_id", "pair_id"),
            ("query_kind", "Kind of its query."),
            *comments_of("difficulty", "band"),
            (
                "prompt_tokens",
                "Tokens sent; a prompt counts once for all samples of a request, in the first of them.",
            ),
            *comments_of("samples", "cached_tokens"),
            *comments_of("samples", "completion_tokens"),
            *comments_of("samples", "seconds"),
            ("usd", "US dollars, by the price that its run was given; NULL without one."),
        ),
    ),
)
