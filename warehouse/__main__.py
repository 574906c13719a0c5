"""``python -m warehouse``: make, look into, trace and copy a store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from warehouse.console import Group, db_option, json_option, print_summary, printable

if TYPE_CHECKING:
    from warehouse.store import Store


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """The store: make it, look into it, trace rows, take copies."""


@main.command()
@db_option
@click.option("--data", help="Of a new DuckLake: where its Parquet files go, a folder or s3://….")
@json_option
def init(store: Store, data: str | None, as_json: bool) -> None:
    """Make a new store, or bring an older one up to date."""
    from warehouse.maintenance import initialise

    print_summary(initialise(store, data), as_json)


@main.command()
@db_option
@json_option
def status(store: Store, as_json: bool) -> None:
    """Rows by table, recent runs, splits, and parts that wait to be merged."""
    from warehouse.maintenance import describe

    print_summary(describe(store), as_json)


@main.command()
@click.argument("query")
@db_option
@click.option("--json", "as_json", is_flag=True, help="Print the rows as a JSON array.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the rows to a .csv, .json or .parquet file.",
)
def sql(query: str, store: Store, as_json: bool, out: Path | None) -> None:
    """Run QUERY, one SELECT or a file that holds one, on the store opened read-only for its duration."""
    from warehouse.query import print_query, read_query

    if as_json and out:
        raise click.UsageError(
            "--json prints the rows and --out writes them; give one (--out rows.json is JSON)"
        )
    statement = read_query(query)
    with store.read() as connection:
        print_query(connection, statement, as_json=as_json, out=out)


@main.command()
@click.argument("row_id", metavar="ID")
@db_option
def lineage(row_id: str, store: Store) -> None:
    """Trace a row back to source lines, prompt, model and runs.

    ID is a row's id or the first digits of it, a split (hard_v1) or a member of one (hard_v1/PAIR).
    """
    from warehouse.lineage import trace

    with store.read() as connection:
        for line in trace(connection, row_id).lines():
            click.echo(printable(line))


@main.command()
@db_option
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write to a file instead.")
def docs(store: Store, out: Path | None) -> None:
    """Print the data dictionary as Markdown."""
    from warehouse.dictionary import data_dictionary

    with store.read() as connection:
        text = data_dictionary(connection)
    if out:
        out.write_text(text, encoding="utf-8")
    else:
        click.echo(text, nl=False)


@main.command()
@db_option
def ui(store: Store) -> None:
    """Open DuckDB's own UI in the browser, on a private copy of the store as it is now.

    It blocks nobody. Ctrl-C ends it and removes the copy, with whatever was changed in it.
    """
    import signal

    from warehouse.ui import serve_ui

    try:
        with serve_ui(store) as said:
            click.echo(
                f"{said}\nIt shows a copy of the store as it is now. Ctrl-C ends it and removes the copy."
            )
            signal.pause()
    except KeyboardInterrupt:
        click.echo("Ended; the copy is removed.", err=True)


@main.command()
@click.option(
    "--item",
    "items",
    required=True,
    multiple=True,
    metavar="ID",
    help="An item_id, its first digits, or the source's own item id; may be repeated.",
)
@click.option("--reason", required=True, help="Why, for those who meet the tombstone.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@db_option
@json_option
def takedown(items: tuple[str, ...], reason: str, dry_run: bool, store: Store, as_json: bool) -> None:
    """Remove an item's text from the whole store, for good, and refuse it when it comes again.

    Ids, labels and counts stay. Frozen splits that hold the item say that they are no longer whole. Snapshots,
    backups and exports made before are yours to remove.
    """
    from warehouse.takedown import take_down

    print_summary(take_down(store, items, reason, dry_run=dry_run), as_json)


@main.command()
@click.argument("path", type=click.Path(path_type=Path))
@db_option
@json_option
def snapshot(path: Path, store: Store, as_json: bool) -> None:
    """Copy the store to PATH, for a long interactive session that blocks nobody."""
    from warehouse.maintenance import copy_store

    print_summary(copy_store(store, path), as_json)


@main.command()
@click.argument("path", type=click.Path(path_type=Path))
@db_option
@json_option
def backup(path: Path, store: Store, as_json: bool) -> None:
    """Write every table as Parquet into the new folder PATH, readable by any DuckDB.

    Restore with: duckdb NEW.duckdb "IMPORT DATABASE 'PATH'"
    """
    from warehouse.maintenance import export_store

    print_summary(export_store(store, path), as_json)


if __name__ == "__main__":
    main(prog_name="python -m warehouse")
