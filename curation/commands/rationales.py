"""``curation rationales``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from curation.commands.options import (
    budget_options,
    engine_options,
    limit_option,
    retry_failed_option,
    where_option,
)
from warehouse.console import db_option, json_option, print_summary, progress
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from curation.backends.opening import Engine
    from curation.budget import Budget
    from curation.drawing import Progress
    from curation.rationales.writing import Gold
    from warehouse.store import Store


@click.command()
@click.option(
    "--teacher",
    required=True,
    metavar="NAME",
    help="A folder, a hub id, smollm2-135m; openai:URL, openai:URL#MODEL or openai:MODEL for a server; shop or "
    "shop-held-out for the derivations of the made-up shop.",
)
@click.option(
    "--gold",
    type=click.Choice(["blind", "conditioned"]),
    help="Whether the teacher is told the gold tier.  [default: blind; conditioned for the shop's derivations]",
)
@click.option(
    "--tries", type=click.IntRange(1), default=4, show_default=True, help="Answers for a pair, at most."
)
@click.option("--rulebook", help="Which rulebook.  [default: the only one in the store]")
@click.option(
    "--rules",
    type=click.IntRange(0),
    default=10,
    show_default=True,
    help="Rules retrieved for a pair, beside those that are for all.",
)
@where_option
@limit_option
@click.option(
    "--max-tokens", type=click.IntRange(1), default=320, show_default=True, help="Per answer, at most."
)
@click.option(
    "--temperature", type=click.FloatRange(0), default=0.7, show_default=True, help="Of the teacher."
)
@click.option(
    "--top-p", type=click.FloatRange(0, 1, min_open=True), default=1.0, show_default=True, help="Nucleus."
)
@engine_options
@budget_options
@retry_failed_option
@click.option("--dry-run", is_flag=True, help="Only say what it would cost.")
@db_option
@json_option
def rationales(
    teacher: str,
    gold: Gold | None,
    tries: int,
    rulebook: str | None,
    rules: int,
    where: str | None,
    limit: int | None,
    max_tokens: int,
    temperature: float,
    top_p: float,
    engine: Engine,
    budget: Budget,
    retry_failed: bool,
    dry_run: bool,
    store: Store,
    as_json: bool,
) -> None:
    """Have a teacher write rationales under a rulebook, until one for each pair leads to the gold tier.

    The key of a server comes from OPENAI_API_KEY. Stop it when you like: what was answered is kept, and the same
    command asks only for what is missing.
    """
    from curation.backends import Decoding
    from curation.rationales.teachers import DERIVATIONS, find_teacher
    from curation.rationales.writing import write_rationales

    if teacher in DERIVATIONS and gold == "blind":
        raise TierwiseError(f"--teacher {teacher} renders the derivation of the gold tier; leave --gold out")
    model, load = find_teacher(store, teacher, engine)
    told: Gold = gold or ("conditioned" if teacher in DERIVATIONS else "blind")
    with progress("{task.fields[speed]}") as shown:
        task = shown.add_task(f"rationales by {model.name}", total=None, speed="")

        def report(state: Progress) -> None:
            shown.update(task, total=state.wanted, completed=state.samples, speed=state.pace)

        summary: dict[str, Any] = write_rationales(
            store,
            model,
            load,
            Decoding(temperature, top_p, max_tokens),
            gold=told,
            tries=tries,
            rulebook=rulebook,
            rules=rules,
            where=where,
            limit=limit,
            retry_failed=retry_failed,
            budget=budget,
            dry_run=dry_run,
            report=report,
        )
    print_summary(summary, as_json)
    if as_json or dry_run:
        return
    if left := summary["pairs_left"]:
        click.echo(f"{left:,} pairs are left to do: the same command again")
    if summary["teachers_agree_against_gold"]:
        click.echo('likely label errors: python -m warehouse sql "FROM teacher_disputes"')
