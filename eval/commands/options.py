"""Options that several commands share."""

from __future__ import annotations

import click

predictor_option = click.option(
    "--predictor", required=True, metavar="NAME", help="Predictor, by name or first digits of its id."
)

fit_option = click.option(
    "--fit", "fit_split", required=True, metavar="SPLIT", help="Split to fit on, such as calibration_v1."
)

judge_option = click.option(
    "--judge", "judge_split", required=True, metavar="SPLIT", help="Split to judge on, such as eval_v1."
)

same_split_option = click.option(
    "--same-split", is_flag=True, help="Allow judging on the split that was fitted on."
)

judged_split_option = click.option(
    "--split", required=True, metavar="NAME", help="Split to judge it on, such as eval_v1."
)

resamples_option = click.option(
    "--resamples", type=click.IntRange(100), default=1000, show_default=True, help="Of the bootstrap."
)

seed_option = click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Of everything random: folds, resamples.",
)
