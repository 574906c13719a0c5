"""The reward of GRPO: the project's one grader, as named components that TRL weighs and sums.

==============  =====================================================================================
``correct``     1 where the text states the judged tier.
``ordinal``     1 − |tier − judged| / 3: far tiers cost more.
``format``      1 where the verdict stands exactly where the prompt wants it, with a reason beside it.
``consistent``  1 where no other statement in the text contradicts the verdict.
==============  =====================================================================================

A text without a single tier gets 0 in all of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from curation.grading import follows_format, grade
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from curation.grading import Format, Outcome

    Completion = Sequence[Mapping[str, Any]]

DEFAULT_WEIGHTS: Mapping[str, float] = {"correct": 1.0, "ordinal": 0.5, "format": 0.25, "consistent": 0.25}


class RewardFunction(Protocol):
    """What TRL calls: a reward for each completion, given the columns of the data set."""

    __name__: str

    def __call__(
        self,
        *,
        completions: Sequence[Completion],
        tier: Sequence[int],
        format: Sequence[Format],  # noqa: A002 - the column's name
        **columns: Any,
    ) -> list[float]:
        """One reward for each completion."""


@dataclass(frozen=True, slots=True)
class Score:
    """What became of one completion, and its components."""

    outcome: Outcome
    components: Mapping[str, float]


class Rewards:
    """Reward functions that grade each completion once between them.

    Args:
        weights: Weight of each component by its name; a component that is not named is not computed. One of weight 0
            is computed and logged, and moves nothing.

    Raises:
        TierwiseError: An unknown component, a weight that is negative or no number, or none above 0.
    """

    def __init__(self, weights: Mapping[str, float] = DEFAULT_WEIGHTS) -> None:
        for name, weight in weights.items():
            if name not in DEFAULT_WEIGHTS:
                raise TierwiseError(f"no reward component {name!r}; there are {', '.join(DEFAULT_WEIGHTS)}")
            if not (weight >= 0 and math.isfinite(weight)):
                raise TierwiseError(f"reward component {name!r} weighs {weight:g}; give a number from 0 up")
        if not any(weights.values()):
            raise TierwiseError(
                f"no reward component weighs anything; give at least one of {', '.join(DEFAULT_WEIGHTS)} a weight"
            )
        self.weights = [float(weight) for weight in weights.values()]
        self.functions = [self._function(name) for name in weights]
        self._batch: list[tuple[str, Format, int]] = []
        self._scores: list[Score] = []

    def scores(
        self, completions: Sequence[Completion], tiers: Sequence[int], forms: Sequence[Format]
    ) -> list[Score]:
        """Grade a batch; the batch of the call before is not graded again."""
        texts = ["".join(message.get("content") or "" for message in each) for each in completions]
        batch = list(zip(texts, forms, tiers, strict=True))
        if batch != self._batch:
            self._scores = [score(*each) for each in batch]
            self._batch = batch
        return self._scores

    def _function(self, name: str) -> RewardFunction:
        def component(
            *,
            completions: Sequence[Completion],
            tier: Sequence[int],
            format: Sequence[Format],  # noqa: A002 - the column's name
            **_columns: Any,
        ) -> list[float]:
            return [each.components[name] for each in self.scores(completions, tier, format)]

        component.__name__ = name
        return component


def score(text: str, form: Format, tier: int) -> Score:
    """Grade one text against the judged tier, 1 to 4."""
    graded = grade(text, form, tier)
    if graded.distance is None:
        return Score(graded.outcome, dict.fromkeys(DEFAULT_WEIGHTS, 0.0))
    return Score(
        graded.outcome,
        {
            "correct": float(graded.outcome == "correct"),
            "ordinal": 1 - graded.distance / 3,
            "format": float(follows_format(text, form)),
            "consistent": float(graded.consistent is not False),
        },
    )
