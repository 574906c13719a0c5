"""Answer-first prediction: one forward pass a pair, the tier read from the first token's distribution."""

from __future__ import annotations

import itertools
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curation.backends import Decoding, Failure, Request
from curation.configurations import Configuration
from curation.sampling_plan import tier_probabilities
from eval.predict.asked import read_asked, save_asked
from eval.predictors import Predictor
from warehouse.failpoints import failpoint
from warehouse.ledger import Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from curation.backends import Backend
    from curation.models import ModelReference
    from curation.prompts import Template
    from warehouse.store import LongRun, Store

_WINDOW = 1_024
_CHECKPOINT_SECONDS = 30.0
ONE_TOKEN = Decoding(temperature=0.0, max_tokens=1, guided=True)


@dataclass(slots=True)
class Progress:
    """What a run has done so far.

    Attributes:
        wanted: Pairs to predict.
        predicted: Pairs that have their probabilities.
        failures: Pairs whose prompt the model cannot take.
        prompt_tokens: Tokens read.
        seconds: Time in the model, without the writing.
    """

    wanted: int
    predicted: int = 0
    failures: int = 0
    prompt_tokens: int = 0
    seconds: float = 0.0

    @property
    def pace(self) -> str:
        """Speed, for a line of progress."""
        return f"{self.prompt_tokens / self.seconds:,.0f} tokens/s" if self.seconds else ""


def predict_answer_first(
    store: Store,
    split: str,
    model: ModelReference,
    template: Template,
    load: Callable[[], Backend],
    *,
    name: str,
    dry_run: bool = False,
    report: Callable[[Progress], None] = lambda _: None,
) -> dict[str, Any]:
    """Predict what is missing of the pairs of `split` by the log-probabilities of the first token's tier digits.

    Finished batches are kept whatever happens; the same call goes on from there. A prompt that the model cannot
    take becomes a prediction without probabilities, with the reason.

    Args:
        store: Read once, then only for checkpoints.
        split: The split.
        model: The model.
        template: An answer-first template.
        load: Makes the backend; called only if something is missing.
        name: What to call the predictor.
        dry_run: Only count what is missing.
        report: Called after each batch.

    Raises:
        TierwiseError: No such split, or one that was altered; another process predicts by the same predictor.
    """
    configuration = Configuration(model, template, ONE_TOKEN)
    predictor = Predictor(name, "model", configuration.configuration_id)
    run = Run(
        "predict",
        {"split": split, "model": model.name, "prompt": template.name, "name": name},
        model_id=configuration.model_id,
        configuration_id=configuration.configuration_id,
    )
    with (
        store.exclusive(f"predict-{predictor.predictor_id}", "predicting by this predictor"),
        tempfile.TemporaryDirectory(prefix="tierwise-plan-") as directory,
    ):
        plan = Path(directory) / "plan.parquet"
        pairs = store.read_with_parts(
            lambda connection: save_asked(connection, store.runs, plan, split, predictor)
        )
        progress = Progress(sum(not asked.predicted for asked in read_asked(plan, template)))
        found = {
            "predictor": name,
            "predictor_id": str(predictor.predictor_id),
            "split": split,
            "pairs": pairs,
            "already_there": pairs - progress.wanted,
        }
        if dry_run:
            return {**found, "to_predict": progress.wanted}
        with store.long_run(run) as long_run:
            for table, row in configuration.rows(run.run_id):
                long_run.write_part(table, [row])
            long_run.write_part("predictors", [predictor.row(run.run_id)])
            report(progress)
            if progress.wanted:
                _predict(long_run, predictor, configuration, load(), plan, progress, report)
            run.summary = {
                **found,
                "predicted": progress.predicted,
                "failures": progress.failures,
                "prompt_tokens": progress.prompt_tokens,
                "seconds": round(progress.seconds, 3),
            }
    return {**run.summary, **long_run.waiting}


def _predict(
    long_run: LongRun,
    predictor: Predictor,
    configuration: Configuration,
    backend: Backend,
    plan: Path,
    progress: Progress,
    report: Callable[[Progress], None],
) -> None:
    run_id = str(long_run.run.run_id)
    checkpoint = time.monotonic()
    missing = (asked for asked in read_asked(plan, configuration.template) if not asked.predicted)
    while window := {asked.pair_id: asked for asked in itertools.islice(missing, _WINDOW)}:
        started = time.perf_counter()
        for batch in backend.score([Request(key, asked.messages, ()) for key, asked in window.items()]):
            seconds = time.perf_counter() - started
            rows = []
            for answer in batch:
                if isinstance(answer, Failure):
                    progress.failures += 1
                    found: dict[str, Any] = {"reason": answer.reason}
                else:
                    progress.predicted += 1
                    progress.prompt_tokens += answer.prompt_tokens
                    found = {
                        "tier_probs": tier_probabilities(answer.first),
                        "digit_logprobs": list(answer.first),
                        "prompt_tokens": answer.prompt_tokens,
                        "cached_tokens": answer.cached_tokens,
                        "completion_tokens": 1,
                        "seconds": seconds / len(batch),
                    }
                rows.append(window[answer.key].prediction_row(predictor.predictor_id, run_id, **found))
            prompts = [window[answer.key].prompt_row(configuration.template, run_id) for answer in batch]
            long_run.write_part("rendered_prompts", prompts)
            long_run.write_part("predictions", rows)
            failpoint("part")
            progress.seconds += seconds
            report(progress)
            if time.monotonic() - checkpoint > _CHECKPOINT_SECONDS:
                long_run.checkpoint()
                checkpoint = time.monotonic()
            started = time.perf_counter()
