"""Pairs, items and what is in doubt about labels."""

from __future__ import annotations

from warehouse.ddl import View
from warehouse.views.columns import comments_of

JUDGED_VIEWS: tuple[View, ...] = (
    View(
        "items",
        "Items with their current text.",
        "SELECT item_id, title, description, brand, attributes, source, source_item_id, item_version_id, "
        "version, run_id FROM item_versions WHERE is_current",
        comments_of(
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
            *comments_of("pairs", "pair_id"),
            ("query", "Query text."),
            *comments_of("item_versions", "title"),
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
            *comments_of("label_scores", "scorer", "configuration_id", "pair_id"),
            ("query", "Query text."),
            *comments_of("item_versions", "title", "description"),
            *comments_of("queries", "kind"),
            *comments_of("label_scores", "tier", "suggested_tier", "label_quality", "tier_probs"),
            *comments_of("pairs", "confidence"),
            *comments_of("label_scores", "judgment_id"),
            *comments_of("judgments", "source", "judged_by", "reason"),
            *comments_of("label_scores", "run_id"),
        ),
    ),
    View(
        "newest_configuration",
        "One row: the configuration of the newest finished sampling run. What `band` means where no "
        "configuration is named.",
        "SELECT configuration_id, run_id, ended_at FROM runs "
        "WHERE kind = 'sample' AND status = 'finished' ORDER BY ended_at DESC, run_id LIMIT 1",
        (*comments_of("configurations", "configuration_id"), *comments_of("runs", "run_id", "ended_at")),
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
            *comments_of("pairs", "pair_id", "query_id", "item_id", "item_version_id"),
            ("query", "Query text."),
            *comments_of("queries", "locale", "kind", "intent"),
            *comments_of("item_versions", "title", "description", "brand"),
            *comments_of("pairs", "tier", "confidence", "source", "source_split", "weight"),
            *comments_of(
                "difficulty", "configuration_id", "n", "c", "pass_1", "pass_n", "solve_rate", "band"
            ),
        ),
    ),
    View(
        "split_queries",
        "Queries that a split holds, by themselves or by another wording of their intent.",
        "SELECT DISTINCT m.split, s.role, q.query_id FROM (SELECT DISTINCT split, query_id FROM split_members) m "
        "JOIN splits s USING (split) JOIN queries h ON h.query_id = m.query_id "
        "JOIN queries q ON coalesce(q.intent, CAST(q.query_id AS VARCHAR)) = "
        "coalesce(h.intent, CAST(h.query_id AS VARCHAR))",
        (*comments_of("splits", "split", "role"), *comments_of("queries", "query_id")),
    ),
)
