"""Metrics as a terminal shows them, and as JSON."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import click

from eval.evaluation import told
from eval.metrics.measure import Difference
from warehouse.console import print_table, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from eval.evaluation import Evaluation
    from eval.evidence import Attribute
    from eval.metrics.measure import Measured


def print_evaluation(found: Evaluation, as_json: bool) -> None:
    """Print a table of the whole split, then of slices, worst first; or all of it as JSON, NaN as null."""
    if as_json:
        click.echo(json.dumps(_json(found), ensure_ascii=False))
        return
    evidence = found.evidence
    decided = "most probable tier"
    if found.partition:
        thetas = ", ".join(f"{theta:.3f}" for theta in found.partition.thetas)
        decided = f"partition {str(found.partition.partition_id)[:8]} (θ {thetas})"
    against = f" less {found.versus.predictor.name} (most probable tier)" if found.versus else ""
    click.echo(
        f"{printable(evidence.predictor.name)} ({decided}){printable(against)} on {evidence.split}: "
        f"{len(evidence.gold):,} pairs, {evidence.queries:,} queries"
        + (", weighted by traffic" if evidence.weighted else "")
    )
    print_warnings(found.warnings)
    click.echo("\n95 % intervals by a bootstrap over queries")
    print_measured(found.whole)
    if found.slices:
        click.echo("\nSlices, worst macro-F1 first")
        print_slices(found.slices, ("macro_f1", "accuracy"))
    if notes := [
        *reasons(found.whole),
        *_unranked(found),
        *([] if found.versus else undivided(evidence.attributes)),
    ]:
        click.echo()
        for line in notes:
            click.echo(line)


def print_warnings(warnings: Iterable[str]) -> None:
    """A marked line each."""
    for warning in warnings:
        click.echo(click.style("! ", fg="yellow", bold=True) + printable(warning))


def print_measured(whole: Sequence[Measured]) -> None:
    """A row for each metric; for differences with the values of both sides."""
    if any(isinstance(row, Difference) for row in whole):
        print_table(
            ["metric", "ours", "theirs", "difference", "interval"],
            [
                [
                    row.metric,
                    number(row.ours),
                    number(row.theirs),
                    number(row.value, sign=True),
                    ends(row, sign=True),
                ]
                for row in whole
                if isinstance(row, Difference)
            ],
        )
    else:
        print_table(
            ["metric", "value", "interval"], [[row.metric, number(row.value), ends(row)] for row in whole]
        )


def number(value: float, *, sign: bool = False) -> str:
    """`value`, or a dash for NaN."""
    return "–" if math.isnan(value) else f"{value + 0.0:+.4f}" if sign else f"{value:.4f}"


def ends(found: Measured, *, sign: bool = False) -> str:
    """The interval, or a dash."""
    if math.isnan(found.low):
        return "–"
    return f"{number(found.low, sign=sign)} to {number(found.high, sign=sign)}"


def print_slices(slices: Mapping[tuple[str, str], Iterable[Measured]], names: Sequence[str]) -> None:
    """A row for each slice with the metrics of these names, the lowest of the first one first."""
    first = names[0]
    rows = [(of, {measured.metric: measured for measured in metrics}) for of, metrics in slices.items()]
    # Unknown last: NaN compares with nothing.
    rows.sort(key=lambda row: (math.isnan(v := row[1][first].value), v if not math.isnan(v) else 0.0, row[0]))
    print_table(
        ["slice", "value", *(head for name in names for head in (name, "interval")), "pairs", "queries"],
        [
            [
                *of,
                *(cell for name in names for cell in (number(metrics[name].value), ends(metrics[name]))),
                f"{metrics[first].pairs:,}",
                f"{metrics[first].queries:,}",
            ]
            for of, metrics in rows
        ],
    )


def reasons(whole: Iterable[Measured]) -> list[str]:
    """Why metrics or their intervals are undefined, a line for each reason."""
    by_reason: dict[str, list[str]] = {}
    for row in whole:
        if row.reason:
            by_reason.setdefault(row.reason, []).append(row.metric)
    return [f"{', '.join(metrics)}: {reason}" for reason, metrics in by_reason.items()]


def told_slices(slices: Mapping[tuple[str, str], Iterable[Measured]]) -> list[dict[str, Any]]:
    """Metrics of slices for JSON."""
    return [
        {"slice": of[0], "slice_value": of[1], **told(row)}
        for of, metrics in slices.items()
        for row in metrics
    ]


def _unranked(found: Evaluation) -> list[str]:
    return [
        f"{row.metric}: over {row.queries:,} of {found.evidence.queries:,} queries; the others have one pair, or none "
        "above tier 1"
        for row in found.whole
        if row.metric.startswith("ndcg") and 0 < row.queries < found.evidence.queries
    ]


def undivided(attributes: Mapping[str, Attribute]) -> list[str]:
    """A line on the attributes that make no slices."""
    alike = [
        f"{name} {attribute.names[0]}" for name, attribute in attributes.items() if len(attribute.names) == 1
    ]
    return [f"no slices where all pairs are alike: {', '.join(alike)}"] if alike else []


def _json(found: Evaluation) -> dict[str, Any]:
    evidence = found.evidence
    return {
        "predictor": evidence.predictor.name,
        "predictor_id": str(evidence.predictor.predictor_id),
        "split": evidence.split,
        "versus": found.versus and found.versus.predictor.name,
        "versus_id": found.versus and str(found.versus.predictor.predictor_id),
        "partition_id": found.partition and str(found.partition.partition_id),
        "thetas": found.partition and found.partition.thetas,
        "pairs": len(evidence.gold),
        "queries": evidence.queries,
        "weighted": evidence.weighted,
        "undecided": evidence.undecided,
        "gold_changed": evidence.gold_changed,
        "warnings": found.warnings,
        "metrics": [told(row) for row in found.whole],
        "slices": told_slices(found.slices),
        **found.written,
    }
