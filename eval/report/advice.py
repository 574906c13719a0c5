"""What to deploy, in plain words, and what it buys and costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from eval.report.blocks import Change, Changes, Command, Table, Text, Warnings
from eval.report.words import (
    TIER_NAMES,
    command,
    direction,
    ends,
    listed,
    metric_name,
    moved,
    named,
    number,
    percent,
    sentence,
    shown,
    signed,
    verdict,
)

if TYPE_CHECKING:
    from eval.report.blocks import Block
    from eval.report.data import Matrix, Partition, ReportData

_SUMS = {4: "p4", 3: "p4 + p3", 2: "p4 + p3 + p2"}
_TOLD = ("macro_f1", "accuracy", "f1_34", "f1_4", "quadratic_kappa", "mae")


def advice(data: ReportData) -> tuple[Block, ...]:
    """The verdict first, then the thresholds, then what they change."""
    if data.partition is None:
        return _without_partition(data)
    blocks: list[Block] = [
        Text(headline(data), lead=True),
        *warnings(data),
        Text(in_words(data)),
        thresholds(data, data.partition),
    ]
    return (
        *blocks,
        Changes(
            tuple(
                Change(
                    f"{metric_name(name)} {direction(name)}",
                    number(data.gain[name].theirs),
                    number(data.gain[name].ours),
                    signed(data.gain[name].value),
                    ends(data.gain[name].low, data.gain[name].high, sign=True),
                    verdict(data.gain[name]),
                )
                for name in _TOLD
            )
        ),
        Text("To serve it, as SQL, JSON or Python, which decide alike on every input:"),
        Command(command(f"partition export {data.partition.partition_id[:8]}", {"--format": "sql"})),
    )


def warnings(data: ReportData) -> tuple[Block, ...]:
    """What to know before believing any number."""
    # That they flatter stands above everything already.
    lines = tuple(shown(line) for line in data.warnings if line != data.flattering)
    return (Warnings(lines),) if lines else ()


def headline(data: ReportData) -> str:
    """Whether to deploy the partition, in a sentence or two."""
    partition = data.partition
    assert partition is not None
    short, split = partition.partition_id[:8], data.subject.split
    goal = named(partition.objective)
    if data.flattering:
        return _flattering(data.flattering)
    if partition.promises:
        return _promised(data, partition)
    found = objective_verdict(data, partition)
    if found == "better":
        return _deploy(data, short, goal)
    if found == "worse":
        return f"Keep the most probable tier: on {split} partition {short} has a worse {goal}."
    if found == "open":
        return (
            f"No clear gain: on {split} the {goal} of partition {short} cannot be told from that of the most probable "
            "tier. Deploy it for its tier shares, or not at all."
        )
    return f"Partition {short} was fitted for {goal}, which has no paired difference here: weigh what it changes below."


def _flattering(why: str) -> str:
    return (
        f"Do not decide by this report. {sentence(why)} Judge it on a split that shares no query with what it was "
        "fitted on."
    )


def _promised(data: ReportData, partition: Partition) -> str:
    short, goal = partition.partition_id[:8], named(partition.objective)
    broken = [shown(of.promise) for of in partition.promises if not of.made or of.kept is False]
    if broken:
        return (
            f"Look closer before partition {short} is deployed: {partition.judge_split} does not bear out "
            f"{', '.join(broken)}."
        )
    against = {
        "better": f"Its {goal} is better than that of the most probable tier.",
        "open": f"Its {goal} cannot be told from that of the most probable tier.",
        "worse": f"It pays for that with {goal}.",
    }.get(objective_verdict(data, partition) or "", "")
    kept = ", ".join(shown(of.promise) for of in partition.promises)
    return f"Deploy partition {short} for what it promises: {kept}. {against}".strip()


def _deploy(data: ReportData, short: str, goal: str) -> str:
    paid = [name for name in _TOLD if verdict(data.gain[name]) == "worse"]
    if not paid:
        return f"Deploy partition {short}: on {data.subject.split} it has a better {goal} than the most probable tier."
    price = "accuracy" if "accuracy" in paid else paid[0]
    return (
        f"Deploy partition {short} if {goal} counts for more than {named(price)}: on {data.subject.split} it is better "
        f"in one and worse in the other."
    )


def objective_verdict(data: ReportData, partition: Partition) -> str | None:
    """Whether the partition's own objective is better, worse or open against argmax; None where not known."""
    if partition.objective in data.gain:
        return verdict(data.gain[partition.objective])
    if partition.judge_split != data.subject.split:
        return None
    for alternative in partition.alternatives:
        change = alternative.versus_argmax.get(partition.objective)
        if alternative.name == partition.chosen and change is not None:
            if change.low is None or change.high is None:
                return None
            return "open" if change.low <= 0 <= change.high else "better" if change.low > 0 else "worse"
    return None


def in_words(data: ReportData) -> str:
    """What the partition does to the tiers of the split."""
    subject, partition, decided = data.subject, data.partition, data.decided
    assert partition is not None
    assert decided is not None
    parts = [
        f"Against the most probable tier it changes {data.changed:,} of {subject.pairs:,} pairs "
        f"({percent(data.changed / subject.pairs, 0)})."
    ]
    bought = [moved(data.gain[name]) for name in _TOLD if verdict(data.gain[name]) == "better"]
    paid = [moved(data.gain[name]) for name in _TOLD if verdict(data.gain[name]) == "worse"]
    open_ = [named(name) for name in _TOLD if verdict(data.gain[name]) == "open"]
    if bought:
        parts.append(f"It buys {listed(bought)}.")
    if paid:
        parts.append(f"It pays with {listed(paid)}.")
    if open_:
        parts.append(f"No clear change in {listed(open_)}.")
    right = _trace(decided.pairs) - _trace(data.argmax.pairs)
    parts.append(
        f"In all, {abs(right):,.0f} {'more' if right >= 0 else 'fewer'} pairs get their gold tier. "
        f"Tier 4 goes from {percent(shares(data.argmax.weights, 0)[3], 0)} to "
        f"{percent(shares(decided.weights, 0)[3], 0)} of {'traffic' if subject.weighted else 'pairs'}; gold has "
        f"{percent(shares(decided.weights, 1)[3], 0)}."
    )
    parts += promised(partition)
    return " ".join(parts)


def promised(partition: Partition) -> list[str]:
    """What became of the promises, in a sentence or two."""
    not_made = [shown(of.promise) for of in partition.promises if not of.made]
    broken = [shown(of.promise) for of in partition.promises if of.made and of.kept is False]
    told = []
    if not_made:
        told.append(f"Could not be promised: {', '.join(not_made)}.")
    if broken:
        told.append(f"Promised, but not kept on {partition.judge_split}: {', '.join(broken)}.")
    if partition.promises and not told:
        told.append("Every promise that was asked for was made and kept.")
    return told


def thresholds(data: ReportData, partition: Partition) -> Table:
    """The rule, tier by tier."""
    assert data.decided is not None
    gold = shares(data.decided.weights, 1)
    before, after = shares(data.argmax.weights, 0), shares(data.decided.weights, 0)
    return Table(
        ("Tier", "Decided where", "Share by argmax", "Share now", "Share of gold"),
        tuple(
            (
                f"{tier} {TIER_NAMES[tier]}",
                "else" if tier == 1 else f"{_SUMS[tier]} ≥ {number(partition.thetas[4 - tier], 4)}",
                *(percent(of[tier - 1]) for of in (before, after, gold)),
            )
            for tier in (4, 3, 2, 1)
        ),
        f"Thresholds of partition {partition.partition_id[:8]}, from the top: the first that holds decides",
        left=2,
    )


def shares(weights: Matrix, axis: int) -> tuple[float, ...]:
    """Shares of tiers 1 to 4 among predictions (axis 0) or gold (axis 1)."""
    counts = np.array(weights).sum(axis=axis)
    total = counts.sum()
    return tuple((counts / total if total else np.full(4, np.nan)).tolist())


def _without_partition(data: ReportData) -> tuple[Block, ...]:
    subject = data.subject
    metrics = data.argmax.metrics
    fit = data.fit_splits[0] if data.fit_splits else "CALIBRATION_SPLIT"
    measured = [
        f"{named(name)} {number(metrics[name].value)} (95 %: {ends(metrics[name].low, metrics[name].high)})"
        for name in ("macro_f1", "accuracy", "f1_34")
    ]
    nothing = (
        f"Nothing to deploy but the most probable tier yet: {shown(subject.predictor)} has no partition that was "
        f"judged on {subject.split}."
    )
    return (
        Text(nothing if data.flattering is None else _flattering(data.flattering), lead=True),
        *warnings(data),
        Text(f"The most probable tier has {listed(measured)}. Thresholds are fitted by:"),
        Command(
            command(
                "partition fit", {"--predictor": subject.predictor, "--fit": fit, "--judge": subject.split}
            )
        ),
    )


def _trace(pairs: Matrix) -> float:
    return sum(pairs[tier][tier] for tier in range(4))
