"""The checks of generated texts, for the prompts of a split: what each writer is given, as the split froze it.

A prompt that models judge by shows no rules: the steps go through the rulebook that the split's rationales were written
under, and any of its rules may be cited.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from curation.checks.given import GIVEN_COLUMNS, GIVEN_JOINS, TAUGHT_UNDER, Checker, stored_checker

if TYPE_CHECKING:
    from collections.abc import Mapping

    from curation.checks.finding import Finding
    from curation.grading import Format
    from warehouse.store import Store

# The kind that the split froze, as a query's may change.
_GIVEN = f"""
    SELECT * EXCLUDE (frozen_kind) REPLACE (frozen_kind AS kind) FROM (
        SELECT replace(CAST(x.pair_id AS VARCHAR), '-', '') AS pair_id, x.kind AS frozen_kind, {GIVEN_COLUMNS}
        FROM split_members x {GIVEN_JOINS.format(learnt=TAUGHT_UNDER, of="split")} WHERE x.split = $split
    )
"""


@dataclass(frozen=True, slots=True)
class SplitChecker:
    """Checks what is generated for the prompts of a split.

    Attributes:
        checker: Checks texts.
        given: What the writer is given, by pair; columns as in `GIVEN_COLUMNS`.
    """

    checker: Checker
    given: Mapping[str, Mapping[str, Any]]

    def findings(self, pair_id: str, text: str, form: Format, tier: int, *, finished: bool) -> list[Finding]:
        """What is wrong with a text.

        Args:
            pair_id: Pair of the prompt, as the split's payload has it.
            text: What was generated.
            form: Where the prompt wants the tier.
            tier: The tier that the text states.
            finished: Whether it came to an end, rather than to its token limit.
        """
        row = {**self.given[pair_id], "text": text, "form": form, "tier": tier, "finished": finished}
        return self.checker.check([row])[0]


def read_checker(store: Store, split: str) -> SplitChecker:
    """The checks of `split`, a split that was verified."""
    with store.read() as connection:
        checker = stored_checker(connection)
        given = connection.sql(_GIVEN, params={"split": split}).to_arrow_table().to_pylist()
    return SplitChecker(checker, {row.pop("pair_id"): row for row in given})
