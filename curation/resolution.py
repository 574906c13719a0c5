"""The gold tier of a pair, resolved from its judgments.

The rule, in order:

1. Of several judgments from one source row, the newest stands: a corrected label replaces the former one.
2. If all standing judgments give one tier, it is the pair's.
3. Otherwise each votes with its confidence (1 where unknown). A tier with at least 60 % of the votes is the
   pair's. Below that the pair has no tier: it is a conflict, listed in the view ``conflicts``, and stays out
   of samples and splits until a person decides.

60 % lets a sure judgment overrule a doubtful one (0.8 against 0.4) and never decides between equals. A pair's
confidence is the summed confidence behind its tier over the number of standing judgments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID

    import duckdb

MAJORITY = 0.6


def resolve_tiers(connection: duckdb.DuckDBPyConnection, pairs: str) -> set[UUID]:
    """Resolve the tiers of the pairs that the query `pairs` yields; return those that changed."""
    changed = connection.execute(
        f"""
        WITH standing AS (
            SELECT j.*, coalesce(j.confidence, 1.0) AS vote FROM judgments j JOIN runs r USING (run_id)
            SEMI JOIN ({pairs}) USING (pair_id)
            QUALIFY row_number() OVER (
                PARTITION BY pair_id, source, source_key ORDER BY r.started_at DESC, judgment_id) = 1
        ), backing AS (
            SELECT pair_id, tier, sum(vote) AS votes, arg_max(judgment_id, (vote, judgment_id)) AS judgment_id
            FROM standing GROUP BY pair_id, tier
        ), totals AS (
            SELECT pair_id, sum(votes) AS total, count(*) AS tiers, arg_max(tier, (votes, tier)) AS leader FROM backing
            GROUP BY pair_id
        ), resolved AS (
            SELECT pair_id, backing.tier, judgment_id, votes, total FROM totals JOIN backing USING (pair_id)
            WHERE backing.tier = leader AND (tiers = 1 OR votes >= {MAJORITY} * total AND total > 0)
        ), counted AS (
            SELECT pair_id, count(*) AS judged, arg_min(item_version_id, (source_row, judgment_id)) AS item_version_id
            FROM standing GROUP BY pair_id
        ), outcome AS (
            SELECT counted.pair_id, tier, votes / judged AS confidence, judgment_id,
                coalesce(
                    (SELECT s.item_version_id FROM standing s WHERE s.judgment_id = resolved.judgment_id),
                    counted.item_version_id) AS item_version_id
            FROM counted LEFT JOIN resolved USING (pair_id)
        )
        UPDATE pairs SET tier = o.tier, confidence = o.confidence, judgment_id = o.judgment_id,
            item_version_id = o.item_version_id
        FROM outcome o
        WHERE pairs.pair_id = o.pair_id AND (pairs.tier, pairs.confidence, pairs.judgment_id, pairs.item_version_id)
            IS DISTINCT FROM (o.tier, o.confidence, o.judgment_id, o.item_version_id)
        RETURNING pairs.pair_id
        """
    ).fetchall()
    return {row[0] for row in changed}
