"""What may complete the prompt of a pair: the SFT payload, best first.

1. What people wrote: a correction of a sample, or of a teacher's rationale.
2. What people accepted of either.
3. A teacher's rationale that leads to the gold tier; one that was told the tier comes last of these.
4. A sample of the model's own that is correct, finished and self-consistent (rejection sampling).

Of several the shortest, which wanders least.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from curation.grades import CURRENT_GRADES
from curation.rationales.taught import taught_rationales
from warehouse.ddl import sql_text

if TYPE_CHECKING:
    from curation.teachable import Demands

ANY_TEACHER = "any"

_SAMPLES = """
    SELECT pair_id, prompt_hash, NULL::UUID AS sample_id, rationale_id,
        struct_pack(rank := 0, length := length(text), tie := CAST(rationale_id AS VARCHAR)) AS place
    FROM ({corrections}) WHERE configuration_id = $configuration::UUID
    UNION ALL
    SELECT g.pair_id, g.prompt_hash, g.sample_id, NULL, struct_pack(
        rank := CASE WHEN o.outcome = 'accepted' THEN 1 ELSE 4 END, length := g.completion_tokens,
        tie := lpad(CAST(g.sample_index AS VARCHAR), 10, '0'))
    FROM ({grades}) g LEFT JOIN review_outcomes o USING (sample_id)
    WHERE g.configuration_id = $configuration::UUID AND g.correct AND g.finish_reason = 'stop'
        AND (g.consistent IS DISTINCT FROM false OR o.outcome = 'accepted') AND {teachable}
"""

# A rationale is about a pair, not about a prompt: it completes any that shows the text that its teacher read.
_RATIONALES = """
    SELECT a.pair_id, r.prompt_hash, NULL::UUID, a.rationale_id, struct_pack(
        rank := CASE WHEN corrected THEN 0 WHEN outcome = 'accepted' THEN 1 WHEN gold = 'blind' THEN 2 ELSE 3 END,
        length := length(text), tie := CAST(a.rationale_id AS VARCHAR))
    FROM ({taught}) a
    JOIN rendered_prompts r ON r.pair_id = a.pair_id AND r.item_version_id = a.item_version_id
    WHERE {named}
"""


def completions(demands: Demands, rationales: str | None) -> str:
    """Query for pair_id, prompt_hash, sample_id or rationale_id, and ``place``, least first, of $configuration.

    Args:
        demands: What is asked of a text beside its tier.
        rationales: Takes rationales alone, of any teacher or of the one named; None takes samples too.
    """
    teachable = demands.sql_teachable("o.outcome", "g.sample_id")
    corrections = demands.sql_corrections()
    of_model = _SAMPLES.format(corrections=corrections, grades=CURRENT_GRADES, teachable=teachable)
    named = "true" if rationales in (None, ANY_TEACHER) else f"written_by = {sql_text(rationales)}"
    of_teachers = _RATIONALES.format(taught=taught_rationales(demands), named=named)
    return f"SELECT * FROM ({of_model}) WHERE {rationales is None} UNION ALL {of_teachers}"
