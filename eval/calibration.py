"""Calibration of what the store holds: fitted on one split, judged on another, predicted for both."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from eval.calibrators import TEMPERATURES, Temperature, fit
from eval.metrics.cautions import (
    FEW_QUERIES,
    absent_tiers,
    cautions,
)
from eval.metrics.counts import TIERS
from eval.metrics.measure import compare
from eval.predict.members import insert_current
from eval.predictors import Predictor
from eval.two_splits import read_two_splits
from warehouse.ids import sql_content_id
from warehouse.ledger import Run
from warehouse.parts import insert_rows

if TYPE_CHECKING:
    import pyarrow as pa

    from eval.calibrators import Dirichlet, Method
    from eval.evidence import Evidence
    from eval.metrics.measure import Difference
    from warehouse.store import Store

METRICS = ("log_loss", "brier", "ece", "accuracy", "macro_f1")


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A calibrated predictor.

    Attributes:
        predictor: It.
        numbers: What was fitted.
        before: The predictor that it stands on, on the split it was judged on.
        differences: Of `METRICS` there, calibrated less not.
        warnings: What to know before believing them.
        added: Rows of ``predictions`` added.
    """

    predictor: Predictor
    numbers: dict[str, Any]
    before: Evidence
    differences: list[Difference]
    warnings: list[str]
    added: int


def calibrate(
    store: Store,
    predictor: str,
    method: Method,
    *,
    fit_split: str,
    judge_split: str,
    same_split: bool,
    resamples: int,
    seed: int,
) -> Calibrated:
    """Fit `method` to what `predictor` says of one split, and predict both splits calibrated.

    The store is held only while it is read and written.

    Args:
        store: Where the predictions are, and go.
        predictor: Name or id.
        method: Of calibration.
        fit_split: Fitted on.
        judge_split: Judged on.
        same_split: Allow the two to be one.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.

    Raises:
        TierwiseError: The two splits are one, without `same_split`; no such predictor or split, or pairs that were not
            predicted; or as `fit_temperature`, `fit_dirichlet`.
    """
    store.merge_waiting()
    with store.read() as connection:
        two = read_two_splits(connection, predictor, fit_split, judge_split, same_split=same_split)
        fitted_on, before = two.fitted_on, two.judged_on
        asked = {
            "predictor": fitted_on.predictor.predictor_id,
            "splits": [fit_split, judge_split],
        }
        source: pa.Table = connection.sql(_SOURCE, params=asked).to_arrow_table()
    calibration = fit(method, fitted_on)
    calibrated = Predictor(
        f"{fitted_on.predictor.name}.{method}",
        "calibrated",
        calibrates_id=fitted_on.predictor.predictor_id,
        parameters={"method": method, "fit_split": fit_split, **calibration.numbers},
    )
    after = replace(before, predictor=calibrated, tier_probs=calibration.apply(before.tier_probs))
    differences = compare(after, before, resamples=resamples, seed=seed, areas=False)
    warnings = [
        *_fit_warnings(fitted_on, calibration),
        *cautions(before),
        *two.flattering,
    ]
    run = Run("calibrate", {"predictor": predictor, "method": method, "fit": fit_split, "judge": judge_split})
    with store.write(run) as connection:
        insert_rows(connection, "predictors", [calibrated.row(run.run_id)])
        connection.register("calibrated", _rows(source, calibration))
        added = insert_current(connection, run, calibrated, _PREDICTIONS)
        run.summary = {"predictor": calibrated.name, "predictions": added}
    return Calibrated(
        calibrated,
        calibration.numbers,
        before,
        [found for found in differences if found.metric in METRICS],
        warnings,
        added,
    )


def _fit_warnings(evidence: Evidence, calibration: Temperature | Dirichlet) -> list[str]:
    found = []
    if evidence.queries < FEW_QUERIES:
        found.append(
            f"fitted on {evidence.queries} queries only; it takes {FEW_QUERIES} or more to rely on it"
        )
    for tier in absent_tiers(evidence):
        found.append(f"no pair of {evidence.split}, on which it was fitted, has gold tier {tier}")
    if isinstance(calibration, Temperature) and calibration.at_the_end:
        low, high = TEMPERATURES
        found.append(
            f"the best temperature lies at the end of what is tried, {low:g} to {high:g}: "
            "the probabilities say little of gold, or all of it"
        )
    return found


def _rows(source: pa.Table, calibration: Temperature | Dirichlet) -> pa.Table:
    """`source` with calibrated probabilities, where there are any."""
    import pyarrow as pa

    tier_probs = np.stack([source.column(f"p{tier}").to_numpy() for tier in TIERS], axis=1)
    there = ~np.isnan(tier_probs[:, 0])
    lists = pa.ListArray.from_arrays(
        pa.array(np.r_[0, 4 * there.cumsum()], pa.int32()),
        calibration.apply(tier_probs[there]).ravel(),
        mask=pa.array(~there),
    )
    return source.select(["prediction_id"]).append_column("tier_probs", lists)


# Of several predictions for a pair and text the newest stands, as in the view current_predictions.
_SOURCE = """
    SELECT CAST(prediction_id AS VARCHAR) AS prediction_id,
        tier_probs[1] AS p1, tier_probs[2] AS p2, tier_probs[3] AS p3, tier_probs[4] AS p4
    FROM current_predictions SEMI JOIN (
        SELECT pair_id, item_version_id FROM split_members WHERE split IN (SELECT unnest($splits))
    ) USING (pair_id, item_version_id)
    WHERE predictor_id = $predictor::UUID
"""

_PREDICTIONS = f"""
    SELECT {sql_content_id("prediction", "predictor_id", "pair_id", "item_version_id", "basis_id")} AS prediction_id, *
    FROM (
        SELECT $predictor::UUID AS predictor_id, s.pair_id, s.judgment_id, s.item_version_id,
            {sql_content_id("calibrated prediction", "$predictor::UUID", "s.prediction_id")} AS basis_id,
            c.tier_probs, s.reason, $run::UUID AS run_id
        FROM calibrated c JOIN predictions s ON s.prediction_id = CAST(c.prediction_id AS UUID)
    )
"""
