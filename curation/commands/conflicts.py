"""``curation conflicts``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from warehouse.console import db_option, json_option, print_summary, printable

if TYPE_CHECKING:
    from warehouse.store import Store


@click.group()
def conflicts() -> None:
    """Pairs without a tier because their judgments disagree; decide them."""


@conflicts.command("list")
@click.option("--limit", type=click.IntRange(1), help="At most so many.")
@db_option
@json_option
def list_(limit: int | None, store: Store, as_json: bool) -> None:
    """Pairs in conflict with the judgments that stand; most traffic first."""
    from curation.conflicts import list_conflicts

    with store.read() as connection:
        found = list_conflicts(connection, limit)
        total = connection.execute("SELECT count(*) FROM conflicts").fetchall()[0][0]
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    for conflict in found:
        short = conflict["pair_id"][:8]
        click.echo(f"{short}  {printable(conflict['query'])}  ×  {printable(conflict['title'])}")
        click.echo(f"{' ' * len(short)}  {printable(', '.join(map(_judgment, conflict['judgments'])))}")
    click.echo(f"{len(found):,} of {total:,} conflicts." if total else "No conflicts.", err=True)


@conflicts.command("decide")
@click.argument("pair")
@click.option("--tier", type=click.IntRange(1, 4), required=True, help="4 Excellent to 1 Irrelevant.")
@click.option("--by", "judged_by", required=True, metavar="NAME", help="Who decides.")
@click.option("--reason", required=True, help="Why.")
@db_option
@json_option
def decide(pair: str, tier: int, judged_by: str, reason: str, store: Store, as_json: bool) -> None:
    """Decide the tier of PAIR, an id or the first digits of it.

    The decision stands over all other judgments, whatever is ingested later, until PAIR is decided again. PAIR
    need not be in conflict: a wrong label is overruled in the same way. Grades and bands follow with the next
    `difficulty`; frozen splits keep the tier that they froze.
    """
    from curation.conflicts import decide as settle

    print_summary(settle(store, pair, tier, judged_by, reason), as_json)


def _judgment(judgment: dict[str, Any]) -> str:
    confidence = judgment["confidence"]
    sure = "" if confidence is None else f", confidence {confidence:.2f}"
    return f"tier {judgment['tier']} ({judgment['source']}{sure})"
