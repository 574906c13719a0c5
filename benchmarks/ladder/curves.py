"""The ladder as pictures: macro-F1 rung by rung, and what GRPO is given to learn from."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np

mpl.use("Agg")

from matplotlib import pyplot as plt

from benchmarks.ladder.read import RUNGS

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb
    from matplotlib.axes import Axes

    from benchmarks.ladder.read import Ladder
    from warehouse.store import Store

_SIDES = {"grpo-static": ("static", "#b45309"), "grpo-dynamic": ("dynamic", "#0f766e")}
_CLIMBED = {"cot-sft": "CoT SFT", "dpo": "+ DPO", "grpo-dynamic": "+ GRPO, dynamic"}
_SHADES = ("#94a3b8", "#1e3a8a", "#0f766e")
_SMOOTH = 10


def draw(store: Store, ladder: Ladder, file: Path) -> None:
    """Draw the curves of `ladder` to `file`, a PNG."""
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(15, 4.2), layout="constrained")
    _rungs(left, ladder)
    _lengths(middle, ladder)
    with store.read() as connection:
        _lost(right, connection, ladder)
    figure.savefig(file, dpi=130)
    plt.close(figure)


def _rungs(axes: Axes, ladder: Ladder) -> None:
    """Macro-F1 and F1 of tier 3: a dot for each seed, the mean with its interval over queries."""
    for measure, name, colour, shift in (
        ("macro_f1", "macro-F1", "#1e3a8a", -0.12),
        ("f1_3", "F1 of tier 3", "#be185d", 0.12),
    ):
        places, means, ends = [], [], []
        for place, rung in enumerate(RUNGS):
            cell = ladder.cell(rung, measure)
            if cell is None or cell.interval is None:
                continue
            places.append(place + shift)
            means.append(cell.mean)
            ends.append((cell.mean - cell.interval[0], cell.interval[1] - cell.mean))
            values = [number.value for number in cell.seeds]
            axes.plot([place + shift] * len(values), values, ".", color=colour, alpha=0.5)
        low, high = zip(*ends, strict=True)
        axes.errorbar(places, means, yerr=[low, high], fmt="_", ms=14, color=colour, capsize=3, label=name)
    axes.set_xticks(
        range(len(RUNGS)), [name.replace("`", "") for name in RUNGS.values()], rotation=20, ha="right"
    )
    axes.set_ylabel("eval split, most probable tier")
    axes.legend()
    axes.grid(axis="y", alpha=0.3)


def _lengths(axes: Axes, ladder: Ladder) -> None:
    """Share of wrong chains against their number of steps: the mean over seeds, a dot for each group of each."""
    for place, (rung, name) in enumerate(_CLIMBED.items()):
        groups = [
            (fmean(group["steps"]), group["wrong"]["value"], group["chains"])
            for records in ladder.records
            for group in records[f"chains-{rung}"].outputs["lengths"]
        ]
        colour = _SHADES[place]
        axes.scatter(
            [steps for steps, _, _ in groups],
            [wrong for _, wrong, _ in groups],
            s=[chains / 60 for _, _, chains in groups],
            color=colour,
            alpha=0.4,
        )
        steps, wrong, weight = map(np.array, zip(*groups, strict=True))
        slope, height = np.polyfit(steps, wrong, 1, w=np.sqrt(weight))
        ends = np.array([steps.min(), steps.max()])
        axes.plot(ends, slope * ends + height, color=colour, label=name)
    axes.set_xlabel("steps of a chain")
    axes.set_ylabel("share of chains with the wrong tier")
    axes.set_ylim(bottom=0)
    axes.legend()
    axes.grid(alpha=0.3)


def _lost(axes: Axes, connection: duckdb.DuckDBPyConnection, ladder: Ladder) -> None:
    """Share of trained groups whose answers all earn the same, so that they teach nothing."""
    for rung, (name, colour) in _SIDES.items():
        for index, records in enumerate(ladder.records):
            found = connection.execute(
                "SELECT step, value FROM training_metrics JOIN runs USING (run_id) JOIN stages USING (stage_id) "
                "WHERE key = ? AND metric = 'dynamic/zero_variance_after' ORDER BY step",
                [records[rung].key],
            ).fetchall()
            values = [value for _, value in found]
            means = [fmean(values[max(0, i - _SMOOTH + 1) : i + 1]) for i in range(len(values))]
            axes.plot(
                [step for step, _ in found],
                means,
                color=colour,
                label=name if index == 0 else None,
                alpha=0.8,
            )
    axes.set_ylim(0, 1)
    axes.set_xlabel("optimizer step of GRPO")
    axes.set_ylabel(f"groups that teach nothing, mean of {_SMOOTH} windows")
    axes.legend()
    axes.grid(alpha=0.3)
