"""``curation duplicates``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from warehouse.console import db_option, json_option, print_summary, printable, progress

if TYPE_CHECKING:
    from warehouse.store import Store


@click.command()
@click.option("--where", help="Among which pairs: an SQL condition over pair_overview.")
@click.option(
    "--limit", type=click.IntRange(0), default=20, show_default=True, help="Clusters to list, at most."
)
@db_option
@json_option
def duplicates(where: str | None, limit: int, store: Store, as_json: bool) -> None:
    """List clusters of near-copies, those with different tiers first.

    Near-copies have almost the same query and almost the same item; where their tiers differ, one may be wrong.
    """
    from curation.duplicates.clusters import duplicate_clusters

    with progress() as shown:
        task = shown.add_task("comparing", total=None)
        found = duplicate_clusters(
            store, where, limit, lambda done, total: shown.update(task, completed=done, total=total)
        )
    if as_json:
        print_summary(found, as_json)
        return
    listed = found.pop("listed")
    print_summary(found, as_json)
    for members in listed:
        click.echo()
        for pair in members:
            click.echo(printable(f"{pair['tier']}  {pair['query']} × {pair['title']}  {pair['pair_id'][:8]}"))
