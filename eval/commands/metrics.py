"""``eval metrics``: what a predictor is worth on a split."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from eval.commands.options import judged_split_option, predictor_option, resamples_option, seed_option
from warehouse.console import db_option, json_option

if TYPE_CHECKING:
    from eval.evidence import Evidence
    from warehouse.store import Store

_SLOW_SECONDS = 10


@click.command()
@predictor_option
@judged_split_option
@click.option(
    "--versus",
    metavar="NAME",
    help="Another predictor: print differences, ours less its, paired on the same queries; its tiers are its most "
    "probable ones.",
)
@click.option(
    "--partition",
    metavar="ID",
    help="Partition that decides the tiers, by first digits of its id.  [default: the most probable tier]",
)
@resamples_option
@seed_option
@click.option("--k", type=click.IntRange(1), default=10, show_default=True, help="Ranks that earn in NDCG@k.")
@db_option
@json_option
def metrics(
    predictor: str,
    split: str,
    versus: str | None,
    partition: str | None,
    resamples: int,
    seed: int,
    k: int,
    store: Store,
    as_json: bool,
) -> None:
    """Measure a predictor on a split, weighted by traffic where there are weights, with slices.

    Accuracy, F1 (macro, per tier, of tiers 3 and 4 together), quadratic kappa, mean absolute error in tiers, area under
    the ROC curve at each boundary, NDCG per query, log loss, Brier score and expected calibration error. Intervals are
    95 % by a bootstrap over queries; that of the calibration error lies too high where it is near 0. All is kept in
    the table evaluations.
    """
    from eval.commands.tables import print_evaluation
    from eval.evaluation import evaluate
    from eval.metrics.ranks import auc_seconds

    def say_if_slow(evidence: Evidence) -> None:
        seconds = auc_seconds(len(evidence.gold), resamples) * (1 if versus is None else 2)
        if seconds > _SLOW_SECONDS:
            click.echo(
                f"The intervals of auc_2, auc_3 and auc_4 rank {len(evidence.gold):,} pairs anew in {resamples:,} "
                f"resamples: about {seconds:,.0f} s.",
                err=True,
            )

    found = evaluate(
        store,
        predictor,
        split,
        versus=versus,
        partition=partition,
        resamples=resamples,
        seed=seed,
        k=k,
        before=say_if_slow,
    )
    print_evaluation(found, as_json)
