"""The pairs of a split that are to be predicted, and keeping what was predicted of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from curation.splits.inspect import verify_split
from warehouse.errors import TierwiseError
from warehouse.failpoints import failpoint
from warehouse.ids import content_id, sql_content_id
from warehouse.parts import insert_new, insert_rows

if TYPE_CHECKING:
    import uuid
    from collections.abc import Mapping, Sequence

    import duckdb
    import numpy as np
    from numpy.typing import NDArray

    from eval.predictors import Predictor
    from warehouse.ledger import Run


@dataclass(frozen=True, slots=True)
class Members:
    """The pairs of a split by id, N of them.

    Attributes:
        split: The split.
        pair_ids: Their ids.
        judgment_ids: The gold judgments that the split froze.
        item_version_ids: The item texts that it froze.
    """

    split: str
    pair_ids: list[uuid.UUID]
    judgment_ids: list[uuid.UUID]
    item_version_ids: list[uuid.UUID]


def read_members(connection: duckdb.DuckDBPyConnection, split: str) -> Members:
    """The pairs of `split`.

    Raises:
        TierwiseError: No such split, or it was altered since it was frozen.
    """
    require_unaltered(connection, split)
    rows = connection.execute(
        "SELECT pair_id, judgment_id, item_version_id FROM split_members WHERE split = ? ORDER BY pair_id",
        [split],
    ).fetchall()
    return Members(split, *([row[i] for row in rows] for i in range(3)))


def require_unaltered(connection: duckdb.DuckDBPyConnection, split: str) -> None:
    """Check that `split` still is what it was frozen as.

    Raises:
        TierwiseError: No such split, or it is not.
    """
    altered = verify_split(connection, split)
    if altered:
        raise TierwiseError(f"{split} was altered: {altered[0]}; create a new version of it")


def keep(
    connection: duckdb.DuckDBPyConnection,
    run: Run,
    predictor: Predictor,
    members: Members,
    chosen: Sequence[int],
    tier_probs: NDArray[np.float64],
    bases: Sequence[uuid.UUID],
) -> int:
    """Store `tier_probs` [C, 4] of the members at the positions `chosen`; return how many predictions changed.

    A prediction that another has displaced since becomes the newest again.

    Args:
        connection: In the transaction of `run`.
        run: The run.
        predictor: Who predicted.
        members: Of the split.
        chosen: Positions among `members`, [C].
        tier_probs: Probabilities of tiers 1 to 4.
        bases: What each was predicted from, [C].
    """
    import pyarrow as pa

    insert_rows(connection, "predictors", [predictor.row(run.run_id)])
    predicted = pa.table(
        {
            "pair_id": [str(members.pair_ids[i]) for i in chosen],
            "judgment_id": [str(members.judgment_ids[i]) for i in chosen],
            "item_version_id": [str(members.item_version_ids[i]) for i in chosen],
            "basis_id": [str(basis) for basis in bases],
            "tier_probs": list(tier_probs),
        }
    )
    connection.register("predicted", predicted)
    return insert_current(connection, run, predictor, _PREDICTIONS)


def insert_current(
    connection: duckdb.DuckDBPyConnection,
    run: Run,
    predictor: Predictor,
    source: str,
    parameters: Mapping[str, Any] | None = None,
) -> int:
    """Insert the predictions of the query `source`, and let those that stood before another stand again.

    Args:
        connection: In the transaction of `run`.
        run: The run; ``$run`` in `source`.
        predictor: Who predicted; ``$predictor``.
        source: Rows of ``predictions``.
        parameters: Others of `source`.

    Returns:
        How many predictions are new or stand again.
    """
    told = {"predictor": predictor.predictor_id, "run": run.run_id, **(parameters or {})}
    again = connection.execute(
        "UPDATE predictions SET run_id = $run::UUID "
        f"WHERE prediction_id IN (SELECT prediction_id FROM ({source})) AND prediction_id NOT IN "
        "(SELECT prediction_id FROM current_predictions WHERE predictor_id = $predictor::UUID)",
        told,
    ).fetchall()[0][0]
    added = insert_new(connection, "predictions", source, told)
    failpoint("predict")
    return int(again) + added


def values_id(tier_probs: Sequence[float]) -> uuid.UUID:
    """What a prediction stands on of which only its values are known."""
    return content_id("tier probabilities", *(repr(float(p)) for p in tier_probs))


def summarise(predictor: Predictor, members: Members, predicted: int, added: int) -> dict[str, Any]:
    """The counts of every kind of prediction."""
    return {
        "predictor": predictor.name,
        "predictor_id": str(predictor.predictor_id),
        "split": members.split,
        "pairs": len(members.pair_ids),
        "predicted": predicted,
        "new": added,
    }


_PREDICTIONS = f"""
    SELECT {sql_content_id("prediction", "predictor_id", "pair_id", "item_version_id", "basis_id")} AS prediction_id, *
    FROM (
        SELECT $predictor::UUID AS predictor_id, CAST(pair_id AS UUID) AS pair_id,
            CAST(judgment_id AS UUID) AS judgment_id, CAST(item_version_id AS UUID) AS item_version_id,
            CAST(basis_id AS UUID) AS basis_id, tier_probs, $run::UUID AS run_id
        FROM predicted
    )
"""
