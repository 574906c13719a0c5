"""Which samples go to review, and what their records show."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from annotation.review.questions import CARD, REASONING, TIER, TIERS
from annotation.review.suggestions import FoundInText, Suggestion, agent_name, found_in_texts, of_findings
from annotation.review.texts import shown_inline, shown_text
from curation.configurations import pick_configuration
from curation.grades import CURRENT_GRADES
from curation.selection import selected_pairs
from curation.splits.inspect import require_split
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import duckdb

CONTENT = "content"
"""Metadata that holds the hash of what the record shows."""

_PLAIN = "margin:0 0 6px"
# Long descriptions scroll in place, so that the reasoning below stays on a laptop's screen.
_ITEM = "max-height:164px;overflow:auto;font-size:14px;line-height:1.45"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which samples to review.

    Attributes:
        where: SQL condition over ``pair_overview``; None takes every pair with a tier.
        split: Only pairs of this split.
        per_pair: Samples of a pair, at most: correct and wrong ones in turn, no two with equal texts.
        configuration: Id of a configuration or its beginning; None takes the newest finished one.
    """

    where: str | None = None
    split: str | None = None
    per_pair: int = 2
    configuration: str | None = None


@dataclass(frozen=True, slots=True)
class ReviewRecord:
    """What a record holds; its id in Argilla is `external_id`."""

    sample_id: str
    pair_id: str
    gold_tier: int
    fields: dict[str, str]
    metadata: dict[str, Any]
    suggestions: tuple[Suggestion, ...]

    @property
    def external_id(self) -> str:
        """Hex digits of the sample's id."""
        return self.sample_id.replace("-", "")

    @property
    def content_hash(self) -> str:
        """Of all that an annotator sees, suggestions among it."""
        seen = [
            self.fields,
            self.metadata,
            [(s.question, s.value, s.agent, s.score) for s in self.suggestions],
        ]
        return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()[:32]


def review_records(
    connection: duckdb.DuckDBPyConnection, selection: Selection, *, blind: bool
) -> list[ReviewRecord]:
    """The records of `selection`, by pair.

    Samples that state no tier are left out: there is no verdict to review.

    Raises:
        TierwiseError: A bad condition, no such split or configuration, or nothing to review.
    """
    picked = pick_configuration(connection, selection.configuration, teachers=True)
    selected_pairs(connection, selection.where)
    if selection.split:
        require_split(connection, selection.split)
        connection.execute(
            "DELETE FROM selected WHERE pair_id NOT IN (SELECT pair_id FROM split_members WHERE split = ?)",
            [selection.split],
        )
    rows = connection.execute(
        f"""
        WITH graded AS (
            SELECT * FROM ({CURRENT_GRADES}) SEMI JOIN selected USING (pair_id)
            WHERE configuration_id = $configuration::UUID AND tier IS NOT NULL
            QUALIFY row_number() OVER (PARTITION BY pair_id, text_hash ORDER BY sample_index) = 1
        ), turns AS (
            SELECT *, row_number() OVER (PARTITION BY pair_id, correct ORDER BY sample_index) AS turn FROM graded
        ), chosen AS (
            SELECT * FROM turns
            QUALIFY row_number() OVER (PARTITION BY pair_id ORDER BY turn, correct DESC, sample_index) <= $per_pair
        )
        SELECT CAST(c.sample_id AS VARCHAR) AS sample_id, CAST(c.pair_id AS VARCHAR) AS pair_id, q.text AS query,
            q.kind, v.title, v.description, v.brand, CAST(v.attributes AS VARCHAR) AS attributes, p.tier AS gold_tier,
            c.tier AS model_tier, c.tier_probs[c.tier] AS confidence, c.completion_tokens AS length, s.text,
            d.band, m.name AS model, t.format, u.suggested_tier, u.tier_probs[u.suggested_tier] AS suggested_p, u.scorer
        FROM chosen c JOIN samples s ON s.sample_id = c.sample_id JOIN pairs p ON p.pair_id = c.pair_id
        JOIN queries q ON q.query_id = p.query_id JOIN item_versions v ON v.item_version_id = p.item_version_id
        JOIN configurations f ON f.configuration_id = c.configuration_id JOIN models m ON m.model_id = f.model_id
        JOIN prompts t ON t.prompt_id = f.prompt_id
        LEFT JOIN difficulty d ON d.pair_id = c.pair_id AND d.configuration_id = c.configuration_id AND d.step IS NULL
        LEFT JOIN (SELECT * FROM suspect_labels
            QUALIFY row_number() OVER (PARTITION BY pair_id ORDER BY label_quality, scorer) = 1) u
            ON u.pair_id = c.pair_id
        ORDER BY c.pair_id, c.sample_index
        """,
        {"configuration": picked.configuration_id, "per_pair": selection.per_pair},
    )
    names = [column[0] for column in rows.description]
    chosen = [dict(zip(names, values, strict=True)) for values in rows.fetchall()]
    found = {} if blind else found_in_texts(connection, [row["sample_id"] for row in chosen])
    made = [
        _record(row, picked.configuration_id, None if blind else found.get(row["sample_id"], []))
        for row in chosen
    ]
    if not made:
        raise TierwiseError(
            "nothing to review: no graded sample that states a tier meets the condition; "
            f"configuration {picked.text}"
        )
    return made


def _record(row: dict[str, Any], configuration: str, found: Sequence[FoundInText] | None) -> ReviewRecord:
    """The record of a row; without suggestions where `found` is None."""
    metadata = {
        "gold_tier": row["gold_tier"],
        "model_tier": row["model_tier"],
        "kind": row["kind"],
        "band": row["band"],
        "model": row["model"],
        "configuration": configuration[:8],
        "length": row["length"],
        "confidence": row["confidence"],
    }
    return ReviewRecord(
        sample_id=row["sample_id"],
        pair_id=row["pair_id"],
        gold_tier=row["gold_tier"],
        fields={CARD: _card(row), REASONING: shown_text(row["text"])},
        metadata={name: value for name, value in metadata.items() if value is not None},
        suggestions=() if found is None else tuple(_suggestions(row, found)),
    )


def _card(row: dict[str, Any]) -> str:
    """One block of HTML: query, tiers, title, attributes, description. It has no empty line, which would end it."""
    attributes = {"brand": row["brand"], **json.loads(row["attributes"] or "{}")}
    listed = "&nbsp; · ".join(
        f"{shown_inline(str(name))}: <b>{shown_inline(str(value))}</b>"
        for name, value in attributes.items()
        if value not in (None, "")
    )
    sure = "" if row["confidence"] is None else f" (p {row['confidence']:.2f})"
    tiers = (
        f"Gold <b>{_tier(row['gold_tier'])}</b> &nbsp;·&nbsp; Model <b>{_tier(row['model_tier'])}</b>{sure}"
    )
    parts = [
        f'<div style="font-size:17px;font-weight:600;{_PLAIN}">{shown_inline(row["query"])}</div>',
        f'<div style="{_PLAIN}">{tiers}</div>',
        f'<div style="{_ITEM}">',
        f'<div style="font-weight:600;{_PLAIN}">{shown_inline(row["title"])}</div>',
        f'<div style="{_PLAIN}">{listed}</div>' if listed else "",
        f"<div>{shown_inline(row['description'] or '')}</div></div>",
    ]
    return "".join(parts)


def _tier(tier: int) -> str:
    return f"{tier} {TIERS[str(tier)]}"


def _suggestions(row: dict[str, Any], found: Sequence[FoundInText]) -> Iterator[Suggestion]:
    yield from of_findings(row["text"], found)
    if row["suggested_tier"] is not None:
        agent = agent_name(f"suspects {row['scorer']}")
        yield Suggestion(TIER, str(row["suggested_tier"]), agent, round(float(row["suggested_p"]), 4))
