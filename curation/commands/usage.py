"""``curation usage``: what was spent on models."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from curation.commands.options import PRICE_METAVAR
from warehouse.console import db_option, json_option, print_table

if TYPE_CHECKING:
    from warehouse.store import Store

_HEADS = {
    "run_id": "run",
    "run_kind": "command",
    "started_at": "started",
    "model": "model",
    "query_kind": "kind",
    "band": "band",
    "answers": "answers",
    "prompt_tokens": "prompt",
    "cached_tokens": "cached",
    "completion_tokens": "generated",
    "seconds": "seconds",
    "usd": "usd",
}


@click.command()
@click.option(
    "--by",
    multiple=True,
    type=click.Choice(["run", "model", "kind", "band"]),
    help="Group by it; several for each combination.  [default: a table for each]",
)
@click.option(
    "--price", metavar=PRICE_METAVAR, help="Of all of it, in place of what each run was told that it costs."
)
@db_option
@json_option
def usage(by: tuple[str, ...], price: str | None, store: Store, as_json: bool) -> None:
    """Print tokens, seconds and money spent on models: prompts sent, cached of them, generated.

    Rows come from the view token_usage, one for each answer.
    """
    from curation.budget import parse_price
    from curation.usage import DIMENSIONS, read_usage

    costs = parse_price(price)
    tables = [list(dict.fromkeys(by))] if by else [[each] for each in DIMENSIONS]
    found = {" and ".join(each): read_usage(store, each, costs) for each in tables}
    total = read_usage(store, (), costs)
    if as_json:
        click.echo(json.dumps({**found, "total": total[0]}, default=str, ensure_ascii=False))
        return
    for name, rows in found.items():
        click.echo(click.style(f"by {name}", bold=True))
        columns = (
            [column for column in rows[0] if column != "usd" or total[0]["usd"] is not None] if rows else []
        )
        if not rows:
            click.echo("nothing yet; `python -m curation sample --n 8`\n")
            continue
        whole = {**dict.fromkeys(columns), columns[0]: "total", **total[0]}
        print_table(
            [_HEADS[column] for column in columns],
            [[_cell(column, row[column]) for column in columns] for row in [*rows, whole]],
        )
        click.echo()


def _cell(column: str, value: Any) -> str:
    if value is None:
        return "" if column in ("run_kind", "started_at") else "–"
    if column == "run_id":
        return str(value)[:8]
    if column == "started_at":
        return f"{value:%Y-%m-%d %H:%M}"
    if column == "usd":
        return f"{value:,.4f}"
    if column == "seconds":
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
