"""What a report says, before it is laid out: plain values, nothing of HTML or Markdown.

Matrices are [4][4], gold by predicted tier; lists of four are by tier 1 to 4; thetas are of tiers 4, 3 and 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eval.metrics.measure import Difference, Measured

Matrix = tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class Run:
    """A run that the report rests on.

    Attributes:
        what: What it did for this report.
        run_id: Its id.
        version: Tierwise version that ran it.
        started_at: Date and time, UTC.
    """

    what: str
    run_id: str
    version: str
    started_at: str


@dataclass(frozen=True, slots=True)
class Subject:
    """What was evaluated, on what.

    Attributes:
        predictor: Name.
        predictor_id: Id.
        kind: model, baseline, file or calibrated.
        made_of: What stands behind it, name to value: model, prompt, decoding, calibration.
        split: Split that it is judged on.
        role: The split's role.
        content_hash: SHA-256 of the split.
        pairs: Pairs that are judged.
        queries: Their queries.
        weighted: Whether pairs count by traffic.
        sources: Pairs by source of their gold judgment.
        runs: What wrote what was read.
        version: Tierwise version that made the report.
        made_at: When, UTC.
    """

    predictor: str
    predictor_id: str
    kind: str
    made_of: Mapping[str, str]
    split: str
    role: str
    content_hash: str
    pairs: int
    queries: int
    weighted: bool
    sources: Mapping[str, int]
    runs: tuple[Run, ...]
    version: str
    made_at: str


@dataclass(frozen=True, slots=True)
class Decided:
    """Pairs with a way to decide their tiers.

    Attributes:
        name: Of the way.
        pairs: How many, by gold and predicted tier.
        weights: Their traffic weights, summed.
        metrics: With intervals.
    """

    name: str
    pairs: Matrix
    weights: Matrix
    metrics: Mapping[str, Measured]


@dataclass(frozen=True, slots=True)
class Promise:
    """A promise that was asked for, such as precision:4>=0.95.

    Attributes:
        promise: As asked.
        confidence: With which it was to hold.
        made: Whether the thresholds could be chosen so that it does.
        fit_value: On the split fitted on.
        judge_value: On the split judged on.
        kept: Whether that is as promised; None where not known.
        answer: In words.
    """

    promise: str
    confidence: float | None
    made: bool
    fit_value: float | None
    judge_value: float | None
    kept: bool | None
    answer: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its 95 % interval, where there is one."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another way to decide, judged beside the partition: by metric its value, and its difference to argmax."""

    name: str
    thetas: tuple[float, ...] | None
    judge: Mapping[str, Estimate]
    versus_argmax: Mapping[str, Estimate]


@dataclass(frozen=True, slots=True)
class Share:
    """Tier shares that the partition gives to a slice, by tier 1 to 4."""

    by: str
    value: str
    pairs: int
    queries: int
    shares: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Partition:
    """Stored thresholds; see the table ``partitions``.

    Attributes:
        partition_id: Its id.
        kind: one-theta or per-boundary.
        objective: What was maximised.
        thetas: Of tiers 4, 3 and 2.
        theta_low: Lower end of the 95 % interval of the one theta.
        theta_high: Upper end.
        fit_split: Fitted on.
        judge_split: Judged on, when it was fitted.
        fit_value: Objective there.
        judge_value: Objective there.
        created_at: When it was fitted, UTC.
        chosen: Which of the alternatives it is.
        choice: Why that one.
        promises: Asked for.
        alternatives: Judged on `judge_split`.
        stability: Tier shares of slices.
        asked: Whether the caller named it; else it is the newest of `known`.
        known: Partitions of the predictor judged on the same split.
    """

    partition_id: str
    kind: str
    objective: str
    thetas: tuple[float, ...]
    theta_low: float | None
    theta_high: float | None
    fit_split: str
    judge_split: str
    fit_value: float | None
    judge_value: float | None
    created_at: str
    chosen: str
    choice: str
    promises: tuple[Promise, ...]
    alternatives: tuple[Alternative, ...]
    stability: tuple[Share, ...]
    asked: bool
    known: int


@dataclass(frozen=True, slots=True)
class Line:
    """An objective over θ on a split: points to draw and, at round thetas, to read."""

    split: str
    drawn: tuple[tuple[float, float], ...]
    told: tuple[tuple[float, float | None], ...]


@dataclass(frozen=True, slots=True)
class Bin:
    """Pairs whose probability lies in (low, high]: their mean probability, and how often it came true."""

    low: float
    high: float
    mean: float
    observed: float
    pairs: int


@dataclass(frozen=True, slots=True)
class Reliability:
    """How a probability holds what it says; `of` is which."""

    of: str
    bins: tuple[Bin, ...]


@dataclass(frozen=True, slots=True)
class Slice:
    """A value of an attribute, by the decision that is reported."""

    attribute: str
    value: str
    metrics: Mapping[str, Measured]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a model costs, mean per pair of the split.

    Attributes:
        predictor: Name.
        model: Its model's name.
        format: answer-first or reason-first.
        pairs: Predicted and measured.
        prompt_tokens: Read.
        completion_tokens: Generated.
        seconds: Share of its batch's time.
        accuracy: Of the most probable tier.
    """

    predictor: str
    model: str
    format: str
    pairs: int
    prompt_tokens: float | None
    completion_tokens: float | None
    seconds: float | None
    accuracy: float | None


@dataclass(frozen=True, slots=True)
class Case:
    """An error to learn from.

    Attributes:
        why: Why it is shown.
        query: Text.
        title: Item title.
        description: Its begin.
        kind: Of the query.
        gold: Gold tier.
        judged: Source and rater of gold.
        judge_reason: Why, in the judge's words.
        argmax: Most probable tier.
        decided: Tier of the partition; None without one.
        tier_probs: Probabilities of tiers 1 to 4.
        reasoning: Generated text, or why there is none.
        generated: Whether `reasoning` is a model's text.
        correction: Reasoning that a person wrote for the pair.
        ids: Lineage, name to id.
    """

    why: str
    query: str
    title: str
    description: str
    kind: str
    gold: int
    judged: str
    judge_reason: str
    argmax: int
    decided: int | None
    tier_probs: tuple[float, ...]
    reasoning: str
    generated: bool
    correction: str
    ids: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ReportData:
    """All of it.

    Attributes:
        subject: What was evaluated.
        flattering: Why the numbers flatter, for every heading; None where they do not.
        warnings: What to know before believing them.
        argmax: By the most probable tier.
        partition: Stored thresholds, if there are any.
        decided: By them.
        changed: Pairs whose tier they change.
        gain: `decided` less `argmax`, paired.
        versus: Name of another predictor.
        against: What is reported less the other predictor's most probable tier, paired.
        lines: The objective over θ: on the split fitted on, then on that judged on.
        no_line: Why there is none.
        reliability: Of three probabilities.
        by_kind: Metrics by query kind, of argmax and of what is reported.
        slices: Of what is reported.
        costs: Of models on this split.
        fit_splits: Calibration splits that the predictor predicted.
        errors: How many pairs are decided wrongly.
        cases: Some of them.
    """

    subject: Subject
    flattering: str | None
    warnings: tuple[str, ...]
    argmax: Decided
    partition: Partition | None
    decided: Decided | None
    changed: int
    gain: Mapping[str, Difference]
    versus: str | None
    against: Mapping[str, Difference]
    lines: tuple[Line, ...]
    no_line: str
    reliability: tuple[Reliability, ...]
    by_kind: Mapping[str, tuple[Mapping[str, Measured], ...]]
    slices: tuple[Slice, ...]
    costs: tuple[Cost, ...]
    fit_splits: tuple[str, ...]
    errors: int
    cases: tuple[Case, ...]

    @property
    def decisions(self) -> tuple[Decided, ...]:
        """By argmax, and by the partition if there is one."""
        return (self.argmax, self.decided) if self.decided else (self.argmax,)

    @property
    def reported(self) -> Decided:
        """The partition's decisions, else the most probable tiers."""
        return self.decided or self.argmax
