"""``curation sample``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

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
    from curation.adaptive.policy import Target
    from curation.backends.opening import Engine
    from curation.budget import Budget
    from curation.drawing import Progress
    from warehouse.store import Store


@click.command()
@click.option("--n", "n", type=click.IntRange(1), required=True, help="Samples wanted for each pair.")
@click.option(
    "--adaptive",
    type=click.Choice(["bands", "groups"]),
    help="Stop drawing from a pair once its difficulty band under N samples, or its group (mostly solved, useful, "
    "unsolved), is known.",
)
@click.option(
    "--agreement",
    type=click.FloatRange(0.5, 1, max_open=True),
    default=0.95,
    show_default=True,
    help="With --adaptive: for this share of pairs it is to be that of N samples.",
)
@where_option
@limit_option
@click.option(
    "--model",
    default="smollm2-135m",
    show_default=True,
    help="A folder, a hub id, smollm2-135m, or openai:URL for a server.",
)
@click.option("--prompt", default="answer-first", show_default=True, help="Prompt template.")
@click.option(
    "--max-tokens", type=click.IntRange(1), default=256, show_default=True, help="Per sample, at most."
)
@click.option(
    "--temperature",
    type=click.FloatRange(0),
    default=1.0,
    show_default=True,
    help="1 samples the model's own distribution, which makes c/n its solve rate.",
)
@click.option(
    "--top-p", type=click.FloatRange(0, 1, min_open=True), default=1.0, show_default=True, help="Nucleus."
)
@click.option(
    "--guided/--unguided",
    default=True,
    show_default=True,
    help="Answer-first: draw the first token among the four tier digits, as serving reads it.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Moves all random streams.")
@click.option(
    "--engine",
    "runner",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="Draw in this process, or by workers on the Ray cluster that RAY_ADDRESS names, or on one of this machine.",
)
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True, help="With --engine ray.")
@engine_options
@budget_options
@retry_failed_option
@click.option("--dry-run", is_flag=True, help="Only say how much there is to draw.")
@db_option
@json_option
def sample(
    n: int,
    adaptive: Target | None,
    agreement: float,
    where: str | None,
    limit: int | None,
    model: str,
    prompt: str,
    max_tokens: int,
    temperature: float,
    top_p: float,
    guided: bool,
    seed: int,
    runner: Literal["local", "ray"],
    workers: int,
    engine: Engine,
    budget: Budget,
    retry_failed: bool,
    dry_run: bool,
    store: Store,
    as_json: bool,
) -> None:
    """Make sure that N samples exist for each pair; draw what is missing.

    Stop it when you like: finished batches are kept, and the same command goes on from there.
    """
    from curation.adaptive.designs import Design
    from curation.backends import Decoding
    from curation.backends.opening import find_model, open_backend
    from curation.cluster.driver import Cluster
    from curation.configurations import Configuration
    from curation.prompts import load_judging_template
    from curation.sampling import sample as draw

    template = load_judging_template(prompt)
    reference = find_model(model, engine)
    guide = guided and template.format == "answer-first"
    configuration = Configuration(reference, template, Decoding(temperature, top_p, max_tokens, guide))

    with progress("{task.fields[speed]}") as shown:
        task = shown.add_task(f"samples from {reference.name}", total=None, speed="loading the model")

        def report(state: Progress) -> None:
            speed = state.pace or "loading the model"
            shown.update(task, total=state.wanted, completed=state.samples, speed=speed)

        summary: dict[str, Any] = draw(
            store,
            configuration,
            lambda: open_backend(reference, engine),
            n=n,
            where=where,
            limit=limit,
            seed=seed,
            retry_failed=retry_failed,
            budget=budget,
            cluster=Cluster(workers, engine) if runner == "ray" else None,
            design=Design(n, adaptive, agreement) if adaptive else None,
            dry_run=dry_run,
            report=report,
        )
    print_summary(summary, as_json)
