"""Choosing pairs by an SQL condition over the view ``pair_overview``, or those of a split."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warehouse.ddl import sql_text
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    import duckdb


_DIFFICULTY = ("configuration_id", "n", "c", "pass_1", "pass_n", "solve_rate", "band")


def selected_pairs(
    connection: duckdb.DuckDBPyConnection,
    where: str | None,
    limit: int | None = None,
    *,
    configuration: str | None = None,
) -> int:
    """Put ids and current item versions of pairs with a gold tier that meet `where` into the temp table ``selected``.

    Args:
        connection: Where to.
        where: A condition over ``pair_overview``.
        limit: Keeps the first by id. Ids are content hashes, so this is a fixed random subset.
        configuration: Id of the one whose difficulty the condition reads, the newest if None.

    Returns:
        How many.

    Raises:
        TierwiseError: `where` is not a condition over ``pair_overview``.
    """
    import duckdb

    overview = "SELECT * FROM main.pair_overview"
    if configuration is not None:
        overview = (
            f"SELECT o.* REPLACE ({', '.join(f'd.{column} AS {column}' for column in _DIFFICULTY)}) "
            "FROM main.pair_overview o LEFT JOIN (SELECT * FROM difficulty WHERE step IS NULL "
            f"AND configuration_id = {sql_text(configuration)}::UUID) d USING (pair_id)"
        )
    try:
        # On lines of its own, so that a trailing comment in the condition comments out nothing of ours.
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE selected AS SELECT pair_id, item_version_id FROM "
            f"(SELECT * FROM ({overview}) WHERE tier IS NOT NULL) AS pair_overview "
            f"WHERE (\n{where or 'true'}\n) ORDER BY pair_id {'' if limit is None else f'LIMIT {int(limit)}'}"
        )
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise TierwiseError(f"--where {where!r}: {reason}; columns are those of pair_overview") from None
    return int(connection.execute("SELECT count(*) FROM selected").fetchall()[0][0])


def split_pairs(connection: duckdb.DuckDBPyConnection, split: str) -> int:
    """Put the pairs of `split`, with the item versions that it froze, into the temp table ``selected``.

    Returns:
        How many.
    """
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE selected AS "
        "SELECT pair_id, item_version_id FROM split_members WHERE split = ? ORDER BY pair_id",
        [split],
    )
    return int(connection.execute("SELECT count(*) FROM selected").fetchall()[0][0])
