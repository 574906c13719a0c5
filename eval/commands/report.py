"""``eval report``: what a predictor is worth and which thresholds to deploy, to forward."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from eval.commands.options import judged_split_option, predictor_option, resamples_option, seed_option
from warehouse.console import db_option, json_option, print_summary

if TYPE_CHECKING:
    from warehouse.store import Store


@click.command()
@predictor_option
@judged_split_option
@click.option(
    "--partition",
    metavar="ID",
    help="Partition that decides the tiers, by first digits of its id.  [default: the newest of the predictor that was "
    "judged on the split, else none]",
)
@click.option("--versus", metavar="NAME", help="Another predictor to compare it with, on the same pairs.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="HTML file to write.  [default: print Markdown]",
)
@resamples_option
@seed_option
@db_option
@json_option
def report(
    predictor: str,
    split: str,
    partition: str | None,
    versus: str | None,
    out: Path | None,
    resamples: int,
    seed: int,
    store: Store,
    as_json: bool,
) -> None:
    """Report on a predictor: as one HTML file that needs nothing else, or as Markdown on the terminal.

    What to deploy, what it buys and costs, and the evidence: metrics with 95 % intervals, confusion, calibration, the
    objective over all thresholds, slices, costs, and fifty errors to learn from. Writes nothing into the store.
    """
    if as_json and out is None:
        raise click.UsageError("--json tells what --out wrote; give both")
    from eval.report.gather import gather
    from eval.report.html import write_html
    from eval.report.markdown import markdown
    from eval.report.sections import sections
    from warehouse.tabular import require_folder

    if out is not None:
        # Before the slow part.
        require_folder(out)
    data = gather(store, predictor, split, partition=partition, versus=versus, resamples=resamples, seed=seed)
    laid_out = sections(data)
    if out is None:
        click.echo(markdown(data, laid_out), nl=False)
        return
    size = write_html(out, data, laid_out)
    subject = data.subject
    print_summary(
        {
            "out": str(out),
            "bytes": size,
            "predictor": subject.predictor,
            "split": subject.split,
            "partition_id": data.partition and data.partition.partition_id,
            "pairs": subject.pairs,
            "queries": subject.queries,
            "errors_shown": len(data.cases),
            "warnings": [*data.warnings],
        },
        as_json,
    )
