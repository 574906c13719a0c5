"""What a run may spend, in tokens or in money, and what it would."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from curation.sampling_plan import Task

_CHARACTERS_PER_TOKEN = 4
"""Of English text, about; only a dry run leans on it."""


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens."""

    prompt: float
    completion: float


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent; None is without limit.

    It is kept within what is in flight when it is spent: a batch of a model in this process, the open requests to a
    server.
    """

    tokens: int | None = None
    usd: float | None = None
    price: Price | None = None

    def usd_of(self, prompt_tokens: int, completion_tokens: int) -> float:
        """What so many tokens cost, in US dollars; 0 without a price."""
        if self.price is None:
            return 0.0
        return (prompt_tokens * self.price.prompt + completion_tokens * self.price.completion) / 1e6

    def is_spent(self, prompt_tokens: int, completion_tokens: int) -> bool:
        """Whether so many tokens reach it."""
        return (self.tokens is not None and prompt_tokens + completion_tokens >= self.tokens) or (
            self.usd is not None and self.usd_of(prompt_tokens, completion_tokens) >= self.usd
        )

    def less(self, prompt_tokens: int, completion_tokens: int) -> Budget:
        """What is left of it after so many tokens."""
        usd = self.usd_of(prompt_tokens, completion_tokens)
        return Budget(
            None if self.tokens is None else max(0, self.tokens - prompt_tokens - completion_tokens),
            None if self.usd is None else max(0.0, self.usd - usd),
            self.price,
        )


UNLIMITED = Budget()


def parse_budget(budget: str | None, price: str | None) -> Budget:
    """Read ``tokens=50000`` or ``usd=2.50``, and a price such as ``prompt=0.15,completion=0.60``.

    Raises:
        TierwiseError: Neither of these, a negative amount, or money without a price.
    """
    amounts = _amounts("--budget", budget, ("tokens", "usd"))
    prices = _amounts("--price", price, ("prompt", "completion"))
    if prices and len(prices) < 2:
        raise TierwiseError(
            f"--price {price}: name both, as in prompt=0.15,completion=0.60 (US dollars a million)"
        )
    if "usd" in amounts and not prices:
        raise TierwiseError(
            f"--budget {budget} needs --price prompt=…,completion=…: US dollars for a million tokens of each"
        )
    tokens = amounts.get("tokens")
    return Budget(
        None if tokens is None else math.floor(tokens),
        amounts.get("usd"),
        Price(**prices) if prices else None,
    )


def estimate(tasks: Iterable[Task], max_tokens: int, price: Price | None, *, in_turn: bool) -> dict[str, Any]:
    """What `tasks` would cost: prompts by their length, about, and completions of `max_tokens` each.

    A prompt is read once for all answers to it, or, where these are asked for `in_turn`, for each.
    """
    prompt = completion = 0
    for task in tasks:
        characters = sum(len(message.content) for message in task.messages)
        prompt += (len(task.indices) if in_turn else 1) * (characters // _CHARACTERS_PER_TOKEN)
        completion += len(task.indices) * max_tokens
    costs: dict[str, Any] = {"prompt_tokens_about": prompt, "completion_tokens_at_most": completion}
    if price:
        costs["usd_about"] = round(Budget(price=price).usd_of(prompt, completion), 2)
    return costs


def _amounts(option: str, text: str | None, names: tuple[str, ...]) -> dict[str, float]:
    amounts: dict[str, float] = {}
    for part in (text or "").split(",") if text is not None else ():
        name, _, value = (each.strip() for each in part.partition("="))
        try:
            amount = float(value)
        except ValueError:
            amount = math.nan
        if name not in names or name in amounts or not (0 <= amount < math.inf):
            raise TierwiseError(
                f"{option} {text}: {part!r} is not {' or '.join(f'{each}=AMOUNT' for each in names)}"
            )
        amounts[name] = amount
    return amounts
