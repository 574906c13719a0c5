"""The evidence in plots: bars per tier and kind, reliability, the objective over θ, tier shares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eval.report import charts
from eval.report.advice import shares
from eval.report.blocks import Figure, Grid, Table, Text
from eval.report.words import (
    ends,
    metric_name,
    number,
    percent,
    reasons,
    sentence,
    shown,
    signed,
    value_and_interval,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eval.metrics.measure import Measured
    from eval.report.blocks import Block
    from eval.report.data import Line, Partition, Reliability, ReportData


def bars(data: ReportData) -> tuple[Block, ...]:
    """F1 of each tier; accuracy and macro-F1 of each kind of query."""
    series = ["argmax", "partition"] if data.decided else ["argmax"]
    per_tier = [
        (f"tier {tier}", tuple(of.metrics[f"f1_{tier}"] for of in data.decisions)) for tier in (4, 3, 2, 1)
    ]
    kinds = sorted(data.by_kind.items(), key=lambda item: (-item[1][0]["accuracy"].pairs, item[0]))
    figures = [_bars("f1-per-tier", "F1 of each tier", series, per_tier)]
    if len(kinds) == 1:
        return (Text(f"All queries are of the kind {shown(kinds[0][0])}."), Grid(tuple(figures)))
    for name, title in (("accuracy", "Accuracy by kind of query"), ("macro_f1", "Macro-F1 by kind of query")):
        rows = [(shown(kind), tuple(of[name] for of in found)) for kind, found in kinds]
        figures.append(_bars(f"{name.replace('_', '-')}-by-kind", title, series, rows))
    return (Grid(tuple(figures)),)


def _bars(
    name: str, title: str, series: Sequence[str], rows: Sequence[tuple[str, Sequence[Measured]]]
) -> Figure:
    drawing = charts.bars(
        name,
        title,
        f"Bars from 0 to 1 with 95 % intervals, for {' and '.join(series)}.",
        series,
        [
            (label, [charts.Mark(of.value, of.low, of.high, number(of.value)) for of in found])
            for label, found in rows
        ],
    )
    head = ("", *(cell for label in series for cell in (label, "95 %")), "pairs", "queries")
    cells = tuple(
        (
            label,
            *(cell for of in found for cell in value_and_interval(of)),
            f"{found[0].pairs:,}",
            f"{found[0].queries:,}",
        )
        for label, found in rows
    )
    return Figure(title, drawing, Table(head, cells, title, notes=reasons(f for _, of in rows for f in of)))


def reliability(data: ReportData) -> tuple[Block, ...]:
    """Whether probabilities hold what they say."""
    ece = data.argmax.metrics["ece"]
    reading = Text(
        f"On the dashed diagonal a probability holds what it says; below it, the predictor is too sure of itself. The "
        f"expected calibration error is {number(ece.value)} (95 %: {ends(ece.low, ece.high)}). Grey columns are how "
        "many pairs a bin holds; hollow discs have fewer than 30."
    )
    figures = [_reliability(position, of) for position, of in enumerate(data.reliability)]
    return (Grid((reading, *figures)),)


def _reliability(position: int, of: Reliability) -> Figure:
    title = f"Reliability of {of.of}"
    return Figure(
        title,
        charts.calibration(
            f"reliability-{position}",
            title,
            "Share of pairs for which the prediction came true, against its mean probability, by bin.",
            of.bins,
        ),
        Table(
            ("Probability", "mean", "came true", "difference", "pairs"),
            tuple(
                (
                    f"{number(b.low, 2)} to {number(b.high, 2)}",
                    number(b.mean),
                    number(b.observed),
                    signed(b.observed - b.mean),
                    f"{b.pairs:,}",
                )
                for b in of.bins
            ),
            title,
        ),
    )


def objective(data: ReportData) -> tuple[Block, ...]:
    """The objective over all thresholds, with the chosen ones."""
    partition = data.partition
    if partition is None or not data.lines or not any(line.drawn for line in data.lines):
        return (Text(f"No curve: {data.no_line or 'the objective is undefined at every threshold'}."),)
    name = metric_name(partition.objective)
    chosen = _chosen(partition)
    band = None
    if partition.theta_low is not None and partition.theta_high is not None:
        band = (partition.theta_low, partition.theta_high)
    title = f"{name} of one θ, over all θ"
    figure = Figure(
        title,
        charts.objective(
            "objective",
            title,
            f"Lines for {' and '.join(line.split for line in data.lines)}; vertical lines at the chosen thresholds.",
            data.lines,
            chosen,
            band,
        ),
        _line_table(title, data.lines, partition),
        "Solid: fitted on. Dashed: judged on." if len(data.lines) > 1 else "",
    )
    words = [f"{name} on {partition.fit_split}: {number(partition.fit_value)}"]
    if partition.judge_split != partition.fit_split:
        words.append(f"on {partition.judge_split}: {number(partition.judge_value)}")
    told = f"{', '.join(words)}. "
    if band:
        told += f"The 95 % interval of the one θ is {ends(*band)}. "
    if partition.kind == "per-boundary":
        told += "The partition has a θ for each boundary; the curve moves all three together. "
    return (Text(f"{told}{sentence(shown(partition.choice))}".strip()), Grid((figure, _shares(data))))


def _chosen(partition: Partition) -> list[tuple[str, float]]:
    if len(set(partition.thetas)) == 1:
        return [(f"θ = {number(partition.thetas[0])}", partition.thetas[0])]
    return [
        (f"θ{tier} = {number(theta)}", theta) for tier, theta in zip((4, 3, 2), partition.thetas, strict=True)
    ]


def _line_table(title: str, lines: Sequence[Line], partition: Partition) -> Table:
    rows = [
        (number(theta, 2), *(number(line.told[i][1]) for line in lines))
        for i, (theta, _) in enumerate(lines[0].told)
    ]
    notes = [f"Chosen: {', '.join(label for label, _ in _chosen(partition))}."]
    if partition.theta_low is not None and partition.theta_high is not None:
        notes.append(f"95 % interval of the one θ: {ends(partition.theta_low, partition.theta_high)}.")
    best = [max(line.drawn, key=lambda point: point[1]) for line in lines if line.drawn]
    notes += [
        f"Best on {line.split}: {number(value)} at θ = {number(theta)}."
        for line, (theta, value) in zip(lines, best, strict=True)
    ]
    return Table(("θ", *(line.split for line in lines)), tuple(rows), title, notes=tuple(notes))


def tier_shares(data: ReportData) -> tuple[Block, ...]:
    """Tier shares of gold and of each decision, where there is no partition to draw them beside."""
    return (Grid((_shares(data),)),)


def _shares(data: ReportData) -> Figure:
    rows = [("gold", shares(data.argmax.weights, 1))]
    rows += [(of.name, shares(of.weights, 0)) for of in data.decisions]
    of_what = "traffic" if data.subject.weighted else "pairs"
    title = f"Tier shares, of {of_what}"
    return Figure(
        title,
        charts.stacked(
            "tier-shares",
            title,
            "A bar each for gold and for what decides, cut by tier, 4 at the left.",
            rows,
        ),
        Table(
            ("", *(f"tier {tier}" for tier in (4, 3, 2, 1))),
            tuple((label, *(percent(of[t - 1]) for t in (4, 3, 2, 1))) for label, of in rows),
            title,
        ),
    )
