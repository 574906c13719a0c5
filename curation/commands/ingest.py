"""``curation ingest``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from warehouse.console import db_option, json_option, print_summary
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from warehouse.store import Store

_paths = click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH…")


@click.group()
def ingest() -> None:
    """Read judged rows into the store."""


@ingest.command()
@_paths
@db_option
@json_option
def crowdflower(paths: tuple[Path, ...], store: Store, as_json: bool) -> None:
    """Search Results Relevance (CrowdFlower, 2015): id, query, product_title, median_relevance."""
    from curation.ingest.load import ingest as load
    from curation.ingest.sources import CrowdFlower

    print_summary(load(store, CrowdFlower(), paths), as_json)


@ingest.command()
@click.argument("arguments", nargs=-1, required=True, metavar="PATH… [FIELD=COLUMN…]")
@click.option(
    "--map",
    "first_field",
    required=True,
    metavar="FIELD=COLUMN…",
    help="Which column holds which field: query, title, label, and where there are any description, item_id, "
    "brand, price, weight, judged_at, locale.",
)
@click.option(
    "--tiers",
    default="4=4,3=3,2=2,1=1",
    show_default=True,
    metavar="LABEL=TIER,…",
    help="Tier (4 Excellent to 1 Irrelevant) of each label.",
)
@click.option("--source", help="Name of the data set in the store.  [default: the first file's name]")
@click.option("--delimiter", help="Of CSV files.  [default: tab for .tsv, else comma]")
@db_option
@json_option
def table(
    arguments: tuple[str, ...],
    first_field: str,
    tiers: str,
    source: str | None,
    delimiter: str | None,
    store: Store,
    as_json: bool,
) -> None:
    r"""Any CSV, TSV, JSONL or Parquet file.

    \b
    python -m curation ingest table judged.csv --tiers "Exact=4,Partial=3,Irrelevant=1" \
        --map query=q title=name description=text label=grade
    """
    from curation.ingest.load import ingest as load
    from curation.ingest.sources import MappedTable

    # The fields after the first arrive among the paths.
    named = [a for a in arguments if a.partition("=")[0] in MappedTable.FIELDS and "=" in a]
    paths = [Path(a) for a in arguments if a not in named]
    if not paths:
        raise click.UsageError("Missing argument 'PATH…'.")
    fields = _assignments("--map", [*first_field.split(), *named])
    labels = _assignments("--tiers", [part.strip() for part in tiers.split(",")])
    if delimiter is not None and len(delimiter) != 1:
        raise TierwiseError(f"--delimiter {delimiter!r}: give one character")
    by_label = {label: int(tier) if tier.isdecimal() else 0 for label, tier in labels.items()}
    form = MappedTable(source or paths[0].stem, fields, by_label)
    print_summary(load(store, form, paths, delimiter), as_json)


def _assignments(option: str, parts: list[str]) -> dict[str, str]:
    assigned: dict[str, str] = {}
    for part in parts:
        name, equals, value = part.rpartition("=") if option == "--tiers" else part.partition("=")
        if not (name and equals and value):
            raise TierwiseError(f"{option} {part!r}: give NAME=VALUE")
        if name in assigned:
            raise TierwiseError(f"{option}: {name} is given twice")
        assigned[name] = value
    return assigned
