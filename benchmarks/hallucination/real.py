"""Answers of a weak model on real pairs, each read twice: our own annotations over the row ids of CrowdFlower's data.

`crowdflower.jsonl` has SmolLM2-135M's answers (temperature 0.7, at most 80 tokens, half of them to each prompt) to 200
pairs, fifty of each tier, and what two readers, both strong language models that worked apart under one guideline, said
of each, with a third reading where they differed: whether it has a fault of each kind, which words claim what is not
so, and why. Queries and items stay in the data.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from curation.checks.checked_text import CheckedText
from curation.grading import parse
from curation.ingest.files import open_tables
from curation.ingest.load import ingest
from curation.ingest.sources import CrowdFlower
from warehouse.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping

KINDS = ("verdict", "grounding", "form", "copy")
"""Kinds that were read for; no rule was shown."""

_ANSWERS = Path(__file__).with_name("crowdflower.jsonl")


@dataclass(frozen=True, slots=True)
class ReadAnswer:
    """An answer, and what its readers said of it.

    Attributes:
        row: Id of its row in the data.
        checked: The answer with its pair.
        labels: Whether it has a fault, by kind.
        reason: Why.
    """

    row: str
    checked: CheckedText
    labels: Mapping[str, bool]
    reason: str


@dataclass(frozen=True, slots=True)
class ReadAnswers:
    """The answers, and query and title of every pair in the data."""

    read: tuple[ReadAnswer, ...]
    catalogue: tuple[tuple[str, str], ...]


def load_answers(data: Path) -> ReadAnswers:
    """The answers with the pairs that they are about.

    Args:
        data: CrowdFlower's train.csv.
    """
    with tempfile.TemporaryDirectory() as directory:
        store = Store(Path(directory) / "crowdflower.duckdb")
        ingest(store, CrowdFlower(), open_tables([data]))
        with store.read() as connection:
            pairs = {
                row: (query, title, description or "", kind)
                for row, query, title, description, kind in connection.execute(
                    "SELECT source_key, text, title, description, kind FROM judgments JOIN pairs USING (pair_id) "
                    "JOIN queries USING (query_id) JOIN items USING (item_id)"
                ).fetchall()
            }
    answers = [json.loads(line) for line in _ANSWERS.read_text(encoding="utf-8").splitlines()]
    return ReadAnswers(
        tuple(
            ReadAnswer(
                each["id"],
                CheckedText(
                    each["text"],
                    each["format"],
                    parse(each["text"], each["format"]).tier,
                    *pairs[each["id"]][:3],
                    kind=pairs[each["id"]][3],
                    finished=each["finish"] == "stop",
                ),
                {kind: each[kind] for kind in KINDS},
                each["reason"],
            )
            for each in answers
        ),
        tuple((query, title) for query, title, _, _ in pairs.values()),
    )
