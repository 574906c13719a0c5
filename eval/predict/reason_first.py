"""Reason-first prediction: the model writes its reasoning, greedily, and its tier is read where it is emitted."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curation.backends import Decoding
from curation.configurations import Configuration
from curation.sampling import sample
from eval.predict.asked import read_asked, save_asked
from eval.predict.members import insert_current
from eval.predictors import Predictor
from warehouse.ids import sql_content_id
from warehouse.ledger import Run
from warehouse.parts import insert_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from curation.backends import Backend
    from curation.drawing import Progress
    from curation.models import ModelReference
    from curation.prompts import Template
    from warehouse.store import Store


def predict_reason_first(
    store: Store,
    split: str,
    model: ModelReference,
    template: Template,
    load: Callable[[], Backend],
    *,
    name: str,
    max_tokens: int,
    dry_run: bool = False,
    report: Callable[[Progress], None] = lambda _: None,
) -> dict[str, Any]:
    """Predict what is missing of the pairs of `split` from one greedy sample each.

    Samples are kept as `curation.sampling.sample` keeps them, and drawn once. A sample without a tier, or without a
    tier digit of its own token, becomes a prediction without probabilities, with the reason.

    Args:
        store: Read once, for checkpoints, and written at the end.
        split: The split.
        model: The model.
        template: A reason-first template.
        load: Makes the backend; called only if a sample is missing.
        name: What to call the predictor.
        max_tokens: Of one answer, at most.
        dry_run: Only count what is missing.
        report: Called after each batch.

    Raises:
        TierwiseError: No such split, or one that was altered; another process samples the same configuration;
            another process holds the store at the end.
    """
    configuration = Configuration(model, template, Decoding(temperature=0.0, max_tokens=max_tokens))
    predictor = Predictor(name, "model", configuration.configuration_id)
    with tempfile.TemporaryDirectory(prefix="tierwise-plan-") as directory:
        plan = Path(directory) / "plan.parquet"
        pairs = store.read_with_parts(
            lambda connection: save_asked(connection, store.runs, plan, split, predictor)
        )
        drawn = sample(
            store,
            configuration,
            load,
            n=1,
            split=split,
            kind="predict",
            dry_run=dry_run,
            report=report,
        )
        asked = list(read_asked(plan, template))
    found = {
        "predictor": name,
        "predictor_id": str(predictor.predictor_id),
        "split": split,
        "pairs": pairs,
        "already_there": sum(one.predicted for one in asked),
    }
    if dry_run:
        return {**found, "to_draw": drawn["to_draw"]}
    run = Run(
        "predict",
        {
            "split": split,
            "model": model.name,
            "prompt": template.name,
            "name": name,
            "max_tokens": max_tokens,
        },
        model_id=configuration.model_id,
        configuration_id=configuration.configuration_id,
    )
    import pyarrow as pa

    table = pa.Table.from_pylist(
        [
            {
                "pair_id": one.pair_id,
                "judgment_id": one.judgment_id,
                "item_version_id": one.item_version_id,
                "basis_id": one.prompt_hash,
            }
            for one in asked
        ]
    )
    parameters = {"configuration": configuration.configuration_id}
    with store.write(run) as connection:
        insert_rows(connection, "predictors", [predictor.row(run.run_id)])
        connection.register("asked", table)
        connection.execute(_OUTDATED_FAILURES, {"predictor": predictor.predictor_id, **parameters})
        insert_current(connection, run, predictor, _PREDICTIONS, parameters)
        predicted, failures = connection.execute(
            "SELECT count(tier_probs), count(*) - count(tier_probs) FROM predictions WHERE run_id = ?",
            [run.run_id],
        ).fetchall()[0]
        run.summary = {
            **found,
            "predicted": predicted,
            "failures": failures,
            **{
                key: drawn[key]
                for key in ("drawn", "prompt_tokens", "completion_tokens", "tokens_per_second")
            },
        }
    return run.summary


_OUTDATED_FAILURES = """
    DELETE FROM predictions WHERE predictor_id = $predictor::UUID AND tier_probs IS NULL AND sample_id IS NULL
        AND (pair_id, basis_id) IN (
            SELECT pair_id, prompt_hash FROM samples WHERE configuration_id = $configuration::UUID AND sample_index = 0)
"""

_PREDICTIONS = f"""
    SELECT {sql_content_id("prediction", "$predictor::UUID", "pair_id", "item_version_id", "basis_id")}
        AS prediction_id, $predictor::UUID AS predictor_id, *, $run::UUID AS run_id
    FROM (
        SELECT CAST(a.pair_id AS UUID) AS pair_id, CAST(a.judgment_id AS UUID) AS judgment_id,
            CAST(a.item_version_id AS UUID) AS item_version_id, CAST(a.basis_id AS UUID) AS basis_id,
            s.sample_id, s.tier_probs, s.digit_logprobs, s.prompt_tokens, s.cached_tokens,
            s.completion_tokens, s.seconds,
            CASE WHEN s.sample_id IS NULL THEN f.reason
                WHEN s.tier_probs IS NOT NULL THEN NULL
                WHEN s.tier IS NOT NULL THEN 'the answer names its tier without a digit of its own'
                WHEN s.finish_reason = 'length' THEN 'no tier before the answer was cut off at its token limit'
                ELSE 'no tier in the answer' END AS reason
        FROM asked a
        LEFT JOIN samples s ON s.pair_id = CAST(a.pair_id AS UUID) AND s.prompt_hash = CAST(a.basis_id AS UUID)
            AND s.configuration_id = $configuration::UUID AND s.sample_index = 0
        LEFT JOIN sample_failures f ON f.pair_id = CAST(a.pair_id AS UUID)
            AND f.prompt_hash = CAST(a.basis_id AS UUID) AND f.configuration_id = $configuration::UUID
        WHERE s.sample_id IS NOT NULL OR f.reason IS NOT NULL
    )
"""
