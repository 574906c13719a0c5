"""A store with judged pairs and samples in it, and people who review them in an Argilla that runs."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from click.testing import CliRunner

from annotation.__main__ import main
from curation.__main__ import main as curation
from curation.prompts import load_template
from tests.warehouse.support import row
from warehouse.ids import content_id
from warehouse.ledger import Run
from warehouse.maintenance import initialise

if TYPE_CHECKING:
    import uuid
    from collections.abc import Sequence

    import pytest

    from tests.annotation.conftest import Served
    from warehouse.store import Store

CONFIGURATION = content_id("configuration", "test")


@dataclass(frozen=True, slots=True)
class Judged:
    """A pair with its gold tier and what a model answered."""

    query: str
    title: str
    gold: int
    samples: tuple[str, ...]
    description: str = "Plain."
    kind: str = "plain"
    confidence: float | None = None

    @property
    def pair_id(self) -> uuid.UUID:
        """Its id."""
        return content_id("pair", self.query, self.title)

    def sample_id(self, index: int = 0) -> uuid.UUID:
        """Id of one of its samples."""
        return content_id("sample", str(self.pair_id), index)


TEXT = "3\nThe 🙂 pan holds 5<6 inch; 铁锅 is red.\nIt is a wok, so tier 2."
PAN = Judged("red pan", "Wok 🙂 <b>", 3, ("4\nIt is a pan.", TEXT, "4\nIt is a pan.", "no tier at all"))
SOCK = Judged("wool sock", "Sock", 4, ("4\nA sock of wool.", "1\nA hat."), kind="negation")
PAIRS = (PAN, SOCK)
"""Two pairs with what can go wrong in texts: an emoji, markup, another script, a contradiction."""


def fill(store: Store, pairs: Sequence[Judged], form: str = "answer-first") -> None:
    """Make `store` with `pairs`, as ingest and sampling would leave it."""
    initialise(store)
    now = datetime.now(UTC).replace(tzinfo=None)
    run = Run("sample", {}, configuration_id=CONFIGURATION)
    rows: dict[str, list[dict[str, Any]]] = {}

    def add(table: str, **values: Any) -> None:
        rows.setdefault(table, []).append(row(table, run_id=run.run_id, **values))

    model = content_id("model", "test")
    add("models", model_id=model, name="tiny")
    template = load_template(form)
    add("prompts", prompt_id=template.prompt_id, name=form, format=form, text=template.text)
    add(
        "configurations",
        configuration_id=CONFIGURATION,
        model_id=model,
        prompt_id=template.prompt_id,
        decoding='{"temperature": 1}',
    )
    queries = {pair.query: pair.kind for pair in pairs}
    for query, kind in queries.items():
        add("queries", query_id=content_id("query", query), text=query, kind=kind)
    for pair in pairs:
        version, hashed = content_id("version", pair.title), content_id("rendered", str(pair.pair_id))
        judgment = content_id("judgment", str(pair.pair_id))
        add(
            "item_versions",
            item_version_id=version,
            item_id=content_id("item", pair.title),
            title=pair.title,
            description=pair.description,
            attributes='{"colour": "red"}',
        )
        add(
            "pairs",
            pair_id=pair.pair_id,
            query_id=content_id("query", pair.query),
            item_id=content_id("item", pair.title),
            item_version_id=version,
            tier=pair.gold,
            confidence=1.0,
            judgment_id=judgment,
        )
        add(
            "judgments",
            judgment_id=judgment,
            pair_id=pair.pair_id,
            item_version_id=version,
            tier=pair.gold,
            confidence=pair.confidence,
            source="test",
            source_key="1",
        )
        add(
            "rendered_prompts",
            prompt_hash=hashed,
            pair_id=pair.pair_id,
            prompt_id=template.prompt_id,
            item_version_id=version,
            messages=json.dumps([{"role": "user", "content": f"{pair.query} × {pair.title}"}]),
        )
        for index, text in enumerate(pair.samples):
            add(
                "samples",
                sample_id=pair.sample_id(index),
                pair_id=pair.pair_id,
                configuration_id=CONFIGURATION,
                prompt_hash=hashed,
                sample_index=index,
                text=text,
                tier=int(text[0]) if text[:1] in "1234" else None,
                tier_probs=[0.1, 0.2, 0.3, 0.4],
                finish_reason="stop",
            )
    with store.long_run(run) as long_run:
        for table, found in rows.items():
            unique = {json.dumps(r, default=str, sort_keys=True): r for r in found}
            long_run.write_part(table, list(unique.values()))
        run.started_at = now


def run_curation(store: Store, *arguments: object, code: int = 0) -> dict[str, Any]:
    """A command of ``python -m curation``; its summary."""
    done = CliRunner().invoke(curation, [*map(str, arguments), "--db", store.place.name, "--json"])
    assert done.exit_code == code, (done.output, done.stderr, done.exception)
    return json.loads(done.stdout) if code == 0 else {"error": done.stderr.strip()}


def ask(store: Store, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Rows of a query."""
    with store.read() as connection:
        return connection.execute(query, list(parameters)).fetchall()


class People:
    """Answers as a pull leaves them."""

    def __init__(self, store: Store, overlap: int = 2) -> None:
        self.store = store
        self.minute = 0
        self.dataset = content_id("dataset", store.place.name)
        self._write("review_datasets", dataset_id=self.dataset, name="review", overlap=overlap, blind=False)

    def _write(self, table: str, **values: Any) -> None:
        with self.store.long_run(Run("pull", {})) as run:
            run.write_part(table, [row(table, run_id=run.run.run_id, **values)])

    def say(
        self,
        pair: Judged,
        index: int,
        annotator: str,
        status: str = "submitted",
        spans: tuple[tuple[str, int, int], ...] = (),
        **values: Any,
    ) -> None:
        """A version of an answer, newer than all before."""
        self.minute += 1
        at = f"2026-11-01 {self.minute // 60:02}:{self.minute % 60:02}:00"
        review = content_id("review", str(pair.sample_id(index)), annotator, self.minute)
        tier = values.pop("tier", None)
        self._write(
            "reviews",
            review_id=review,
            response_id=content_id("response", str(pair.sample_id(index)), annotator),
            dataset_id=self.dataset,
            sample_id=pair.sample_id(index),
            pair_id=pair.pair_id,
            annotator=annotator,
            annotator_id=content_id("user", annotator),
            status=status,
            tier=int(tier) if tier in ("1", "2", "3", "4") else None,
            begun_at=datetime.fromisoformat(at),
            answered_at=datetime.fromisoformat(at),
            pulled_at=datetime.fromisoformat(at),
            **values,
        )
        for number, (kind, start, stop) in enumerate(spans):
            self._write(
                "review_spans",
                review_id=review,
                span_index=number,
                kind=kind,
                span_start=start,
                span_stop=stop,
            )


@dataclass(slots=True)
class Desk:
    """A store, an Argilla that is told of by the environment, and its users."""

    store: Store
    served: Served
    dataset: str
    monkeypatch: pytest.MonkeyPatch
    _records: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: object, code: int = 0) -> dict[str, Any]:
        """A command of ``python -m annotation``; its summary."""
        done = CliRunner().invoke(main, [*map(str, arguments), "--db", str(self.store.path), "--json"])
        assert done.exit_code == code, (done.output, done.stderr, done.exception)
        return json.loads(done.stdout) if code == 0 else {"error": done.stderr.strip()}

    def push(self, *arguments: object, code: int = 0) -> dict[str, Any]:
        """Push to the desk's dataset."""
        return self.run("push", "--dataset", self.dataset, *arguments, code=code)

    def ask(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Rows of a query on the store."""
        with self.store.read() as connection:
            return connection.execute(query, list(parameters)).fetchall()

    def api(self, method: str, path: str, user: str = "owner", **more: Any) -> Any:
        """What the server answers."""
        answer = self.served.client(user).http_client.request(method, f"/api/v1/{path}", **more)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    @property
    def dataset_id(self) -> str:
        """Argilla's id of the dataset."""
        found = self.ask(
            "SELECT CAST(dataset_id AS VARCHAR) FROM review_datasets WHERE name = ? ORDER BY created_at DESC",
            self.dataset,
        )
        return str(found[0][0])

    def records(self) -> dict[str, dict[str, Any]]:
        """What the server holds, by external id."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.api(
                "GET",
                f"datasets/{self.dataset_id}/records",
                params={"include": ["responses", "suggestions"], "limit": 1000, "offset": len(found)},
            )["items"]
            found += page
            if len(page) < 1000:
                return {record["external_id"]: record for record in found}

    def answer(self, sample: uuid.UUID, user: str, status: str = "submitted", **values: Any) -> str:
        """Answer a record as the page does, or change the answer; return its id."""
        record = self.records()[sample.hex]
        me = str(self.served.client(user).me.id)
        body = {"status": status, "values": {name: {"value": value} for name, value in values.items()}}
        own = next((r for r in record["responses"] if r["user_id"] == me), None)
        if own:
            return str(self.api("PUT", f"responses/{own['id']}", user=user, json=body)["id"])
        return str(self.api("POST", f"records/{record['id']}/responses", user=user, json=body)["id"])


def sound(tier: int, quality: int = 5) -> dict[str, Any]:
    """Values of an answer that finds nothing wrong."""
    return {"tier": str(tier), "quality": quality, "failing_steps": ["none"]}


def flawed(tier: int, *steps: str, quality: int = 2) -> dict[str, Any]:
    """Values of an answer that finds steps wrong."""
    return {"tier": str(tier), "quality": quality, "failing_steps": list(steps)}
