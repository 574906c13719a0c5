"""``eval samples``: what the samples of a configuration are worth on a split."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from eval.commands.options import resamples_option, seed_option
from warehouse.console import db_option, json_option, printable, progress

if TYPE_CHECKING:
    from eval.samples.evaluate import SampleEvaluation
    from warehouse.store import Store


@click.command()
@click.option(
    "--configuration",
    metavar="ID",
    help="Sampling configuration, by first digits of its id.  [default: the newest finished]",
)
@click.option("--split", required=True, metavar="NAME", help="Split to measure on, such as eval_v1.")
@resamples_option
@seed_option
@db_option
@json_option
def samples(
    configuration: str | None, split: str, resamples: int, seed: int, store: Store, as_json: bool
) -> None:
    """Measure the samples of a configuration on a split, weighted by traffic where there are weights, with slices.

    pass@k for k = 1, 2, 4, … up to the fewest samples of a pair; the shares of samples that are unparsable, unfinished,
    and in which the checks, those without a model, find an error, in all and by kind; tokens of an answer; and the
    share of a pair's samples that state the tier which most of them state. Texts that were not checked are checked
    first. Intervals are 95 % by a bootstrap over queries. All is kept in the table evaluations.
    """
    from eval.samples.evaluate import evaluate_samples

    with progress() as shown:
        task = shown.add_task("checking", total=None)
        found = evaluate_samples(
            store,
            split,
            configuration=configuration,
            resamples=resamples,
            seed=seed,
            report=lambda done, total: shown.update(task, completed=done, total=total),
        )
    if as_json:
        _print_json(found)
    else:
        _print_text(found)


def _print_json(found: SampleEvaluation) -> None:
    from eval.commands.tables import told_slices
    from eval.evaluation import told

    sampled = found.sampled
    click.echo(
        json.dumps(
            {
                "configuration": sampled.configuration.text,
                "configuration_id": sampled.configuration.configuration_id,
                "split": sampled.split,
                "pairs": len(sampled.n),
                "queries": sampled.queries,
                "samples": int(sampled.n.sum()),
                "checked": int(sampled.checked.sum()),
                "weighted": sampled.weighted,
                "failed": sampled.failed,
                "gold_changed": sampled.gold_changed,
                "warnings": found.warnings,
                "metrics": [told(row) for row in found.whole],
                "slices": told_slices(found.slices),
                **found.written,
            },
            ensure_ascii=False,
        )
    )


def _print_text(found: SampleEvaluation) -> None:
    from eval.commands.tables import print_measured, print_slices, print_warnings, reasons, undivided

    sampled = found.sampled
    click.echo(
        f"{printable(sampled.configuration.text)} on {sampled.split}: {sampled.n.sum():,} samples of "
        f"{len(sampled.n):,} pairs, {sampled.queries:,} queries"
        + (", weighted by traffic" if sampled.weighted else "")
    )
    print_warnings(found.warnings)
    click.echo("\n95 % intervals by a bootstrap over queries")
    print_measured(found.whole)
    if found.slices:
        click.echo("\nSlices, worst pass@1 first")
        print_slices(found.slices, ("pass_1", "hallucination_rate"))
    notes = [*reasons(found.whole), *undivided(sampled.attributes)]
    if "band" not in sampled.attributes:
        notes.append(f"no slices by band: that of {sampled.split} is from these samples")
    if notes:
        click.echo()
        for line in notes:
            click.echo(line)
