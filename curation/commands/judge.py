"""``curation grade``, ``difficulty`` and ``pairs``: what the samples say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from curation.commands.check import check_all, require_option
from warehouse.console import db_option, json_option, print_summary, progress

if TYPE_CHECKING:
    from curation.checks.finding import Requirement
    from curation.preferences import HardestBy
    from curation.teachable import Reviewed
    from warehouse.store import Store


@click.command()
@db_option
@json_option
def grade(store: Store, as_json: bool) -> None:
    """Grade the samples that have no grade under today's gold and grader.

    The view graded_samples has each sample's current grade, and whether it is consistent, grounded, cited,
    formed and original by `curation check`.
    """
    print_summary(_grade(store), as_json)


@click.command()
@db_option
@json_option
def difficulty(store: Store, as_json: bool) -> None:
    """Bring n, c, pass@k and bands up to date, grading first what is not graded yet."""
    from curation.difficulty import update_difficulty

    graded = _grade(store)
    print_summary({"graded": graded["graded"], **update_difficulty(store)}, as_json)


@click.command()
@click.option("--configuration", metavar="ID", help="Sampling configuration.  [default: the newest finished]")
@click.option(
    "--teacher",
    metavar="ID",
    help="Configuration whose correct samples, or rationales, are chosen for prompts that no sample solved.",
)
@click.option(
    "--per-prompt",
    type=click.IntRange(1),
    default=2,
    show_default=True,
    help="Preferences a prompt, at most.",
)
@click.option(
    "--hardest-by",
    type=click.Choice(["confidence", "distance"]),
    default="confidence",
    show_default=True,
    help="Wrong samples that come first: the model's most probable wrong tier, or the nearest tier.",
)
@click.option(
    "--max-length-ratio",
    type=click.FloatRange(1),
    default=2.0,
    show_default=True,
    help="Longer over shorter side, in tokens.",
)
@click.option(
    "--balanced",
    is_flag=True,
    help="As many preferences of one tier over another as of the other over the one; what is beyond is left out.",
)
@click.option(
    "--reviewed",
    type=click.Choice(["accepted"]),
    help="Choose only what people accepted or wrote.",
)
@require_option
@db_option
@json_option
def pairs(
    configuration: str | None,
    teacher: str | None,
    per_prompt: int,
    hardest_by: HardestBy,
    max_length_ratio: float,
    balanced: bool,
    reviewed: Reviewed | None,
    require: tuple[Requirement, ...],
    store: Store,
    as_json: bool,
) -> None:
    """Build DPO preferences from correct and wrong samples of the same prompt, grading first what is not graded."""
    from curation.preferences import update_preferences
    from curation.teachable import Demands

    _grade(store)
    if require:
        check_all(store)
    summary = update_preferences(
        store,
        configuration=configuration,
        teacher=teacher,
        per_prompt=per_prompt,
        hardest_by=hardest_by,
        max_length_ratio=max_length_ratio,
        balanced=balanced,
        demands=Demands(reviewed, require),
    )
    print_summary(summary, as_json)


def _grade(store: Store) -> dict[str, Any]:
    from curation.grades import grade_samples

    with progress() as shown:
        task = shown.add_task("grading", total=None)
        return grade_samples(store, lambda done, total: shown.update(task, completed=done, total=total))
