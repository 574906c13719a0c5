"""``eval chains``: error against the length of reasoning."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from eval.commands.options import resamples_option, seed_option
from warehouse.console import db_option, json_option, print_table, printable

if TYPE_CHECKING:
    from eval.chains.found import AnswerFirst, Chains, Rate
    from warehouse.store import Store


@click.command()
@click.option(
    "--configuration", metavar="ID", help="Whose samples are the chains.  [default: the newest finished]"
)
@click.option(
    "--split", metavar="NAME_vN", help="Only pairs of this split.  [default: all that were sampled]"
)
@click.option(
    "--answer-first",
    metavar="ID",
    help="Answer-first configuration to hold it against.  [default: the newest of the same model, if any]",
)
@resamples_option
@seed_option
@db_option
@json_option
def chains(
    configuration: str | None,
    split: str | None,
    answer_first: str | None,
    resamples: int,
    seed: int,
    store: Store,
    as_json: bool,
) -> None:
    """Report on error against the length of reasoning, and on what an answer before it saves.

    By number of steps, and by a further step within a pair; where wrong chains were lost, if `python -m curation
    step-values` continued them; beside the same pairs answered first. Writes nothing into the store.
    """
    from eval.chains.measure import measure_chains

    found = measure_chains(
        store,
        configuration=configuration,
        split=split,
        answer_first=answer_first,
        resamples=resamples,
        seed=seed,
    )
    if as_json:
        click.echo(json.dumps(_without_nan(asdict(found)), ensure_ascii=False))
    else:
        _print(found)


def _print(found: Chains) -> None:
    click.echo(
        f"{printable(found.configuration)}: {found.chains:,} chains of {found.pairs:,} pairs, {found.queries:,} queries"
    )
    click.echo("\nError by number of steps; 95 % intervals by a bootstrap over queries")
    head = ["steps", "chains", "wrong", "interval", "no tier", "error found", "tokens", "answer first wrong"]
    print_table(
        head,
        [
            [
                str(row.steps[0]) if row.steps[0] == row.steps[1] else f"{row.steps[0]} to {row.steps[1]}",
                f"{row.chains:,}",
                _share(row.wrong.value),
                _ends(row.wrong),
                _share(row.unparsable),
                "–" if row.with_findings is None else _share(row.with_findings),
                f"{row.tokens:.0f}",
                "–" if row.answer_first is None else _share(row.answer_first.value),
            ]
            for row in found.lengths
        ],
    )
    click.echo(
        "A further step, within a pair: "
        + (
            "no pair has chains of different lengths"
            if math.isnan(found.slope.value)
            else f"wrong by {found.slope.value:+.4f} ({found.slope.low:+.4f} to {found.slope.high:+.4f})"
        )
    )
    if found.lost:
        click.echo(
            f"\nWhere the {found.continued_wrong:,} wrong chains that were continued were lost: from there on none "
            "landed on gold"
        )
        print_table(
            ["step", "continued", "value after", "change", "lost here", "interval"],
            [
                [
                    row.step,
                    f"{row.steps:,}" if row.steps else "–",
                    _share(row.value),
                    "–" if math.isnan(row.change) else f"{row.change:+.3f}",
                    _share(row.lost.value),
                    _ends(row.lost),
                ]
                for row in found.lost
            ],
        )
    if found.answer_first:
        _print_beside(found.answer_first)


def _print_beside(beside: AnswerFirst) -> None:
    click.echo(f"\nBeside {printable(beside.configuration)}, on {beside.pairs:,} pairs of both")
    named = {
        "chains wrong": beside.chains_wrong,
        "answers first wrong": beside.wrong,
        "chains less answers": beside.less,
        "of wrong chains, right when answered first": beside.saved,
        "of wrong answers, right as chains": beside.lost,
    }
    print_table(
        ["", "share", "interval"], [[name, _share(rate.value), _ends(rate)] for name, rate in named.items()]
    )
    click.echo(f"The tier is there after 1 token, and after {beside.tokens_to_tier:.0f} of a chain.")


def _share(value: float) -> str:
    return "–" if math.isnan(value) else f"{value + 0.0:.3f}"


def _ends(rate: Rate) -> str:
    return "–" if math.isnan(rate.low) else f"{rate.low:.3f} to {rate.high:.3f}"


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nan(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(each) for each in value]
    return None if isinstance(value, float) and math.isnan(value) else value
