"""The gold tier of a pair, resolved from its judgments.

The rule, in order:

1. Of several judgments from one source row, the newest stands: a corrected label replaces the former one. Newest
   by when it was judged, or by when it was ingested where the source does not say.
2. A decision by a named person (`curation.conflicts`) stands over all others, whatever comes in later. All
   decisions of a pair count as one row, so the newest stands and only another decision replaces it.
   A review by an annotator (`annotation.review.consensus`) is a judgment like those of data sets: each annotator
   has one vote on a pair, the newest tier that they gave it, and none once they took it back (confidence 0).
3. If all standing judgments give one tier, it is the pair's.
4. Otherwise each votes with its confidence (1 where unknown). A tier with at least 60 % of the votes is the
   pair's. Below that the pair has no tier: it is a conflict, listed in the view ``conflicts``, and stays out
   of samples and splits until a person decides.
5. A pair whose item was taken down has no tier.

60 % lets a sure judgment overrule a doubtful one (0.8 against 0.4) and never decides between equals. A pair's
confidence is the summed confidence behind its tier over the number of standing judgments; that of a decided
pair is the decision's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

MAJORITY = 0.6
DECISION = "decision"
"""Source of the judgments that are decisions."""
REVIEW = "review"
"""Source of the judgments that annotators gave while they reviewed."""
BY_PERSONS = (DECISION, REVIEW)
"""No data set may have these names."""


def sql_standing(pairs: str) -> str:
    """Query for the standing judgments (rule 1) of the pairs that the query `pairs` yields.

    ``vote`` is their weight. Where a decision stands, those that it overrules are among them.
    """
    return f"""
        WITH given AS (
            SELECT j.*, coalesce(j.confidence, 1.0) AS vote, r.started_at FROM judgments j JOIN runs r USING (run_id)
            SEMI JOIN ({pairs}) USING (pair_id)
        ), revised AS (
            SELECT pair_id, source, source_key FROM given GROUP BY ALL HAVING count(*) > 1
        ), superseded AS (
            SELECT judgment_id FROM given SEMI JOIN revised USING (pair_id, source, source_key)
            QUALIFY row_number() OVER (PARTITION BY pair_id, source, source_key
                ORDER BY coalesce(judged_at, started_at) DESC, started_at DESC, judgment_id) > 1
        )
        SELECT * FROM given ANTI JOIN superseded USING (judgment_id)
    """


def sql_resolved(pairs: str) -> str:
    """Query for tier, confidence, judgment_id and item_version_id of the pairs that the query `pairs` yields.

    Of equally strong judgments the first is the pair's, so that another of the same opinion changes nothing that
    hangs on it. Without a tier the item version is that of the first judgment.
    """
    # Sums are rounded, so that the order in which they are added up decides nothing.
    return f"""
        WITH standing AS (
            SELECT *, struct_pack(started_at := started_at, source_row := source_row, judgment_id := judgment_id,
                item_version_id := item_version_id) AS place
            FROM ({sql_standing(pairs)})
            WHERE source = '{DECISION}'
                OR pair_id NOT IN (SELECT pair_id FROM judgments WHERE source = '{DECISION}')
        ), backing AS (
            SELECT pair_id, tier, round(sum(vote), 9) AS votes, count(*) AS judged,
                min(struct_pack(vote := -vote, place := place)) AS strongest, min(place) AS earliest
            FROM standing GROUP BY pair_id, tier
        ), totals AS (
            SELECT pair_id, sum(votes) AS total, sum(judged) AS judged, count(*) AS tiers,
                max(struct_pack(votes := votes, tier := tier, judgment_id := strongest.place.judgment_id,
                    item_version_id := strongest.place.item_version_id)) AS leader,
                min(earliest) AS earliest
            FROM backing GROUP BY pair_id
        ), outcome AS (
            SELECT *, pair_id NOT IN (SELECT pair_id FROM pairs SEMI JOIN tombstones USING (item_id))
                AND (tiers = 1 OR (total > 0 AND leader.votes >= round({MAJORITY} * total, 9))) AS decided FROM totals
        )
        SELECT pair_id,
            CASE WHEN decided THEN leader.tier END AS tier,
            CASE WHEN decided THEN round(leader.votes / judged, 9) END AS confidence,
            CASE WHEN decided THEN leader.judgment_id END AS judgment_id,
            CASE WHEN decided THEN leader.item_version_id ELSE earliest.item_version_id END AS item_version_id
        FROM outcome
    """


def resolve_tiers(connection: duckdb.DuckDBPyConnection, pairs: str) -> int:
    """Resolve the tiers of the pairs that the query `pairs` yields; return how many changed."""
    row = connection.execute(
        f"""
        UPDATE pairs SET tier = r.tier, confidence = r.confidence, judgment_id = r.judgment_id,
            item_version_id = r.item_version_id
        FROM ({sql_resolved(pairs)}) r
        WHERE pairs.pair_id = r.pair_id AND (pairs.tier, pairs.confidence, pairs.judgment_id, pairs.item_version_id)
            IS DISTINCT FROM (r.tier, r.confidence, r.judgment_id, r.item_version_id)
        """
    ).fetchone()
    assert row is not None
    return int(row[0])
