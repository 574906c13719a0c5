"""Partitions of what the store holds: reads the evidence, fits, keeps the thresholds in ``partitions``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from eval.metrics.measure import rounded
from eval.partition.fit import ONE_THETA, PER_BOUNDARY, Fitted, fit_partition
from eval.partition.objectives import OBJECTIVES
from eval.two_splits import read_two_splits
from warehouse.ids import content_id
from warehouse.ledger import Run, utc_now
from warehouse.locking import StoreHeldError
from warehouse.parts import arrow_schema, insert_new
from warehouse.schema import TABLE_BY_NAME

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable, Sequence

    import duckdb

    from eval.evidence import Evidence
    from eval.partition.fit import Alternative
    from eval.partition.objectives import Objective
    from eval.partition.promises import Promise
    from eval.partition.stability import Shares
    from warehouse.store import Store


@dataclass(frozen=True, slots=True)
class Kept:
    """A fitted partition, and its id in the store; None where a promise could not be made or the store was held."""

    fitted: Fitted
    fitted_on: Evidence
    judged_on: Evidence
    promises: list[dict[str, Any]]
    partition_id: uuid.UUID | None


def fit_and_keep(
    store: Store,
    predictor: str,
    objective: Objective,
    promises: Sequence[Promise] = (),
    *,
    fit_split: str,
    judge_split: str,
    same_split: bool,
    confidence: float,
    resamples: int,
    seed: int,
    before: Callable[[Evidence], None] = lambda _: None,
) -> Kept:
    """Fit thresholds to what `predictor` says of one split, judge them on another, and keep them.

    The same fit again keeps the partition that is there.

    Args:
        store: Held only while it is read and written.
        predictor: Name or id.
        objective: To maximise.
        promises: To keep.
        fit_split: Fitted on.
        judge_split: Judged on.
        same_split: Allow the two to be one.
        confidence: Of the promises.
        resamples: Of the bootstraps.
        seed: Of everything random.
        before: Called with the evidence to fit to, before the slow part.

    Raises:
        TierwiseError: The two splits are one, or an eval split is fitted on, without `same_split`; no such predictor
            or split, or pairs that were not predicted; or as `fit_partition`.
    """
    store.merge_waiting()
    with store.read() as connection:
        two = read_two_splits(connection, predictor, fit_split, judge_split, same_split=same_split)
    fitted_on, judged_on = two.fitted_on, two.judged_on
    before(fitted_on)
    fitted = fit_partition(
        fitted_on, judged_on, objective, promises, confidence=confidence, resamples=resamples, seed=seed
    )
    fitted.warnings[:0] = two.flattering
    if promises and fit_split in two.ancestry:
        fitted.warnings.append(
            f"{fitted_on.predictor.name} was calibrated on {fit_split}: what is proved there takes its probabilities "
            "for given, which they are not; promise on a calibration split of their own"
        )
    told = _promises(promises, fitted, confidence)
    run = Run(
        "partition",
        {
            "predictor": predictor,
            "fit": fit_split,
            "judge": judge_split,
            "objective": objective.name,
            "promises": [promise.text for promise in promises],
            "confidence": confidence,
            "resamples": resamples,
            "seed": seed,
        },
    )
    partition_id = None
    try:
        with store.write(run) as connection:
            if fitted.deployed is None:
                run.summary = {"partition": None, "answer": fitted.choice.reason}
            else:
                row = _row(fitted, fitted.deployed, fitted_on, judged_on, told, confidence)
                run.summary = {"partition": str(row["partition_id"]), **_write(connection, run, row)}
                partition_id = row["partition_id"]
    except StoreHeldError as held:
        # What took long to fit is told all the same.
        partition_id = None
        fitted.warnings.append(f"fitted, but not kept: {held}")
    return Kept(fitted, fitted_on, judged_on, told, partition_id)


def _promises(promises: Sequence[Promise], fitted: Fitted, confidence: float) -> list[dict[str, Any]]:
    """The promises for JSON: whether each could be made, and what came of it on the split judged on."""
    if fitted.proof is None:
        return []
    made = fitted.deployed is not None
    there = fitted.kept or [(float("nan"), None)] * len(promises)
    return [
        {
            "promise": promise.text,
            "confidence": confidence,
            "made": made,
            "fit_value": rounded(value),
            "judge_value": rounded(judged),
            "kept": kept,
            "answer": fitted.proof.answer,
        }
        for promise, value, (judged, kept) in zip(promises, fitted.proof.values, there, strict=True)
    ]


def alternative_json(found: Alternative) -> dict[str, Any]:
    """An alternative for JSON."""
    return {
        "name": found.name,
        "thetas": found.thetas and list(found.thetas),
        "fit": {name: rounded(value) for name, value in found.fit.items()},
        "judge": {name: value.told() for name, value in found.judge.items()},
        "versus_argmax": {name: value.told() for name, value in found.versus_argmax.items()},
        "gap": None if found.gap is None else rounded(found.gap),
    }


def share_json(share: Shares) -> dict[str, Any]:
    """Tier shares for JSON."""
    told = asdict(share) | {"shares": [rounded(value) for value in share.decided]}
    del told["decided"]
    return told | {"gold": [rounded(value) for value in share.gold]}


def _row(
    fitted: Fitted,
    deployed: Alternative,
    fitted_on: Evidence,
    judged_on: Evidence,
    promises: list[dict[str, Any]],
    confidence: float,
) -> dict[str, Any]:
    objective = fitted.objective
    cost = None if objective.name in OBJECTIVES or objective.cost is None else objective.cost.tolist()
    assert deployed.thetas is not None
    predictor_id = fitted_on.predictor.predictor_id
    low, high = fitted.theta_interval
    details = {
        "chosen": deployed.name,
        "choice": fitted.choice.reason,
        "alternatives": [alternative_json(found) for found in fitted.alternatives],
        "shares": [share_json(share) for share in fitted.shares],
        "warnings": fitted.warnings,
        "cost_matrix": cost,
        "fingerprints": {of.split: of.fingerprint for of in (fitted_on, judged_on)},
    }
    of_one_theta = deployed.name == ONE_THETA
    return {
        "partition_id": content_id(
            "partition",
            predictor_id,
            fitted_on.split,
            judged_on.split,
            objective.name,
            json.dumps(cost),
            fitted_on.fingerprint,
            judged_on.fingerprint,
            json.dumps([[promise["promise"], confidence] for promise in promises]),
            *map(repr, deployed.thetas),
        ),
        "predictor_id": predictor_id,
        "fit_split": fitted_on.split,
        "judge_split": judged_on.split,
        "same_split": fitted_on.split == judged_on.split,
        "kind": "per-boundary" if deployed.name == PER_BOUNDARY else "one-theta",
        "objective": objective.name,
        "thetas": list(deployed.thetas),
        "theta_low": rounded(low) if of_one_theta else None,
        "theta_high": rounded(high) if of_one_theta else None,
        "fit_value": rounded(deployed.fit[objective.name]),
        "judge_value": rounded(deployed.judge[objective.name].value),
        "promises": json.dumps(promises),
        "details": json.dumps(details, ensure_ascii=False),
        "created_at": utc_now(),
    }


def _write(connection: duckdb.DuckDBPyConnection, run: Run, row: dict[str, Any]) -> dict[str, int]:
    import pyarrow as pa

    declared = TABLE_BY_NAME["partitions"]
    texts = {name: str(row[name]) for name in ("partition_id", "predictor_id")}
    table = pa.Table.from_pylist([row | texts | {"run_id": str(run.run_id)}], schema=arrow_schema(declared))
    connection.register("fitted", table)
    # Fitted again, it is the newest again.
    before = connection.execute(
        "DELETE FROM partitions WHERE partition_id = ?", [row["partition_id"]]
    ).fetchall()[0][0]
    return {"new": insert_new(connection, "partitions", "SELECT * FROM fitted") - before}
