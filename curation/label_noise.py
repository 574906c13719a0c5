"""Label noise: gold tiers that a scorer's probabilities speak against, by confident learning.

Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 70 (2021), as
`cleanlab` implements it. A pair counts as confidently of a tier where its probability is at least the mean
probability of that tier over the pairs that are labelled so. The counts by given and confident tier estimate how
many labels of each tier are wrong, and that many of those most clearly against their label are suspects.

A score says how a label stands to a scorer, not that it is wrong: a suspect is for a person to read.
"""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from curation.baseline import TIERS
from curation.ingest.rejects import add_rejects, rejects_table
from warehouse.errors import TierwiseError
from warehouse.ids import sql_content_id
from warehouse.ledger import Run
from warehouse.parts import replace_rows

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from curation.scorers import Predicted
    from warehouse.store import Store

WORST = 10

# Sums of floating-point numbers differ in their last digits between machines; a score does not.
_DECIMALS = 9


@dataclass(frozen=True, slots=True)
class LabelScores:
    """Scores of labels, one for each pair.

    Attributes:
        quality: Probability of the label (cleanlab's self-confidence): 0 is worst, 1 best.
        suggested: The most probable tier, 1 to 4.
        suspect: Whether confident learning holds the label for wrong.
    """

    quality: NDArray[np.float64]
    suggested: NDArray[np.int64]
    suspect: NDArray[np.bool_]


def score_labels(tiers: NDArray[np.int64], tier_probs: NDArray[np.float64]) -> LabelScores:
    """Hold the labels `tiers` (1 to 4) against `tier_probs`, shape (pairs, 4), out of fold.

    Raises:
        TierwiseError: All labels are one tier.
    """
    import numpy as np
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    given = np.unique(tiers)
    if len(given) < 2:
        raise TierwiseError(
            f"all {len(tiers):,} pairs to score have tier {given[0]}; confident learning needs two tiers or more"
        )
    labels = tiers - 1
    with warnings.catch_warnings():
        # A tier with a single pair: that pair is no suspect.
        warnings.filterwarnings("ignore", "May not flag all label issues")
        suspect = find_label_issues(labels, tier_probs, n_jobs=1)
    quality = get_label_quality_scores(labels, tier_probs, method="self_confidence")
    return LabelScores(quality, tier_probs.argmax(axis=1) + 1, suspect)


def update_label_scores(store: Store, predicted: Predicted) -> dict[str, Any]:
    """Score the labels that `predicted` speaks of, in place of what its scorer said before.

    Returns:
        The counts, and under ``worst`` the `WORST` suspects with the lowest quality, as rows of ``suspect_labels``.

    Raises:
        TierwiseError: All labels are one tier.
    """
    # Rounded first, so that suspects follow from what is stored.
    predicted = replace(predicted, tier_probs=predicted.tier_probs.round(_DECIMALS))
    scores = score_labels(predicted.gold.tiers, predicted.tier_probs)
    asked = {"scorer": predicted.scorer, "file": predicted.file}
    run = Run("suspects", asked, configuration_id=predicted.configuration_id)
    key = {"scorer": predicted.scorer, "configuration": predicted.configuration_id}
    with store.write(run) as connection:
        connection.register("scored", _scored(predicted, scores))
        connection.execute(_FRESH, {**key, "run": run.run_id})
        changes = replace_rows(
            connection,
            "label_scores",
            "fresh_scores",
            compared=("tier_probs", "suspect"),
            among="scorer = $scorer AND configuration_id IS NOT DISTINCT FROM $configuration::UUID",
            parameters=key,
        )
        suspects = predicted.gold.tiers[scores.suspect].tolist()
        run.summary = {
            "scorer": predicted.scorer,
            **predicted.about,
            "pairs": len(predicted.gold.tiers),
            "suspects": len(suspects),
            "suspects_by_tier": {str(tier): suspects.count(tier) for tier in TIERS},
            **changes,
        }
        if predicted.file is not None:
            connection.register("unusable", rejects_table(predicted.file, predicted.rejects))
            add_rejects(connection, run, "predictions", "FROM unusable")
            run.summary["rejects"] = Counter(reject.reason for reject in predicted.rejects)
        rows = connection.execute(_WORST, {**key, "limit": WORST}).fetchall()
        worst = [dict(zip(_WORST_COLUMNS, row, strict=True)) for row in rows]
    return {**run.summary, "worst": worst}


def _scored(predicted: Predicted, scores: LabelScores) -> pa.Table:
    import pyarrow as pa

    return pa.table(
        {
            "pair_id": [str(pair) for pair in predicted.gold.pair_ids],
            "judgment_id": [str(judgment) for judgment in predicted.gold.judgment_ids],
            "tier": predicted.gold.tiers,
            "tier_probs": list(predicted.tier_probs),
            "label_quality": scores.quality,
            "suggested_tier": scores.suggested,
            "suspect": scores.suspect,
        }
    )


_FRESH = f"""
    CREATE TEMP TABLE fresh_scores AS
    SELECT {sql_content_id("label score", "pair_id", "judgment_id", "$scorer", "$configuration::UUID")}
            AS label_score_id,
        * REPLACE (CAST(pair_id AS UUID) AS pair_id, CAST(judgment_id AS UUID) AS judgment_id),
        $scorer AS scorer, $configuration::UUID AS configuration_id, $run::UUID AS run_id
    FROM scored
"""

_WORST_COLUMNS = (
    "rank",
    "pair_id",
    "query",
    "title",
    "tier",
    "suggested_tier",
    "label_quality",
    "tier_probs",
)
_WORST = f"""
    SELECT {", ".join(_WORST_COLUMNS)} FROM suspect_labels
    WHERE scorer = $scorer AND configuration_id IS NOT DISTINCT FROM $configuration::UUID ORDER BY rank LIMIT $limit
"""
