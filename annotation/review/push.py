"""Samples to Argilla: new records added, changed ones updated, answered ones left as they are."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from annotation.client import signed_in, workspace
from annotation.review.questions import CARD, REASONING, guidelines, settings
from annotation.review.records import CONTENT, review_records
from annotation.review.server import ReviewServer
from curation.checks.checking import check_texts
from curation.grades import grade_samples
from warehouse.errors import TierwiseError
from warehouse.failpoints import failpoint
from warehouse.ledger import Run, utc_now
from warehouse.parts import insert_rows
from warehouse.tombstones import GONE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from annotation.review.records import ReviewRecord, Selection
    from warehouse.store import Store

_BATCH = 100
_TAKEN_DOWN = "taken down"


@dataclass(frozen=True, slots=True)
class Target:
    """The dataset that a push fills.

    Attributes:
        name: Name in Argilla.
        overlap: Annotators for each record; None takes 1, or what the dataset has.
        blind: No suggestions.
    """

    name: str = "review"
    overlap: int | None = None
    blind: bool = False


@dataclass(frozen=True, slots=True)
class OnServer:
    """What a record on the server is.

    Attributes:
        record_id: Argilla's id.
        content: Hash of what it shows.
        answered: Whether anybody has answered, be it by a draft.
    """

    record_id: str
    content: str | None
    answered: bool


def push(
    store: Store, selection: Selection, target: Target, report: Callable[[int, int], None]
) -> dict[str, Any]:
    """Make or update a review dataset; return the counts.

    A record's id is its sample's, so that the same push again adds nothing. Killed at any moment, or with the server
    killed, the same push again does what is missing.

    Args:
        store: The store; held to read the samples and, at the end, to keep what was pushed.
        selection: Which samples.
        target: Where to.
        report: Called with the records sent so far and in all.

    Raises:
        TierwiseError: As `signed_in` and `review_records`; the dataset is there and is another one than asked for.
    """
    grade_samples(store)
    check_texts(store, where=selection.where)
    run = Run("push", {**dataclasses.asdict(selection), **dataclasses.asdict(target)})
    with signed_in(store) as client:
        server = ReviewServer(client)
        taken_down = _empty_taken_down(store, server)
        with store.read() as connection:
            records = review_records(connection, selection, blind=target.blind)
        dataset_id, overlap = _dataset(store, server, target)
        _keep_dataset(store, run, dataset_id, target, overlap)
        there = _on_server(server, dataset_id)
        fresh = [record for record in records if record.external_id not in there]
        changed = [
            record
            for record in records
            if (known := there.get(record.external_id)) and known.content != record.content_hash
        ]
        answered = _send(server, dataset_id, [*changed, *fresh], there, report)
        run.summary = {
            "dataset": target.name,
            "url": f"{server.url}/dataset/{dataset_id}/annotation-mode",
            "records": len(records),
            "new": len(fresh),
            "updated": len(changed) - len(answered),
            "changed_but_answered": len(answered),
            "taken_down": taken_down,
            "overlap": overlap,
            "blind": target.blind,
        }
    _keep_records(store, run, dataset_id, [r for r in records if r.sample_id not in answered])
    return run.summary


def _send(
    server: ReviewServer,
    dataset_id: str,
    records: Sequence[ReviewRecord],
    there: dict[str, OnServer],
    report: Callable[[int, int], None],
) -> set[str]:
    """Send records; return the samples of those that are left as they are, because somebody has answered."""
    questions = {name: question["id"] for name, question in server.questions(dataset_id).items()}
    answered: set[str] = set()
    report(0, len(records))
    for start in range(0, len(records), _BATCH):
        items = []
        for record in records[start : start + _BATCH]:
            item = _item(record, questions)
            before = there.get(record.external_id)
            if before and not _make_ready(server, item, before):
                answered.add(record.sample_id)
            else:
                items.append(item)
        server.upsert(dataset_id, items)
        failpoint("push")
        report(min(start + _BATCH, len(records)), len(records))
    return answered


def _make_ready(server: ReviewServer, item: dict[str, Any], before: OnServer) -> bool:
    """Remove what was suggested for a record and is not now, which an update leaves; False if somebody has answered.

    Asked now, as people answer while records are sent.
    """
    found = None if before.answered else server.call("GET", f"records/{before.record_id}")
    if found is None or found["responses"]:
        return False
    kept = {suggestion["question_id"] for suggestion in item["suggestions"]}
    stale = [own["id"] for own in found["suggestions"] if own["question_id"] not in kept]
    server.drop_suggestions(before.record_id, stale)
    return True


def _dataset(store: Store, server: ReviewServer, target: Target) -> tuple[str, int]:
    """Id and overlap of the dataset, which is made if it is not there."""
    import argilla as rg

    with server.sdk() as client:
        place = workspace(client)
        found = client.datasets(target.name, workspace=place)
        if found is not None and (server.dataset(str(found.id)) or {}).get("status") == "draft":
            # A push was killed between making the dataset and publishing it; nothing is in it.
            found.delete()
            found = None
        if found is None:
            overlap = target.overlap or 1
            made = rg.Dataset(
                name=target.name, workspace=place, settings=settings(client, overlap), client=client
            )
            return str(made.create().id), overlap
    dataset_id = str(found.id)
    described = server.dataset(dataset_id) or {}
    missing = {q.name for q in settings(server.client, 1).questions} - server.questions(dataset_id).keys()
    if missing:
        raise TierwiseError(
            f"dataset {target.name} in Argilla lacks the questions {', '.join(sorted(missing))}; name another with "
            "--dataset"
        )
    overlap = int(described["distribution"]["min_submitted"])
    if target.overlap not in (None, overlap):
        raise TierwiseError(
            f"dataset {target.name} has overlap {overlap}, which stays as it is; leave --overlap out, or name another "
            "with --dataset"
        )
    with store.read() as connection:
        kept = connection.execute(
            "SELECT blind FROM review_datasets WHERE dataset_id = ?", [dataset_id]
        ).fetchall()
    if kept and kept[0][0] != target.blind:
        hint = "it is blind: say --blind" if kept[0][0] else "it shows suggestions: leave --blind out"
        raise TierwiseError(f"dataset {target.name}: {hint}, or name another with --dataset")
    if described.get("guidelines") != guidelines():
        server.call("PATCH", f"datasets/{dataset_id}", json={"guidelines": guidelines()})
    return dataset_id, overlap


def _on_server(server: ReviewServer, dataset_id: str) -> dict[str, OnServer]:
    return {
        record["external_id"]: OnServer(
            record["id"], (record["metadata"] or {}).get(CONTENT), bool(record["responses"])
        )
        for record in server.records(dataset_id, ["responses"])
        if record["external_id"]
    }


def _empty_taken_down(store: Store, server: ReviewServer) -> int:
    """Empty the records of all datasets that still show an item under a tombstone; return how many. Answers stay."""
    with store.read() as connection:
        samples = {
            name
            for (name,) in connection.execute(
                "SELECT replace(CAST(sample_id AS VARCHAR), '-', '') FROM samples SEMI JOIN (SELECT pair_id FROM pairs "
                "SEMI JOIN tombstones USING (item_id)) USING (pair_id)"
            ).fetchall()
        }
        datasets = connection.execute("SELECT CAST(dataset_id AS VARCHAR) FROM review_datasets").fetchall()
    emptied = 0
    for (dataset_id,) in datasets if samples else []:
        showing = [
            record
            for record in server.records(dataset_id, ["suggestions"])
            if record["external_id"] in samples and record["metadata"].get(CONTENT) != _TAKEN_DOWN
        ]
        for record in showing:
            server.drop_suggestions(record["id"], [own["id"] for own in record["suggestions"]])
        items = [
            {
                "external_id": record["external_id"],
                "fields": {CARD: GONE, REASONING: GONE},
                "metadata": {**record["metadata"], CONTENT: _TAKEN_DOWN},
            }
            for record in showing
        ]
        for start in range(0, len(items), _BATCH):
            server.upsert(dataset_id, items[start : start + _BATCH])
        emptied += len(items)
    return emptied


def _item(record: ReviewRecord, questions: dict[str, str]) -> dict[str, Any]:
    return {
        "external_id": record.external_id,
        "fields": record.fields,
        "metadata": {**record.metadata, CONTENT: record.content_hash},
        "suggestions": [
            {
                "question_id": questions[s.question],
                "value": s.value,
                "agent": s.agent,
                "score": s.score,
                "type": "model",
            }
            for s in record.suggestions
        ],
    }


def _keep_dataset(store: Store, parent: Run, dataset_id: str, target: Target, overlap: int) -> None:
    """Keep the dataset at once, in a run of its own: what annotators answer must be found even if this push dies."""
    with store.read() as connection:
        if connection.execute("SELECT 1 FROM review_datasets WHERE dataset_id = ?", [dataset_id]).fetchall():
            return
    run = Run("push", parent.parameters)
    with store.write(run) as connection:
        made = {
            "dataset_id": dataset_id,
            "name": target.name,
            "overlap": overlap,
            "blind": target.blind,
            "created_at": utc_now(),
            "run_id": str(run.run_id),
        }
        insert_rows(connection, "review_datasets", [made])
        run.summary = {"dataset_new": target.name}


def _keep_records(store: Store, run: Run, dataset_id: str, records: Iterable[ReviewRecord]) -> None:
    rows = [
        {
            "dataset_id": dataset_id,
            "sample_id": record.sample_id,
            "pair_id": record.pair_id,
            "content_hash": record.content_hash,
            "gold_tier": record.gold_tier,
            "pushed_at": utc_now(),
            "run_id": str(run.run_id),
        }
        for record in records
    ]
    with store.write(run) as connection:
        insert_rows(connection, "review_records", rows)
