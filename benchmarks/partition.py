"""One theta: the exact sweep over every breakpoint, against grids of thresholds.

``python -m benchmarks.partition [--rows 1000000] [--repeats K]``

All sides maximise macro-F1 of CumPT over the same cumulative probabilities, computed before, of simulated predictions:
tiers as skewed as CrowdFlower's, logits around gold that mix up neighbours, and a softmax twice too sure of itself. The
grid has 1,000 evenly spaced thresholds. With numpy, each threshold takes a comparison, a sum and one bincount of gold
by predicted tier; macro-F1 is of all the counts together. With scikit-learn it takes the predicted tiers and a call of
``f1_score``, which is what people write; that is timed on a few thresholds and multiplied, which the table marks, and
finds what the numpy grid finds. The last side is the least work a grid can be: a histogram of the scores between its
thresholds, and running sums. It is no part of the aim, and it is there for who would ask.

The sides alternate within one run, which goes first alternates too, and ratios are medians of the pairwise ratios.
"""

from __future__ import annotations

from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

import click
import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.metrics import f1_score

from eval.decisions import argmax, cumulative, walk
from eval.metrics.counts import confusion, macro_f1
from eval.partition.objectives import OBJECTIVES
from eval.partition.sweep import sweep

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Tiers = NDArray[np.int64]

GRID = np.linspace(0, 1, 1_001)[1:]
SKLEARN_POINTS = 5
SHARES = (0.07, 0.14, 0.17, 0.62)


def simulate(rows: int) -> tuple[Floats, Tiers]:
    """Tier probabilities [rows, 4], twice too sure of themselves, and gold tiers [rows]."""
    rng = np.random.default_rng(0)
    gold = rng.choice(4, size=rows, p=SHARES)
    logits = np.log(SHARES) - 0.7 * np.abs(np.arange(4) - gold[:, None]) + rng.normal(0, 0.9, (rows, 4))
    powers = np.exp(2 * (logits - logits.max(axis=1, keepdims=True)))
    return powers / powers.sum(axis=1, keepdims=True), gold + 1


def by_sweep(scores: Floats, gold: Tiers) -> tuple[float, float]:
    """Theta and macro-F1 of the exact sweep."""
    curve = sweep(scores, gold, OBJECTIVES["macro_f1"])
    return curve.theta, curve.value


def by_bincount(scores: Floats, gold: Tiers) -> tuple[float, float]:
    """Theta and macro-F1 of the grid, counting gold by predicted tier at each threshold."""
    rows = (gold - 1) * 4
    # Scores ascend, so that as many are reached as the tier is above 1.
    cells = [np.bincount(rows + (scores >= theta).sum(axis=0), minlength=16) for theta in GRID]
    return best(np.stack(cells, axis=1).reshape(4, 4, -1).astype(np.float64))


def by_histogram(scores: Floats, gold: Tiers) -> tuple[float, float]:
    """Theta and macro-F1 of the grid, from one histogram of the scores by boundary and gold."""
    reached = np.empty((4, 4, len(GRID)))
    reached[:, 0] = np.bincount(gold - 1, minlength=4)[:, None]
    for boundary in range(3):
        bins = np.searchsorted(GRID, scores[boundary], side="right")
        found = np.bincount((gold - 1) * (len(GRID) + 1) + bins, minlength=4 * (len(GRID) + 1))
        at_or_above = found.reshape(4, -1)[:, ::-1].cumsum(axis=1)[:, ::-1]
        reached[:, 3 - boundary] = at_or_above[:, 1:]
    counts = reached.copy()
    counts[:, :3] -= reached[:, 1:]
    return best(counts)


def by_sklearn(scores: Floats, gold: Tiers) -> None:
    """scikit-learn's macro-F1 at a few thresholds of the grid."""
    for theta in GRID[:: len(GRID) // SKLEARN_POINTS]:
        f1_score(gold, walk(scores, [theta] * 3), average="macro")


def best(counts: Floats) -> tuple[float, float]:
    """Theta and macro-F1 of the best of the grid's counts, [4, 4, len(GRID)]."""
    values = macro_f1(counts)
    return float(GRID[values.argmax()]), float(values.max())


SIDES: dict[str, Callable[[Floats, Tiers], tuple[float, float] | None]] = {
    "sweep of every breakpoint": by_sweep,
    "grid, bincount": by_bincount,
    "grid, scikit-learn": by_sklearn,
    "grid, one histogram": by_histogram,
}


@click.command(help=__doc__)
@click.option("--rows", default=1_000_000, show_default=True, help="Predictions.")
@click.option("--repeats", default=5, show_default=True, help="Timed rounds of all sides.")
def main(rows: int, repeats: int) -> None:
    """Time all sides and print the table."""
    tier_probs, gold = simulate(rows)
    scores = cumulative(tier_probs)
    found: dict[str, tuple[float, float] | None] = {}
    seconds: dict[str, list[float]] = {name: [] for name in SIDES}
    for repeat in range(repeats):
        for name in list(SIDES)[:: -1 if repeat % 2 else 1]:
            start = perf_counter()
            found[name] = SIDES[name](scores, gold)
            taken = perf_counter() - start
            seconds[name].append(taken * len(GRID) / SKLEARN_POINTS if SIDES[name] is by_sklearn else taken)

    exact = found["sweep of every breakpoint"]
    assert exact is not None
    table = Table(
        title=f"{rows:,} predictions, {len(GRID):,} thresholds in each grid, medians of {repeats}; "
        f"argmax has macro-F1 {macro_f1(confusion(gold, argmax(tier_probs))):.6f}"
    )
    for column in ("side", "seconds", "over the sweep", "ratios", "theta", "macro-F1", "below the sweep"):
        table.add_column(column, justify="left" if column == "side" else "right")
    for name in SIDES:
        value = found[name]
        ratios = sorted(
            theirs / ours
            for ours, theirs in zip(seconds["sweep of every breakpoint"], seconds[name], strict=True)
        )
        table.add_row(
            name,
            f"{median(seconds[name]):,.2f}",
            f"{median(ratios):,.1f}×",
            f"{ratios[0]:,.1f} to {ratios[-1]:,.1f}",
            *(("as bincount", "as bincount", "") if value is None else _objective(value, exact)),
        )
    console = Console(width=120)
    console.print(table)
    console.print(f"scikit-learn is extrapolated from {SKLEARN_POINTS} of the {len(GRID):,} thresholds.")


def _objective(value: tuple[float, float], exact: tuple[float, float]) -> tuple[str, str, str]:
    return f"{value[0]:.6f}", f"{value[1]:.6f}", f"{exact[1] - value[1]:.1e}"


if __name__ == "__main__":
    main()
