"""Responses of Argilla as rows of the store."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from annotation.review.questions import read_answers
from annotation.review.texts import code_point_offset
from warehouse.ids import content_id
from warehouse.ledger import utc_now


@dataclass(slots=True)
class Pulled:
    """What a reading of one dataset brought: rows, and what is to be told.

    Attributes:
        overlap: What the dataset has now: owners may change it in the page.
        taken_back: By response, the version in the store that says that its annotator took it back.
    """

    overlap: int
    taken_back: dict[str, str]
    reviews: list[dict[str, Any]] = field(default_factory=list)
    spans: list[dict[str, Any]] = field(default_factory=list)
    rejects: list[dict[str, Any]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    unknown: Counter[str] = field(default_factory=Counter)

    def add(
        self,
        dataset_id: str,
        sample: tuple[str, str, str],
        record: dict[str, Any],
        response: dict[str, Any],
        users: dict[str, str],
    ) -> None:
        """Add an answer to `sample`: its id, pair and text."""
        sample_id, pair_id, text = sample
        values = {name: value["value"] for name, value in (response["values"] or {}).items()}
        answers = read_answers(values)
        for question in answers.unknown:
            self.unknown[
                f"question {question} has another form than was pushed; kept in reviews.answers"
            ] += 1
        raw = json.dumps(values, sort_keys=True, ensure_ascii=False)
        # One that is there again, as after a restored backup, is a version after the one that said it was gone.
        after = self.taken_back.get(response["id"], "")
        review_id = _version_id(response["id"], response["status"], response["updated_at"], raw + after)
        self.reviews.append(
            {
                "review_id": review_id,
                "response_id": response["id"],
                "dataset_id": dataset_id,
                "sample_id": sample_id,
                "pair_id": pair_id,
                "annotator": users.get(response["user_id"], response["user_id"]),
                "annotator_id": response["user_id"],
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
            self.spans.append(
                {
                    "review_id": review_id,
                    "span_index": index,
                    "kind": kind,
                    "span_start": code_point_offset(text, start),
                    # A mark that ends within a character holds all of it.
                    "span_stop": min(code_point_offset(text, stop - 1) + 1, len(text)),
                }
            )

    def take_back(self, dataset_id: str, review: dict[str, Any]) -> None:
        """Add a version that says that an annotator took an answer back, now."""
        now = utc_now()
        self.reviews.append(
            {
                **review,
                "dataset_id": dataset_id,
                "review_id": _version_id(review["response_id"], "deleted", now.isoformat(), ""),
                "status": "deleted",
                "answers": "{}",
                "answered_at": now,
            }
        )

    def refuse(self, dataset: str, record: dict[str, Any], response: dict[str, Any]) -> None:
        """Keep an answer to what is no sample of the store among the rejects."""
        raw = json.dumps(response["values"], sort_keys=True, ensure_ascii=False)
        self.rejects.append(
            {
                "reject_id": str(content_id("reject", "review", response["id"], raw)),
                "source": "review",
                "file": f"Argilla dataset {dataset}",
                "line": 0,
                "reason": "no such sample",
                "detail": f"record {record['external_id'] or record['id']} is no sample of this store",
                "raw": raw,
            }
        )


def _version_id(response_id: str, status: str, updated_at: str, raw: str) -> str:
    digest = hashlib.sha256(raw.encode()).hexdigest()
    return str(content_id("review", uuid.UUID(response_id), status, updated_at, digest))
