"""A stored partition as the report tells it."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from eval.partition.objectives import OBJECTIVES, cost_objective
from eval.partition.stored import find_partition
from eval.report.data import Alternative, Estimate, Partition, Promise, Share
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    import duckdb

    from eval.evidence import Evidence
    from eval.partition.objectives import Objective

_TIERS = 4


def read_partition(
    connection: duckdb.DuckDBPyConnection, evidence: Evidence, prefix: str | None
) -> tuple[Partition, dict[str, Any]] | None:
    """The partition whose id begins with `prefix`; without one, the newest that was judged on the evidence's split.

    Returns:
        It, and its details as stored; None where there is none.

    Raises:
        TierwiseError: As `find_partition`.
    """
    judged = [
        str(row[0])
        for row in connection.execute(
            "SELECT partition_id FROM partitions WHERE predictor_id = ? AND judge_split = ? "
            "ORDER BY created_at DESC, partition_id",
            [evidence.predictor.predictor_id, evidence.split],
        ).fetchall()
    ]
    if prefix is None and not judged:
        return None
    found = find_partition(connection, judged[0] if prefix is None else prefix, evidence.predictor)
    row = connection.execute(
        "SELECT kind, objective, theta_low, theta_high, judge_split, fit_value, judge_value, created_at, promises, "
        "details FROM partitions WHERE partition_id = ?",
        [found.partition_id],
    ).fetchall()[0]
    kind, objective, low, high, judge_split, fit_value, judge_value, created_at, promises, stored = row
    details = _mapping(json.loads(stored))
    partition = Partition(
        partition_id=str(found.partition_id),
        kind=kind,
        objective=objective,
        thetas=tuple(found.thetas),
        theta_low=_number(low),
        theta_high=_number(high),
        fit_split=found.fit_split,
        judge_split=judge_split,
        fit_value=_number(fit_value),
        judge_value=_number(judge_value),
        created_at=f"{created_at:%Y-%m-%d %H:%M}",
        chosen=str(details.get("chosen") or kind.replace("-", " ")),
        choice=str(details.get("choice") or ""),
        promises=tuple(_promise(of) for of in _mappings(json.loads(promises))),
        alternatives=tuple(_alternative(of) for of in _mappings(details.get("alternatives"))),
        stability=tuple(
            share for of in _mappings(details.get("shares")) if len((share := _share(of)).shares) == _TIERS
        ),
        asked=prefix is not None,
        known=len(judged),
    )
    return partition, details


def objective_of(partition: Partition, details: dict[str, Any]) -> Objective | None:
    """What `partition` maximised; None where it is none that this version knows."""
    cost = details.get("cost_matrix")
    if cost:
        try:
            return cost_objective(";".join(",".join(str(cell) for cell in row) for row in cost))
        except (TierwiseError, TypeError):
            return None
    return OBJECTIVES.get(partition.objective)


def _promise(of: dict[str, Any]) -> Promise:
    kept = of.get("kept")
    return Promise(
        promise=str(of.get("promise") or ""),
        confidence=_number(of.get("confidence")),
        made=bool(of.get("made")),
        fit_value=_number(of.get("fit_value")),
        judge_value=_number(of.get("judge_value")),
        kept=None if kept is None else bool(kept),
        answer=str(of.get("answer") or ""),
    )


def _alternative(of: dict[str, Any]) -> Alternative:
    thetas = of.get("thetas")
    return Alternative(
        name=str(of.get("name") or ""),
        thetas=tuple(float(theta) for theta in thetas) if thetas else None,
        judge={name: _estimate(value) for name, value in _mapping(of.get("judge")).items()},
        versus_argmax={name: _estimate(value) for name, value in _mapping(of.get("versus_argmax")).items()},
    )


def _estimate(value: object) -> Estimate:
    if isinstance(value, dict):
        return Estimate(*(_number(value.get(name)) for name in ("value", "low", "high")))
    return Estimate(_number(value), None, None)


def _share(of: dict[str, Any]) -> Share:
    return Share(
        by=str(of.get("by") or ""),
        value=str(of.get("value") or ""),
        pairs=int(_number(of.get("pairs")) or 0),
        queries=int(_number(of.get("queries")) or 0),
        shares=tuple(_number(share) or 0.0 for share in of.get("shares") or ()),
    )


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _mappings(value: object) -> list[dict[str, Any]]:
    return [of for of in value if isinstance(of, dict)] if isinstance(value, list) else []
