"""Two honest baselines: what to beat before anything is claimed.

Both are out of fold: who predicts a pair has seen no other pair of its query, nor of another wording of its intent.
They learn from the rest of the pair's own split and from judged pairs whose queries stand in no calibration or eval
split; so the labels of one split never reach the predictions of the other, on which thresholds are judged. Labels do
not decide which fold a query is in either, or they would move its predictions by what else is held out with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from curation.baseline import FOLDS, TEACHES, TIERS, fold_tier_probs
from eval.predict.members import keep, read_members, summarise
from eval.predictors import Predictor
from warehouse.errors import TierwiseError
from warehouse.ids import content_id
from warehouse.ledger import Run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from warehouse.store import Store

Baseline = Literal["majority", "tfidf"]

_LEARN_FROM = """
    SELECT m.pair_id, m.item_version_id, m.query_id, m.tier, m.judgment_id FROM split_members m WHERE m.split = $split
    UNION ALL
    SELECT p.pair_id, p.item_version_id, p.query_id, p.tier, p.judgment_id FROM pairs p
    WHERE p.tier IS NOT NULL AND p.query_id NOT IN (
        SELECT query_id FROM split_queries WHERE role <> 'train' OR split = $split)
"""


def predict_baseline(
    store: Store,
    split: str,
    baseline: Baseline,
    report: Callable[[int, int], None] = lambda _done, _total: None,
) -> dict[str, Any]:
    """Predict the pairs of `split` by the tiers' frequencies, or by TF-IDF and logistic regression.

    The same judgments as before add nothing.

    Args:
        store: The store; held only while it is read and written.
        split: The split.
        baseline: Which.
        report: Called with the folds done so far and in all.

    Raises:
        TierwiseError: No such split, or one that was altered; too few queries or tiers to hold some out.
    """
    with store.read() as connection:
        members = read_members(connection, split)
        rows = connection.execute(
            "SELECT l.pair_id, l.judgment_id, l.tier, q.text, v.title, coalesce(v.description, ''), "
            f"coalesce(q.intent, CAST(q.query_id AS VARCHAR)) FROM ({_LEARN_FROM}) l "
            "JOIN queries q ON q.query_id = l.query_id "
            "JOIN item_versions v ON v.item_version_id = l.item_version_id ORDER BY l.pair_id",
            {"split": split},
        ).fetchall()
    asked = set(members.pair_ids)
    held = [i for i, row in enumerate(rows) if row[0] in asked]
    tiers = np.array([row[2] for row in rows])
    folds = np.full(len(rows), TEACHES)
    folds[held] = _folds([rows[i][6] for i in held], split)
    if baseline == "majority":
        tier_probs = _frequencies(tiers, folds)
    else:
        tier_probs = fold_tier_probs([row[3:6] for row in rows], tiers, folds, report)
    basis = content_id("learned from", split, *(row[1] for row in rows))
    predictor = Predictor(baseline, "baseline")
    run = Run("predict", {"split": split, "baseline": baseline})
    with store.write(run) as connection:
        everyone = range(len(members.pair_ids))
        added = keep(connection, run, predictor, members, everyone, tier_probs[held], [basis] * len(held))
        run.summary = {
            **summarise(predictor, members, len(everyone), added),
            "learned_from": {
                "rest of the split": len(held),
                "judged pairs in no calibration or eval split": len(rows) - len(held),
            },
        }
    return run.summary


def _folds(groups: Sequence[str], split: str) -> NDArray[np.int64]:
    """Fold of each pair, 0 to 4: groups stay whole, folds are alike in size. The same each time, whatever the labels.

    Raises:
        TierwiseError: Fewer groups than folds.
    """
    from sklearn.model_selection import GroupKFold

    if len(set(groups)) < FOLDS:
        raise TierwiseError(
            f"{split} has {len(set(groups))} queries, and baselines hold out one in {FOLDS}; "
            "predict a split with more of them"
        )
    folds = np.zeros(len(groups), np.int64)
    for fold, (_, held) in enumerate(GroupKFold(FOLDS).split(folds, groups=groups)):
        folds[held] = fold
    return folds


def _frequencies(tiers: NDArray[np.int64], folds: NDArray[np.int64]) -> NDArray[np.float64]:
    """Shares of the tiers outside each pair's fold, [N, 4]; 0 for pairs in no fold."""
    shares = np.zeros((len(tiers), len(TIERS)))
    for fold in range(FOLDS):
        shares[folds == fold] = np.bincount(tiers[folds != fold], minlength=5)[1:] / (folds != fold).sum()
    return shares
