"""What splits of different roles must not share: queries, intents, and near-copies of pairs."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from curation.duplicates.search import DESCRIPTION, QUERY, TITLE, near_copies
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    import duckdb

NEED = "coalesce(q.intent, CAST(q.query_id AS VARCHAR))"
"""What a split never takes apart: wordings of one intent where the source names it, else the query."""

NEAR_COPY = {"query": QUERY.threshold, "title": TITLE.threshold, "description": DESCRIPTION.threshold}
"""Jaccard similarities that make two pairs near-copies, as a recipe keeps them."""


def refuse_shared_needs(connection: duckdb.DuckDBPyConnection, role: str) -> None:
    """Refuse members of ``new_split_members`` that a split of another role holds already, whichever came first.

    Raises:
        TierwiseError: A shared query or intent, or an equal item text for an equal query text.
    """
    leaks = connection.execute(
        f"""
        WITH mine AS (
            SELECT m.*, q.text AS query, {NEED} AS need FROM new_split_members m JOIN queries q USING (query_id)
        ), theirs AS (
            SELECT m.split, s.role, m.query_id, m.item_version_id, q.text AS query, {NEED} AS need
            FROM split_members m JOIN splits s USING (split) JOIN queries q ON q.query_id = m.query_id
            WHERE s.role <> $role
        )
        SELECT split, role, mine.query FROM mine JOIN theirs USING (need)
        UNION
        SELECT split, role, mine.query FROM mine JOIN theirs ON mine.query = theirs.query
        JOIN item_versions a ON a.item_version_id = mine.item_version_id
        JOIN item_versions b ON b.item_version_id = theirs.item_version_id
        WHERE a.title = b.title AND coalesce(a.description, '') = coalesce(b.description, '')
        ORDER BY 1, 3
        """,
        {"role": role},
    ).fetchall()
    if leaks:
        split, other, query = leaks[0]
        queries = len({leak[2] for leak in leaks})
        raise TierwiseError(
            f"{queries} queries stand in splits of another role already, such as {query!r} in {split} ({other}), by "
            'themselves or by their intent; leave them out: --where "query_id NOT IN (SELECT query_id FROM '
            f"split_queries WHERE role <> '{role}')\""
        )


def settle_near_copies(connection: duckdb.DuckDBPyConnection, role: str, *, drop: bool) -> int:
    """Take near-copies of pairs in splits of another role out of ``new_split_members``; return how many.

    Raises:
        TierwiseError: There are some and `drop` is false, or nothing else is left.
    """
    _stage_near_copies(connection, role)
    copies, members = connection.execute(
        "SELECT (SELECT count(DISTINCT mine) FROM cross_role_copies), (SELECT count(*) FROM new_split_members)"
    ).fetchall()[0]
    if copies and not drop:
        raise TierwiseError(
            f"{copies:,} of {members:,} pairs would be near-copies of what splits of another role hold, such as "
            f"{_example(connection, role)}; leave them out with --drop-near-copies"
        )
    if copies == members:
        raise TierwiseError(
            "nothing is left without the near-copies of what splits of another role hold; choose others with --where"
        )
    connection.execute("DELETE FROM new_split_members WHERE pair_id IN (SELECT mine FROM cross_role_copies)")
    return int(copies)


def _stage_near_copies(connection: duckdb.DuckDBPyConnection, role: str) -> None:
    """Fill the temporary table ``cross_role_copies``: ids of pairs and of what they are near-copies of."""
    import pyarrow as pa

    connection.execute(
        """
        CREATE TEMP TABLE compared_versions AS
        SELECT 'mine' AS side, pair_id, query_id, item_version_id FROM new_split_members UNION
        SELECT 'theirs', pair_id, query_id, item_version_id FROM split_members JOIN splits s USING (split)
        WHERE s.role <> $role
        """,
        {"role": role},
    )
    connection.execute(
        "CREATE TEMP VIEW compared AS SELECT side, pair_id, q.text AS query, v.title, v.description "
        "FROM compared_versions c JOIN queries q USING (query_id) "
        "JOIN item_versions v ON v.item_version_id = c.item_version_id"
    )
    found = near_copies(connection, "compared")
    copies = {"mine": [mine for mine, _ in found], "theirs": [theirs for _, theirs in found]}
    schema = pa.schema({name: pa.string() for name in copies})
    connection.register("found_copies", pa.table(copies, schema=schema))
    connection.execute(
        "CREATE TEMP TABLE cross_role_copies AS SELECT mine::UUID AS mine, theirs::UUID AS theirs FROM found_copies"
    )
    connection.unregister("found_copies")


def _example(connection: duckdb.DuckDBPyConnection, role: str) -> str:
    *texts, split, other = connection.execute(
        "SELECT a.query, a.title, b.query, b.title, m.split, s.role FROM cross_role_copies c "
        "JOIN pair_overview a ON a.pair_id = c.mine JOIN pair_overview b ON b.pair_id = c.theirs "
        "JOIN split_members m ON m.pair_id = c.theirs JOIN splits s USING (split) "
        "WHERE s.role <> $role ORDER BY c.mine, c.theirs, m.split LIMIT 1",
        {"role": role},
    ).fetchall()[0]
    query, title, its_query, its_title = (repr(textwrap.shorten(text, 60, placeholder="…")) for text in texts)
    return f"{query} × {title} of {its_query} × {its_title} in {split} ({other})"
