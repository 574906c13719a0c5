"""Options that several commands share."""

from __future__ import annotations

import dataclasses
import functools
import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

where_option = click.option("--where", help="Which pairs: an SQL condition over pair_overview.")

limit_option = click.option(
    "--limit", type=click.IntRange(1), help="At most so many pairs; the same ones each time."
)

PRICE_METAVAR = "prompt=X,completion=Y|hour=Z"


def _arguments(
    _context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]
) -> tuple[tuple[str, Any], ...]:
    pairs = []
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or not name.strip().isidentifier():
            raise click.BadParameter(f"{each!r} is not NAME=VALUE")
        try:
            read = json.loads(value)
        except ValueError:
            read = value
        pairs.append((name.strip(), read))
    return tuple(pairs)


_LOCAL = (
    click.option(
        "--backend",
        type=click.Choice(["transformers", "vllm"]),
        default="transformers",
        show_default=True,
        help="What runs a model of this machine.",
    ),
    click.option(
        "--dtype",
        type=click.Choice(["bfloat16", "float32"]),
        help="Precision of a local model's weights.  [default: bfloat16, but float32 on a CPU without AVX-512]",
    ),
    click.option(
        "--batch-size",
        type=click.IntRange(1),
        help="Texts of a local model in flight.  [default: 32 on a CPU, 256 on a GPU; eight and four times that with "
        "vLLM]",
    ),
    click.option(
        "--vllm",
        "arguments",
        multiple=True,
        metavar="NAME=VALUE",
        callback=_arguments,
        help="An argument of vLLM's engine, as tensor_parallel_size=4 or data_parallel_size=2; may be repeated.",
    ),
)

_SERVED = (
    click.option(
        "--endpoint",
        "endpoints",
        multiple=True,
        metavar="URL",
        help="A server of an openai: model, as http://host:8000/v1; may be repeated, and each takes what it can.",
    ),
    click.option(
        "--concurrency",
        type=click.IntRange(1),
        default=512,
        show_default=True,
        help="Open requests to a server, at most; how many are best is found out.",
    ),
    click.option(
        "--timeout",
        type=click.FloatRange(0, min_open=True),
        default=120.0,
        show_default=True,
        help="Seconds that a server has for an answer.",
    ),
)

_BUDGET = (
    click.option(
        "--budget",
        metavar="tokens=N|usd=X|minutes=M",
        help="Stop when so much is spent, within what is in flight; the same command goes on from there.",
    ),
    click.option(
        "--price",
        metavar=PRICE_METAVAR,
        help="US dollars for a million tokens, cached=C for those that a server had read before, or for an hour of "
        "the machine: for the ledger and for a budget in money.",
    ),
)


def engine_options(command: Callable[..., None]) -> Callable[..., None]:
    """Options of how a model is run; the command gets them as `engine`, an `Engine`."""
    return _stacked(_with_engine(command), (*_LOCAL, *_SERVED))


def local_engine_options(command: Callable[..., None]) -> Callable[..., None]:
    """The same for a model of this machine."""
    return _stacked(_with_engine(command), _LOCAL)


def _with_engine(command: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(command)
    def with_engine(**given: Any) -> None:
        from curation.backends.opening import Engine

        names = [each.name for each in dataclasses.fields(Engine) if each.name in given]
        command(engine=Engine(**{name: given.pop(name) for name in names}), **given)

    return with_engine


def budget_options(command: Callable[..., None]) -> Callable[..., None]:
    """Options of what may be spent; the command gets them as `budget`, a `Budget`."""

    @functools.wraps(command)
    def with_budget(budget: str | None, price: str | None, **given: Any) -> None:
        from curation.budget import parse_budget

        command(budget=parse_budget(budget, price), **given)

    return _stacked(with_budget, _BUDGET)


def _stacked(
    command: Callable[..., None], options: Sequence[Callable[[Callable[..., None]], Callable[..., None]]]
) -> Callable[..., None]:
    for option in reversed(options):
        command = option(command)
    return command


retry_failed_option = click.option(
    "--retry-failed", is_flag=True, help="Ask again what the model could not take before."
)
