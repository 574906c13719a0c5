"""``curation split``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from curation.commands.check import check_all, require_option
from curation.commands.options import where_option
from warehouse.console import db_option, json_option, print_summary
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from curation.checks.finding import Requirement
    from curation.splits.create import Role
    from curation.teachable import Reviewed
    from warehouse.store import Store


@click.group()
def split() -> None:
    """Freeze pairs with what hangs on them, and look at what is frozen."""


@split.command()
@click.argument("name")
@where_option
@click.option(
    "--size", type=click.IntRange(1), help="Pairs wanted; queries stay whole, so it is met from below."
)
@click.option(
    "--role",
    type=click.Choice(["train", "calibration", "eval"]),
    default="train",
    show_default=True,
    help="Use.",
)
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Which queries, where --size leaves a choice."
)
@click.option(
    "--drop-near-copies",
    is_flag=True,
    help="Leave out near-copies of what splits of other roles hold, after --size is met, instead of refusing them.",
)
@click.option(
    "--reviewed",
    type=click.Choice(["accepted"]),
    help="Only pairs with a text that people accepted or wrote, and only such texts to learn from.",
)
@click.option(
    "--rationales",
    metavar="any|TEACHER",
    help="Complete prompts with teachers' rationales alone.  [default: these, else correct samples]",
)
@require_option
@click.option("--prompt", help="Prompt template.  [default: that of the configuration, else answer-first]")
@click.option(
    "--configuration", metavar="ID", help="Whose difficulty and samples.  [default: the newest finished]"
)
@db_option
@json_option
def create(
    name: str,
    where: str | None,
    size: int | None,
    role: Role,
    seed: int,
    drop_near_copies: bool,
    reviewed: Reviewed | None,
    rationales: str | None,
    require: tuple[Requirement, ...],
    prompt: str | None,
    configuration: str | None,
    store: Store,
    as_json: bool,
) -> None:
    """Freeze the next version of NAME.

    Splits of different roles never share a query, nor near-copies of a pair. If nothing has changed since the
    newest version, that one stands.
    """
    from curation.splits.create import Recipe, create_split
    from curation.splits.inspect import show_split

    recipe = Recipe(name, where, size, role, seed, drop_near_copies, reviewed, rationales, prompt, require)
    if require:
        check_all(store)
    made = create_split(store, recipe, configuration)
    with store.read() as connection:
        shown = show_split(connection, made["split"])
    told = {key: made[key] for key in ("split", "state", "near_copies_dropped")}
    print_summary({**told, **shown}, as_json)


@split.command("list")
@db_option
@json_option
def list_(store: Store, as_json: bool) -> None:
    """Every split with its role and counts."""
    from curation.splits.inspect import list_splits

    with store.read() as connection:
        found = list_splits(connection)
    if as_json:
        click.echo(json.dumps(found))
    for row in [] if as_json else found:
        click.echo(
            f"{row['split']:<20} {row['role']:<12} {row['pairs']:>9,} pairs {row['queries']:>7,} queries "
            f"{row['completions']:>8,} completions {row['preferences']:>8,} preferences  {row['content_hash'][:12]}"
        )


@split.command()
@click.argument("name")
@db_option
@json_option
def show(name: str, store: Store, as_json: bool) -> None:
    """Recipe, counts and hash of the split NAME (such as hard_v1)."""
    from curation.splits.inspect import show_split

    with store.read() as connection:
        print_summary(show_split(connection, name), as_json)


@split.command()
@click.argument("name")
@db_option
def verify(name: str, store: Store) -> None:
    """Recompute the hashes of the split NAME; name what differs and exit with 1."""
    from curation.splits.inspect import verify_split

    with store.read() as connection:
        differences = verify_split(connection, name)
    for line in differences[1:]:
        click.echo(line, err=True)
    if differences:
        raise TierwiseError(
            f"{name} is not what was frozen: {differences[0]}; make a new version from sound data"
        )
    click.echo(f"{name} is whole.")


@split.command()
@click.argument("a")
@click.argument("b")
@db_option
@json_option
def diff(a: str, b: str, store: Store, as_json: bool) -> None:
    """How the splits A and B differ."""
    from curation.splits.inspect import diff_splits

    with store.read() as connection:
        print_summary(diff_splits(connection, a, b), as_json)
