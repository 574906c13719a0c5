"""What the use of a model costs, what a run may spend, and what it would."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from curation.backends import Usage
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from curation.sampling_plan import Task

_CHARACTERS_PER_TOKEN = 4
"""Of English text, about; only a dry run leans on it."""

_SECONDS_PER_HOUR = 3_600.0


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars.

    Attributes:
        prompt: For a million tokens sent.
        completion: For a million generated.
        cached: For a million sent that the model had read before; None where they cost as much as others.
        hour: For an hour that the model works, as on a rented machine.
    """

    prompt: float = 0.0
    completion: float = 0.0
    cached: float | None = None
    hour: float = 0.0

    def usd(self, usage: Usage) -> float:
        """What `usage` costs."""
        cached = self.prompt if self.cached is None else self.cached
        tokens = (
            (usage.prompt_tokens - usage.cached_tokens) * self.prompt
            + usage.cached_tokens * cached
            + usage.completion_tokens * self.completion
        )
        return tokens / 1e6 + usage.seconds / _SECONDS_PER_HOUR * self.hour


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent; None is without limit.

    It is kept within what is in flight when it is spent: a batch of a model in this process, the open requests to a
    server.
    """

    tokens: int | None = None
    usd: float | None = None
    minutes: float | None = None
    price: Price | None = None

    def is_spent(self, usage: Usage) -> bool:
        """Whether `usage` reaches it."""
        return (
            (self.tokens is not None and usage.tokens >= self.tokens)
            or (self.usd is not None and self._usd_of(usage) >= self.usd)
            or (self.minutes is not None and usage.seconds >= 60 * self.minutes)
        )

    def less(self, usage: Usage) -> Budget:
        """What is left of it after `usage`."""
        return Budget(
            None if self.tokens is None else max(0, self.tokens - usage.tokens),
            None if self.usd is None else max(0.0, self.usd - self._usd_of(usage)),
            None if self.minutes is None else max(0.0, self.minutes - usage.seconds / 60),
            self.price,
        )

    def _usd_of(self, usage: Usage) -> float:
        return self.price.usd(usage) if self.price else 0.0


UNLIMITED = Budget()


def parse_budget(budget: str | None, price: str | None) -> Budget:
    """Read ``tokens=50000``, ``usd=2.50`` or ``minutes=30``, and a price as `parse_price` does.

    Raises:
        TierwiseError: None of these, a negative amount, or money without a price.
    """
    amounts = _amounts("--budget", budget, ("tokens", "usd", "minutes"))
    costs = parse_price(price)
    if "usd" in amounts and costs is None:
        raise TierwiseError(
            f"--budget {budget} needs --price prompt=…,completion=…: US dollars for a million tokens of each"
        )
    tokens = amounts.get("tokens")
    return Budget(
        None if tokens is None else math.floor(tokens), amounts.get("usd"), amounts.get("minutes"), costs
    )


def parse_price(price: str | None) -> Price | None:
    """Read ``prompt=0.15,completion=0.60``, with ``cached=0.075`` if that is less, or ``hour=2.50``.

    Raises:
        TierwiseError: None of these, or one that is not enough to go by.
    """
    amounts = _amounts("--price", price, ("prompt", "completion", "cached", "hour"))
    if not amounts:
        return None
    if amounts.keys() != {"hour"} and not amounts.keys() >= {"prompt", "completion"}:
        raise TierwiseError(
            f"--price {price}: name both prompt and completion, as in prompt=0.15,completion=0.60 (US dollars a "
            "million), or hour=2.50"
        )
    return Price(**amounts)


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
    # What a machine costs by the hour depends on how fast it is.
    if price and not price.hour:
        costs["usd_about"] = round(price.usd(Usage(prompt, completion_tokens=completion)), 2)
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
