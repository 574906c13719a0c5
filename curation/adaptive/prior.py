"""How solve rates are spread over pairs, learned from counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

GRID: NDArray[np.float64] = np.linspace(0.0, 1.0, 201)
"""Solve rates that a prior gives weights to."""

PSEUDO_PAIRS = 10
"""Weight of an even spread beside what is learned: from few pairs, rates that none of them has are not ruled out."""

_STEPS = 500


def learn_prior(counts: Mapping[tuple[int, int], int]) -> NDArray[np.float64]:
    """The spread of solve rates under which `counts` are most likely, a little of an even one mixed in.

    The nonparametric maximum-likelihood estimate of a mixing distribution (Kiefer and Wolfowitz 1956), by expectation
    maximisation over `GRID`. How it was decided when to stop drawing does not matter to it.

    Args:
        counts: Number of pairs by samples and correct ones, (n, c).

    Returns:
        Weights of `GRID`, which sum to 1.
    """
    even = np.full(len(GRID), 1 / len(GRID))
    pairs = sum(counts.values())
    if not pairs:
        return even
    likelihoods = np.array([GRID**c * (1 - GRID) ** (n - c) for n, c in counts])
    shares = np.array([count / pairs for count in counts.values()])
    weights = even
    for _ in range(_STEPS):
        joint = likelihoods * weights
        weights = shares @ (joint / joint.sum(axis=1, keepdims=True))
    learned: NDArray[np.float64] = (pairs * weights + PSEUDO_PAIRS * even) / (pairs + PSEUDO_PAIRS)
    return learned
