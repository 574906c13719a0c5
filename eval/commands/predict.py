"""``eval predict``: tier probabilities for the pairs of a split."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from curation.commands.options import local_engine_options
from warehouse.console import db_option, json_option, print_summary, progress

if TYPE_CHECKING:
    from curation.backends import Backend
    from curation.backends.opening import Engine
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
@local_engine_options
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
    engine: Engine,
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
    from curation.backends.opening import DEFAULT

    of_model: dict[str, Any] = {
        "--model": model,
        "--prompt": prompt,
        "--max-tokens": max_tokens,
        **{f"--{name.replace('_', '-')}": getattr(engine, name) or None for name in ("dtype", "batch_size")},
        "--vllm": engine.arguments or None,
        "--backend": None if engine.backend == DEFAULT.backend else engine.backend,
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
            engine=engine,
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
    engine: Engine,
) -> dict[str, Any]:
    from curation.backends.opening import open_backend
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
        return open_backend(reference, engine)

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
