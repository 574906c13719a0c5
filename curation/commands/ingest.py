"""``curation ingest``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from warehouse.console import db_option, json_option, print_summary, progress
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from curation.ingest.sources import Source
    from curation.ingest.tables import TableFile
    from warehouse.store import Store

_paths = click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH…")
_fields = click.option(
    "--map",
    "first_fields",
    required=True,
    multiple=True,
    metavar="FIELD=COLUMN…",
    help="Which column holds which field: query, title, label, and where there are any description, item_id, "
    "brand, price, attributes (a JSON object), weight, judged_at, judged_by, reason, intent, split, locale.",
)
_dry_run = click.option("--dry-run", is_flag=True, help="Only say what would change.")


def _tiers(default: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option(
        "--tiers",
        default=default,
        show_default=True,
        metavar="LABEL=TIER,…",
        help="Tier (4 Excellent to 1 Irrelevant) of each label.",
    )


@click.group()
def ingest() -> None:
    """Read judged rows into the store."""


@ingest.command()
@_paths
@_dry_run
@db_option
@json_option
def crowdflower(paths: tuple[Path, ...], dry_run: bool, store: Store, as_json: bool) -> None:
    """Search Results Relevance (CrowdFlower, 2015): id, query, product_title, median_relevance."""
    from curation.ingest.files import open_tables
    from curation.ingest.sources import CrowdFlower

    _load(store, CrowdFlower(), open_tables(paths), dry_run, as_json)


@ingest.command()
@_paths
@click.option("--version", type=click.Choice(["small", "large"]), help="Only the rows of this version.")
@click.option("--split", type=click.Choice(["train", "test"]), help="Only the data set's own split.")
@click.option("--locale", "locales", multiple=True, help="Only this locale: us, es or jp; may be repeated.")
@_tiers("E=4,S=3,C=2,I=1")
@_dry_run
@db_option
@json_option
def esci(
    paths: tuple[Path, ...],
    version: str | None,
    split: str | None,
    locales: tuple[str, ...],
    tiers: str,
    dry_run: bool,
    store: Store,
    as_json: bool,
) -> None:
    """Amazon's Shopping Queries Data Set: its examples and products files, or a file that joins them."""
    from curation.ingest.esci import Esci, open_esci

    source = Esci(_labels(tiers), version, split, locales)
    _load(store, source, open_esci(paths), dry_run, as_json)


@ingest.command()
@_paths
@_tiers("Exact=4,Partial=3,Irrelevant=1")
@_dry_run
@db_option
@json_option
def wands(paths: tuple[Path, ...], tiers: str, dry_run: bool, store: Store, as_json: bool) -> None:
    """Wayfair's WANDS: query.csv, product.csv and label.csv, or the folder that holds them."""
    from curation.ingest.wands import Wands, open_wands

    _load(store, Wands(_labels(tiers)), open_wands(paths), dry_run, as_json)


@ingest.command()
@click.argument("dataset")
@click.argument("more_fields", nargs=-1, metavar="[FIELD=COLUMN…]")
@_fields
@_tiers("4=4,3=3,2=2,1=1")
@click.option("--source", help="Name of the data set in the store.  [default: the last part of DATASET]")
@click.option("--config", help="Configuration of a data set that has several.")
@click.option("--split", help="Only this split of the data set.")
@click.option("--revision", help="Branch, tag or commit on the hub.")
@_dry_run
@db_option
@json_option
def hf(
    dataset: str,
    more_fields: tuple[str, ...],
    first_fields: tuple[str, ...],
    tiers: str,
    source: str | None,
    config: str | None,
    split: str | None,
    revision: str | None,
    dry_run: bool,
    store: Store,
    as_json: bool,
) -> None:
    """A 🤗 data set: a local folder or a hub id. Class labels go by their names."""
    from curation.ingest.huggingface import SPLIT, open_huggingface
    from curation.ingest.sources import MappedTable

    mapping = _mapping(first_fields, more_fields)
    tables = open_huggingface(dataset, config, split, revision)
    if all(SPLIT in table.columns for _, table in tables):
        mapping.setdefault(SPLIT, SPLIT)
    form = MappedTable(source or Path(dataset).name, mapping, _labels(tiers))
    _load(store, form, tables, dry_run, as_json)


@ingest.command()
@click.argument("arguments", nargs=-1, required=True, metavar="PATH… [FIELD=COLUMN…]")
@_fields
@_tiers("4=4,3=3,2=2,1=1")
@click.option("--source", help="Name of the data set in the store.  [default: the first file's name]")
@click.option("--delimiter", help="Of CSV files.  [default: tab for .tsv, else comma]")
@_dry_run
@db_option
@json_option
def table(
    arguments: tuple[str, ...],
    first_fields: tuple[str, ...],
    tiers: str,
    source: str | None,
    delimiter: str | None,
    dry_run: bool,
    store: Store,
    as_json: bool,
) -> None:
    r"""Any CSV, TSV, JSONL or Parquet file.

    \b
    python -m curation ingest table judged.csv --tiers "Exact=4,Partial=3,Irrelevant=1" \
        --map query=q title=name description=text label=grade
    """
    from curation.ingest.files import open_tables
    from curation.ingest.sources import MappedTable

    # The fields after the first arrive among the paths.
    named = [a for a in arguments if re.match(r"\w+=", a) and not Path(a).exists()]
    paths = [Path(a) for a in arguments if a not in named]
    if not paths:
        raise click.UsageError("Missing argument 'PATH…'.")
    if delimiter is not None:
        delimiter = _one_character(delimiter)
    form = MappedTable(source or paths[0].stem, _mapping(first_fields, named), _labels(tiers))
    _load(store, form, open_tables(paths, delimiter), dry_run, as_json)


def _load(
    store: Store, source: Source, tables: Iterable[tuple[str, TableFile]], dry_run: bool, as_json: bool
) -> None:
    from curation.ingest.load import ingest as load

    with progress() as shown:
        task = shown.add_task(f"rows of {source.name}", total=None)
        summary = load(
            store,
            source,
            tables,
            dry_run=dry_run,
            report=lambda rows: shown.update(task, completed=rows),
        )
    print_summary(({"dry_run": "nothing was written"} if dry_run else {}) | summary, as_json)


def _mapping(first: Sequence[str], more: Sequence[str]) -> dict[str, str]:
    # Given in one word, fields are parted before the next FIELD=, as column names may hold blanks.
    words = [word for fields in first for word in re.split(r"\s+(?=\w+=)", fields.strip())]
    return _assignments("--map", [part.partition("=") for part in (*words, *more)])


def _labels(tiers: str) -> dict[str, int]:
    by_label = _assignments("--tiers", [part.rpartition("=") for part in tiers.split(",")])
    return {label: _tier(label, tier) for label, tier in by_label.items()}


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
