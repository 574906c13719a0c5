"""``curation ingest``."""

from __future__ import annotations

import re
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
    "first_fields",
    required=True,
    multiple=True,
    metavar="FIELD=COLUMN…",
    help="Which column holds which field: query, title, label, and where there are any description, item_id, "
    "brand, price, attributes (a JSON object), weight, judged_at, judged_by, reason, intent, locale.",
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
    first_fields: tuple[str, ...],
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
    named = [a for a in arguments if re.match(r"\w+=", a) and not Path(a).exists()]
    paths = [Path(a) for a in arguments if a not in named]
    if not paths:
        raise click.UsageError("Missing argument 'PATH…'.")
    if delimiter is not None:
        delimiter = _one_character(delimiter)
    # Given in one word, fields are parted before the next FIELD=, as column names may hold blanks.
    words = [word for fields in first_fields for word in re.split(r"\s+(?=\w+=)", fields.strip())]
    mapping = _assignments("--map", [part.partition("=") for part in (*words, *named)])
    by_label = _assignments("--tiers", [part.rpartition("=") for part in tiers.split(",")])
    form = MappedTable(
        source or paths[0].stem, mapping, {label: _tier(label, t) for label, t in by_label.items()}
    )
    print_summary(load(store, form, paths, delimiter), as_json)


def _assignments(option: str, parts: list[tuple[str, str, str]]) -> dict[str, str]:
    assigned: dict[str, str] = {}
    for part in parts:
        name, _, value = (word.strip() for word in part)
        if not (name and value):
            raise TierwiseError(f"{option} {''.join(part)!r}: give NAME=VALUE")
        if name in assigned:
            raise TierwiseError(f"{option}: {name} is given twice")
        assigned[name] = value
    return assigned


def _tier(label: str, text: str) -> int:
    if text not in ("1", "2", "3", "4"):
        raise TierwiseError(f"--tiers {label}={text}: tiers are 1 to 4")
    return int(text)


def _one_character(delimiter: str) -> str:
    r"""The delimiter, also where the shell left ``\t`` as it is."""
    character = "\t" if delimiter == r"\t" else delimiter
    if len(character) != 1 or character in '"\r\n\0':
        raise TierwiseError(f"--delimiter {delimiter!r}: give one character, no quote or line end")
    return character
