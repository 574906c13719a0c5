"""The evidence in tables: metrics, confusion, costs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from eval.report.blocks import Command, Grid, Table, Text
from eval.report.words import (
    DASH,
    OF_DECISIONS,
    OF_PROBABILITIES,
    command,
    direction,
    ends,
    metric_name,
    number,
    percent,
    reasons,
    shown,
    signed,
    value_and_interval,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eval.metrics.measure import Measured
    from eval.report.blocks import Block
    from eval.report.data import Decided, ReportData

_MOST_KINDS = 8


def metrics(data: ReportData) -> tuple[Block, ...]:
    """Headline metrics with intervals, the paired difference beside them."""
    blocks: list[Block] = [
        Text(
            "Intervals are 95 %, by a bootstrap over queries; a difference is taken on the same queries in each "
            "resample."
        ),
        _of_decisions(data),
        _of_probabilities(data.argmax),
    ]
    if data.versus is not None:
        other = shown(data.versus)
        found = tuple(
            data.against[name] for name in {**OF_DECISIONS, **OF_PROBABILITIES} if name in data.against
        )
        blocks.append(
            Table(
                ("Metric", f"{data.reported.name}", other, "Difference", "95 %"),
                tuple(
                    (
                        f"{metric_name(of.metric)} {direction(of.metric)}",
                        number(of.ours),
                        number(of.theirs),
                        signed(of.value),
                        ends(of.low, of.high, sign=True),
                    )
                    for of in found
                ),
                f"Against {other}, by its most probable tier",
                notes=reasons(found),
            )
        )
    return tuple(blocks)


def _of_decisions(data: ReportData) -> Table:
    head: tuple[str, ...] = ("Metric", "Argmax", "95 %")
    if data.decided:
        head += ("Partition", "95 %", "Difference", "95 %")
    rows = []
    for name in OF_DECISIONS:
        cells = [f"{metric_name(name)} {direction(name)}", *value_and_interval(data.argmax.metrics[name])]
        if data.decided:
            gain = data.gain[name]
            cells += [
                *value_and_interval(data.decided.metrics[name]),
                signed(gain.value),
                ends(gain.low, gain.high, sign=True),
            ]
        rows.append(tuple(cells))
    measured: list[Measured] = [of.metrics[name] for of in data.decisions for name in OF_DECISIONS]
    return Table(head, tuple(rows), "Of the decided tiers", notes=reasons(measured))


def _of_probabilities(argmax: Decided) -> Table:
    found = [argmax.metrics[name] for name in OF_PROBABILITIES]
    return Table(
        ("Metric", "Value", "95 %", "Pairs", "Queries"),
        tuple(
            (
                f"{metric_name(of.metric)} {direction(of.metric)}",
                *value_and_interval(of),
                f"{of.pairs:,}",
                f"{of.queries:,}",
            )
            for of in found
        ),
        "Of the probabilities, whatever decides",
        notes=(
            *reasons(found),
            "NDCG ranks by the expected tier; the interval of the calibration error lies too high where it is near 0.",
        ),
    )


def confusions(data: ReportData) -> tuple[Block, ...]:
    """Gold by predicted tier."""
    return (Grid(tuple(_confusion(of, data.subject.weighted) for of in data.decisions)),)


def _confusion(of: Decided, weighted: bool) -> Table:
    rows, shades = [], []
    for tier in (4, 3, 2, 1):
        weights = of.weights[tier - 1]
        total = sum(weights)
        parts = [weights[t - 1] / total if total else math.nan for t in (4, 3, 2, 1)]
        cells = [
            f"{of.pairs[tier - 1][t - 1]:,.0f} · {percent(part, 0)}"
            for t, part in zip((4, 3, 2, 1), parts, strict=True)
        ]
        rows.append((f"gold {tier}", *cells, f"{sum(of.pairs[tier - 1]):,.0f}"))
        shades.append((None, *(None if math.isnan(part) else part for part in parts), None))
    by = ", by traffic" if weighted else ""
    notes = (
        ("A dash: no pair has this gold tier.",) if any(DASH in cell for row in rows for cell in row) else ()
    )
    return Table(
        ("decided", *(f"{tier}" for tier in (4, 3, 2, 1)), "pairs"),
        tuple(rows),
        f"{of.name[0].upper()}{of.name[1:]}: pairs, and their share of the row{by}",
        shades=tuple(shades),
        notes=notes,
    )


def costs(data: ReportData) -> tuple[Block, ...]:
    """Tokens and seconds of answer-first and reason-first."""
    if not data.costs:
        kind = data.subject.kind
        return (
            Text(
                f"No model has predicted {data.subject.split}, so there are no tokens and no seconds to compare"
                + (f": a {kind} costs neither." if kind in {"baseline", "file"} else ".")
            ),
        )
    found = data.costs
    table = Table(
        ("Predictor", "Format", "prompt tokens", "generated tokens", "seconds", "accuracy", "pairs"),
        tuple(
            (
                shown(of.predictor),
                of.format,
                number(of.prompt_tokens, 1),
                number(of.completion_tokens, 1),
                number(of.seconds, 4),
                number(of.accuracy),
                f"{of.pairs:,}",
            )
            for of in found
        ),
        "Mean per pair, as measured; accuracy is of the most probable tier",
        left=2,
    )
    return (table, *_compared(data))


def _compared(data: ReportData) -> tuple[Block, ...]:
    by_format: Mapping[str, list[float]] = {
        name: [of.seconds for of in data.costs if of.format == name and of.seconds]
        for name in ("answer-first", "reason-first")
    }
    fast, slow = by_format["answer-first"], by_format["reason-first"]
    if fast and slow:
        return (
            Text(f"A pair takes {min(slow) / min(fast):,.1f} times as long reason-first as answer-first."),
        )
    missing = [name for name in by_format if not any(of.format == name for of in data.costs)]
    if not missing:
        return (Text("Seconds were not measured for both formats."),)
    return (
        Text(f"Only one format was measured. This measures {missing[0]} on the same pairs:"),
        Command(
            command(
                "predict",
                {"--split": data.subject.split, "--model": data.costs[0].model, "--prompt": missing[0]},
            )
        ),
    )
