"""``curation step-values``."""

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

if TYPE_CHECKING:
    from curation.backends import Backend
    from curation.backends.opening import Engine
    from curation.budget import Budget
    from curation.drawing import Progress
    from curation.models import ModelReference, ServedModel
    from warehouse.store import Store


@click.command("step-values")
@click.option(
    "--configuration",
    metavar="ID",
    help="Reason-first configuration whose samples are continued.  [default: the newest finished]",
)
@click.option("--model", help="Where its model is now.  [default: where it was sampled]")
@click.option(
    "--rollouts", type=click.IntRange(1), default=8, show_default=True, help="Continuations from each step."
)
@click.option("--samples", type=click.IntRange(1), default=1, show_default=True, help="Samples of each pair.")
@where_option
@limit_option
@engine_options
@budget_options
@retry_failed_option
@click.option("--dry-run", is_flag=True, help="Only say what it would cost.")
@db_option
@json_option
def step_values(
    configuration: str | None,
    model: str | None,
    rollouts: int,
    samples: int,
    where: str | None,
    limit: int | None,
    engine: Engine,
    budget: Budget,
    retry_failed: bool,
    dry_run: bool,
    store: Store,
    as_json: bool,
) -> None:
    """Continue samples anew from the end of each step: which share still ends on the gold tier?

    A step after which none does is where a chain went wrong. Values are in the view step_values; `python -m eval
    chains` reports on them. Stop it when you like: the same command goes on from there.
    """
    from curation.backends.opening import open_backend
    from curation.step_values import continue_steps

    with progress("{task.fields[speed]}") as shown:
        task = shown.add_task("continuations", total=None, speed="loading the model")

        def load(found: ModelReference | ServedModel) -> Backend:
            return open_backend(found, engine)

        def report(state: Progress) -> None:
            speed = state.pace or "loading the model"
            shown.update(task, total=state.wanted, completed=state.samples, speed=speed)

        summary: dict[str, Any] = continue_steps(
            store,
            load,
            engine=engine,
            configuration=configuration,
            model=model,
            rollouts=rollouts,
            samples=samples,
            where=where,
            limit=limit,
            retry_failed=retry_failed,
            budget=budget,
            dry_run=dry_run,
            report=report,
        )
    print_summary(summary, as_json)
