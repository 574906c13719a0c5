"""What a partition is fitted for: a number to maximise, from counts of gold by predicted tier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from eval.metrics.counts import accuracy, f1, macro_f1, mean_cost, quadratic_kappa
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from eval.metrics.counts import Counts

_EXAMPLE = "0,1,2,3;1,0,1,2;2,1,0,1;3,2,1,0"

_LARGEST_COST = 1e6
"""Costs are sizes relative to each other; with larger ones, sums over the pairs of a split lose what is small."""


@dataclass(frozen=True, slots=True)
class Objective:
    """A number to maximise.

    Attributes:
        name: As commands call it.
        value: From counts [4, 4, …] to values of the trailing shape.
        cost: Cost [gold, predicted] whose mean, negated and shifted, the value is; None where pairs do not add up.
    """

    name: str
    value: Callable[[Counts], Any]
    cost: NDArray[np.float64] | None = None


def _negated_mean_cost(cost: NDArray[np.float64]) -> Callable[[Counts], Any]:
    return lambda counts: -mean_cost(counts, cost)


OBJECTIVES = {
    objective.name: objective
    for objective in (
        Objective("macro_f1", macro_f1),
        Objective("f1_34", lambda counts: f1(counts, (3, 4))),
        Objective("quadratic_kappa", quadratic_kappa),
        Objective("accuracy", accuracy, 1 - np.eye(4)),
    )
}


def cost_objective(rows: str) -> Objective:
    """Mean cost to be paid, negated, from a matrix written as rows of gold tier 1 to 4: ``0,1,2,3;1,0,1,2;…``.

    Raises:
        TierwiseError: Not four rows of four numbers from -1e6 to 1e6, or no prediction costs less than another.
    """
    try:
        cost = np.array([[float(cell) for cell in row.split(",")] for row in rows.split(";")])
    except ValueError:
        cost = np.empty(0)
    if cost.shape != (4, 4) or not (np.abs(cost) <= _LARGEST_COST).all():
        raise TierwiseError(
            f"--cost {rows!r}: needs four rows of four numbers from -1e6 to 1e6, gold tier 1 to 4 by predicted tier 1 "
            f"to 4, as in {_EXAMPLE}"
        )
    if (cost == cost[:, :1]).all():
        raise TierwiseError(
            f"--cost {rows!r}: every gold tier costs the same whatever tier is predicted, so that there is nothing to "
            f"minimise; let what is wrong cost more, as in {_EXAMPLE}"
        )
    return Objective("cost", _negated_mean_cost(cost), cost)
