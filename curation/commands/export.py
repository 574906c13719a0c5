"""``curation export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from warehouse.console import db_option, json_option, print_summary

if TYPE_CHECKING:
    from curation.splits.export import Format
    from warehouse.store import Store


@click.command()
@click.argument("split")
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["parquet", "csv", "hf"]),
    default="parquet",
    show_default=True,
    help="hf is a folder for datasets.load_from_disk.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder to make.  [default: SPLIT-FORMAT, such as hard_v1-hf]",
)
@db_option
@json_option
def export(split: str, file_format: Format, out: Path | None, store: Store, as_json: bool) -> None:
    """Write a frozen split for trainers (TRL's formats) and for people, with a dataset card."""
    from curation.splits.export import export_split

    print_summary(export_split(store, split, file_format, out or Path(f"{split}-{file_format}")), as_json)
