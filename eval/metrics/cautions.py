"""What to know about the evidence before believing a number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from eval.decisions import argmax
from eval.metrics.counts import TIERS

if TYPE_CHECKING:
    from collections.abc import Iterable

    import duckdb
    from numpy.typing import NDArray

    from eval.evidence import Evidence
    from eval.samples.sampled import Sampled

FEW_QUERIES = 30


def cautions(evidence: Evidence, predicted: NDArray[np.int64] | None = None) -> list[str]:
    """Absent tiers, few queries, pairs left out and gold that has moved, a line each.

    Args:
        evidence: Of the predictor.
        predicted: Decided tiers, [N]; the most probable ones if not given.
    """
    found = []
    split = evidence.split
    decided = np.bincount(argmax(evidence.tier_probs) if predicted is None else predicted, minlength=5)
    gold = np.bincount(evidence.gold, minlength=5)
    over = sum(bool(gold[tier] or decided[tier]) for tier in TIERS)
    for tier in absent_tiers(evidence):
        found.append(
            f"no pair of {split} has gold tier {tier}: "
            + (
                f"F1 of it is 0, as {decided[tier]:,} are predicted so, and counts in macro-F1"
                if decided[tier]
                else f"macro-F1 is over {over} tier{'s' if over > 1 else ''}"
            )
        )
    found += split_cautions(evidence)
    if evidence.undecided:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in evidence.undecided.items())
        found.append(
            f"{sum(evidence.undecided.values()):,} pairs of {split} have no prediction and are left out: {reasons}"
        )
    return found


def split_cautions(of: Evidence | Sampled) -> list[str]:
    """What to know about the split itself: to train on, altered, few queries, gold that has moved; a line each."""
    found = []
    split = of.split
    if of.role == "train":
        found.append(f"{split} is there to train on: a model that learned from it looks better than it is")
    if of.altered:
        found.append(f"{split} is not what was frozen any more: {of.altered}; create a new version of it")
    if of.queries < FEW_QUERIES:
        found.append(
            f"{split} has {of.queries} quer{'ies' if of.queries > 1 else 'y'} only: "
            f"intervals by resampling fewer than {FEW_QUERIES} are too narrow"
        )
    if of.gold_changed and not of.altered:
        found.append(
            f"the gold tier of {of.gold_changed:,} pair{'s' if of.gold_changed > 1 else ''} has changed "
            f"since {split} was frozen; the frozen one counts"
        )
    return found


def absent_tiers(evidence: Evidence) -> list[int]:
    """Tiers that no pair has as gold."""
    return sorted(set(TIERS) - set(evidence.gold.tolist()))


def flattery(connection: duckdb.DuckDBPyConnection, fitted_on: Iterable[str], judge_split: str) -> list[str]:
    """Why numbers on `judge_split` flatter what was `fitted_on` some splits: that they are one, or share queries."""
    found = []
    for fit_split in dict.fromkeys(fitted_on):
        if fit_split == judge_split:
            found.append(f"judged on {fit_split}, on which it was fitted: these numbers flatter it")
        elif shared := shared_queries(connection, fit_split, judge_split):
            found.append(
                f"fitted on {fit_split}, which shares {shared:,} queries with {judge_split}: these numbers flatter it"
            )
    return found


def shared_queries(connection: duckdb.DuckDBPyConnection, one: str, other: str) -> int:
    """How many queries two splits have in common."""
    rows = connection.execute(
        "SELECT count(DISTINCT query_id) FROM split_members SEMI JOIN "
        "(SELECT query_id FROM split_members WHERE split = ?) USING (query_id) WHERE split = ?",
        [one, other],
    ).fetchall()
    return int(rows[0][0])
