"""Fitting thresholds to one split and judging them on another, beside what they are to replace."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eval.decisions import argmax, cumpt, cumulative, walk
from eval.metrics.cautions import cautions
from eval.metrics.counts import confusion
from eval.partition.alternatives import Interval, Resampled, differences, judge
from eval.partition.boundaries import fit_boundaries
from eval.partition.choice import Choice, choose
from eval.partition.objectives import OBJECTIVES
from eval.partition.promises import prove
from eval.partition.score_thresholds import fit_score_thresholds, tier_scores
from eval.partition.stability import Shares, theta_interval, tier_shares
from eval.partition.sweep import sweep
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from eval.evidence import Evidence
    from eval.partition.objectives import Objective
    from eval.partition.promises import Promise, Proof

    Thetas = tuple[float, float, float]

FEW_FOR_THETA = 100
"""Fewer than that, and the interval of θ is told as a warning."""

ARGMAX = "argmax"
ONE_THETA = "one theta"
PER_BOUNDARY = "per boundary"
SCORE_THRESHOLDS = "score thresholds"
PROMISED = "promised"


@dataclass(frozen=True, slots=True)
class Alternative:
    """A way to decide tiers.

    Attributes:
        name: `ARGMAX`, `ONE_THETA`, `PER_BOUNDARY`, `SCORE_THRESHOLDS` or `PROMISED`.
        thetas: Thresholds of tiers 4, 3 and 2: of cumulative probabilities, or for `SCORE_THRESHOLDS` of single ones.
        fit: Objectives on the split that it was fitted on.
        judge: Objectives on the split that it is judged on.
        versus_argmax: Their differences to argmax there, paired; none of argmax itself.
        gap: How much better ordered thresholds may be at most on the split fitted on, for `PER_BOUNDARY`.
    """

    name: str
    thetas: Thetas | None
    fit: dict[str, float]
    judge: dict[str, Interval]
    versus_argmax: dict[str, Interval]
    gap: float | None = None


@dataclass(frozen=True, slots=True)
class Fitted:
    """What was fitted and found.

    Attributes:
        objective: What was maximised.
        chosen: Name of the alternative to deploy; None where a promise cannot be made.
        choice: Why that one.
        alternatives: All, argmax first.
        theta_interval: The 95 % interval of the best single θ.
        proof: Of the promises, where there are any.
        kept: For each promise its value on the split judged on, and whether it holds there; none where none is made.
        shares: Of tiers on the split judged on, by the chosen one, if there is one.
        warnings: What to know before believing it.
    """

    objective: Objective
    chosen: str | None
    choice: Choice
    alternatives: list[Alternative]
    theta_interval: tuple[float, float]
    proof: Proof | None
    kept: list[tuple[float, bool | None]] = field(default_factory=list)
    shares: list[Shares] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def deployed(self) -> Alternative | None:
        """The chosen alternative."""
        return next((found for found in self.alternatives if found.name == self.chosen), None)


def fit_partition(
    fitted_on: Evidence,
    judged_on: Evidence,
    objective: Objective,
    promises: Sequence[Promise] = (),
    *,
    confidence: float,
    resamples: int,
    seed: int,
) -> Fitted:
    """Fit CumPT (arXiv 2508.12365) with one θ and with one for each boundary, and choose.

    With promises, the θ is the best of those for which they are proved to hold. Without, three θ are chosen only where
    held-out queries show that they do better than one.

    Args:
        fitted_on: Evidence of the split to fit on.
        judged_on: Of the split to judge on, by the same predictor.
        objective: To maximise.
        promises: To keep, with `confidence`.
        confidence: That all promises hold, over draws of the queries fitted on.
        resamples: Of the bootstraps.
        seed: Of everything random.

    Raises:
        TierwiseError: Only pairs of weight 0 to fit to.
    """
    scores, gold, weight = cumulative(fitted_on.tier_probs), fitted_on.gold, fitted_on.weight
    if not weight.any():
        raise TierwiseError(
            f"all pairs of {fitted_on.split} have weight 0, so that nothing can be fitted to them; give them weights"
        )
    curve = sweep(scores, gold, objective, weight)
    one = (curve.theta,) * 3
    boundaries = fit_boundaries(scores, gold, objective, weight, start=curve.theta)
    proof = None
    thetas: dict[str, Thetas] = {
        ONE_THETA: one,
        PER_BOUNDARY: boundaries.thetas,
        SCORE_THRESHOLDS: fit_score_thresholds(tier_scores(fitted_on.tier_probs), gold, objective, weight),
    }
    chosen: str | None
    if promises:
        proof = prove(scores, gold, fitted_on.query, weight, promises, objective, confidence)
        chosen = None if proof.theta is None else PROMISED
        choice = Choice(False, None, proof.answer)
        if proof.theta is not None:
            thetas[PROMISED] = (proof.theta,) * 3
    elif boundaries.thetas == one:
        chosen = ONE_THETA
        choice = Choice(False, None, "one θ: thresholds for each boundary do no better where they are fitted")
    else:
        choice = choose(scores, fitted_on, objective, resamples=resamples, seed=seed)
        chosen = PER_BOUNDARY if choice.per_boundary else ONE_THETA
    objectives = OBJECTIVES | {objective.name: objective}
    here = decide_all(fitted_on, thetas)
    there = decide_all(judged_on, thetas)
    drawn = Resampled(judged_on, there, resamples, seed)
    values, versus = judge(drawn, objectives), differences(drawn, objectives, ARGMAX)
    found = Fitted(
        objective=objective,
        chosen=chosen,
        choice=choice,
        alternatives=[
            Alternative(
                name,
                thetas.get(name),
                {
                    key: float(other.value(confusion(gold, tiers, weight)))
                    for key, other in objectives.items()
                },
                values[name],
                versus.get(name, {}),
                boundaries.gap if name == PER_BOUNDARY else None,
            )
            for name, tiers in here.items()
        ],
        theta_interval=theta_interval(scores, fitted_on, objective, seed),
        proof=proof,
    )
    if chosen is not None:
        decided = there[chosen]
        found.shares.extend(tier_shares(judged_on, decided))
        found.kept.extend(promise.judged(judged_on.gold, decided, judged_on.weight) for promise in promises)
    found.warnings.extend(_warnings(fitted_on, judged_on, there[chosen or ARGMAX], found))
    return found


def decide_all(evidence: Evidence, thetas: dict[str, Thetas]) -> dict[str, NDArray[np.int64]]:
    """Tiers by argmax and by each alternative's thresholds, [N] each."""
    return {ARGMAX: argmax(evidence.tier_probs)} | {
        name: walk(tier_scores(evidence.tier_probs), cut)
        if name == SCORE_THRESHOLDS
        else cumpt(evidence.tier_probs, cut)
        for name, cut in thetas.items()
    }


def _warnings(
    fitted_on: Evidence, judged_on: Evidence, decided: NDArray[np.int64], found: Fitted
) -> list[str]:
    warnings = [] if fitted_on.split == judged_on.split else cautions(fitted_on)
    warnings += cautions(judged_on, decided)
    if fitted_on.queries < FEW_FOR_THETA:
        low, high = found.theta_interval
        warnings.append(
            f"θ rests on {fitted_on.queries} queries of {fitted_on.split}: "
            f"the 95 % interval of the best one is {low:.2f} to {high:.2f}"
        )
    if found.proof is not None and found.proof.heavy is not None:
        warnings.append(found.proof.heavy)
    if found.deployed is not None:
        warnings += _against_argmax(found, found.deployed, fitted_on.split, judged_on.split)
    return warnings


def _against_argmax(found: Fitted, deployed: Alternative, fit_split: str, judge_split: str) -> list[str]:
    name = found.objective.name
    before, now = found.alternatives[0].fit[name], deployed.fit[name]
    gain = deployed.versus_argmax[name]
    warnings = []
    if now < before:
        warnings.append(
            f"argmax has the larger {name} on {fit_split} already, {before:.4f} against {now:.4f}: "
            "it is no threshold on cumulative probability, and may be what to keep"
        )
    if not gain.low > 0:
        side = "below" if gain.high < 0 else "not clearly above"
        warnings.append(
            f"on {judge_split} its {name} is {side} argmax: {gain.value:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})"
        )
    return warnings
