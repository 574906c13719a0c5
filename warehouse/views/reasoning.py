"""Rationales, and teachers that agree against gold."""

from __future__ import annotations

from warehouse.ddl import View
from warehouse.views.columns import comments_of

REASONING_VIEWS: tuple[View, ...] = (
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
            *comments_of("rationales", "rationale_id", "pair_id"),
            ("query", "Query text."),
            *comments_of("queries", "kind"),
            *comments_of("item_versions", "title"),
            ("gold_tier", "Gold tier of the pair."),
            *comments_of("rationales", "tier"),
            ("lands", "Whether it leads to the gold tier, and is about the text that was judged."),
            *comments_of("rationales", "text", "source", "written_by", "gold"),
            ("rules_shown", "Names of the rules that were retrieved for its prompt."),
            *comments_of("rationales", "rules_cited"),
            *comments_of("samples", "configuration_id"),
            *comments_of("rationales", "sample_id"),
            *comments_of("samples", "prompt_tokens", "completion_tokens"),
            ("outcome", "What reviews of the sample come to; NULL without any."),
            *comments_of("rationales", "written_at", "run_id"),
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
            *comments_of("pairs", "pair_id"),
            ("query", "Query text."),
            *comments_of("item_versions", "title"),
            ("gold_tier", "Gold tier of the pair."),
            ("suggested_tier", "Tier that the teachers agree on."),
            ("teachers", "Their names."),
        ),
    ),
)
