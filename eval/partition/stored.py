"""Partitions that the store holds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eval.partition.exports import Deployed
from warehouse.errors import TierwiseError
from warehouse.ids import is_prefix

if TYPE_CHECKING:
    import uuid

    import duckdb

    from eval.predictors import Predictor


@dataclass(frozen=True, slots=True)
class Partition:
    """Stored thresholds that decide tiers: `thetas` of tiers 4, 3 and 2, fitted on `fit_split`."""

    partition_id: uuid.UUID
    thetas: list[float]
    fit_split: str


def resolve_partition(connection: duckdb.DuckDBPyConnection, prefix: str) -> uuid.UUID:
    """The id of the partition that begins with `prefix`.

    Raises:
        TierwiseError: No id, none, or several; the message lists what there is.
    """
    if not is_prefix(prefix):
        raise TierwiseError(f"{prefix!r} is no id of a partition: give six of its hex digits or more")
    ids = connection.execute(
        "SELECT partition_id FROM partitions WHERE "
        "starts_with(replace(CAST(partition_id AS VARCHAR), '-', ''), replace(lower(?), '-', '')) ORDER BY 1",
        [prefix],
    ).fetchall()
    if len(ids) == 1:
        found: uuid.UUID = ids[0][0]
        return found
    if ids:
        raise TierwiseError(
            f"{len(ids)} partitions begin with {prefix}: {', '.join(str(row[0]) for row in ids)}; give more of its id"
        )
    there = connection.execute(
        "SELECT CAST(partition_id AS VARCHAR)[:8], (SELECT name FROM predictors n "
        "WHERE n.predictor_id = partitions.predictor_id) FROM partitions ORDER BY created_at DESC, 1 LIMIT 10"
    ).fetchall()
    known = ", ".join(f"{partition} of {name}" for partition, name in there)
    raise TierwiseError(
        f"no partition {prefix}; "
        + (f"the newest are {known}" if known else "there is none yet: `python -m eval partition fit`")
    )


def find_partition(connection: duckdb.DuckDBPyConnection, prefix: str, predictor: Predictor) -> Partition:
    """The partition whose id begins with `prefix`, which must be of `predictor`.

    Raises:
        TierwiseError: As `resolve_partition`, or another predictor's.
    """
    partition_id = resolve_partition(connection, prefix)
    thetas, fit_split, predictor_id, whose = connection.execute(
        "SELECT thetas, fit_split, predictor_id, n.name FROM partitions p JOIN predictors n USING (predictor_id) "
        "WHERE partition_id = ?",
        [partition_id],
    ).fetchall()[0]
    if predictor_id != predictor.predictor_id:
        raise TierwiseError(
            f"partition {str(partition_id)[:8]} cuts the probabilities of {whose} ({str(predictor_id)[:8]}), not those "
            f"of {predictor.name} ({str(predictor.predictor_id)[:8]}); name one of {predictor.name}"
        )
    return Partition(partition_id, thetas, fit_split)


def read_deployed(connection: duckdb.DuckDBPyConnection, prefix: str) -> Deployed:
    """The partition whose id begins with `prefix`, to export.

    Raises:
        TierwiseError: As `resolve_partition`.
    """
    partition_id = resolve_partition(connection, prefix)
    name, objective, kind, thetas, fit_split, judge_split, same_split, promises, created_at = (
        connection.execute(
            "SELECT n.name, objective, p.kind, thetas, fit_split, judge_split, same_split, promises, created_at "
            "FROM partitions p JOIN predictors n USING (predictor_id) WHERE partition_id = ?",
            [partition_id],
        ).fetchall()[0]
    )
    four, three, two = thetas
    return Deployed(
        str(partition_id),
        name,
        objective,
        kind,
        (four, three, two),
        fit_split,
        judge_split,
        same_split,
        json.loads(promises),
        created_at.isoformat(timespec="seconds"),
    )
