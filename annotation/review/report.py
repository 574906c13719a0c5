"""Agreement and progress as a terminal shows them."""

from __future__ import annotations

import json
import math
import textwrap
from typing import TYPE_CHECKING, Any

import click

from warehouse.console import print_table, printable

if TYPE_CHECKING:
    from collections.abc import Mapping


def print_agreement(found: Mapping[str, Any], as_json: bool) -> None:
    """Print what `annotation.review.agreement.measure` found; as JSON, what is undefined is null."""
    if as_json:
        click.echo(json.dumps(_without_nan(found), ensure_ascii=False))
        return
    click.echo(
        f"{found['answers']:,} answers of {', '.join(found['annotators'])} to {found['records']:,} records that more "
        "than one of them answered"
    )
    click.echo("\nKrippendorff's alpha, 95 % interval by a bootstrap over queries")
    print_table(
        ["question", "distance", "slice", "alpha", "interval", "records"],
        [
            [
                row["question"],
                row["distance"],
                row["of"] if row["slice"] in ("all", "annotators") else f"{row['slice']} {row['of']}",
                _number(row["value"]),
                "–" if math.isnan(row["low"]) else f"{row['low']:.2f} to {row['high']:.2f}",
                f"{row['units']:,}",
            ]
            for row in found["alphas"]
        ],
    )
    click.echo("\nEach annotator against what most others say")
    print_table(
        ["annotator", "records", "same tier", "quality above theirs"],
        [
            [
                row["annotator"],
                f"{row['records']:,}",
                "–" if math.isnan(row["same_tier"]) else f"{row['same_tier']:.0%}",
                _number(row["quality_above_the_others"], sign=True),
            ]
            for row in found["annotators_against_the_others"]
        ],
    )
    if found["split"]:
        click.echo("\nRecords that split them")
    for row in found["split"]:
        click.echo(f"{row['sample_id'][:8]}  {_short(row['query'])} × {_short(row['title'])}")
        for annotator, answer in row["answers"].items():
            click.echo(f"{' ' * 10}{printable(annotator)}: {answer}")


def print_status(found: Mapping[str, Mapping[str, Any]], as_json: bool) -> None:
    """Print what `annotation.review.progress.review_status` found."""
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    for number, (dataset, told) in enumerate(found.items()):
        if number:
            click.echo()
        click.echo(click.style(printable(dataset), bold=True))
        if not told:
            click.echo("gone from the server")
            continue
        end = f"expected end {told['expected_end']} UTC" if told["expected_end"] else "expected end unknown"
        click.echo(
            f"{told['complete']:,} of {told['records']:,} records complete with {told['overlap']} answers each"
            + (f"; {told['answers_missing']:,} answers missing, {end}" if told["answers_missing"] else "")
        )
        if told["annotators"]:
            print_table(
                ["annotator", "submitted", "draft", "discarded", "an hour"],
                [
                    [
                        annotator,
                        *(f"{of[status]:,}" for status in ("submitted", "draft", "discarded")),
                        "–" if of["an_hour"] is None else f"{of['an_hour']:,.0f}",
                    ]
                    for annotator, of in told["annotators"].items()
                ],
            )


def _number(value: float, *, sign: bool = False) -> str:
    return "–" if math.isnan(value) else f"{value:+.2f}" if sign else f"{value:.3f}"


def _short(text: str) -> str:
    return printable(textwrap.shorten(text, 60, placeholder="…"))


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_without_nan(part) for part in value]
    return None if isinstance(value, float) and math.isnan(value) else value
