"""A dataset of Argilla's, driven by its SDK, and a model of what Argilla promises of it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import argilla as rg

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tests.annotation.conftest import Served

LABELS = ("yes", "no")
STEPS = ("query", "item", "verdict")
KINDS = ("plain", "negation", "question")


class Review:
    """A dataset with a bit of everything: two text fields, three kinds of metadata, three questions, a vector."""

    def __init__(self, served: Served, overlap: int = 2) -> None:
        self.served = served
        self.client = served.client()
        settings = rg.Settings(
            fields=[rg.TextField(name="title"), rg.TextField(name="text", required=False)],
            questions=[
                rg.LabelQuestion(name="right", labels=list(LABELS)),
                rg.RatingQuestion(name="quality", values=[1, 2, 3, 4, 5], required=False),
                rg.MultiLabelQuestion(name="steps", labels=list(STEPS), required=False),
            ],
            metadata=[
                rg.TermsMetadataProperty(name="kind"),
                rg.IntegerMetadataProperty(name="tier"),
                rg.FloatMetadataProperty(name="confidence"),
            ],
            vectors=[rg.VectorField(name="meaning", dimensions=3)],
            distribution=rg.TaskDistribution(min_submitted=overlap),
        )
        name = f"review-{secrets.token_hex(4)}"
        self.dataset = rg.Dataset(name=name, workspace="tierwise", settings=settings, client=self.client)
        self.dataset.create()
        self.questions = {question.name: question.id for question in self.dataset.settings.questions}
        self.ids: dict[str, str] = {}

    def log(self, records: Sequence[rg.Record]) -> None:
        """Add or update records."""
        self.dataset.records.log(list(records), batch_size=100)
        missing = [record.id for record in records if record.id not in self.ids]
        if missing:
            for record in self.dataset.records(with_responses=False, with_suggestions=False):
                self.ids[str(record.id)] = str(record._server_id)

    def delete(self, names: Iterable[str]) -> None:
        """Delete records."""
        ids = [self.ids.pop(name) for name in names]
        self.request("DELETE", f"datasets/{self.dataset.id}/records", params={"ids": ",".join(ids)})

    def find(self, text: str | None = None, *conditions: tuple[str, str, Any]) -> list[str]:
        """Names of records, in the order in which Argilla gives them."""
        query = rg.Query(query=text, filter=rg.Filter(list(conditions)) if conditions else None)
        found = self.dataset.records(query=query, with_suggestions=False, with_responses=False)
        return [str(record.id) for record in found]

    def search(self, user: str | None = None, **body: Any) -> tuple[int, list[str]]:
        """How many match and the names of a page of them: as ``/me`` where a user is named."""
        offset, limit = body.pop("offset", 0), body.pop("limit", 1000)
        me = "me/" if user else ""
        answer = self.request(
            "POST",
            f"{me}datasets/{self.dataset.id}/records/search",
            user=user,
            params={"offset": offset, "limit": limit},
            json=body,
        )
        return answer["total"], [item["record"]["external_id"] for item in answer["items"]]

    def respond(self, name: str, user: str, status: str, values: Mapping[str, Any]) -> str:
        """Answer a record as the browser does; return the response's id."""
        body = {"status": status, "values": {q: {"value": value} for q, value in values.items()}}
        answer = self.request("POST", f"records/{self.ids[name]}/responses", user=user, json=body)
        return str(answer["id"])

    def request(self, method: str, path: str, user: str | None = None, **more: Any) -> Any:
        """Call the API where the SDK has no word for it."""
        client = self.served.client(user) if user else self.client
        answer = client.http_client.request(method, f"/api/v1/{path}", **more)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None


def record(name: str, title: str, text: str | None = None, **more: Any) -> rg.Record:
    """A record named `name`."""
    return rg.Record(id=name, fields={"title": title, "text": text or ""}, **more)


@dataclass(slots=True)
class ModelRecord:
    """What a record must be found by."""

    title: str
    text: str
    metadata: dict[str, Any]
    suggestion: tuple[str, float, str] | None = None
    responses: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)

    def words(self) -> list[str]:
        """Words of all fields."""
        return f"{self.title} {self.text}".split()

    def status(self, overlap: int) -> str:
        """Completed once enough users have submitted."""
        submitted = sum(status == "submitted" for status, _ in self.responses.values())
        return "completed" if submitted >= overlap else "pending"
