"""``eval predict``: tier probabilities for the pairs of a split."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from warehouse.console import db_option, json_option, print_summary, progress

if TYPE_CHECKING:
    from curation.backends import Backend
    from eval.predict.baselines import Baseline
    from warehouse.store import Store

DEFAULT_MODEL = "smollm2-135m"


@click.command()
@click.option("--split", required=True, metavar="NAME", help="Whose pairs, such as eval_v1.")
@click.option("--model", help=f"A folder, a hub id, or {DEFAULT_MODEL}.  [default: {DEFAULT_MODEL}]")
@click.option(
    "--prompt",
    help="Prompt template: answer-first reads one token, reason-first the tier after a generated reason.  "
    "[default: answer-first]",
)
@click.option("--max-tokens", type=click.IntRange(1), help="Of a reason-first answer.  [default: 256]")
@click.option(
    "--dtype",
    type=click.Choice(["bfloat16", "float32"]),
    help="Precision of the weights.  [default: bfloat16, but float32 on a CPU without AVX-512]",
)
@click.option(
    "--batch-size", type=click.IntRange(1), help="Pairs at a time.  [default: 32 on a CPU, 256 on a GPU]"
)
@click.option("--dry-run", is_flag=True, help="Only say how much there is to predict.")
@click.option(
    "--baseline",
    type=click.Choice(["majority", "tfidf"]),
    help="In place of a model: the tiers' frequencies, or TF-IDF with logistic regression; out of fold by query.",
)
@click.option(
    "--from",
    "path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="In place of a model: any other system's, as CSV, TSV, JSONL or Parquet with pair_id, p1, p2, p3, p4.",
)
@click.option(
    "--name", help="What to call the predictor.  [default: of the model and prompt, or of the file]"
)
@db_option
@json_option
def predict(
    split: str,
    model: str | None,
    prompt: str | None,
    max_tokens: int | None,
    dtype: Literal["bfloat16", "float32"] | None,
    batch_size: int | None,
    dry_run: bool,
    baseline: Baseline | None,
    path: Path | None,
    name: str | None,
    store: Store,
    as_json: bool,
) -> None:
    """Give each pair of a split its four tier probabilities; what is there already is not predicted again.

    Stop it when you like: finished batches are kept, and the same command goes on from there. Probabilities from a
    file must sum to 1 within 0.02, and are normalised; rows beyond it are rejects.
    """
    of_model = {
        "--model": model,
        "--prompt": prompt,
        "--max-tokens": max_tokens,
        "--dtype": dtype,
        "--batch-size": batch_size,
        "--dry-run": dry_run or None,
    }
    other = "--baseline" if baseline else "--from" if path is not None else None
    if baseline and path is not None:
        raise click.UsageError("name one source: --baseline or --from")
    if other and (astray := [option for option, value in of_model.items() if value is not None]):
        raise click.UsageError(f"{astray[0]} goes with a model, not with {other}")
    if baseline and name is not None:
        raise click.UsageError("a baseline has its own name, leave out --name")
    if path is not None:
        from eval.predict.from_file import predict_from_file

        summary = predict_from_file(store, split, path, name)
    elif baseline is not None:
        from eval.predict.baselines import predict_baseline

        with progress() as shown:
            task = shown.add_task("folds", total=None)
            summary = predict_baseline(
                store, split, baseline, lambda done, total: shown.update(task, completed=done, total=total)
            )
    else:
        summary = _predict_by_model(
            store,
            split,
            model or DEFAULT_MODEL,
            prompt or "answer-first",
            max_tokens,
            name,
            dry_run=dry_run,
            loading={"dtype": dtype, "batch_size": batch_size},
        )
    print_summary(summary, as_json)
    if not (as_json or dry_run or summary.get("missing") or summary.get("waiting")):
        click.echo(
            f"next: python -m eval metrics --predictor {shlex.quote(summary['predictor'])} --split {split}"
        )


def _predict_by_model(
    store: Store,
    split: str,
    model: str,
    prompt: str,
    max_tokens: int | None,
    name: str | None,
    *,
    dry_run: bool,
    loading: dict[str, Any],
) -> dict[str, Any]:
    from curation.models import resolve
    from curation.prompts import load_judging_template
    from eval.predict.answer_first import predict_answer_first
    from eval.predict.reason_first import predict_reason_first

    template = load_judging_template(prompt)
    if template.format == "answer-first" and max_tokens is not None:
        raise click.UsageError("--max-tokens goes with a reason-first prompt; answer-first reads one token")
    reference = resolve(model)
    called = f"{Path(reference.name).name}.{template.name}" if name is None else name

    def load() -> Backend:
        from curation.backends.transformers import TransformersBackend

        return TransformersBackend(str(reference.path), **loading)

    with progress("{task.fields[speed]}") as shown:
        task = shown.add_task(f"pairs by {called}", total=None, speed="loading the model")

        def report(wanted: int, done: int, pace: str) -> None:
            shown.update(task, total=wanted, completed=done, speed=pace or "loading the model")

        common: dict[str, Any] = {"name": called, "dry_run": dry_run}
        if template.format == "answer-first":
            return predict_answer_first(
                *(store, split, reference, template, load),
                report=lambda s: report(s.wanted, s.predicted + s.failures, s.pace),
                **common,
            )
        return predict_reason_first(
            *(store, split, reference, template, load),
            max_tokens=max_tokens or 256,
            report=lambda s: report(s.wanted, s.samples + s.failures, s.pace),
            **common,
        )
