"""One θ or three: the simpler one, unless held-out queries say otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from eval.decisions import walk
from eval.partition.alternatives import Interval, Resampled, differences
from eval.partition.boundaries import fit_boundaries
from eval.partition.sweep import sweep

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eval.evidence import Evidence
    from eval.partition.objectives import Objective

FOLDS = 5


@dataclass(frozen=True, slots=True)
class Choice:
    """Whether a θ for each boundary is worth it.

    Attributes:
        per_boundary: Whether it is: the interval of `difference` is above 0.
        difference: Of the objective over pairs of held-out queries, per-boundary less one θ; None where it was not
            measured.
        reason: A sentence.
    """

    per_boundary: bool
    difference: Interval | None
    reason: str


def choose(
    scores: NDArray[np.float64], evidence: Evidence, objective: Objective, *, resamples: int, seed: int
) -> Choice:
    """Fit both to all queries but a fifth, decide the pairs of that fifth, and compare over all five.

    Args:
        scores: Cumulative probabilities of the evidence, [3, N].
        evidence: N pairs.
        objective: To maximise.
        resamples: Of the bootstrap.
        seed: Of the folds and the bootstrap.
    """
    if evidence.queries < 2 * FOLDS:
        return Choice(
            False, None, f"one θ: {evidence.queries} queries are too few to tell whether three do better"
        )
    fold = np.random.default_rng(seed).permutation(evidence.queries)[evidence.query] % FOLDS
    one, three = np.empty((2, len(evidence.gold)), np.int64)
    for number in range(FOLDS):
        seen, held = fold != number, fold == number
        gold, weight = evidence.gold[seen], evidence.weight[seen]
        theta = sweep(scores[:, seen], gold, objective, weight).theta
        fitted = fit_boundaries(scores[:, seen], gold, objective, weight, start=theta)
        one[held] = walk(scores[:, held], (theta,) * 3)
        three[held] = walk(scores[:, held], fitted.thetas)
    drawn = Resampled(evidence, {"one": one, "three": three}, resamples, seed)
    found = differences(drawn, {objective.name: objective}, "one")["three"][objective.name]
    said = (
        f"{objective.name} on held-out queries, {FOLDS} folds, {found.value:+.4f} "
        f"({found.low:+.4f} to {found.high:+.4f})"
    )
    if found.low > 0:
        return Choice(True, found, f"one θ for each boundary: better than a single one, {said}")
    return Choice(False, found, f"one θ: one for each boundary is not clearly better, {said}")
