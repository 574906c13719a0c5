"""Which rationales of teachers may be taught."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from curation.teachable import Demands

_TAUGHT = """
    SELECT coalesce(c.rationale_id, a.rationale_id) AS rationale_id, a.pair_id, p.tier, p.item_version_id,
        s.configuration_id, a.written_by, a.gold, coalesce(c.text, a.text) AS text,
        c.rationale_id IS NOT NULL AS corrected, o.outcome,
        CASE WHEN s.completion_tokens > 0 AND c.rationale_id IS NULL THEN s.completion_tokens END AS tokens
    FROM rationales a JOIN samples s ON s.sample_id = a.sample_id
    JOIN rendered_prompts w ON w.pair_id = s.pair_id AND w.prompt_hash = s.prompt_hash
    JOIN pairs p ON p.pair_id = a.pair_id
    JOIN item_versions v ON v.item_version_id = p.item_version_id
    JOIN item_versions x ON x.item_version_id = w.item_version_id
        -- Another version may differ in what no prompt shows.
        AND (x.title, x.description, x.brand) IS NOT DISTINCT FROM (v.title, v.description, v.brand)
    LEFT JOIN review_outcomes o ON o.sample_id = a.sample_id
    LEFT JOIN rationales c ON o.outcome = 'corrected' AND c.rationale_id = o.rationale_id AND c.text <> ''
    WHERE a.text <> '' AND coalesce(c.tier, a.tier) = p.tier
        AND CASE WHEN c.rationale_id IS NULL THEN {teachable} ELSE {fit} END
"""


def taught_rationales(demands: Demands) -> str:
    """Query for the rationales that lead to the gold tier and are about the text that was judged.

    What people rejected is not among them, and what they corrected is there in their words. ``tokens`` are those that
    the teacher generated, NULL where it generated none.

    Args:
        demands: What is asked of them.
    """
    return _TAUGHT.format(
        teachable=demands.sql_teachable("o.outcome", "a.sample_id"), fit=demands.sql_fit("c.rationale_id")
    )
