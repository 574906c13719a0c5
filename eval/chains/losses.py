"""At which step wrong chains were lost, by the values of their steps."""

from __future__ import annotations

from collections import defaultdict
from statistics import fmean
from typing import TYPE_CHECKING, Any

from eval.chains.found import DIGIT, LIMIT, PROMPT, StepLoss

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from eval.chains.table import ChainTable


def lost_step(steps: Sequence[Mapping[str, Any]], *, finished: bool) -> str:
    """Where a wrong chain was lost: the step from which on no continuation landed on gold.

    Args:
        steps: Its rows of ``step_values``, in order from step 0, each but that one with a value.
        finished: Whether the chain came to an end.

    Returns:
        Name of the step; `PROMPT` if no other chain of the pair landed on gold either, `DIGIT` if its last step still
        led to gold, or `LIMIT` if it was cut off there.
    """
    lost = DIGIT if finished else LIMIT
    for row in reversed(steps):
        # The prompt has no value where the pair has no other chain.
        if row["value"] is None or row["value"] > 0:
            break
        lost = _name(row)
    return lost


def _name(row: Mapping[str, Any]) -> str:
    if not row["step_index"]:
        return PROMPT
    return str(row["step"]) if row["step"] != "whole" else f"step {row['step_index']}"


def step_losses(values: Iterable[dict[str, Any]], table: ChainTable) -> tuple[tuple[StepLoss, ...], int]:
    """Where wrong chains were lost, by step in the order of chains; and how many were continued from every step."""
    of_chain: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in values:
        of_chain[row["sample_id"]].append(row)
    whole = {
        table.row_of[sample_id]: steps
        for sample_id, steps in of_chain.items()
        if sample_id in table.row_of and all(row["value"] is not None for row in steps if row["step_index"])
    }
    if not whole:
        return (), 0
    lost = {
        index: lost_step(steps, finished=table.finished[index])
        for index, steps in whole.items()
        if table.wrong[index]
    }
    named: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    places: defaultdict[str, list[float]] = defaultdict(list)
    for steps in whole.values():
        for row in steps:
            named[_name(row)].append(row)
            places[_name(row)].append(row["step_index"] / len(steps))
    order = sorted(named, key=lambda name: fmean(places[name]))
    is_lost = table.marks(lost)
    found = []
    for name in (*order, DIGIT, *([LIMIT] if LIMIT in lost.values() else [])):
        changes = [row["change"] for row in named[name] if row["change"] is not None]
        found.append(
            StepLoss(
                step=name,
                steps=len(named[name]),
                value=_mean([row["value"] for row in named[name] if row["value"] is not None]),
                change=_mean(changes),
                lost=table.rate(table.marks(index for index, at in lost.items() if at == name), is_lost),
            )
        )
    return tuple(found), len(lost)


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else float("nan")
