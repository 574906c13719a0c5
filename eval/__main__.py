"""``python -m eval``: predict, measure, calibrate, cut, report."""

from __future__ import annotations

import click

from eval.commands.calibrate import calibrate
from eval.commands.chains import chains
from eval.commands.metrics import metrics
from eval.commands.partition import partition
from eval.commands.predict import predict
from eval.commands.report import report
from eval.commands.samples import samples
from warehouse.console import Group


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Judge predictions: tier probabilities, metrics, thresholds, reports."""


for command in (predict, metrics, calibrate, partition, report, samples, chains):
    main.add_command(command)


if __name__ == "__main__":
    main(prog_name="python -m eval")
