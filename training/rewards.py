"""The reward of GRPO: the project's one grader and its one set of checks, as components that TRL weighs and sums.

==============  =====================================================================================
``correct``     1 where the text states the judged tier.
``ordinal``     1 − |tier − judged| / 3: far tiers cost more.
``format``      1 where the verdict stands exactly where the prompt wants it, with a reason beside it.
``consistent``  1 less the confidence of the surest verdict finding; 0 where another statement in the text contradicts
                the verdict.
``grounded``    1 less the confidence of the surest grounding finding.
``cited``       1 less that of the surest rule finding.
``formed``      1 less that of the surest form finding.
==============  =====================================================================================

The last four are named as the checks name what a text without such findings is. A finding's confidence is how likely
it holds, so that 1 less it is the expected value of the property; without a finding it is 1. A finding is an error or a
warning. A text without a single tier gets 0 in all components.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from curation.checks.finding import REQUIRED
from curation.grading import follows_format, grade
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from curation.checks.finding import Finding, Requirement
    from curation.grading import Format, Outcome
    from training.checker import SplitChecker

    Completion = Sequence[Mapping[str, Any]]

DEFAULT_WEIGHTS: Mapping[str, float] = {"correct": 1.0, "ordinal": 0.5, "format": 0.25, "consistent": 0.25}

# What `original` is takes the texts of other pairs.
_BY_CHECKS: tuple[Requirement, ...] = ("consistent", "grounded", "cited", "formed")
COMPONENTS: tuple[str, ...] = ("correct", "ordinal", "format", *_BY_CHECKS)

_READ = ("tier", "format", "pair_id", "finished")


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


class _Answer(NamedTuple):
    """A completion with what it is scored by."""

    text: str
    format: Format
    tier: int
    pair_id: str | None
    finished: bool | None


class Rewards:
    """Reward functions that grade, and check, each completion once between them.

    Args:
        weights: Weight of each component by its name; a component that is not named is not computed. One of weight 0
            is computed and logged, and moves nothing.
        checker: Checks completions, where a component needs it. Without one ``consistent`` is the grader's word alone.

    Raises:
        TierwiseError: As `require_weights` says.
        ValueError: ``grounded``, ``cited`` or ``formed`` without a checker.
    """

    def __init__(
        self, weights: Mapping[str, float] = DEFAULT_WEIGHTS, checker: SplitChecker | None = None
    ) -> None:
        require_weights(weights)
        if checker is None and (unchecked := [name for name in weights if name not in DEFAULT_WEIGHTS]):
            raise ValueError(f"no checker for {', '.join(unchecked)}")
        self.weights = [float(weight) for weight in weights.values()]
        self.functions = [self._function(name) for name in weights]
        self._checker = checker if need_checks(weights) else None
        self._batch: list[_Answer] = []
        self._scores: list[Score] = []

    def scores(self, completions: Sequence[Completion], rows: Sequence[Mapping[str, Any]]) -> list[Score]:
        """Score a batch; the batch of the call before is not scored again.

        Args:
            completions: What was generated, as messages.
            rows: For each the tier, the format and, where it is checked, pair_id and whether it is finished.
        """
        batch = [
            _Answer(
                "".join(message.get("content") or "" for message in completion),
                row["format"],
                row["tier"],
                row.get("pair_id"),
                row.get("finished"),
            )
            for completion, row in zip(completions, rows, strict=True)
        ]
        if batch != self._batch:
            self._scores = [self._score(answer) for answer in batch]
            self._batch = batch
        return self._scores

    def _score(self, answer: _Answer) -> Score:
        checker = self._checker
        if checker is None:
            return score(answer.text, answer.format, answer.tier)
        pair_id, finished = answer.pair_id, answer.finished
        if pair_id is None or finished is None:
            raise ValueError("a completion is checked by its pair_id and whether it is finished")

        def find(tier: int) -> list[Finding]:
            return checker.findings(pair_id, answer.text, answer.format, tier, finished=finished)

        return score(answer.text, answer.format, answer.tier, find)

    def _function(self, name: str) -> RewardFunction:
        def component(*, completions: Sequence[Completion], **columns: Any) -> list[float]:
            read = [column for column in _READ if column in columns]
            rows = [
                dict(zip(read, values, strict=True))
                for values in zip(*(columns[column] for column in read), strict=True)
            ]
            return [each.components[name] for each in self.scores(completions, rows)]

        component.__name__ = name
        return component


def require_weights(weights: Mapping[str, float]) -> None:
    """Refuse what is no reward.

    Raises:
        TierwiseError: An unknown component, a weight that is negative or no number, or none above 0.
    """
    for name, weight in weights.items():
        if name not in COMPONENTS:
            raise TierwiseError(f"no reward component {name!r}; there are {', '.join(COMPONENTS)}")
        if not (weight >= 0 and math.isfinite(weight)):
            raise TierwiseError(f"reward component {name!r} weighs {weight:g}; give a number from 0 up")
    if not any(weights.values()):
        raise TierwiseError(
            f"no reward component weighs anything; give at least one of {', '.join(COMPONENTS)} a weight"
        )


def need_checks(weights: Mapping[str, float]) -> bool:
    """Whether a component that is named reads findings."""
    return not set(weights).isdisjoint(_BY_CHECKS)


def score(
    text: str, form: Format, tier: int, find: Callable[[int], Sequence[Finding]] | None = None
) -> Score:
    """Score one text against the judged tier, 1 to 4.

    Args:
        text: What was generated.
        form: Where the prompt wants the tier.
        tier: The judged tier.
        find: What the checks find in the text, called with the tier that it states, if it states one. Without it the
            components are those of `DEFAULT_WEIGHTS`, and ``consistent`` is the grader's word alone.
    """
    graded = grade(text, form, tier)
    if graded.tier is None or graded.distance is None:
        return Score(graded.outcome, dict.fromkeys(DEFAULT_WEIGHTS if find is None else COMPONENTS, 0.0))
    components = {
        "correct": float(graded.outcome == "correct"),
        "ordinal": 1 - graded.distance / 3,
        "format": float(follows_format(text, form)),
        "consistent": float(graded.consistent is not False),
    }
    if find is not None:
        findings = find(graded.tier)
        expected: dict[str, float] = {
            name: 1 - max((each.confidence for each in findings if each.kind == REQUIRED[name]), default=0.0)
            for name in _BY_CHECKS
        }
        expected["consistent"] = min(expected["consistent"], components["consistent"])
        components.update(expected)
    return Score(graded.outcome, components)
