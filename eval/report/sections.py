"""The order of a report: the advice, then the evidence for it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from eval.report import charts, findings, plots
from eval.report.advice import advice
from eval.report.blocks import Cases, Facts, Figure, Section, Table, Text
from eval.report.words import (
    DASH,
    TIER_NAMES,
    direction,
    ends,
    metric_name,
    number,
    percent,
    shown,
    signed,
)

if TYPE_CHECKING:
    from eval.report.blocks import Block
    from eval.report.data import Estimate, Partition, ReportData, Slice

_LEAST_PAIRS = 30
_WORST = 12
_MOST_SHARES = 40


def title(data: ReportData) -> str:
    """What the report is called."""
    return f"{shown(data.subject.predictor)} on {data.subject.split}"


def colophon(data: ReportData) -> str:
    """What stands at its end."""
    tiers = ", ".join(f"{tier} {name}" for tier, name in TIER_NAMES.items())
    return f"Tiers: {tiers}. Made by Tierwise {data.subject.version}, {data.subject.made_at} UTC."


def sections(data: ReportData) -> tuple[Section, ...]:
    """All sections of the report on `data`."""
    parts: list[tuple[str, str, tuple[Block, ...]]] = [
        ("deploy", "What to deploy", advice(data)),
        ("evaluated", "What was evaluated", evaluated(data)),
        ("metrics", "Metrics", findings.metrics(data)),
        ("confusion", "Confusion of tiers", findings.confusions(data)),
        ("parts", "By tier and kind", plots.bars(data)),
        ("calibration", "Do the probabilities hold?", plots.reliability(data)),
    ]
    if data.partition is None:
        parts.append(("shares", "Tier shares", plots.tier_shares(data)))
    else:
        parts += [
            ("theta", "Thresholds and tier shares", plots.objective(data)),
            ("promises", "Promises", promises(data.partition)),
            ("alternatives", "What else could decide", alternatives(data.partition)),
            ("stability", "Is it stable?", stability(data.partition)),
        ]
    parts += [
        ("cost", "Answer first or reason first", findings.costs(data)),
        ("slices", "Worst slices", slices(data)),
        ("errors", "Errors to learn from", errors(data)),
        ("lineage", "Lineage", lineage(data)),
    ]
    return tuple(Section(*part) for part in parts)


def evaluated(data: ReportData) -> tuple[Block, ...]:
    """The subject."""
    subject = data.subject
    rows = [("predictor", f"{shown(subject.predictor)} ({subject.kind})")]
    rows += [(name.replace("_", " "), shown(value)) for name, value in subject.made_of.items()]
    rows += [
        (
            "split",
            f"{subject.split}, role {subject.role}: {subject.pairs:,} pairs, {subject.queries:,} queries"
            + (", weighted by traffic" if subject.weighted else ""),
        ),
        ("content hash", subject.content_hash),
        ("gold", ", ".join(f"{shown(name)} {pairs:,}" for name, pairs in subject.sources.items())),
    ]
    if data.partition:
        partition = data.partition
        how = (
            "as asked"
            if partition.asked
            else "the newest"
            f"{f' of {partition.known}' if partition.known > 1 else ''} that was judged on {subject.split}"
        )
        rows.append(
            (
                "partition",
                f"{partition.partition_id[:8]} ({how}): {partition.kind} for {partition.objective}, fitted on "
                f"{partition.fit_split}, {partition.created_at} UTC",
            )
        )
    rows.append(("report", f"Tierwise {subject.version}, {subject.made_at} UTC"))
    return (Facts(tuple(rows)),)


def promises(partition: Partition) -> tuple[Block, ...]:
    """What was promised, and whether it held."""
    if not partition.promises:
        return (Text("None was asked for when the partition was fitted."),)
    return (
        Table(
            (
                "Promise",
                "Made",
                "Answer",
                "Confidence",
                f"On {partition.fit_split}",
                f"On {partition.judge_split}",
                "Kept",
            ),
            tuple(
                (
                    shown(of.promise),
                    "yes" if of.made else "no",
                    shown(of.answer),
                    percent(of.confidence, 0),
                    number(of.fit_value),
                    number(of.judge_value),
                    DASH if of.kept is None else "yes" if of.kept else "NO",
                )
                for of in partition.promises
            ),
            f"Promises asked for; kept is what {partition.judge_split} shows, a dash where nothing was promised",
            left=3,
        ),
    )


def alternatives(partition: Partition) -> tuple[Block, ...]:
    """Other ways to decide, on the split that the partition was judged on."""
    found = partition.alternatives
    if not found:
        return (Text("No alternative was stored with the partition."),)
    metrics = tuple(dict.fromkeys(name for of in found for name in of.judge))
    told = tuple(f"{metric_name(name)} {direction(name)}" for name in metrics)
    names = [f"{shown(of.name)}{' (chosen)' if of.name == partition.chosen else ''}" for of in found]
    thetas = [_thetas(of.thetas or ()) for of in found]
    return (
        Table(
            ("", "θ of tiers 4, 3, 2", *told),
            tuple(
                (name, cut, *(_estimate(of.judge.get(metric)) for metric in metrics))
                for name, cut, of in zip(names, thetas, found, strict=True)
            ),
            f"On {partition.judge_split}, with 95 % intervals where there are any",
        ),
        Table(
            ("", *told),
            tuple(
                (name, *(_estimate(of.versus_argmax.get(metric), sign=True) for metric in metrics))
                for name, of in zip(names, found, strict=True)
                if of.versus_argmax
            ),
            f"Less the most probable tier on the same pairs of {partition.judge_split}",
        ),
    )


def _thetas(thetas: tuple[float, ...]) -> str:
    """One number where all are equal."""
    told = [number(theta) for theta in thetas]
    return (told[0] if len(set(thetas)) == 1 else ", ".join(told)) if told else DASH


def _estimate(found: Estimate | None, *, sign: bool = False) -> str:
    if found is None:
        return DASH
    interval = ends(found.low, found.high, sign=sign)
    value = (signed if sign else number)(found.value)
    return value if interval == DASH else f"{value} ({interval})"


def stability(partition: Partition) -> tuple[Block, ...]:
    """Tier shares by month, source and kind."""
    found = partition.stability
    if not found:
        return (Text("No tier shares of slices were stored with the partition."),)
    left_out = len(found) - _MOST_SHARES
    return (
        Table(
            ("", "value", *(f"tier {tier}" for tier in (4, 3, 2, 1)), "pairs", "queries"),
            tuple(
                (
                    shown(of.by),
                    shown(of.value),
                    *(percent(of.shares[tier - 1]) for tier in (4, 3, 2, 1)),
                    f"{of.pairs:,}",
                    f"{of.queries:,}",
                )
                for of in found[:_MOST_SHARES]
            ),
            f"Tier shares that the partition gives, on {partition.judge_split}",
            left=2,
            notes=(f"{left_out:,} more are stored with the partition.",) if left_out > 0 else (),
        ),
    )


def slices(data: ReportData) -> tuple[Block, ...]:
    """The slices with the lowest accuracy and macro-F1, of those with pairs enough."""
    large = [of for of in data.slices if of.metrics["accuracy"].pairs >= _LEAST_PAIRS]
    if not large:
        return (
            Text(
                f"No slice to compare: it takes two values of an attribute, of {_LEAST_PAIRS} pairs or more."
            ),
        )
    large.sort(key=_worst_first)
    worst = large[:_WORST]
    name = data.reported.name
    left_out = len(data.slices) - len(large)
    whole = data.reported.metrics["macro_f1"].value
    heading = "Macro-F1 of slices, worst first"
    drawing = charts.dots(
        "slices",
        heading,
        "A dot with its 95 % interval for each slice; the dashed line is the whole split.",
        (f"all {number(whole)}", 0.0 if math.isnan(whole) else whole),
        [(_label(of), _mark(of)) for of in worst if not math.isnan(of.metrics["macro_f1"].value)],
    )
    table = Table(
        ("Slice", "macro-F1", "95 %", "accuracy", "95 %", "pairs", "queries"),
        tuple(
            (
                _label(of),
                *(
                    cell
                    for metric in ("macro_f1", "accuracy")
                    for cell in (
                        number(of.metrics[metric].value),
                        ends(of.metrics[metric].low, of.metrics[metric].high),
                    )
                ),
                f"{of.metrics['accuracy'].pairs:,}",
                f"{of.metrics['accuracy'].queries:,}",
            )
            for of in worst
        ),
        heading,
        notes=(f"All of {data.subject.split}: {number(whole)}.",),
    )
    said = f"By the {name}. A slice where a tier is rare has a low macro-F1 for that alone: read it with its interval."
    if left_out:
        said += f" {left_out:,} slices of fewer than {_LEAST_PAIRS} pairs are left out."
    return (Text(said), Figure(heading, drawing, table))


def _worst_first(of: Slice) -> tuple[bool, float, float, str, str]:
    macro_f1 = of.metrics["macro_f1"].value
    unknown = math.isnan(macro_f1)
    return unknown, 0.0 if unknown else macro_f1, of.metrics["accuracy"].value, of.attribute, of.value


def _label(of: Slice) -> str:
    return shown(of.value if of.attribute == "disagreement" else f"{of.attribute} {of.value}")


def _mark(of: Slice) -> charts.Mark:
    found = of.metrics["macro_f1"]
    return charts.Mark(found.value, found.low, found.high, number(found.value))


def errors(data: ReportData) -> tuple[Block, ...]:
    """Wrongly decided pairs, with their texts."""
    if not data.cases:
        return (Text("No pair is decided wrongly."),)
    return (
        Text(
            f"{len(data.cases)} of {data.errors:,} wrongly decided pairs, chosen to teach, so not in proportion: far "
            "off first, then where gold is doubted, then what the partition moved away from gold, then the rest in "
            "turn over kinds and confusions; at most three of a query."
        ),
        Cases(data.cases),
    )


def lineage(data: ReportData) -> tuple[Block, ...]:
    """Ids, to find everything again."""
    rows = [("predictor", data.subject.predictor_id, "", "")]
    if data.partition:
        rows.append(("partition", data.partition.partition_id, "", f"{data.partition.created_at} UTC"))
    rows += [
        (f"run that {run.what}", run.run_id, run.version, f"{run.started_at} UTC")
        for run in data.subject.runs
    ]
    return (Table(("What", "Id", "Tierwise", "When"), tuple(rows), "Ids in the store", left=4),)
