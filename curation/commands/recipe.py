"""``curation recipe``: stages that are commands, each run again only when its inputs have changed."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from warehouse.console import db_option, json_option, print_summary, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from curation.recipe.plan import Planned
    from warehouse.store import Store


def _overrides(
    _context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]
) -> dict[str, str]:
    parts = [text.partition("=") for text in given]
    if wrong := next(
        (text for text, part in zip(given, parts, strict=True) if not (part[0] and part[1])), None
    ):
        raise click.BadParameter(f"{wrong!r}: give NAME=VALUE")
    return {name: value for name, _, value in parts}


@click.group()
def recipe() -> None:
    """Run recipes: TOML files whose stages are commands of Tierwise."""


@recipe.command()
@click.argument("name", metavar="NAME|FILE")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="NAME=VALUE",
    callback=_overrides,
    help="Another value of a setting, or another path of a file; may be repeated.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Stages at the same time, where none needs the other; their messages then go to files.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would run, and why.")
@db_option
@json_option
def run(name: str, overrides: dict[str, str], jobs: int, dry_run: bool, store: Store, as_json: bool) -> None:
    """Run the recipe in FILE, or the one called NAME that comes with Tierwise.

    A stage whose inputs are what they were is not run again: its command, settings, the content of its files, the
    stages that it stands on and the rows that it watches. Stop it when you like; the same command goes on from there.
    """
    from curation.recipe.fingerprints import Fingerprints
    from curation.recipe.plan import make_plan
    from curation.recipe.reading import find_recipe, read_recipe
    from curation.recipe.running import Runner

    began = time.monotonic()
    read = read_recipe(find_recipe(name), overrides)
    prints = Fingerprints()
    plan = make_plan(store, read, prints)
    head = {"recipe": read.name, "store": store.place.name}
    if dry_run and as_json:
        print_summary({**head, "stages": {stage: _planned(each) for stage, each in plan.items()}}, as_json)
        return

    def tell(line: str) -> None:
        click.echo(line, err=as_json)

    for line in _lines(read.title, plan):
        tell(line)
    if dry_run:
        return
    runner = Runner(store, read, plan, prints, jobs=jobs, tell=tell)
    try:
        if any(planned.runs for planned in plan.values()):
            runner.run({"recipe": str(read.path), "set": overrides, "jobs": jobs})
        else:
            tell("Nothing to do.")
    finally:
        counts = Counter(outcome.state for outcome in runner.outcomes.values())
        told = {"stages_run": counts["ran"], "done_before": counts["done"]}
        if not_run := counts["failed"] + counts["not run"]:
            told["not_done"] = not_run
        stages = {stage: asdict(outcome) for stage, outcome in runner.outcomes.items()}
        seconds = {"seconds": round(time.monotonic() - began, 3)}
        print_summary({**head, **({"stages": stages} if as_json else {}), **told, **seconds}, as_json)


def _lines(title: str, plan: Mapping[str, Planned]) -> Iterator[str]:
    """The plan, a line a stage."""
    if title:
        yield printable(title)
    width = max(map(len, plan))
    for name, each in plan.items():
        state = "runs" if each.runs else "done"
        yield printable(f"{state}  {name.ljust(width)}  {each.reason}".rstrip())


def _planned(each: Planned) -> dict[str, Any]:
    return {"state": "runs" if each.runs else "done", "reason": each.reason, "key": each.key}
