"""What labelled queries prove of CumPT's θ: Learn then Test (Angelopoulos et al., arXiv 2110.01052).

A claim pays or takes something for each pair, by its gold and decided tier (`payoffs`), times the pair's weight. It
holds at θ where what it pays over a query, Z, has a mean of at least 0 over queries, the independent units.

A bettor stakes on every query and can never come to owe: wealth ends at ∏ (1 + λ Z / s). Where the claim is false its
expectation is at most the 1 that it began with, whatever the distribution of Z, and so 1 / wealth is a p-value
(Waudby-Smith and Ramdas, arXiv 2010.09686). Wealth is a mean over stakes λ that are fixed: the order of queries plays
no part. The scale s is what the heaviest query seen could lose. The p-value is exact as long as no query of the
population weighs more; one that does and was never drawn could break any promise. No sample shows that: where 1.5 % of
queries weigh 100 times the others and are right less often, two of five draws of 60 queries lack them, look as if all
weighed the same, and prove what is not so. One heavy query among those drawn sets the scale, and nothing is proved.

Many thetas are tried, all of a fixed grid, and wrong claims about any of them are to be as improbable as one would
be. Claims go in three groups, which share the probability of error equally:

- Those that can only become false as θ rises, such as a recall of tier 4, and those that can only become true. False
  thetas are one end of the grid, p-values are ordered, and to be wrong about any is to be wrong about the last: each
  theta is tested with all of the group's error.
- The others, a precision for one. The error is split over starts, and from what is proved it walks on to the
  neighbours (Bretz et al., "A graphical approach to sequentially rejective multiple test procedures", Statistics in
  Medicine 28, 2009). Nine starts and a remainder for all thetas proved more, in simulations and on resampled queries
  of CrowdFlower, than three, five or twenty starts or a plain Bonferroni correction over the grid; groups proved more
  than one walk with the largest p-value of all claims.

Shapes: N pairs, Q queries, J claims, K thetas of `eval.partition.grid`, L stakes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from eval.partition.grid import THETAS, reached

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_STARTS = (0.0001, 0.1, 0.3, 0.5, 0.7, 0.85, 0.95, 0.99, 0.9999)

_REMAINDER = 0.1
"""Of the error that walks, the part that is spread over all thetas."""

_SHARES = np.isin(THETAS, _STARTS) * (1 - _REMAINDER) / len(_STARTS) + _REMAINDER / len(THETAS)

_STAKES = 0.95 * 0.5 ** np.arange(12)

# Bold stakes weigh most: they are the right ones where queries are few, and where they are many it matters less.
_PRIOR = 1.0 / np.arange(1, len(_STAKES) + 1) ** 2
_PRIOR /= _PRIOR.sum()

_BLOCK = 32
"""Factors that are multiplied before a logarithm is taken: too few to overflow."""

_MOST_COPIES = 2.0**30
"""Of each query, when it is asked how many queries would do."""


def log_wealth(
    scores: Floats,
    gold: NDArray[np.int64],
    query: NDArray[np.int64],
    weight: Floats,
    payoffs: Floats,
) -> Floats:
    """Logarithm of the wealth that each stake ends with, [J, K, L].

    Args:
        scores: Cumulative probabilities at tiers 4, 3, 2, ascending, [3, N]; see `eval.decisions.cumulative`.
        gold: Gold tiers, 1 to 4, [N].
        query: Index of each pair's query, 0 to Q − 1, [N].
        weight: Traffic weights, [N], not all 0.
        payoffs: By gold and decided tier, [J, 4, 4], each with some below 0.
    """
    pairs, queries = len(gold), int(query.max()) + 1
    until = reached(scores).ravel()
    order = np.argsort(until, kind="stable")
    ends = np.searchsorted(until[order], np.arange(len(THETAS) + 1), side="right")
    # To reach tier 4, 3, 2 pays this more than to stay a tier below.
    steps = np.diff(payoffs, axis=2)[:, :, ::-1]
    scales = -payoffs.min(axis=(1, 2)) * np.bincount(query, weight).max()
    paid = np.stack([np.bincount(query, weight * payoff[gold - 1, 0]) for payoff in payoffs])
    wealth = np.empty((len(payoffs), len(THETAS), len(_STAKES)))
    for theta in reversed(range(len(THETAS))):
        boundary, pair = np.divmod(order[ends[theta] : ends[theta + 1]], pairs)
        for claim, step in enumerate(steps):
            more = weight[pair] * step[gold[pair] - 1, boundary]
            paid[claim] += np.bincount(query[pair], more, queries)
            wealth[claim, theta] = _log_products(paid[claim] / scales[claim])
    return wealth


def p_values(wealth: Floats) -> Floats:
    """p-values of the claims being false at each theta, [J, K], from `log_wealth`."""
    most = wealth.max(axis=-1, keepdims=True)
    mean = np.log(np.exp(wealth - most) @ _PRIOR) + most[..., 0]
    p: Floats = np.exp(-np.maximum(mean, 0.0))
    return p


def proved(wealth: Floats, payoffs: Floats, error: float) -> NDArray[np.bool_]:
    """Thetas at which all claims hold, [K]; that any of them is wrong has a probability of at most `error`."""
    p = p_values(wealth)
    steps = np.diff(payoffs, axis=2)
    falling, rising = (steps >= 0).all(axis=(1, 2)), (steps <= 0).all(axis=(1, 2))
    others = ~(falling | rising)
    groups = [group for group in (falling, rising, others) if group.any()]
    level = error / len(groups)
    hold = np.ones(p.shape[1], np.bool_)
    for group in groups:
        joint = p[group].max(axis=0)
        hold &= walked(joint, level * _SHARES) if group is others else np.asarray(joint <= level)
    return hold


def queries_needed(wealth: Floats, payoffs: Floats, error: float, queries: int) -> int | None:
    """About how many queries would prove a theta, to within 1 %, if the others were like the `queries` that do not.

    Each is taken several times. None where no number of times would do. Other arguments as `proved`.
    """
    # The logarithm of wealth is 0 for no copies and convex in their number: once enough, it stays enough.
    few, enough = 1.0, 2.0
    while not proved(wealth * enough, payoffs, error).any():
        few, enough = enough, 2 * enough
        if enough > _MOST_COPIES:
            return None
    while enough > 1.01 * few:
        middle = (few + enough) / 2
        if proved(wealth * middle, payoffs, error).any():
            enough = middle
        else:
            few = middle
    return math.ceil(enough * queries)


def walked(p: Floats, shares: Floats) -> NDArray[np.bool_]:
    """Which of the hypotheses along a line are rejected, [K].

    Each begins with its share of the error, and is rejected where that is at least its p-value. The share of a
    rejected one goes on, half to each neighbour and all at an end, until it comes to one that stands.

    Args:
        p: p-values, [K], dependent in any way.
        shares: [K]. Any wrong rejection has at most the probability of their sum.
    """
    rejected = np.zeros(len(p), np.bool_)
    while (fresh := ~rejected & (p <= _gone_on(shares, rejected))).any():
        rejected |= fresh
    return rejected


def _gone_on(shares: Floats, rejected: NDArray[np.bool_]) -> Floats:
    """Shares of those that stand, and 0 for `rejected`.

    Going on by halves is a symmetric random walk: from a place between two that stand it comes to the right one
    first with a probability proportional to its distance from the left one.
    """
    count = len(shares)
    places = np.arange(count)
    left = np.maximum.accumulate(np.where(rejected, -1, places))
    right = np.minimum.accumulate(np.where(rejected, count, places)[::-1])[::-1]
    to_right = np.divide(places - left, right - left, out=np.zeros(count), where=rejected)
    to_right = np.where(left < 0, 1.0, np.where(right == count, 0.0, to_right))
    gone = np.where(rejected, shares, 0.0)
    # The last place takes what no hypothesis is left for: at -1 and at count.
    there = np.append(shares - gone, 0.0)
    np.add.at(there, right, gone * to_right)
    np.add.at(there, left, gone * (1 - to_right))
    return there[:-1]


def _log_products(bets: Floats) -> Floats:
    """Σ over `bets` of log(1 + λ · bet) for each stake λ, [L]."""
    blocks = np.append(bets, np.zeros(-len(bets) % _BLOCK)).reshape(_BLOCK, -1)
    products = np.stack([np.multiply.reduce(1 + stake * blocks, axis=0) for stake in _STAKES])
    sums: Floats = np.log(products).sum(axis=1)
    return sums
