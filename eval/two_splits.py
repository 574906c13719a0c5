"""What is fitted on one split and judged on another: evidence of both, and what is to be said of the two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from curation.splits.inspect import require_split
from eval.evidence import read_evidence
from eval.metrics.cautions import flattery
from eval.predictors import base_predictor
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    import duckdb

    from eval.evidence import Evidence


@dataclass(frozen=True, slots=True)
class TwoSplits:
    """A predictor's evidence of two splits.

    Attributes:
        fitted_on: Of the split to fit on.
        judged_on: Of the split to judge on.
        ancestry: Splits that the predictor itself was calibrated on.
        flattering: Why what is fitted looks better on the split to judge on than it is.
    """

    fitted_on: Evidence
    judged_on: Evidence
    ancestry: list[str]
    flattering: list[str]


def read_two_splits(
    connection: duckdb.DuckDBPyConnection,
    predictor: str,
    fit_split: str,
    judge_split: str,
    *,
    same_split: bool,
) -> TwoSplits:
    """What `predictor` (name or id) says of both splits; `same_split` allows that they are one.

    Raises:
        TierwiseError: They are one, or the split to fit on has the role eval; no such predictor or split, or pairs that
            were not predicted.
    """
    _require_other_split(connection, fit_split, judge_split, same_split=same_split)
    fitted_on = read_evidence(connection, predictor, fit_split)
    judged_on = read_evidence(connection, str(fitted_on.predictor.predictor_id), judge_split)
    ancestry = base_predictor(connection, fitted_on.predictor)[1]
    flattering = flattery(connection, [fit_split, *ancestry], judge_split)
    return TwoSplits(fitted_on, judged_on, ancestry, flattering)


def _require_other_split(
    connection: duckdb.DuckDBPyConnection, fit_split: str, judge_split: str, *, same_split: bool
) -> None:
    """Check that nothing is fitted on a split that judges, unless `same_split` allows that the two are one.

    Raises:
        TierwiseError: They are one, or the split to fit on has the role eval; no such split.
    """
    require_split(connection, fit_split)
    if fit_split == judge_split and not same_split:
        raise TierwiseError(
            f"{fit_split} cannot judge what was fitted on it; name another split with --judge, "
            "or give --same-split for numbers that flatter"
        )
    role = connection.execute("SELECT role FROM splits WHERE split = ?", [fit_split]).fetchall()[0][0]
    if role == "eval" and fit_split != judge_split:
        raise TierwiseError(
            f"{fit_split} is there to judge, not to fit on; name a calibration split with --fit "
            "(`python -m curation split create calibration --role calibration`)"
        )
