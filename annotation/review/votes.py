"""Submitted answers, and what each says of the sample that it is about."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal

from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    import duckdb

SOUND_QUALITY = 3
"""Least rating of a reasoning that is accepted: thin, but right."""

Vote = Literal["accept", "reject", "correct"]


@dataclass(frozen=True, slots=True)
class Review:
    """A submitted answer: the newest of an annotator to a sample.

    Attributes:
        overlap: Annotators that the record is to have.
        band: Difficulty band of the pair for the sample's configuration; None if there is none.
        spans: Kind, first code point, code point after the last.
    """

    review_id: str
    sample_id: str
    pair_id: str
    query_id: str
    kind: str
    band: str | None
    query: str
    title: str
    text: str
    model_tier: int | None
    annotator: str
    tier: int | None
    quality: int | None
    failing_steps: frozenset[str]
    correction: str | None
    answered_at: datetime
    overlap: int
    spans: tuple[tuple[str, int, int], ...]

    @property
    def vote(self) -> Vote | None:
        """Whether verdict and reasoning are sound; None where the annotator cannot tell the tier.

        They are where the tier is the model's, no step fails, no span is marked and the rating is at least
        `SOUND_QUALITY`. A correction says that they are not.
        """
        if self.tier is None:
            return None
        if self.correction:
            return "correct"
        sound = (
            self.tier == self.model_tier
            and not self.failing_steps
            and not self.spans
            and (self.quality is None or self.quality >= SOUND_QUALITY)
        )
        return "accept" if sound else "reject"


def by_sample(reviews: Iterable[Review]) -> dict[str, list[Review]]:
    """The reviews of each sample."""
    found: dict[str, list[Review]] = {}
    for review in reviews:
        found.setdefault(review.sample_id, []).append(review)
    return found


def majority_tier(reviews: Iterable[Review]) -> int | None:
    """Tier that most give; None at a tie, or where none can tell."""
    tiers = Counter(review.tier for review in reviews if review.tier is not None).most_common(2)
    return tiers[0][0] if tiers and (len(tiers) == 1 or tiers[0][1] > tiers[1][1]) else None


def submitted(connection: duckdb.DuckDBPyConnection, dataset: str | None = None) -> list[Review]:
    """Submitted answers of `dataset`, or of all, by sample and annotator; of several to a sample, the newest.

    Raises:
        TierwiseError: None was ever pulled.
    """
    rows = connection.execute(
        """
        WITH newest AS (
            SELECT * FROM current_reviews WHERE status = 'submitted' AND ($dataset IS NULL OR dataset = $dataset)
            QUALIFY row_number() OVER (PARTITION BY sample_id, annotator ORDER BY answered_at DESC, review_id) = 1
        ), wanted AS (
            SELECT sample_id, max(overlap) AS overlap FROM newest JOIN review_datasets USING (dataset_id) GROUP BY 1
        )
        SELECT CAST(r.review_id AS VARCHAR), CAST(r.sample_id AS VARCHAR), CAST(r.pair_id AS VARCHAR),
            CAST(p.query_id AS VARCHAR), r.kind, d.band, r.query, r.title, s.text, r.model_tier, r.annotator, r.tier,
            r.quality, r.correction, r.answered_at, o.overlap, r.failing_steps
        FROM newest r JOIN samples s ON s.sample_id = r.sample_id JOIN pairs p ON p.pair_id = r.pair_id
        JOIN wanted o ON o.sample_id = r.sample_id
        LEFT JOIN difficulty d ON d.pair_id = r.pair_id AND d.configuration_id = s.configuration_id AND d.step IS NULL
        ORDER BY r.sample_id, r.annotator
        """,
        {"dataset": dataset},
    ).fetchall()
    if (
        not rows
        and not connection.execute("SELECT 1 FROM reviews WHERE status = 'submitted' LIMIT 1").fetchall()
    ):
        raise TierwiseError(
            "no submitted answer in this store; annotators answer in Argilla, then `python -m annotation pull`"
        )
    marked: dict[str, list[tuple[str, int, int]]] = {}
    for review_id, *span in connection.execute(
        "SELECT CAST(review_id AS VARCHAR), kind, span_start, span_stop FROM review_spans ORDER BY 1, span_index"
    ).fetchall():
        marked.setdefault(review_id, []).append((span[0], span[1], span[2]))
    names = [field.name for field in fields(Review) if field.name not in ("spans", "failing_steps")]
    found = []
    for *values, steps in rows:
        # "None" says that all hold.
        failing = frozenset(steps or ()) - {"none"}
        given = dict(zip(names, values, strict=True))
        found.append(Review(**given, failing_steps=failing, spans=tuple(marked.get(values[0], ()))))
    return found
