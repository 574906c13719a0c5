"""``curation check``: what is wrong with generated texts, found before a person has to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from curation.checks.finding import REQUIRED
from curation.commands.options import engine_options, where_option
from warehouse.console import db_option, json_option, print_summary, progress

if TYPE_CHECKING:
    from curation.backends.opening import Engine
    from curation.checks.finding import Requirement
    from curation.models import ModelReference, ServedModel
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
@where_option
@click.option(
    "--model",
    metavar="NAME",
    help="Also ask this model which tier the reasoning alone leads to: a folder, a hub id, smollm2-135m; openai:URL, "
    "openai:URL#MODEL or openai:MODEL for a server that gives log-probabilities.",
)
@engine_options
@click.option("--dry-run", is_flag=True, help="Only say how much the model would be asked.")
@db_option
@json_option
def check(
    where: str | None,
    model: str | None,
    engine: Engine,
    dry_run: bool,
    store: Store,
    as_json: bool,
) -> None:
    """Find verdicts that do not follow, and claims that nothing states.

    Samples, rationales and people's corrections are each read once by each version of the checks. Findings
    have spans; rates are in the view hallucinations.

    With --model each is also read once by that model, which derives the tier anew; no answer is asked for twice.
    The key of a server comes from OPENAI_API_KEY.
    """
    from curation.backends.opening import DEFAULT, find_model

    if model is None:
        if engine != DEFAULT or dry_run:
            raise click.UsageError("how a model is run, and --dry-run, are for --model; name one")
        print_summary(check_all(store, where), as_json)
        return
    reference = find_model(model, engine)
    summary = {} if dry_run else check_all(store, where)
    derived = _derive(store, reference, engine, where, dry_run)
    if as_json:
        print_summary({**summary, "model": reference.name, "derived": derived}, as_json)
    else:
        told = {name.replace("_", " "): count for name, count in derived.items()}
        print_summary({**summary, f"by {reference.name}": told}, as_json)


def _derive(
    store: Store, model: ModelReference | ServedModel, engine: Engine, where: str | None, dry_run: bool
) -> dict[str, Any]:
    from curation.backends.opening import open_backend
    from curation.checks.deriving import derive_verdicts

    with progress() as shown:
        task = shown.add_task(f"verdicts by {model.name}", total=None)
        return derive_verdicts(
            store,
            model,
            lambda: open_backend(model, engine),
            where=where,
            dry_run=dry_run,
            report=lambda done, total: shown.update(task, completed=done, total=total),
        )


def check_all(store: Store, where: str | None = None) -> dict[str, Any]:
    """Check what has not been checked, with progress; return the counts."""
    from curation.checks.checking import check_texts

    with progress() as shown:
        task = shown.add_task("checking", total=None)
        return check_texts(
            store, where=where, report=lambda done, total: shown.update(task, completed=done, total=total)
        )
