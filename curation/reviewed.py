"""What people's reviews let be taught.

A sample that people rejected, disputed or corrected is no completion and no chosen side. A correction stands in for the
sample that it corrects, as long as its tier is the pair's gold tier, in the format of the prompt that the sample
answered. What nobody has reviewed passes, unless only what was accepted is asked for.
"""

from __future__ import annotations

from typing import Literal

Reviewed = Literal["accepted"]

CORRECTIONS = """
    SELECT o.rationale_id, s.sample_id, s.pair_id, s.configuration_id, s.prompt_hash, r.prompt_id, p.tier AS gold_tier,
        s.tier AS corrected_tier, s.tier_probs, completion_text(t.format, a.tier, a.text) AS text,
        s.text AS corrected
    FROM review_outcomes o JOIN rationales a ON a.rationale_id = o.rationale_id AND a.text <> ''
    JOIN pairs p ON p.pair_id = o.pair_id AND p.tier = a.tier
    JOIN samples s ON s.sample_id = o.sample_id
    JOIN rendered_prompts r ON r.pair_id = s.pair_id AND r.prompt_hash = s.prompt_hash
        AND r.item_version_id = p.item_version_id
    JOIN prompts t ON t.prompt_id = r.prompt_id
    WHERE o.outcome = 'corrected'
"""
"""Corrections that stand, a row for each, with the sample that it corrects and the text as its prompt asks for it."""


def sql_teachable(outcome: str, reviewed: Reviewed | None) -> str:
    """Condition under which a sample may be taught, by the expression for its outcome; NULL is one without reviews."""
    unreviewed = "true" if reviewed is None else "false"
    return f"coalesce({outcome} = 'accepted', {unreviewed})"
