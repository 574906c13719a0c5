"""``python -m eval``: predict, measure, calibrate, cut, report."""

from __future__ import annotations

import click

from warehouse.console import Group


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Judge and deploy: predictions, metrics, calibration, partitions, reports."""


if __name__ == "__main__":
    main(prog_name="python -m eval")
