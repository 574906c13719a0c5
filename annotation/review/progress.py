"""Where the review stands."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from annotation.client import signed_in
from annotation.review.datasets import review_datasets
from annotation.review.server import ReviewServer
from warehouse.ledger import utc_now

if TYPE_CHECKING:
    from collections.abc import Iterable

    from warehouse.store import Store

_BREAK = timedelta(minutes=10)
_LOOKED_BACK = timedelta(days=7)


def review_status(store: Store, name: str | None) -> dict[str, dict[str, Any]]:
    """Each review dataset by name, as the server has it now.

    ``records``, those ``complete``, ``overlap``, ``answers_missing``, ``expected_end`` (UTC; None if unknown) and
    ``annotators``: by name the answers by status and ``an_hour``, submitted answers per hour of work. Gaps of more
    than ten minutes are breaks. The expected end takes the answers of the last seven days, breaks and nights among
    them, for the pace to come. A dataset that is gone has none of these.

    Raises:
        TierwiseError: As `signed_in`; no such dataset was pushed.
    """
    datasets = review_datasets(store, name)
    told: dict[str, dict[str, Any]] = {}
    with signed_in(store) as client:
        server = ReviewServer(client)
        users = server.users()
        for dataset_id, dataset, _ in datasets:
            found = server.dataset(dataset_id)
            # Of several of one name only the newest can be there.
            if found is not None or dataset not in told:
                told[dataset] = _of_dataset(server, users, dataset_id, found) if found else {}
    return told


def _of_dataset(
    server: ReviewServer, users: dict[str, str], dataset_id: str, found: dict[str, Any]
) -> dict[str, Any]:
    overlap = int(found["distribution"]["min_submitted"])
    records = complete = missing = 0
    annotators: dict[str, dict[str, Any]] = {}
    times: dict[str, list[datetime]] = {}
    for record in server.records(dataset_id, ["responses"]):
        records += 1
        submitted = 0
        for response in record["responses"]:
            user = users.get(response["user_id"], response["user_id"])
            counts = annotators.setdefault(user, {"submitted": 0, "draft": 0, "discarded": 0})
            counts[response["status"]] += 1
            if response["status"] == "submitted":
                submitted += 1
                times.setdefault(user, []).append(datetime.fromisoformat(response["updated_at"]))
        complete += submitted >= overlap
        missing += max(0, overlap - submitted)
    for user, counts in annotators.items():
        counts["an_hour"] = _pace(times.get(user, []))
    return {
        "records": records,
        "complete": complete,
        "overlap": overlap,
        "answers_missing": missing,
        "expected_end": _expected_end(missing, [t for of in times.values() for t in of]),
        "annotators": dict(sorted(annotators.items())),
    }


def _pace(times: Iterable[datetime]) -> float | None:
    gaps = [b - a for a, b in pairwise(sorted(times)) if b - a <= _BREAK]
    worked = sum(gaps, timedelta())
    return round(len(gaps) / (worked / timedelta(hours=1)), 1) if worked else None


def _expected_end(missing: int, times: Iterable[datetime]) -> str | None:
    now = utc_now()
    recent = sorted(time for time in times if now - time <= _LOOKED_BACK)
    if not missing or len(recent) < 2:
        return None
    each = max(now - recent[0], timedelta(minutes=1)) / len(recent)
    return (now + missing * each).isoformat(timespec="minutes")
