"""Metrics with intervals: a million simulated predictions of 100,000 queries, 1,000 resamples.

``python -m benchmarks.metrics``

"By sums of queries" is what `eval metrics` does: the 13 metrics that follow from sums over pairs, in one matrix
product. The areas under the ROC curve are three more, which rank all pairs anew in each resample. Beside them stands
what one writes first: draw queries, gather their rows, and call scikit-learn for accuracy and macro-F1 in each
resample; timed on a few and multiplied, which the table marks.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.table import Table
from sklearn.metrics import accuracy_score, f1_score

from eval.decisions import argmax
from eval.evidence import Attribute, Evidence
from eval.metrics.measure import compare, measure, measure_slices
from eval.metrics.ranks import auc_seconds
from eval.predictors import Predictor

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

PAIRS = 1_000_000
QUERIES = 100_000
RESAMPLES = 1_000
NAIVE = 3


def main() -> None:
    """Print the table."""
    evidence = simulate()
    table = Table(
        "what",
        "metrics",
        "seconds",
        "",
        title=f"{PAIRS:,} predictions, {evidence.queries:,} queries, {RESAMPLES:,} resamples",
    )
    headline, seconds = timed(lambda: measure(evidence, resamples=RESAMPLES, areas=False))
    table.add_row("by sums of queries", str(len(headline)), f"{seconds:.1f}", "")
    slices, seconds = timed(lambda: measure_slices(evidence, resamples=RESAMPLES))
    table.add_row(f"{len(slices)} slices, each so", str(len(headline)), f"{seconds:.1f}", "")
    _, seconds = timed(lambda: compare(evidence, evidence, resamples=RESAMPLES, areas=False))
    table.add_row("paired differences, so", str(len(headline)), f"{seconds:.1f}", "")
    everything, with_areas = timed(lambda: measure(evidence, resamples=RESAMPLES))
    expected = auc_seconds(PAIRS, RESAMPLES)
    table.add_row(
        "with areas under the ROC curve",
        str(len(everything)),
        f"{with_areas:.1f}",
        f"told before: {expected:.0f}",
    )
    _, seconds = timed(lambda: naive(evidence))
    table.add_row(
        "scikit-learn on resampled rows",
        "2",
        f"{seconds / NAIVE * RESAMPLES:,.0f}",
        f"extrapolated from {NAIVE} resamples",
    )
    Console(width=120).print(table)


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """What `work` returns, and its seconds."""
    start = perf_counter()
    result = work()
    return result, perf_counter() - start


def simulate() -> Evidence:
    """Calibrated probabilities, weights, ten sources."""
    rng = np.random.default_rng(0)
    query = np.r_[np.arange(QUERIES), rng.integers(QUERIES, size=PAIRS - QUERIES)]
    gold = rng.integers(1, 5, size=PAIRS)
    draws = rng.standard_gamma(0.5 + np.eye(4)[gold - 1])
    source = rng.integers(10, size=PAIRS)
    return Evidence(
        predictor=Predictor("simulated", "file"),
        split="eval_v1",
        role="eval",
        pair_ids=pa.array(np.arange(PAIRS).astype(str)),
        tier_probs=draws / draws.sum(axis=1, keepdims=True),
        gold=gold,
        query=query,
        weight=rng.exponential(size=PAIRS),
        attributes={"source": Attribute(tuple("abcdefghij"), source)},
        undecided={},
        gold_changed=0,
    )


def naive(evidence: Evidence) -> list[tuple[float, float]]:
    """Accuracy and macro-F1 of resampled rows."""
    rng = np.random.default_rng(0)
    tiers = argmax(evidence.tier_probs)
    order = np.argsort(evidence.query, kind="stable")
    rows_of = np.split(order, np.flatnonzero(np.diff(evidence.query[order])) + 1)
    values = []
    for _ in range(NAIVE):
        rows = np.concatenate([rows_of[query] for query in rng.integers(QUERIES, size=QUERIES)])
        drawn = {"sample_weight": evidence.weight[rows]}
        gold, predicted = evidence.gold[rows], tiers[rows]
        values.append(
            (accuracy_score(gold, predicted, **drawn), f1_score(gold, predicted, average="macro", **drawn))
        )
    return values


if __name__ == "__main__":
    main()
