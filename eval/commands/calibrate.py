"""``eval calibrate``: probabilities that hold what they say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

import click

from eval.commands.options import (
    fit_option,
    judge_option,
    predictor_option,
    resamples_option,
    same_split_option,
    seed_option,
)
from warehouse.console import db_option, json_option, printable

if TYPE_CHECKING:
    from eval.calibration import Calibrated
    from warehouse.store import Store


@click.command()
@predictor_option
@fit_option
@judge_option
@click.option(
    "--method",
    type=click.Choice(["temperature", "dirichlet"]),
    default="temperature",
    show_default=True,
    help="One number, which leaves the most probable tier as it is; or a regression on log-probabilities, which need "
    "not.",
)
@same_split_option
@resamples_option
@seed_option
@db_option
@json_option
def calibrate(
    predictor: str,
    fit_split: str,
    judge_split: str,
    method: Literal["temperature", "dirichlet"],
    same_split: bool,
    resamples: int,
    seed: int,
    store: Store,
    as_json: bool,
) -> None:
    """Calibrate a predictor on one split and judge it on another.

    The result is a predictor of its own, NAME.temperature or NAME.dirichlet, with predictions for both splits.
    """
    from eval.calibration import calibrate as fit_and_judge

    found = fit_and_judge(
        store,
        predictor,
        method,
        fit_split=fit_split,
        judge_split=judge_split,
        same_split=same_split,
        resamples=resamples,
        seed=seed,
    )
    if as_json:
        _print_json(found)
    else:
        _print_text(found)


def _print_json(found: Calibrated) -> None:
    from eval.evaluation import told

    click.echo(
        json.dumps(
            {
                "predictor": found.predictor.name,
                "predictor_id": str(found.predictor.predictor_id),
                "calibrates": found.before.predictor.name,
                "calibrates_id": str(found.before.predictor.predictor_id),
                **found.predictor.parameters,
                "judge_split": found.before.split,
                "warnings": found.warnings,
                "differences": [told(row) for row in found.differences],
                "predictions": found.added,
            },
            ensure_ascii=False,
        )
    )


def _print_text(found: Calibrated) -> None:
    from eval.commands.tables import print_measured, print_warnings

    before, name = found.before, printable(found.predictor.name)
    fitted_on = found.predictor.parameters["fit_split"]
    click.echo(
        f"{name}, fitted on {fitted_on}, judged on {before.split}: "
        f"{len(before.gold):,} pairs, {before.queries:,} queries"
    )
    if "temperature" in found.numbers:
        temperature = found.numbers["temperature"]
        sure = "too sure of itself" if temperature > 1 else "not sure enough"
        click.echo(f"temperature {temperature:.3f}: {printable(before.predictor.name)} was {sure}")
    else:
        click.echo(f"inverse strength of the penalty, by held-out queries: {found.numbers['strength']:g}")
    print_warnings(found.warnings)
    click.echo(
        "\n95 % intervals of the differences by a bootstrap over queries; ours is calibrated, theirs is not"
    )
    print_measured(found.differences)
    click.echo(f"\n{found.added:,} predictions added")
