"""What to know about the evidence before believing a number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from eval.decisions import argmax
from eval.metrics.counts import TIERS
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    import duckdb
    from numpy.typing import NDArray

    from eval.evidence import Evidence

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
    if evidence.queries < FEW_QUERIES:
        found.append(
            f"{evidence.queries} quer{'ies' if evidence.queries > 1 else 'y'} only: "
            f"intervals by resampling fewer than {FEW_QUERIES} are too narrow"
        )
    if evidence.undecided:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in evidence.undecided.items())
        found.append(
            f"{sum(evidence.undecided.values()):,} pairs of {split} have no prediction and are left out: {reasons}"
        )
    if evidence.gold_changed:
        found.append(
            f"the gold tier of {evidence.gold_changed:,} pairs has changed since {split} was frozen; "
            "the frozen one counts"
        )
    return found


def absent_tiers(evidence: Evidence) -> list[int]:
    """Tiers that no pair has as gold."""
    return sorted(set(TIERS) - set(evidence.gold.tolist()))


def require_other_split(fit_split: str, judge_split: str, *, same_split: bool) -> None:
    """Check that what is fitted on one split is judged on another, unless `same_split` allows that it is not.

    Raises:
        TierwiseError: They are one.
    """
    if fit_split == judge_split and not same_split:
        raise TierwiseError(
            f"{fit_split} cannot judge what was fitted on it; name another split with --judge, "
            "or give --same-split for numbers that flatter"
        )


def flattery(fit_split: str, judge_split: str, shared: int) -> list[str]:
    """What is to be said where the two splits are one, or have `shared` queries in common."""
    if fit_split == judge_split:
        return [f"judged on {fit_split}, on which it was fitted: these numbers flatter it"]
    if shared:
        return [f"{fit_split} and {judge_split} share {shared:,} queries: these numbers flatter it"]
    return []


def shared_queries(connection: duckdb.DuckDBPyConnection, one: str, other: str) -> int:
    """How many queries two splits have in common."""
    rows = connection.execute(
        "SELECT count(DISTINCT query_id) FROM split_members SEMI JOIN "
        "(SELECT query_id FROM split_members WHERE split = ?) USING (query_id) WHERE split = ?",
        [one, other],
    ).fetchall()
    return int(rows[0][0])
