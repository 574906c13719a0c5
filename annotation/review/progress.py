"""Where the review stands."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from annotation.client import signed_in
from annotation.review.pull import review_datasets
from annotation.review.server import ReviewServer
from warehouse.ledger import utc_now

if TYPE_CHECKING:
    from collections.abc import Iterable

    from warehouse.store import Store

_BREAK = timedelta(minutes=10)
_LOOKED_BACK = timedelta(days=7)


def review_status(store: Store, name: str | None) -> dict[str, Any]:
    """Queue, answers, pace and expected end of each review dataset, as the server has them now.

    An annotator's pace is submitted answers per hour of work: gaps of more than ten minutes are breaks. The expected
    end takes the answers of the last seven days, breaks and nights among them, for the pace to come.

    Raises:
        TierwiseError: As `signed_in`; no such dataset was pushed.
    """
    datasets = review_datasets(store, name)
    told: dict[str, Any] = {}
    with signed_in(store) as client:
        server = ReviewServer(client)
        users = server.users()
        for dataset_id, dataset, _ in datasets:
            told |= _of_dataset(server, users, dataset_id, dataset)
    return told


def _of_dataset(server: ReviewServer, users: dict[str, str], dataset_id: str, dataset: str) -> dict[str, Any]:
    found = server.dataset(dataset_id)
    if found is None:
        return {dataset: "gone from the server"}
    overlap = int(found["distribution"]["min_submitted"])
    records = missing = 0
    statuses: dict[str, dict[str, int]] = {}
    times: dict[str, list[datetime]] = {}
    for record in server.records(dataset_id, ["responses"]):
        records += 1
        submitted = 0
        for response in record["responses"]:
            user = users.get(response["user_id"], response["user_id"])
            counts = statuses.setdefault(user, {})
            counts[response["status"]] = counts.get(response["status"], 0) + 1
            if response["status"] == "submitted":
                submitted += 1
                times.setdefault(user, []).append(datetime.fromisoformat(response["updated_at"]))
        missing += max(0, overlap - submitted)
    lines = [f"{user}: {_listed(of)}{_pace(times.get(user, []))}" for user, of in sorted(statuses.items())]
    return {
        dataset: f"{records:,} records, {overlap} annotators each",
        f"{dataset} answers missing": missing,
        f"{dataset} expected end": _expected_end(missing, [t for of in times.values() for t in of]),
        **({f"{dataset} by annotator": lines} if lines else {}),
    }


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {status}" for status, count in sorted(counts.items()))


def _pace(times: Iterable[datetime]) -> str:
    ordered = sorted(times)
    gaps = [b - a for a, b in pairwise(ordered) if b - a <= _BREAK]
    worked = sum(gaps, timedelta())
    return f", {len(gaps) / (worked / timedelta(hours=1)):.0f} an hour" if worked else ""


def _expected_end(missing: int, times: Iterable[datetime]) -> str:
    now = utc_now()
    recent = sorted(time for time in times if now - time <= _LOOKED_BACK)
    if not missing:
        return "done"
    if len(recent) < 2:
        return "unknown: fewer than two answers in the last seven days"
    each = max(now - recent[0], timedelta(minutes=1)) / len(recent)
    return f"{now + missing * each:%Y-%m-%d %H:%M} UTC"
