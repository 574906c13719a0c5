"""Answers from Argilla into ``reviews``: every version that a pull meets, each once."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from typing import TYPE_CHECKING, Any

from annotation.client import signed_in
from annotation.review.answers import Pulled
from annotation.review.datasets import review_datasets
from annotation.review.questions import settings
from annotation.review.server import ReviewServer
from warehouse.failpoints import failpoint
from warehouse.ledger import Run, utc_now
from warehouse.parts import insert_rows
from warehouse.tombstones import remove_texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from warehouse.store import Store

_READINGS = 3


def pull(store: Store, name: str | None, report: Callable[[int], None]) -> dict[str, Any]:
    """Pull every answer of the review datasets; return the counts.

    Versions of an answer that are there already are not written again. An answer that its annotator took back becomes
    one more version, ``deleted``. What is gone with its user, its record or its dataset is told and kept.

    Args:
        store: The store; held to read what is known and to write what is new, of each dataset all or nothing.
        name: Only the dataset of this name; None takes all that were pushed.
        report: Called with the number of records read so far.

    Raises:
        TierwiseError: As `signed_in`; no dataset was pushed from this store.
    """
    datasets = review_datasets(store, name)
    run = Run("pull", {"dataset": name})
    counts: Counter[str] = Counter()
    told: list[str] = []
    with signed_in(store) as client:
        server = ReviewServer(client)
        users = server.users()
        for dataset_id, dataset, state in datasets:
            found = _read_whole(store, server, users, dataset_id, dataset, state, report)
            told += [f"{dataset}: {what}" for what in _changed_questions(server, dataset_id)]
            if isinstance(found, str):
                told.append(f"{dataset}: {found}")
                continue
            pulled, now = found
            counts += _write(store, run, dataset_id, now, pulled, counts)
            told += [*pulled.told, *(f"{dataset}: {what} ({n:,}×)" for what, n in pulled.unknown.items())]
    return {
        "new": counts["new"],
        "submitted": counts["submitted"],
        "drafts": counts["draft"],
        "discarded": counts["discarded"],
        "taken_back": counts["deleted"],
        "spans": counts["spans"],
        "rejects": counts["rejects"],
        "told": told,
    }


def _state(server: ReviewServer, described: dict[str, Any]) -> str:
    """Changes whenever an answer is made, changed or taken away: the server touches a date, or a count differs."""
    users = server.answers_by_user(described["id"])
    return json.dumps([described["last_activity_at"], described["distribution"], users], sort_keys=True)


def _read_whole(
    store: Store,
    server: ReviewServer,
    users: dict[str, str],
    dataset_id: str,
    dataset: str,
    state: str | None,
    report: Callable[[int], None],
) -> tuple[Pulled, str] | str:
    """What a dataset holds and the state it was in, or why there is nothing to write."""
    described = server.dataset(dataset_id)
    for _ in range(_READINGS):
        if described is None:
            return (
                f"gone from the server; the {_count(store, dataset_id):,} answers that were pulled are kept"
            )
        before = _state(server, described)
        if before == state:
            return "nothing new"
        pulled = _read(store, server, described, dataset, users, report)
        described = server.dataset(dataset_id)
        if described and _state(server, described) == before:
            break
    # What was answered while it was read may have been missed: the next pull reads again.
    return pulled, before


def _changed_questions(server: ReviewServer, dataset_id: str) -> Iterator[str]:
    """Questions of ours that read otherwise than they were pushed. The page lets owners change words, not values."""
    now = server.questions(dataset_id)
    if not now:
        return
    for question in settings(server.client, 1).questions:
        found = now.get(question.name)
        if found is None:
            yield f"question {question.name} is gone"
            continue
        asked = {str(o["value"]): o.get("text") for o in found["settings"].get("options", ())}
        pushed = {
            str(o["value"]): o.get("text") for o in getattr(question._model.settings, "options", None) or ()
        }
        if found["title"] != question.title or asked != pushed:
            shown = ", ".join(
                f"{value}: {text}" for value, text in asked.items() if text != pushed.get(value)
            )
            yield (
                f"question {question.name} reads otherwise than it was pushed ({found['title']!r}"
                f"{f'; {shown}' if shown else ''}); its answers are read by their values"
            )


def _count(store: Store, dataset_id: str) -> int:
    with store.read() as connection:
        return int(
            connection.execute(
                "SELECT count(DISTINCT response_id) FROM reviews WHERE dataset_id = ?", [dataset_id]
            ).fetchall()[0][0]
        )


def _read(
    store: Store,
    server: ReviewServer,
    described: dict[str, Any],
    dataset: str,
    users: dict[str, str],
    report: Callable[[int], None],
) -> Pulled:
    dataset_id = described["id"]
    answered = [r for r in server.records(dataset_id, ["responses"], report) if r["responses"]]
    samples = _samples(store, [record["external_id"] for record in answered])
    known = _known(store, dataset_id)
    taken_back = {k["response_id"]: k["review_id"] for k in known if k["status"] == "deleted"}
    pulled, seen = Pulled(described["distribution"]["min_submitted"], taken_back), set()
    for record in answered:
        sample = samples.get(record["external_id"])
        for response in record["responses"]:
            seen.add(response["id"])
            if sample is None:
                pulled.refuse(dataset, record, response)
            else:
                pulled.add(dataset_id, sample, record, response, users)
    gone = [k for k in known if k["status"] != "deleted" and k["response_id"] not in seen]
    if gone:
        _add_what_is_gone(pulled, server, dataset_id, dataset, users, gone)
    return pulled


def _samples(store: Store, external_ids: list[str | None]) -> dict[str, tuple[str, str, str]]:
    """Id, pair and text of the samples that records are about, by the records' ids."""
    ids = []
    for external_id in external_ids:
        try:
            ids.append(str(uuid.UUID(hex=external_id or "")))
        except ValueError:
            continue
    with store.read() as connection:
        rows = connection.execute(
            "SELECT CAST(sample_id AS VARCHAR), CAST(pair_id AS VARCHAR), text FROM samples "
            "WHERE sample_id IN (SELECT unnest($ids)::UUID)",
            {"ids": ids},
        ).fetchall()
    return {row[0].replace("-", ""): row for row in rows}


def _known(store: Store, dataset_id: str) -> list[dict[str, Any]]:
    """The newest version of each answer to a dataset that the store has."""
    with store.read() as connection:
        rows = connection.execute(
            "SELECT CAST(review_id AS VARCHAR) AS review_id, CAST(response_id AS VARCHAR) AS response_id, "
            "CAST(sample_id AS VARCHAR) AS sample_id, CAST(pair_id AS VARCHAR) AS pair_id, annotator, "
            "CAST(annotator_id AS VARCHAR) AS annotator_id, status, gold_tier, begun_at "
            "FROM reviews SEMI JOIN (SELECT review_id FROM current_reviews) USING (review_id) WHERE dataset_id = ?",
            [dataset_id],
        )
        names = [column[0] for column in rows.description]
        return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]


def _add_what_is_gone(
    pulled: Pulled,
    server: ReviewServer,
    dataset_id: str,
    dataset: str,
    users: dict[str, str],
    gone: list[dict[str, Any]],
) -> None:
    """Tell the answers that the server has no more; those that their annotators took back become versions."""
    there = {record["external_id"] for record in server.records(dataset_id, [])}
    without_user: Counter[str] = Counter()
    without_record: Counter[str] = Counter()
    taken_back: Counter[str] = Counter()
    for review in gone:
        if review["annotator_id"] not in users:
            without_user[review["annotator"]] += 1
        elif review["sample_id"].replace("-", "") not in there:
            without_record[review["annotator"]] += 1
        else:
            taken_back[review["annotator"]] += 1
            pulled.take_back(dataset_id, review)
    for annotator, count in without_user.items():
        pulled.told.append(f"{dataset}: {annotator} is gone with {count:,} answers; those pulled are kept")
    for annotator, count in without_record.items():
        pulled.told.append(
            f"{dataset}: records of {count:,} answers by {annotator} are gone; those pulled are kept"
        )
    for annotator, count in taken_back.items():
        pulled.told.append(f"{dataset}: {annotator} took back {count:,} answers")


def _write(
    store: Store, run: Run, dataset_id: str, state: str, pulled: Pulled, before: Counter[str]
) -> Counter[str]:
    """Write what is new of one dataset, and that it was read: all or nothing. The run tells what came `before` too."""
    counts: Counter[str] = Counter()
    now, run_id = utc_now(), str(run.run_id)
    with store.write(run) as connection:
        known = {
            str(review_id)
            for (review_id,) in connection.execute(
                "SELECT review_id FROM reviews WHERE dataset_id = ?", [dataset_id]
            ).fetchall()
        }
        fresh = [
            {**review, "pulled_at": now, "run_id": run_id}
            for review in pulled.reviews
            if review["review_id"] not in known
        ]
        counts.update(review["status"] for review in fresh)
        counts["new"] = insert_rows(connection, "reviews", fresh)
        failpoint("pull")
        spans = [{**span, "run_id": run_id} for span in pulled.spans if span["review_id"] not in known]
        counts["spans"] = insert_rows(connection, "review_spans", spans)
        rejects = [{**reject, "run_id": run_id} for reject in pulled.rejects]
        counts["rejects"] = insert_rows(connection, "rejects", rejects)
        connection.execute(
            "UPDATE review_datasets SET pulled_state = $state, pulled_at = $now::TIMESTAMP, "
            "overlap = $overlap WHERE dataset_id = $id::UUID",
            {"state": state, "now": now, "id": dataset_id, "overlap": pulled.overlap},
        )
        # An answer may quote an item that was taken down since it was written.
        if connection.execute("SELECT 1 FROM tombstones LIMIT 1").fetchall():
            remove_texts(connection)
        run.summary = dict(counts + before)
    return counts
