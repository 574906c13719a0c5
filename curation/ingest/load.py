"""From files to the store: read and clean outside it, then one set-based transaction inside."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curation.ingest.rejects import add_rejects
from curation.ingest.staging import Staging
from curation.kinds import sql_query_kind
from curation.resolution import BY_PERSONS, resolve_tiers, sql_resolved, sql_standing
from warehouse.errors import TierwiseError
from warehouse.ids import sql_content_id
from warehouse.ledger import Run
from warehouse.parts import insert_new
from warehouse.store import Store
from warehouse.transactions import Rollback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import duckdb

    from curation.ingest.sources import Source
    from curation.ingest.tables import TableFile


def ingest(
    store: Store,
    source: Source,
    tables: Iterable[tuple[str, TableFile]],
    *,
    dry_run: bool = False,
    report: Callable[[int], None] = lambda _rows: None,
) -> dict[str, Any]:
    """Read `tables` as `source` into the store, making it where missing; return the counts.

    All of it is kept or nothing. The same rows again add no data row, wherever their file lies and whatever
    lines came before them.

    Args:
        store: The store; held for the last, set-based step only.
        source: The form of the tables.
        tables: Names, as lineage will tell them, and rows.
        dry_run: Count, and keep nothing.
        report: Called with the rows read so far.

    Raises:
        TierwiseError: A table that cannot be read, lacks columns, or has no usable row; a source with the name
            of what persons judge.
    """
    if source.name in BY_PERSONS:
        raise TierwiseError(
            f"source {source.name!r} is the name of what persons judge; name the data set with --source"
        )
    names = []
    with (
        tempfile.TemporaryDirectory(prefix="tierwise-ingest-") as directory,
        Staging(Path(directory), source, report) as staged,
    ):
        for name, table in tables:
            names.append(name)
            staged.read(table, name)
        staged.finish()
        if not staged.usable:
            raise TierwiseError(f"{', '.join(names)}: no usable row among {staged.rows:,} ({staged.told})")
        run = Run("ingest", {"source": source.name, "files": names, **source.settings})
        if dry_run and not store.exists:
            store = Store(Path(directory) / "tierwise.duckdb")
        with store.write(run) as connection:
            _stay_small(connection)
            run.summary = {"rows": staged.rows, **_load(connection, run, source.name, staged)}
            if staged.left_out:
                run.summary["rows_left_out"] = staged.left_out
            if dry_run:
                raise Rollback
    return run.summary


def _stay_small(connection: duckdb.DuckDBPyConnection) -> None:
    """Let ten million rows take the memory of one: spilling to disk costs an ingest next to nothing."""
    connection.execute("SET preserve_insertion_order = false")
    if "TIERWISE_MEMORY" in os.environ:
        return
    threads = connection.execute("SELECT current_setting('threads')").fetchall()[0][0]
    connection.execute(f"SET memory_limit = '{512 + 128 * threads}MB'")


def _load(connection: duckdb.DuckDBPyConnection, run: Run, source: str, arrived: Staging) -> dict[str, Any]:
    known = {"run": run.run_id, "source": source}
    _stage(connection, arrived.judged)
    taken_down = _reject_taken_down(connection, known)
    _identify_judgments(connection, source)
    new = {
        "queries": _add_queries(connection, run, arrived.judged),
        "item_versions": _add_item_versions(connection, known, arrived),
        "judgments": insert_new(
            connection,
            "judgments",
            "SELECT judgment_id, pair_id, item_version_id, tier, confidence, "
            "$source AS source, file AS source_file, line AS source_row, source_key, judged_by, judged_at, reason, "
            "$run::UUID AS run_id FROM staged WHERE NOT is_copy",
            known,
        ),
    }
    pairs = _add_pairs(connection, known)
    changed = _update_pairs(connection)
    add_rejects(connection, run, source, f"FROM {arrived.rejected}")
    changed_texts = connection.execute(
        "SELECT count(*) FROM item_versions WHERE run_id = $run AND version > 1", {"run": run.run_id}
    ).fetchall()[0][0]
    queries, total, repeats = connection.execute(
        "SELECT count(DISTINCT query_id), count(DISTINCT pair_id), count(*) - count(DISTINCT pair_id) FROM staged"
    ).fetchall()[0]
    # A new pair of one row is of one opinion.
    of_several = "SELECT pair_id FROM repeated UNION SELECT pair_id FROM known_pairs"
    disagreements, conflicts = connection.execute(
        f"""
        SELECT count(*) FILTER (tiers > 1), count(*) FILTER (tier IS NULL) FROM pairs JOIN (
            SELECT pair_id, count(DISTINCT tier) AS tiers
            FROM ({sql_standing(of_several)}) GROUP BY pair_id
        ) USING (pair_id)
        """
    ).fetchall()[0]
    connection.execute("DROP TABLE staged; DROP TABLE repeated; DROP TABLE known_pairs")
    return {
        "queries": queries,
        "pairs": total,
        "pairs_new": pairs,
        "pairs_changed": changed,
        "pairs_unchanged": total - pairs - changed,
        "repeats": repeats,
        "disagreements": disagreements,
        "conflicts": conflicts,
        "items_changed": changed_texts,
        "new_rows": new,
        "rejects": arrived.rejects | ({"item taken down": taken_down} if taken_down else {}),
    }


def _stage(connection: duckdb.DuckDBPyConnection, judged: str) -> None:
    """Make ``paired``: the rows with the ids of what they speak of, without their texts."""
    connection.execute(
        "CREATE TEMP TABLE paired AS SELECT row, file, line, source_key, tier, confidence, weight, judged_by, "
        "judged_at, reason, source_split, query_id, item_id, pair_id, item_version_id "
        f"FROM {judged}"
    )


def _reject_taken_down(connection: duckdb.DuckDBPyConnection, known: dict[str, Any]) -> int:
    """Move the rows of items that were taken down to the rejects, without their texts."""
    rows = insert_new(
        connection,
        "rejects",
        f"""
        SELECT {sql_content_id("reject taken down", "$source", "p.pair_id", "source_key", "occurrence")} AS reject_id,
            $source AS source, file, line, 'item taken down' AS reason,
            concat('item ', p.item_id, ' was taken down on ', CAST(taken_down_at AS DATE)) AS detail, '' AS raw,
            $run::UUID AS run_id
        FROM (SELECT *, row_number() OVER (PARTITION BY pair_id, source_key ORDER BY row) AS occurrence
            FROM paired SEMI JOIN tombstones USING (item_id)) p JOIN tombstones USING (item_id)
        """,
        known,
    )
    connection.execute("DELETE FROM paired WHERE item_id IN (SELECT item_id FROM tombstones)")
    return rows


def _identify_judgments(connection: duckdb.DuckDBPyConnection, source: str) -> None:
    """Make ``staged``: ``paired`` with the judgment of each row, and ``repeated``: pairs of several rows."""
    connection.execute(
        "CREATE TEMP TABLE repeated AS SELECT pair_id FROM paired GROUP BY pair_id HAVING count(*) > 1"
    )
    connection.execute(
        f"""
        CREATE TEMP TABLE staged AS
        WITH numbered AS (
            -- A row without an id of its own is numbered within its pair, by what it says and not by
            -- where it stands: stable when lines or files move. An id that says two things counts as two.
            SELECT row, pair_id, source_key, tier, confidence, judged_at, CASE WHEN source_key IS NULL
                THEN row_number() OVER (PARTITION BY pair_id ORDER BY tier, confidence, judged_at, row)
                ELSE dense_rank() OVER (PARTITION BY pair_id, source_key ORDER BY tier, confidence, judged_at) END
                AS occurrence
            FROM paired SEMI JOIN repeated USING (pair_id)
        ), rekeyed AS (
            SELECT * REPLACE (CASE WHEN source_key IS NULL OR occurrence > 1
                THEN concat(source_key, '#', occurrence) ELSE source_key END AS source_key) FROM numbered
        ), keyed AS (
            SELECT paired.* REPLACE (coalesce(r.key, paired.source_key, '#1') AS source_key),
                coalesce(r.copy, 1) > 1 AS is_copy
            FROM paired LEFT JOIN (SELECT row, source_key AS key, row_number() OVER (
                PARTITION BY pair_id, source_key, tier, confidence, judged_at ORDER BY row) AS copy FROM rekeyed) r
            ON r.row = paired.row
        ), standing AS (
            SELECT * FROM ({sql_standing("SELECT pair_id FROM paired")}) WHERE source = $source
        )
        -- What a row said before and what stands is that judgment. Anything else is a new one; the id of the
        -- one it replaces makes it so even where the row goes back to what it said first.
        SELECT keyed.*,
            CASE WHEN standing.judgment_id IS NOT NULL AND (keyed.tier, keyed.confidence, keyed.judged_at)
                IS NOT DISTINCT FROM (standing.tier, standing.confidence, standing.judged_at)
            THEN standing.judgment_id
            ELSE {
            sql_content_id(
                "judgment",
                "keyed.pair_id",
                "$source",
                "keyed.source_key",
                "keyed.tier",
                "keyed.confidence",
                "keyed.judged_at",
                "CASE WHEN keyed.judged_at IS NULL THEN standing.judgment_id END",
            )
        } END AS judgment_id
        FROM keyed LEFT JOIN standing USING (pair_id, source_key)
        """,
        {"source": source},
    )
    connection.execute("DROP TABLE paired")


def _add_queries(connection: duckdb.DuckDBPyConnection, run: Run, texts: str) -> int:
    return insert_new(
        connection,
        "queries",
        f"""
        WITH incoming AS (
            SELECT query_id, min(row) AS row FROM staged ANTI JOIN queries USING (query_id) GROUP BY query_id
        )
        SELECT incoming.query_id, query AS text, locale, {sql_query_kind("query", "locale")} AS kind, intent,
            $run::UUID AS run_id
        FROM {texts} JOIN incoming USING (row)
        """,
        {"run": run.run_id},
    )


def _add_item_versions(connection: duckdb.DuckDBPyConnection, known: dict[str, Any], arrived: Staging) -> int:
    # The text read last is the current one, be it an old one that came back.
    newest = "SELECT item_id, arg_max(item_version_id, row) AS newest FROM staged GROUP BY item_id"
    added = insert_new(
        connection,
        "item_versions",
        f"""
        WITH incoming AS (
            SELECT item_version_id, any_value(item_id) AS item_id, min(row) AS row
            FROM staged ANTI JOIN item_versions USING (item_version_id) GROUP BY item_version_id
        ), earlier AS (
            SELECT item_id, max(version) AS version FROM item_versions SEMI JOIN incoming USING (item_id)
            GROUP BY item_id
        ), numbered AS (
            SELECT row, item_version_id, item_id, item_version_id = newest AS is_current,
                coalesce(earlier.version, 0) + row_number() OVER (PARTITION BY item_id ORDER BY row) AS version
            FROM incoming JOIN ({newest}) USING (item_id) LEFT JOIN earlier USING (item_id)
        )
        SELECT n.item_version_id, n.item_id, version, is_current, $source AS source, source_item_id, title,
            nullif(coalesce(c.text, j.description), '') AS description,
            CASE WHEN c.text IS NOT NULL THEN j.description END AS raw_description, brand, attributes,
            $run::UUID AS run_id
        FROM {arrived.judged} j JOIN numbered n USING (row)
        LEFT JOIN {arrived.cleaned} c ON CAST(c.item_version_id AS UUID) = n.item_version_id
        """,
        known,
    )
    # Those of items that are new are right already.
    connection.execute(
        f"""
        UPDATE item_versions SET is_current = (item_version_id = newest) FROM (
            FROM ({newest}) SEMI JOIN (SELECT item_id FROM item_versions WHERE run_id <> $run::UUID) USING (item_id)
        ) n WHERE item_versions.item_id = n.item_id AND is_current <> (item_version_id = newest)
        """,
        {"run": known["run"]},
    )
    return added


def _add_pairs(connection: duckdb.DuckDBPyConnection, known: dict[str, Any]) -> int:
    connection.execute(
        "CREATE TEMP TABLE known_pairs AS SELECT pair_id, tier, confidence, judgment_id, item_version_id, weight "
        "FROM pairs SEMI JOIN staged USING (pair_id)"
    )
    return insert_new(
        connection,
        "pairs",
        f"""
        WITH new AS (SELECT * FROM staged ANTI JOIN known_pairs USING (pair_id)),
        -- One judgment resolves itself, and most pairs have one: only the others are worth the rule's joins.
        resolved AS (
            SELECT pair_id, tier, coalesce(round(confidence, 9), 1) AS confidence, judgment_id, item_version_id
            FROM new ANTI JOIN repeated USING (pair_id)
            UNION ALL
            FROM ({sql_resolved("SELECT pair_id FROM new SEMI JOIN repeated USING (pair_id)")})
        ), first AS (
            SELECT pair_id, query_id, item_id, weight, source_split FROM new ANTI JOIN repeated USING (pair_id)
            UNION ALL
            SELECT pair_id, any_value(query_id), any_value(item_id), arg_max(weight, row), arg_min(source_split, row)
            FROM new SEMI JOIN repeated USING (pair_id) GROUP BY pair_id
        )
        SELECT * EXCLUDE (weight), coalesce(weight, 1) AS weight, $source AS source, $run::UUID AS run_id
        FROM first JOIN resolved USING (pair_id)
        """,
        known,
    )


def _update_pairs(connection: duckdb.DuckDBPyConnection) -> int:
    """Bring the pairs that were known before up to date; return how many changed."""
    resolve_tiers(connection, "SELECT pair_id FROM known_pairs")
    connection.execute(
        "UPDATE pairs SET weight = s.weight FROM (SELECT pair_id, arg_max(weight, row) AS weight FROM staged "
        "SEMI JOIN known_pairs USING (pair_id) GROUP BY pair_id) s "
        "WHERE pairs.pair_id = s.pair_id AND pairs.weight <> s.weight"
    )
    columns = "pair_id, tier, confidence, judgment_id, item_version_id, weight"
    return int(
        connection.execute(
            f"SELECT count(*) FROM (SELECT {columns} FROM pairs SEMI JOIN known_pairs USING (pair_id) "
            f"EXCEPT SELECT {columns} FROM known_pairs)"
        ).fetchall()[0][0]
    )
