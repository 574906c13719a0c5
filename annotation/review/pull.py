"""Answers from Argilla into ``reviews``: every version that a pull meets, each once."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from annotation.client import signed_in
from annotation.review.questions import read_answers, settings
from annotation.review.server import ReviewServer
from annotation.review.texts import code_point_offset
from warehouse.errors import TierwiseError
from warehouse.failpoints import failpoint
from warehouse.ids import content_id
from warehouse.ledger import Run, utc_now
from warehouse.parts import insert_new

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from warehouse.store import Store

_READINGS = 3


@dataclass(slots=True)
class Pulled:
    """What a reading of one dataset brought: rows, and what is to be told."""

    reviews: list[dict[str, Any]] = field(default_factory=list)
    spans: list[dict[str, Any]] = field(default_factory=list)
    rejects: list[dict[str, Any]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    unknown: Counter[str] = field(default_factory=Counter)


def pull(store: Store, name: str | None, report: Callable[[int], None]) -> dict[str, Any]:
    """Pull every answer of the review datasets; return the counts.

    Versions of an answer that are there already are not written again. An answer that its annotator took back becomes
    one more version, ``deleted``. What is gone with its user, its record or its dataset is told and kept.

    Args:
        store: The store; held to read what is known and, at the end, to write what is new, all of it or nothing.
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
            if isinstance(found, str):
                told.append(f"{dataset}: {found}")
                continue
            pulled, now = found
            counts += _write(store, run, dataset_id, now, pulled)
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


def review_datasets(store: Store, name: str | None) -> list[tuple[str, str, str | None]]:
    """Id, name and state at the last pull of the review datasets: that of `name`, or all.

    Raises:
        TierwiseError: There is none.
    """
    with store.read() as connection:
        rows = connection.execute(
            "SELECT CAST(dataset_id AS VARCHAR), name, pulled_state FROM review_datasets ORDER BY created_at"
        ).fetchall()
    if not rows:
        raise TierwiseError("nothing was pushed for review from this store; `python -m annotation push` does")
    chosen = [row for row in rows if name in (None, row[1])]
    if not chosen:
        known = ", ".join(sorted({row[1] for row in rows}))
        raise TierwiseError(f"no review dataset {name}; there are {known}")
    return chosen


def _state(server: ReviewServer, dataset_id: str) -> str:
    """Changes whenever an answer is made, changed or taken away: the server touches a date, or a count differs."""
    found = server.dataset(dataset_id) or {}
    users = server.progress(dataset_id)["users"]
    return json.dumps([found.get("last_activity_at"), users], sort_keys=True)


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
    if server.dataset(dataset_id) is None:
        return f"gone from the server; the {_count(store, dataset_id):,} answers that were pulled are kept"
    now = _state(server, dataset_id)
    if now == state:
        return "nothing new"
    for _ in range(_READINGS):
        pulled = _read(store, server, dataset_id, dataset, users, report)
        pulled.told += [f"{dataset}: {what}" for what in _changed_questions(server, dataset_id)]
        before, now = now, _state(server, dataset_id)
        if now == before:
            break
    # What was answered while it was read may have been missed: the next pull reads again.
    return pulled, before


def _changed_questions(server: ReviewServer, dataset_id: str) -> Iterator[str]:
    """Questions of ours that read otherwise than they were pushed. The page lets owners change words, not values."""
    now = server.questions(dataset_id)
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
    dataset_id: str,
    dataset: str,
    users: dict[str, str],
    report: Callable[[int], None],
) -> Pulled:
    answered = [r for r in server.records(dataset_id, ["responses"], report) if r["responses"]]
    samples = _samples(store, [record["external_id"] for record in answered])
    pulled, seen = Pulled(), set()
    for record in answered:
        sample = samples.get(record["external_id"])
        for response in record["responses"]:
            seen.add(response["id"])
            if sample is None:
                pulled.rejects.append(_reject(dataset, record, response))
            else:
                _add(pulled, dataset_id, sample, record, response, users)
    _add_what_is_gone(pulled, store, server, dataset_id, dataset, users, seen)
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


def _add(
    pulled: Pulled,
    dataset_id: str,
    sample: tuple[str, str, str],
    record: dict[str, Any],
    response: dict[str, Any],
    users: dict[str, str],
) -> None:
    sample_id, pair_id, text = sample
    values = {name: value["value"] for name, value in (response["values"] or {}).items()}
    answers = read_answers(values)
    for question in answers.unknown:
        pulled.unknown[f"question {question} has another form than was pushed; kept in reviews.answers"] += 1
    raw = json.dumps(values, sort_keys=True, ensure_ascii=False)
    review_id = _version_id(response["id"], response["status"], response["updated_at"], raw)
    pulled.reviews.append(
        {
            "review_id": review_id,
            "response_id": response["id"],
            "dataset_id": dataset_id,
            "sample_id": sample_id,
            "pair_id": pair_id,
            "annotator": users.get(response["user_id"], response["user_id"]),
            "status": response["status"],
            "gold_tier": (record["metadata"] or {}).get("gold_tier"),
            "tier": answers.tier,
            "quality": answers.quality,
            "failing_steps": None if answers.failing_steps is None else list(answers.failing_steps),
            "correction": answers.correction,
            "note": answers.note,
            "answers": raw,
            "begun_at": datetime.fromisoformat(response["inserted_at"]),
            "answered_at": datetime.fromisoformat(response["updated_at"]),
        }
    )
    for index, (kind, start, stop) in enumerate(answers.spans):
        pulled.spans.append(
            {
                "review_id": review_id,
                "span_index": index,
                "kind": kind,
                "span_start": code_point_offset(text, start),
                # A mark that ends within a character holds all of it.
                "span_stop": code_point_offset(text, stop - 1) + 1 if stop > start else start,
            }
        )


def _add_what_is_gone(
    pulled: Pulled,
    store: Store,
    server: ReviewServer,
    dataset_id: str,
    dataset: str,
    users: dict[str, str],
    seen: set[str],
) -> None:
    with store.read() as connection:
        rows = connection.execute(
            "SELECT CAST(response_id AS VARCHAR) AS response_id, CAST(sample_id AS VARCHAR) AS sample_id, "
            "CAST(pair_id AS VARCHAR) AS pair_id, annotator, gold_tier, begun_at FROM current_reviews "
            "WHERE dataset_id = ? AND status <> 'deleted'",
            [dataset_id],
        )
        names = [column[0] for column in rows.description]
        known = [dict(zip(names, row, strict=True)) for row in rows.fetchall()]
    gone = [review for review in known if review["response_id"] not in seen]
    if not gone:
        return
    there = {record["external_id"] for record in server.records(dataset_id, [])}
    present = set(users.values())
    without_user = Counter(review["annotator"] for review in gone if review["annotator"] not in present)
    for annotator, count in without_user.items():
        pulled.told.append(f"{dataset}: {annotator} is gone with {count:,} answers; those pulled are kept")
    without_record = 0
    for review in gone:
        if review["annotator"] not in present:
            continue
        if review["sample_id"].replace("-", "") not in there:
            without_record += 1
            continue
        now = utc_now()
        pulled.reviews.append(
            {
                **review,
                "dataset_id": dataset_id,
                "review_id": _version_id(review["response_id"], "deleted", now.isoformat(), ""),
                "status": "deleted",
                "answers": "{}",
                "answered_at": now,
            }
        )
    if without_record:
        pulled.told.append(
            f"{dataset}: records of {without_record:,} answers are gone; those pulled are kept"
        )


def _version_id(response_id: str, status: str, updated_at: str, raw: str) -> str:
    digest = hashlib.sha256(raw.encode()).hexdigest()
    return str(content_id("review", uuid.UUID(response_id), status, updated_at, digest))


def _reject(dataset: str, record: dict[str, Any], response: dict[str, Any]) -> dict[str, Any]:
    raw = json.dumps(response["values"], sort_keys=True, ensure_ascii=False)
    return {
        "reject_id": str(content_id("reject", "review", response["id"], raw)),
        "source": "review",
        "file": f"Argilla dataset {dataset}",
        "line": 0,
        "reason": "no such sample",
        "detail": f"an answer to record {record['external_id'] or record['id']}, which is no sample of this store",
        "raw": raw,
    }


def _write(store: Store, run: Run, dataset_id: str, state: str, pulled: Pulled) -> Counter[str]:
    """Write what is new of one dataset, and that it was read: all or nothing."""
    import pyarrow as pa

    counts: Counter[str] = Counter()
    with store.write(run) as connection:
        parameters = {"run": run.run_id, "now": utc_now()}
        if pulled.reviews:
            connection.register("pulled_reviews", pa.Table.from_pylist(pulled.reviews))
            fresh = connection.execute(
                "SELECT status, count(*) FROM pulled_reviews "
                "WHERE review_id::UUID NOT IN (SELECT review_id FROM reviews) GROUP BY status"
            ).fetchall()
            counts.update(dict(fresh))
            counts["new"] = insert_new(
                connection,
                "reviews",
                "SELECT *, $now::TIMESTAMP AS pulled_at, $run::UUID AS run_id FROM pulled_reviews",
                parameters,
            )
            connection.unregister("pulled_reviews")
        failpoint("pull")
        for table, rows in (("review_spans", pulled.spans), ("rejects", pulled.rejects)):
            if rows:
                connection.register("pulled_rows", pa.Table.from_pylist(rows))
                counts[table.removeprefix("review_")] = insert_new(
                    connection, table, "SELECT *, $run::UUID AS run_id FROM pulled_rows", {"run": run.run_id}
                )
                connection.unregister("pulled_rows")
        connection.execute(
            "UPDATE review_datasets SET pulled_state = $state, pulled_at = $now::TIMESTAMP "
            "WHERE dataset_id = $id::UUID",
            {"state": state, "now": parameters["now"], "id": dataset_id},
        )
        run.summary = dict(counts)
    return counts
