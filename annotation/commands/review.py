"""``annotation push``, ``status``, ``pull``, ``agreement`` and ``decide``: the review loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from warehouse.console import db_option, json_option, print_summary, progress

if TYPE_CHECKING:
    from annotation.review.consensus import Rule
    from warehouse.store import Store

_dataset_option = click.option("--dataset", metavar="NAME", help="Only this one.  [default: all pushed]")


@click.command()
@click.option("--where", help="Samples of which pairs: an SQL condition over pair_overview.")
@click.option("--split", metavar="NAME", help="Only pairs of this split.")
@click.option(
    "--per-pair",
    type=click.IntRange(1),
    default=2,
    show_default=True,
    help="Samples of a pair, at most: correct and wrong ones in turn.",
)
@click.option("--configuration", metavar="ID", help="Whose samples.  [default: the newest finished]")
@click.option(
    "--dataset", metavar="NAME", default="review", show_default=True, help="Dataset in Argilla to fill."
)
@click.option(
    "--overlap",
    type=click.IntRange(1),
    help="Annotators for each record.  [default: 1, or what the dataset has]",
)
@click.option("--blind", is_flag=True, help="No suggestions: they stand in the form and anchor people.")
@db_option
@json_option
def push(
    where: str | None,
    split: str | None,
    per_pair: int,
    configuration: str | None,
    dataset: str,
    overlap: int | None,
    blind: bool,
    store: Store,
    as_json: bool,
) -> None:
    """Send samples to Argilla for review. Again, it sends only what is new or has changed.

    A record that somebody has answered stays as it is, and is counted.
    """
    from annotation.review.push import Target
    from annotation.review.push import push as send
    from annotation.review.records import Selection

    selection, target = Selection(where, split, per_pair, configuration), Target(dataset, overlap, blind)
    with progress() as shown:
        task = shown.add_task("sending", total=None)
        sent = send(
            store, selection, target, lambda done, total: shown.update(task, completed=done, total=total)
        )
    print_summary(sent, as_json)


@click.command()
@_dataset_option
@db_option
@json_option
def pull(dataset: str | None, store: Store, as_json: bool) -> None:
    """Bring the annotators' answers into the store: submitted, drafts and discarded ones, edits as versions."""
    from annotation.review.pull import pull as fetch

    with progress() as shown:
        task = shown.add_task("reading records", total=None)
        pulled = fetch(store, dataset, lambda done: shown.update(task, completed=done))
    print_summary(pulled, as_json)


@click.command()
@_dataset_option
@db_option
@json_option
def status(dataset: str | None, store: Store, as_json: bool) -> None:
    """Queue, answers and pace by annotator, and when the queue will be empty at that pace."""
    from annotation.review.progress import review_status
    from annotation.review.report import print_status

    print_status(review_status(store, dataset), as_json)


@click.command()
@_dataset_option
@click.option(
    "--resamples", type=click.IntRange(1), default=1000, show_default=True, help="Of the bootstrap."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the bootstrap.")
@db_option
@json_option
def agreement(dataset: str | None, resamples: int, seed: int, store: Store, as_json: bool) -> None:
    """Krippendorff's alpha of what was pulled: by question, pair of annotators, kind and band.

    Also each annotator against the others' consensus, and the records that split them.
    """
    from annotation.review.agreement import measure
    from annotation.review.report import print_agreement

    print_agreement(measure(store, dataset, resamples=resamples, seed=seed), as_json)


@click.command()
@click.option(
    "--rule",
    type=click.Choice(["majority", "dawid-skene"]),
    default="majority",
    show_default=True,
    help="Each annotator counts alike, or by their error rates.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would come of it.")
@db_option
@json_option
def decide(rule: Rule, dry_run: bool, store: Store, as_json: bool) -> None:
    """Make of the pulled answers what is taught: accepted, rejected, corrected or disputed samples, and labels.

    Every annotator's tier becomes a judgment of theirs, from which the pair's gold tier is resolved. Corrections become
    rationales. Then `curation pairs` and `curation split create` follow.
    """
    from annotation.review.consensus import decide as settle

    print_summary(settle(store, rule, dry_run=dry_run), as_json)
