"""Promises that a search team states about a partition, and the θ that keeps them.

A promise is about the whole stream of queries that those of a split are drawn from: a ratio of traffic, summed over
all queries above and below, as ``precision`` in `eval.metrics.counts` is over a split. That a ratio is at least a is
that its numerator less a times its denominator has a mean of at least 0 over queries, which `eval.partition.betting`
can prove.

Shapes: N pairs, K thetas.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from eval.metrics.counts import TIERS, accuracy, confusion, precision, ratio, recall
from eval.partition.betting import log_wealth, p_values, proved, queries_needed
from eval.partition.consistent import require_consistent
from eval.partition.grid import THETAS, grid_counts, runs
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from eval.metrics.counts import Counts
    from eval.partition.objectives import Objective

    Floats = NDArray[np.float64]
    Tiers = NDArray[np.int64]

_LEAST = 0.0001
"""Bound, and distance of a bound from 1."""

_HEAVY = 0.05
_TIMES_MEAN = 3
"""What share of the traffic one query holds, and how often the mean, where it is told as a warning."""

_TIE = 1e-12
"""Objectives that near are one, whatever the order of additions."""


@dataclass(frozen=True, slots=True)
class Promise:
    """A bound on a ratio of traffic.

    Attributes:
        kind: ``precision`` or ``recall`` of the tiers taken together, their ``share`` of the traffic by decided tier,
            or ``accuracy``.
        tiers: Ascending; none for accuracy.
        at_least: Whether the bound is a lower one; only a share can have an upper one.
        bound: From 0.0001 to 0.9999.
    """

    kind: str
    tiers: tuple[int, ...]
    at_least: bool
    bound: float

    @property
    def text(self) -> str:
        """As `parse_promise` reads it."""
        tiers = ":" + ",".join(map(str, self.tiers)) if self.tiers else ""
        return f"{self.kind}{tiers}{'>=' if self.at_least else '<='}{self.bound!r}"

    @property
    def words(self) -> str:
        """As people read it."""
        tiers = " and ".join(map(str, self.tiers))
        together = (
            f" of tiers {tiers} together" if len(self.tiers) > 1 else f" of tier {tiers}" if tiers else ""
        )
        return f"{self.kind}{together} {'≥' if self.at_least else '≤'} {self.bound}"

    @property
    def payoff(self) -> Floats:
        """What a pair adds to the claim, by gold and decided tier, [4, 4]: the promise is a mean of at least 0."""
        inside = np.isin(TIERS, self.tiers).astype(np.float64)
        gold, decided = np.meshgrid(inside, inside, indexing="ij")
        if self.kind == "precision":
            return decided * (gold - self.bound)
        if self.kind == "recall":
            return gold * (decided - self.bound)
        if self.kind == "accuracy":
            return np.eye(4) - self.bound
        return (decided - self.bound) * (1 if self.at_least else -1)

    def value(self, counts: Counts) -> Any:
        """The ratio, from `counts` [4, 4, …]; NaN where its denominator is 0."""
        if self.kind == "precision":
            return precision(counts, self.tiers)
        if self.kind == "recall":
            return recall(counts, self.tiers)
        if self.kind == "accuracy":
            return accuracy(counts)
        return ratio(sum(counts[:, tier - 1].sum(axis=0) for tier in self.tiers), counts.sum(axis=(0, 1)))

    def met(self, values: Any) -> Any:
        """Whether ratios are within the bound; NaN is not."""
        return values >= self.bound if self.at_least else values <= self.bound

    def judged(self, gold: Tiers, decided: Tiers, weight: Floats) -> tuple[float, bool | None]:
        """The ratio on other data and whether it is within the bound; NaN and None where no traffic could tell.

        Args:
            gold: Gold tiers, 1 to 4, [N].
            decided: By the partition, [N].
            weight: Traffic weights, [N].
        """
        value = float(self.value(confusion(gold, decided, weight)))
        return value, None if math.isnan(value) else bool(self.met(value))


def parse_promises(texts: Iterable[str]) -> tuple[Promise, ...]:
    """Read promises that are to be kept together.

    Raises:
        TierwiseError: One cannot be read, or they contradict each other.
    """
    promises = tuple(map(parse_promise, texts))
    require_consistent(promises)
    return promises


def parse_promise(text: str) -> Promise:
    """Read a promise: ``precision:4>=0.95``, ``recall:3,4>=0.6``, ``share:2<=0.2``, ``accuracy>=0.8``.

    Raises:
        TierwiseError: It is none.
    """
    form = re.fullmatch(r"(\w+)(?::([\d,\s]+))?(>=|<=)(.+)", re.sub(r"\s", "", text))
    if not form:
        raise TierwiseError(
            f"promise {text!r}: write it as precision:4>=0.95, recall:3,4>=0.6 or share:2<=0.2"
        )
    kind, named, direction, number = form.groups()
    if kind not in ("precision", "recall", "share", "accuracy"):
        raise TierwiseError(
            f"promise {text!r}: unknown {kind!r}; promise precision, recall, share or accuracy"
        )
    if (named is None) != (kind == "accuracy"):
        which = "accuracy is of all tiers, name none" if named else f"name its tiers, as in {kind}:3,4"
        raise TierwiseError(f"promise {text!r}: {which}")
    tiers = [] if named is None else named.split(",")
    if len(set(tiers)) < len(tiers) or not set(tiers) <= set("1234") or len(tiers) == 4:
        raise TierwiseError(f"promise {text!r}: tiers are one to three different ones of 1, 2, 3, 4")
    if direction == "<=" and kind != "share":
        raise TierwiseError(f"promise {text!r}: only a share can be promised to stay below a bound; write >=")
    bound = _bound(number)
    if math.isnan(bound):
        meant = _bound(number[:-1], 100) if number.endswith("%") else math.nan
        instead = "" if math.isnan(meant) else f"; write {meant:g}"
        raise TierwiseError(
            f"promise {text!r}: {number!r} is no bound from {_LEAST} to {1 - _LEAST}{instead}"
        )
    return Promise(kind, tuple(sorted(map(int, tiers))), direction == ">=", bound)


def _bound(number: str, parts: int = 1) -> float:
    """So many of `parts`; NaN if that is no bound."""
    try:
        bound = float(number) / parts
    except ValueError:
        return math.nan
    return bound if _LEAST <= bound <= 1 - _LEAST else math.nan


@dataclass(frozen=True, slots=True)
class Standing:
    """How a promise stands on the data that were to prove it.

    Attributes:
        promise: The promise.
        value: Its ratio at the chosen θ; NaN without one.
        p_value: Of its being broken there; NaN without a θ.
        best: The best ratio that any θ of the grid has on these data; NaN where none has one.
        met: Whether that is within the bound.
    """

    promise: Promise
    value: float
    p_value: float
    best: float
    met: bool


@dataclass(frozen=True, slots=True)
class Proof:
    """What can be promised.

    Attributes:
        theta: Of all that are proved to keep the promises, the one with the best objective on these data; of equals
            the middle of the longest run. None where none is proved.
        objective: Its value there, NaN without a θ.
        proved: First and last θ of each run of neighbours in the grid that are proved to keep all promises.
        standings: Of each promise, as given.
        together: Whether a θ meets all promises at once on these data, proved or not.
        confidence: With which no θ in `proved` breaks a promise.
        queries: That there are.
        heaviest: Share of the traffic that the heaviest of them holds.
        queries_needed: About how many would prove a θ if the others were like these; None where one is proved, or
            where no number would.
    """

    theta: float | None
    objective: float
    proved: tuple[tuple[float, float], ...]
    standings: tuple[Standing, ...]
    together: bool
    confidence: float
    queries: int
    heaviest: float
    queries_needed: int | None

    @property
    def values(self) -> list[float]:
        """Of each promise, its ratio at θ on these data; NaN without a θ."""
        return [standing.value for standing in self.standings]

    @property
    def answer(self) -> str:
        """A sentence for those who asked."""
        promises = " and ".join(standing.promise.words for standing in self.standings)
        sure = f"with {100 * self.confidence:.6g} % confidence"
        if self.theta is not None:
            values = " and ".join(f"{value:.3f}" for value in self.values)
            return (
                f"θ = {self.theta} keeps {promises} {sure}, as long as no query outweighs the heaviest of these "
                f"{self.queries:,}; on these it is {values}."
            )
        none = f"No threshold can promise {promises} {sure} on these {self.queries:,} queries"
        if self.queries_needed is not None:
            rounded = 10 ** max(0, len(str(self.queries_needed)) - 2)
            return f"{none}; about {math.ceil(self.queries_needed / rounded) * rounded:,} would be needed."
        for standing in self.standings:
            if not standing.met:
                best = "none has traffic" if math.isnan(standing.best) else f"the best is {standing.best:.3f}"
                return f"{none}: whatever θ, {best} for {standing.promise.words}, and more would not help."
        why = "it is met too narrowly" if self.together else "θ can keep each alone, not all at once"
        return f"{none}: {why}, and more would not help."

    @property
    def heavy(self) -> str | None:
        """A warning where queries seen suggest heavier ones that were not; None without one, and without a θ.

        Of one query more than these, each is as likely as any other to be the one left out. So queries heavier than
        all others seen hold, in expectation, the share of the traffic that the heaviest holds, and can move a ratio by
        about as much: more than 5 % is told. Among few queries of like weight the heaviest, too, holds that much;
        it has to weigh more than three times the mean. A sample that lacks the heavy queries altogether shows nothing
        of them: no rule on the sample replaces the assumption that `answer` names.
        """
        if self.theta is None or self.heaviest <= max(_HEAVY, _TIMES_MEAN / self.queries):
            return None
        return (
            f"the heaviest of {self.queries:,} queries holds {self.heaviest:.0%} of the traffic: ".replace(
                "%", " %"
            )
            + "a heavier one that is not among them could break what is promised"
        )


def prove(
    scores: Floats,
    gold: Tiers,
    query: Tiers,
    weight: Floats,
    promises: Sequence[Promise],
    objective: Objective,
    confidence: float = 0.95,
) -> Proof:
    """The θ that keeps all `promises` with `confidence`, or what is in the way.

    In at least that share of all draws of queries, no θ that is called proved breaks a promise; to have none breaks
    nothing. That holds as long as no query of the stream outweighs the heaviest drawn, which no draw can tell. See
    `eval.partition.betting` for how, and for what comes of it otherwise.

    Args:
        scores: Cumulative probabilities at tiers 4, 3, 2, [3, N]; see `eval.decisions.cumulative`.
        gold: Gold tiers, 1 to 4, [N].
        query: Index of each pair's query, 0 to Q − 1, [N].
        weight: Traffic weights, [N].
        promises: One or more.
        objective: Chooses among what is proved.
        confidence: Above 0 and below 1.

    Raises:
        TierwiseError: A confidence that is none, or only pairs of weight 0.
    """
    if not 0 < confidence < 1:
        raise TierwiseError(f"confidence {confidence:g} does not lie between 0 and 1; 0.95 is usual")
    if not weight.any():
        raise TierwiseError(
            "all pairs have weight 0, so that nothing can be promised about them; give them weights"
        )
    queries, error = int(query.max()) + 1, 1 - confidence
    traffic = np.bincount(query, weight)
    payoffs = np.stack([each.payoff for each in promises])
    wealth = log_wealth(scores, gold, query, weight, payoffs)
    holds = proved(wealth, payoffs, error)
    counts = grid_counts(scores, gold, weight)
    objectives = np.asarray(objective.value(counts))
    chosen = _chosen(objectives, holds) if holds.any() else None
    values = np.stack([each.value(counts) for each in promises])
    met = np.stack([each.met(of) for each, of in zip(promises, values, strict=True)])
    return Proof(
        theta=None if chosen is None else float(THETAS[chosen]),
        objective=math.nan if chosen is None else float(objectives[chosen]),
        proved=tuple((float(THETAS[run[0]]), float(THETAS[run[-1]])) for run in runs(holds)),
        standings=tuple(
            Standing(
                each,
                value=math.nan if chosen is None else float(of[chosen]),
                p_value=math.nan if chosen is None else float(p[chosen]),
                best=_best(each, of),
                met=bool(reach.any()),
            )
            for each, of, p, reach in zip(promises, values, p_values(wealth), met, strict=True)
        ),
        together=bool(met.all(axis=0).any()),
        confidence=confidence,
        queries=queries,
        heaviest=float(traffic.max() / traffic.sum()),
        queries_needed=queries_needed(wealth, payoffs, error, queries) if chosen is None else None,
    )


def _chosen(objectives: Floats, holds: NDArray[np.bool_]) -> int:
    """Place of the best of `objectives` where `holds`."""
    values = np.where(holds & ~np.isnan(objectives), objectives, -np.inf)
    longest = max(runs(holds & (values >= values.max() - _TIE)), key=len)
    return int(longest[len(longest) // 2])


def _best(promise: Promise, values: Floats) -> float:
    defined = values[~np.isnan(values)]
    if not len(defined):
        return math.nan
    return float(defined.max() if promise.at_least else defined.min())
