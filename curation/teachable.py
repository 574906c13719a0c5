"""Which texts may be taught: what people said of them, and what the checks found.

A sample that people rejected, disputed or corrected is no completion and no chosen side. A correction stands in for the
sample that it corrects, as long as its tier is the pair's gold tier, in the format of the prompt that the sample
answered. What nobody has reviewed passes, unless only what was accepted is asked for. Findings forbid nothing, unless
texts without them are asked for; then no text passes that has one, of whichever checker, or that the checks of texts
have not read, whoever wrote it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from curation.checks.finding import REQUIRED, Requirement
from warehouse.ddl import sql_text

Reviewed = Literal["accepted"]

_CORRECTIONS = """
    SELECT o.rationale_id, s.sample_id, s.pair_id, s.configuration_id, s.prompt_hash, r.prompt_id, p.tier AS gold_tier,
        s.tier AS corrected_tier, s.tier_probs, completion_text(t.format, a.tier, a.text) AS text,
        s.text AS corrected
    FROM review_outcomes o JOIN rationales a ON a.rationale_id = o.rationale_id AND a.text <> ''
    JOIN pairs p ON p.pair_id = o.pair_id AND p.tier = a.tier
    JOIN samples s ON s.sample_id = o.sample_id
    JOIN rendered_prompts r ON r.pair_id = s.pair_id AND r.prompt_hash = s.prompt_hash
        AND r.item_version_id = p.item_version_id
    JOIN prompts t ON t.prompt_id = r.prompt_id
    WHERE o.outcome = 'corrected' AND {fit}
"""


@dataclass(frozen=True, slots=True)
class Demands:
    """What is asked of a text beside its tier.

    Attributes:
        reviewed: ``accepted`` takes only what people accepted or wrote.
        required: Kinds of findings that it must not have, by the names of what it then is.
    """

    reviewed: Reviewed | None = None
    required: tuple[Requirement, ...] = ()

    def sql_teachable(self, outcome: str, text_id: str) -> str:
        """Condition under which a model's text may be taught.

        Args:
            outcome: Expression for what people's reviews of it come to; NULL without any.
            text_id: Expression for its id.
        """
        unreviewed = "true" if self.reviewed is None else "false"
        return f"coalesce({outcome} = 'accepted', {unreviewed}) AND {self.sql_fit(text_id)}"

    def sql_fit(self, text_id: str) -> str:
        """Condition under which a text, a person's too, was checked and has none of the findings of any checker."""
        if not self.required:
            return "true"
        kinds = ", ".join(sql_text(REQUIRED[name]) for name in self.required)
        return (
            f"{text_id} IN (SELECT text_id FROM current_checks WHERE checker = 'text' EXCEPT "
            f"SELECT f.text_id FROM findings f SEMI JOIN current_checks USING (text_id, checker, checker_version) "
            f"WHERE f.kind IN ({kinds}))"
        )

    def sql_corrections(self) -> str:
        """Query for corrections that stand, a row for each, with the sample that it corrects.

        The text is as the sample's prompt asks for it.
        """
        return _CORRECTIONS.format(fit=self.sql_fit("o.rationale_id"))


ANYTHING = Demands()
"""Whatever was not rejected."""
