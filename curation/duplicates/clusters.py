"""Clusters of near-copies in a store, those whose tiers differ first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from curation.duplicates.search import SAME_TITLE, connected_components, near_copies
from curation.selection import selected_pairs

if TYPE_CHECKING:
    from collections.abc import Callable

    import duckdb

    from warehouse.store import Store


def duplicate_clusters(
    store: Store,
    where: str | None,
    limit: int,
    report: Callable[[int, int], None] = lambda _done, _total: None,
) -> dict[str, Any]:
    """Cluster the near-copies among pairs with a tier; return the counts and the first `limit` clusters.

    Pairs that are near-copies by a chain of others are in one cluster. Clusters come by the distance between
    their highest and lowest tier, then by size.

    Args:
        store: The store; read for as long as this takes.
        where: SQL condition over ``pair_overview``; None takes every pair with a tier.
        limit: Clusters wanted.
        report: Called with the pairs compared so far and in all.

    Raises:
        TierwiseError: `where` is not a condition over ``pair_overview``.
    """
    with store.read() as connection:
        pairs = selected_pairs(connection, where)
        connection.execute(
            "CREATE TEMP VIEW compared AS SELECT pair_id, pair_id AS side, query, title, description "
            "FROM main.pair_overview SEMI JOIN selected USING (pair_id)"
        )
        found = near_copies(connection, "compared", title=SAME_TITLE, report=lambda done: report(done, pairs))
        ids = sorted({pair_id for two in found for pair_id in two})
        position = {pair_id: number for number, pair_id in enumerate(ids)}
        clusters = connected_components(len(ids), [(position[a], position[b]) for a, b in found])
        _stage(connection, ids, clusters)
        counted, differing = connection.execute(
            "SELECT count(*), count(*) FILTER (lowest < highest) FROM clusters"
        ).fetchall()[0]
        return {
            "pairs": pairs,
            "clusters": counted,
            "pairs_in_clusters": len(ids),
            "clusters_with_different_tiers": differing,
            "listed": _listed(connection, limit),
        }


def _stage(connection: duckdb.DuckDBPyConnection, ids: list[str], clusters: list[int]) -> None:
    import pyarrow as pa

    members = pa.table({"pair_id": pa.array(ids, pa.string()), "cluster": pa.array(clusters, pa.int64())})
    connection.register("cluster_ids", members)
    connection.execute(
        "CREATE TEMP TABLE cluster_members AS SELECT CAST(pair_id AS UUID) AS pair_id, cluster, tier "
        "FROM cluster_ids JOIN pairs USING (pair_id)"
    )
    connection.execute(
        "CREATE TEMP TABLE clusters AS SELECT cluster, count(*) AS pairs, min(tier) AS lowest, max(tier) AS highest, "
        "min(pair_id) AS first_pair FROM cluster_members GROUP BY cluster"
    )


def _listed(connection: duckdb.DuckDBPyConnection, limit: int) -> list[list[dict[str, Any]]]:
    rows = connection.execute(
        """
        SELECT list({
            'pair_id': CAST(pair_id AS VARCHAR), 'tier': o.tier, 'query': query, 'title': title
        } ORDER BY o.tier DESC, pair_id)
        FROM (FROM clusters ORDER BY highest - lowest DESC, pairs DESC, first_pair LIMIT $limit)
        JOIN cluster_members USING (cluster) JOIN main.pair_overview o USING (pair_id)
        GROUP BY cluster, highest - lowest, pairs, first_pair
        ORDER BY highest - lowest DESC, pairs DESC, first_pair
        """,
        {"limit": limit},
    ).fetchall()
    return [row[0] for row in rows]
