"""What the review loop asks of Argilla's API, with patience for a server that restarts."""

from __future__ import annotations

import contextlib
import time
import warnings
from typing import TYPE_CHECKING, Any

from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import argilla

PAGE = 500
"""Records a request, at most what the server takes."""

# Pages share records: they are ordered by the time they were made, which several may have in common, and one that is
# deleted meanwhile moves those behind it forward.
_SHARED = 50
_PATIENCE, _PAUSE = 60.0, 1.0
_RESTARTING = (502, 503, 504)


class ReviewServer:
    """An Argilla to which an owner is signed in."""

    def __init__(self, client: argilla.Argilla) -> None:
        self.client = client
        self.url = str(client.api_url).rstrip("/")

    def call(self, method: str, path: str, **more: Any) -> Any:
        """The JSON that ``/api/v1/{path}`` answers; None where there is nothing to GET.

        A server that does not answer is asked again for a minute: every request here may be made twice.

        Raises:
            TierwiseError: It does not come back, or refuses.
        """
        import httpx

        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                answer = self.client.http_client.request(method, f"/api/v1/{path}", **more)
                if answer.status_code not in _RESTARTING:
                    break
                failure = f"status {answer.status_code}"
            except httpx.TransportError as error:
                failure = str(error) or type(error).__name__
            if time.monotonic() > deadline:
                raise TierwiseError(
                    f"Argilla at {self.url} does not answer ({failure}); what was done is kept: start it, and do the "
                    "same again"
                )
            time.sleep(_PAUSE)
        if method == "GET" and answer.status_code == httpx.codes.NOT_FOUND:
            return None
        if answer.is_error:
            raise TierwiseError(f"Argilla at {self.url} refuses {path}: {_said(answer)}")
        return answer.json() if answer.content else {}

    @contextlib.contextmanager
    def sdk(self) -> Iterator[argilla.Argilla]:
        """The SDK, whose errors become one line.

        Raises:
            TierwiseError: The server does not answer, or refuses.
        """
        import httpx
        from argilla._exceptions import ArgillaError

        try:
            # The SDK warns of what it does not find, which we ask in order to make it.
            with warnings.catch_warnings(action="ignore"):
                yield self.client
        except (ArgillaError, httpx.HTTPError) as error:
            said = " ".join(str(error).split())[:300] or type(error).__name__
            raise TierwiseError(f"Argilla at {self.url}: {said}") from None

    def users(self) -> dict[str, str]:
        """Names of the users by id."""
        return {
            user["id"]: user["username"] for user in (self.call("GET", "users") or {"items": []})["items"]
        }

    def dataset(self, dataset_id: str) -> dict[str, Any] | None:
        """What the server says of a dataset; None if it is gone."""
        found: dict[str, Any] | None = self.call("GET", f"datasets/{dataset_id}")
        return found

    def questions(self, dataset_id: str) -> dict[str, dict[str, Any]]:
        """Questions of a dataset, by name."""
        found = self.call("GET", f"datasets/{dataset_id}/questions") or {"items": []}
        return {question["name"]: question for question in found["items"]}

    def answers_by_user(self, dataset_id: str) -> dict[str, dict[str, int]]:
        """How many answers of each status every user has given."""
        users = self.call("GET", f"datasets/{dataset_id}/users/progress") or {"users": []}
        by_user: dict[str, dict[str, int]] = {}
        for user in users["users"]:
            statuses = by_user.setdefault(user["username"], {})
            for by_status in (user["completed"], user["pending"]):
                for status, count in by_status.items():
                    statuses[status] = statuses.get(status, 0) + count
        return by_user

    def records(
        self, dataset_id: str, include: Sequence[str], report: Callable[[int], None] = lambda _n: None
    ) -> Iterator[dict[str, Any]]:
        """All records, in the order in which they were made.

        Args:
            dataset_id: The dataset.
            include: ``responses``, ``suggestions`` or both.
            report: Called with the number of records read so far.
        """
        offset, seen = 0, set[str]()
        while True:
            page = self.call(
                "GET",
                f"datasets/{dataset_id}/records",
                params={"offset": offset, "limit": PAGE, "include": list(include)},
            )
            items = page["items"] if page else []
            yield from (item for item in items if item["id"] not in seen)
            seen.update(item["id"] for item in items)
            report(len(seen))
            if len(items) < PAGE:
                return
            offset += PAGE - _SHARED

    def upsert(self, dataset_id: str, items: Sequence[dict[str, Any]]) -> None:
        """Add or update records, at most `PAGE` of them, by their external ids."""
        if items:
            self.call("PUT", f"datasets/{dataset_id}/records/bulk", json={"items": items})

    def drop_suggestions(self, record_id: str, suggestions: Sequence[str]) -> None:
        """Delete suggestions of a record, by id."""
        if suggestions:
            self.call("DELETE", f"records/{record_id}/suggestions", params={"ids": ",".join(suggestions)})


def _said(answer: Any) -> str:
    try:
        detail = answer.json().get("detail", answer.text)
    except (ValueError, AttributeError):
        detail = answer.text
    return " ".join(str(detail).split())[:300] or f"status {answer.status_code}"
