"""Which prompts a window of GRPO samples: a Beta posterior of each prompt's solve rate, with forgetting.

A group of G samples teaches only where it mixes: where all are right or all are wrong, every advantage is zero. Under
the posterior Beta(a, b) it mixes with the beta-binomial probability of neither 0 nor G right,

    m = 1 − B(a, b + G) / B(a, b) − B(a + G, b) / B(a, b),

the share of what is generated for the prompt that gives any gradient. It knows the group size: larger groups make
harder prompts worth drawing. (The expected variance ab / ((a + b)(a + b + 1)) is the same for G = 2, halved.)

A prompt is drawn with weight m². With m itself the many solved prompts of a pool, each improbable, still take a large
share of the draws. Higher powers starve a pool whose prompts are all drawn often of those whose posterior errs.

What was counted offline came from another policy: it is scaled down to weigh one group at most, over Jeffreys' prior.
What training observes is added to that and halves every `half_life` windows. So prompts that are now always or never
solved rest, and come back as the evidence fades.

A uniform curriculum is what there is without one: every prompt is drawn once before any is drawn again.

Each process holds its own copy. Copies that observe the same outcomes draw the same prompts.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from curation.difficulty import PRIOR
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DEFAULT_HALF_LIFE = 32.0

_RESTING = 0.5
_LEAST = 1e-100  # whose square is still above 0


def mixing_probability(a: Floats, b: Floats, group_size: int) -> Floats:
    """Probability that a group has both right and wrong samples, where the solve rate is Beta(a, b).

    B(a, b + G) / B(a, b) is the product over i < G of (b + i) / (a + b + i): no difference of large logarithms.

    Args:
        a: Shape [prompts], above 0.
        b: Shape [prompts], above 0.
        group_size: G, at least 2.

    Returns:
        Shape [prompts], never quite 0, so that every prompt can be drawn.
    """
    steps = np.arange(group_size)[:, None]
    none_right = ((b + steps) / (a + b + steps)).prod(axis=0)
    all_right = ((a + steps) / (a + b + steps)).prod(axis=0)
    mixing: Floats = np.maximum(1 - none_right - all_right, _LEAST)
    return mixing


class Curriculum:
    """Draws the prompts of each window and learns from what their groups came to.

    Args:
        pair_ids: One for each prompt, in the order of the data set.
        n: Offline samples of each prompt; 0 where there are none.
        c: How many of them were right.
        group_size: Samples of a prompt in a window (G).
        half_life: Windows in which the weight of an observation halves.
        uniform: Draw all prompts equally often, whatever is known of them.
        seed: Of the curriculum's own random numbers.

    Raises:
        TierwiseError: The lengths differ, or a count is impossible.
    """

    def __init__(
        self,
        pair_ids: Sequence[str],
        n: Sequence[int],
        c: Sequence[int],
        *,
        group_size: int,
        half_life: float = DEFAULT_HALF_LIFE,
        uniform: bool = False,
        seed: int = 0,
    ) -> None:
        if not len(pair_ids) == len(n) == len(c):
            raise TierwiseError(
                f"{len(pair_ids)} prompts with {len(n)} and {len(c)} offline counts; give both for each, 0 where none"
            )
        if group_size < 2 or not half_life > 0:
            raise TierwiseError(
                f"group size {group_size}, half-life {half_life:g}: the first must be at least 2, the second above 0"
            )
        samples, solved = np.asarray(n, np.float64), np.asarray(c, np.float64)
        for i in np.flatnonzero((solved < 0) | (solved > samples)).tolist():
            raise TierwiseError(f"{pair_ids[i]}: {c[i]} of {n[i]} solved offline; c must be between 0 and n")
        self.group_size = group_size
        self.half_life = half_life
        self.uniform = uniform
        self.window = 0
        scale = group_size / np.maximum(samples, group_size)
        self._prior = PRIOR + scale * np.stack([solved, samples - solved])
        self._evidence = np.zeros_like(self._prior)
        self._drawn = np.zeros(len(pair_ids), dtype=np.bool_)
        self._generator = np.random.default_rng(seed)
        described = [list(pair_ids), samples.tolist(), solved.tolist(), group_size, half_life]
        if uniform:
            described.append("uniform")
        self._fingerprint = hashlib.sha256(json.dumps(described).encode()).hexdigest()

    def __len__(self) -> int:
        return len(self._drawn)

    @property
    def posterior(self) -> tuple[Floats, Floats]:
        """The parameters a and b of each prompt's solve rate, shape [prompts] each."""
        a, b = self._prior + self._evidence
        return a, b

    @property
    def weights(self) -> Floats:
        """What each prompt is drawn by, shape [prompts]."""
        return np.ones(len(self)) if self.uniform else self.mixing**2

    @property
    def mixing(self) -> Floats:
        """Probability that a group of each prompt has right and wrong samples, shape [prompts]."""
        return mixing_probability(*self.posterior, self.group_size)

    @property
    def undrawn(self) -> int:
        """How many prompts this window can still draw."""
        return int((~self._drawn).sum())

    @property
    def resting(self) -> int:
        """How many prompts are less than half as likely to mix as one that nothing is known about."""
        unknown = mixing_probability(np.array([PRIOR]), np.array([PRIOR]), self.group_size)
        return int((self.mixing < _RESTING * unknown).sum())

    def begin_window(self) -> None:
        """Let the evidence of earlier windows fade, and all prompts be drawn again."""
        self.window += 1
        self._evidence *= 0.5 ** (1 / self.half_life)
        if not self.uniform:
            self._drawn[:] = False

    def draw(self, k: int) -> list[int]:
        """At most `k` prompts that this window has not drawn, by weight and without replacement.

        The k largest of log w + Gumbel noise are such a sample (Efraimidis and Spirakis, 2006; Gumbel top-k).
        """
        if self.uniform and self.undrawn < k:
            # As TRL's sampler does with the end of an epoch, what is left of it waits for another shuffle.
            self._drawn[:] = False
        keys = np.log(self.weights) + self._generator.gumbel(size=len(self))
        keys[self._drawn] = -np.inf
        chosen = np.argsort(-keys, kind="stable")[: min(k, self.undrawn)]
        self._drawn[chosen] = True
        return [int(prompt) for prompt in chosen]

    def observe(self, prompt: int, n: int, c: int) -> None:
        """Count a group: `c` of its `n` samples were right."""
        self._evidence[:, prompt] += (c, n - c)

    def state_dict(self) -> dict[str, Any]:
        """All that a copy needs to go on from here bit for bit, as JSON types."""
        return {
            "fingerprint": self._fingerprint,
            "window": self.window,
            "evidence": self._evidence.tolist(),
            "drawn": np.flatnonzero(self._drawn).tolist(),
            "generator": self._generator.bit_generator.state,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`.

        Raises:
            TierwiseError: It belongs to other prompts, offline counts, group size or half-life.
        """
        if state["fingerprint"] != self._fingerprint:
            raise TierwiseError(
                "the checkpoint's curriculum has other prompts, offline counts, group size or half-life than this run; "
                "resume with the split and settings it was started with, or start anew in another folder"
            )
        self.window = state["window"]
        self._evidence = np.array(state["evidence"])
        self._drawn[:] = False
        self._drawn[state["drawn"]] = True
        self._generator.bit_generator.state = state["generator"]
