"""``curation suspects``: gold tiers that look wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from warehouse.console import db_option, json_option, print_summary, printable, progress

if TYPE_CHECKING:
    from curation.scorers import Predicted
    from warehouse.store import Store

_TITLE_WIDTH = 60


@click.command()
@click.option(
    "--scorer",
    type=click.Choice(["bag-of-words", "samples"]),
    help="Whose tier probabilities: the baseline's, out of fold, or those that a sampled model gave.  "
    "[default: bag-of-words]",
)
@click.option(
    "--configuration",
    metavar="ID",
    help="Sampling configuration, with --scorer samples.  [default: the newest finished]",
)
@click.option(
    "--predictions",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Any model's instead: CSV, TSV, JSONL or Parquet with pair_id, p1, p2, p3, p4, out of fold.",
)
@db_option
@json_option
def suspects(
    scorer: str | None, configuration: str | None, predictions: Path | None, store: Store, as_json: bool
) -> None:
    """Find gold tiers that a model's tier probabilities speak against, by confident learning.

    The view suspect_labels has them all, worst first by rank; the ten worst are printed.
    """
    from curation.label_noise import update_label_scores

    if predictions and scorer:
        raise click.UsageError("--predictions is a scorer of its own; leave out --scorer")
    if configuration and scorer != "samples":
        raise click.UsageError("--configuration goes with --scorer samples")
    summary = update_label_scores(store, _predicted(scorer, configuration, predictions, store))
    if not as_json:
        summary["worst"] = [_line(row) for row in summary["worst"]]
    print_summary(summary, as_json)


def _predicted(
    scorer: str | None, configuration: str | None, predictions: Path | None, store: Store
) -> Predicted:
    from curation.scorers import predict_bag_of_words, predict_from_file, predict_samples

    if predictions:
        return predict_from_file(store, predictions)
    if scorer == "samples":
        return predict_samples(store, configuration)
    with progress() as shown:
        task = shown.add_task("folds", total=None)
        return predict_bag_of_words(
            store, lambda done, total: shown.update(task, completed=done, total=total)
        )


def _line(row: dict[str, Any]) -> str:
    title = row["title"] if len(row["title"]) <= _TITLE_WIDTH else row["title"][: _TITLE_WIDTH - 1] + "…"
    return (
        f"{str(row['pair_id'])[:8]}  gold {row['tier']}, suggested {row['suggested_tier']} "
        f"(p {row['tier_probs'][row['suggested_tier'] - 1]:.2f})  {printable(row['query'])}  ×  {printable(title)}"
    )
