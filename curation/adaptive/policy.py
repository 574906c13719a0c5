"""When to stop drawing from a pair: the cheapest rule that keeps its band for the share of pairs asked for.

A state is (n, c): samples drawn of a pair and those that are correct. With prior weights w over solve rates p, one
sequence with c correct of n has the probability m(n, c) = Σ w pᶜ (1 − p)ⁿ⁻ᶜ, so that of k more samples j are correct
with probability C(k, j) m(n + k, c + j) / m(n, c). Stopping in a state names the band that N samples would most
probably give, and costs λ times the probability that it is another; drawing k more costs k and what it costs to ask
again. Dynamic programming from N down finds the best choice in every state, and λ is the least for which the expected
share of pairs with the right band is the one asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import comb
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from curation.adaptive.prior import GRID
from curation.difficulty import band as band_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

State: TypeAlias = tuple[int, int]
Target = Literal["bands", "groups"]

GROUPS = {
    "solved": "mostly solved",
    "easy": "mostly solved",
    "medium": "useful",
    "hard": "useful",
    "unsolved": "unsolved",
}
"""What GRPO's and DPO's prompts are chosen by: bands that are treated alike."""

_BISECTIONS = 24
_DEAREST = 1e6


@dataclass(frozen=True)
class Policy:
    """What to do in every state.

    Attributes:
        n: Samples after which a pair's band is what it is.
        first: Samples that are drawn of every pair, before anything is decided.
        more: How many to draw in a state; 0 to stop.
        bands: The band that is named on stopping there.
        probabilities: Of that band, or of its group.
        agreement: Expected share of pairs whose band, or group, is that of `n` samples.
        samples: Expected samples a pair.
        pilot: Share of pairs of which all `n` samples were drawn, to learn from.
    """

    n: int
    first: int
    more: Mapping[State, int]
    bands: Mapping[State, str]
    probabilities: Mapping[State, float]
    agreement: float
    samples: float
    pilot: float = 0.0

    @cached_property
    def pass_at_k(self) -> dict[State, list[float]]:
        """Unbiased pass@1 … pass@first in every state that a pair may stop in.

        c/n is biased where c decides n. The estimate from the first samples alone is not, and neither is its mean
        given where the pair stopped (Rao and Blackwell): over all orders of correct and wrong samples that lead there,
        which are equally likely whatever the solve rate (Girshick, Mosteller and Savage 1946). Those of the pilot lead
        to `n` samples, whatever comes.
        """
        ways = {(self.first, c): (1 - self.pilot) * comb(self.first, c) for c in range(self.first + 1)}
        sums = {(n, c): ways[n, c] * self._of_first(n, c) for n, c in ways}
        for c in range(self.n + 1):
            ways[self.n, c] = ways.get((self.n, c), 0.0) + self.pilot * comb(self.n, c)
            sums[self.n, c] = sums.get((self.n, c), 0.0) + self.pilot * comb(self.n, c) * self._of_first(
                self.n, c
            )
        stopped: dict[State, list[float]] = {}
        for n in range(self.first, self.n + 1):
            for c in range(n + 1):
                state = n, c
                if not ways.get(state):
                    continue
                k = self.more[state]
                if not k:
                    stopped[state] = [float(each) for each in sums[state] / ways[state]]
                    continue
                for j in range(k + 1):
                    reached = n + k, c + j
                    ways[reached] = ways.get(reached, 0.0) + comb(k, j) * ways[state]
                    sums[reached] = sums.get(reached, 0.0) + comb(k, j) * sums[state]
        return stopped

    def _of_first(self, n: int, c: int) -> NDArray[np.float64]:
        """pass@1 … pass@first of `c` correct among `n` samples that were drawn in any case."""
        return np.array([1 - comb(n - c, k) / comb(n, k) for k in range(1, self.first + 1)])


def make_policy(
    prior: NDArray[np.float64],
    *,
    n: int,
    first: int,
    target: Target,
    agreement: float,
    asking_cost: float,
) -> Policy:
    """The cheapest policy whose expected agreement reaches `agreement`.

    Args:
        prior: Weights of ``GRID``.
        n: Samples after which a pair's band is what it is.
        first: Samples drawn of every pair.
        target: Whether its five bands are to be right, or the three groups of them that are treated alike.
        agreement: Expected share of pairs for which they are those of `n` samples, at least.
        asking_cost: What it costs to ask again for a pair, in samples: its prompt is read once more.
    """
    table = _Table(prior, n, first, target, asking_cost)
    low, high = 0.0, _DEAREST
    best = table.policy(high)
    for _ in range(_BISECTIONS):
        middle = (low * high) ** 0.5 if low else high / 1_000
        tried = table.policy(middle)
        if tried.agreement >= agreement:
            best, high = tried, middle
        else:
            low = middle
    return best


class _Table:
    """What does not depend on λ."""

    def __init__(
        self, prior: NDArray[np.float64], n: int, first: int, target: Target, asking_cost: float
    ) -> None:
        self._n, self._first, self._asking_cost = n, first, asking_cost
        sequence = {
            (m, c): float(prior @ (GRID**c * (1 - GRID) ** (m - c)))
            for m in range(n + 1)
            for c in range(m + 1)
        }
        self._states = [(m, c) for m in range(n, first - 1, -1) for c in range(m + 1)]
        self._next: dict[tuple[int, int, int], NDArray[np.float64]] = {}
        """Of (n, c, k): the probabilities of 0 to k correct ones among k more."""
        for m, c in self._states:
            for k in range(1, n - m + 1):
                ways = np.array([comb(k, j) * sequence[m + k, c + j] for j in range(k + 1)])
                self._next[m, c, k] = ways / sequence[m, c]
        self._reached = {(first, c): comb(first, c) * sequence[first, c] for c in range(first + 1)}
        self._bands: dict[State, str] = {}
        self._right: dict[State, float] = {}
        for state in self._states:
            self._bands[state], self._right[state] = self._named(state, target)

    def _named(self, state: State, target: Target) -> tuple[str, float]:
        """The band to name in `state`, and the probability that it, or its group, is right."""
        m, c = state
        ends = self._next[m, c, self._n - m] if m < self._n else np.ones(1)
        bands: dict[str, float] = {}
        for j, probability in enumerate(ends):
            name = band_of(self._n, c + j)
            bands[name] = bands.get(name, 0.0) + float(probability)
        groups: dict[str, float] = {}
        for name, probability in bands.items():
            group = GROUPS[name] if target == "groups" else name
            groups[group] = groups.get(group, 0.0) + probability
        group = max(groups, key=lambda name: groups[name])
        of_group = [name for name in bands if group in (name, GROUPS[name])]
        return max(of_group, key=lambda name: bands[name]), min(1.0, groups[group])

    def policy(self, price: float) -> Policy:
        """The cheapest one where a wrong band costs as much as `price` samples."""
        cost: dict[State, float] = {}
        more: dict[State, int] = {}
        for m, c in self._states:
            cost[m, c], more[m, c] = price * (1 - self._right[m, c]), 0
            for k in range(1, self._n - m + 1):
                later = np.array([cost[m + k, c + j] for j in range(k + 1)])
                whole = self._asking_cost + k + float(self._next[m, c, k] @ later)
                if whole < cost[m, c] - 1e-9:
                    cost[m, c], more[m, c] = whole, k
        agreement = samples = 0.0
        reached = dict(self._reached)
        for m, c in sorted(self._states):
            share = reached.get((m, c), 0.0)
            if not (k := more[m, c]):
                agreement += share * self._right[m, c]
                samples += share * m
                continue
            for j, probability in enumerate(self._next[m, c, k]):
                reached[m + k, c + j] = reached.get((m + k, c + j), 0.0) + share * float(probability)
        return Policy(self._n, self._first, more, self._bands, self._right, agreement, samples)
