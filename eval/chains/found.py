"""What is known of chains: rates with intervals, by length, by step, beside answers first."""

from __future__ import annotations

from dataclasses import dataclass

PROMPT, DIGIT, LIMIT = "the prompt alone", "the tier itself", "the token limit"
"""Where a wrong chain was lost before its first step, and where its steps still led to gold; cut off there or not."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A share or a slope with its 95 % interval by a bootstrap over queries; NaN where there is none."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Length:
    """Chains of so many steps.

    Attributes:
        steps: Fewest and most.
        chains: How many.
        wrong: Share that does not state the gold tier.
        unparsable: Share that states none.
        with_findings: Share in which the checks find an error; None where they were not checked.
        tokens: Mean tokens.
        answer_first: Share of wrong answers of the answer-first configuration on the same pairs; None without one.
    """

    steps: tuple[int, int]
    chains: int
    wrong: Rate
    unparsable: float
    with_findings: float | None
    tokens: float
    answer_first: Rate | None


@dataclass(frozen=True, slots=True)
class StepLoss:
    """A step of chains that were continued from it.

    Attributes:
        step: As findings name it, by its number where it has no name there; `PROMPT`, `DIGIT` and `LIMIT` besides.
        steps: How many were continued.
        value: Mean value after it; NaN for the tier and the limit.
        change: Mean change of the value by it; NaN for the prompt, the tier and the limit.
        lost: Share of the wrong chains that were lost here: from here on no continuation landed on gold.
    """

    step: str
    steps: int
    value: float
    change: float
    lost: Rate


@dataclass(frozen=True, slots=True)
class AnswerFirst:
    """Answers before the reasoning beside chains, on the pairs of both; a pair counts once, by its mean.

    Attributes:
        configuration: The answer-first configuration.
        pairs: Pairs of both.
        wrong: Share of wrong answers.
        chains_wrong: Share of wrong chains.
        less: Chains' less answers', paired.
        tokens_to_tier: Mean tokens until chains have said all, the tier last; an answer has its tier in one.
        saved: Of the wrong chains, the share of answers to the same pairs that are right.
        lost: Of the wrong answers, the share of chains that are right.
    """

    configuration: str
    pairs: int
    wrong: Rate
    chains_wrong: Rate
    less: Rate
    tokens_to_tier: float
    saved: Rate
    lost: Rate


@dataclass(frozen=True, slots=True)
class Chains:
    """What is known of the chains of a configuration.

    Attributes:
        configuration: The configuration.
        chains: Chains on pairs with a tier.
        pairs: Their pairs.
        queries: Their queries.
        slope: Change of the share of wrong chains with a further step, within pairs.
        lengths: By number of steps.
        lost: By step, where it was continued; empty if none was.
        continued_wrong: Wrong chains that were continued.
        answer_first: Beside answers before the reasoning; None without such.
    """

    configuration: str
    chains: int
    pairs: int
    queries: int
    slope: Rate
    lengths: tuple[Length, ...]
    lost: tuple[StepLoss, ...]
    continued_wrong: int
    answer_first: AnswerFirst | None
