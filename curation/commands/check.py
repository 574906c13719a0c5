"""``curation check``: what is wrong with generated texts, found before a person has to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from curation.checks.finding import REQUIRED
from warehouse.console import db_option, json_option, print_summary, progress

if TYPE_CHECKING:
    from curation.checks.finding import Requirement
    from warehouse.store import Store


def _required(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> tuple[Requirement, ...]:
    names = [name.strip() for name in (value or "").split(",") if name.strip()]
    if unknown := [name for name in names if name not in REQUIRED]:
        raise click.BadParameter(f"no {unknown[0]!r}; there are {', '.join(REQUIRED)}")
    return tuple(name for name in REQUIRED if name in names)


require_option = click.option(
    "--require",
    metavar="NAME,…",
    callback=_required,
    help="Teach only texts without findings: consistent, grounded, cited, formed, original. Checks first.",
)


@click.command()
@click.option("--where", help="Which pairs: an SQL condition over pair_overview.")
@db_option
@json_option
def check(where: str | None, store: Store, as_json: bool) -> None:
    """Find verdicts that do not follow, and claims that nothing states.

    Samples, rationales and people's corrections are each read once by each version of the checks. Findings
    have spans; rates are in the view hallucinations.
    """
    print_summary(check_all(store, where), as_json)


def check_all(store: Store, where: str | None = None) -> dict[str, Any]:
    """Check what has not been checked, with progress; return the counts."""
    from curation.checks.checking import check_texts

    with progress() as shown:
        task = shown.add_task("checking", total=None)
        return check_texts(
            store, where=where, report=lambda done, total: shown.update(task, completed=done, total=total)
        )
