"""Looking at frozen splits: list, show, verify, diff."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from curation.splits.content import FROZEN_TABLES, MEMBERS, content_hash, rows_of
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    import duckdb

_NAMED = 10


def require_split(connection: duckdb.DuckDBPyConnection, split: str) -> None:
    """Check that `split` exists.

    Raises:
        TierwiseError: It does not; the message lists what there is.
    """
    known = [row[0] for row in connection.execute("SELECT split FROM splits ORDER BY created_at").fetchall()]
    if split not in known:
        there = (
            f"there are {', '.join(known)}"
            if known
            else "there is none yet: `python -m curation split create`"
        )
        raise TierwiseError(f"no split {split}; {there}")


def list_splits(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Every split with its role and counts, oldest first."""
    names = [row[0] for row in connection.execute("SELECT split FROM splits ORDER BY created_at").fetchall()]
    return [
        {
            key: shown[key]
            for key in ("split", "role", "pairs", "queries", "completions", "preferences", "content_hash")
        }
        for shown in (show_split(connection, name) for name in names)
    ]


def show_split(connection: duckdb.DuckDBPyConnection, split: str) -> dict[str, Any]:
    """What a split holds.

    Raises:
        TierwiseError: No such split.
    """
    require_split(connection, split)
    role, recipe, configuration, frozen, created = connection.execute(
        "SELECT role, recipe, CAST(configuration_id AS VARCHAR), content_hash, created_at FROM splits WHERE split = ?",
        [split],
    ).fetchall()[0]
    counts = {
        table.name.removeprefix("split_"): connection.execute(
            f"SELECT count(*) FROM {table.name} WHERE split = ?", [split]
        ).fetchall()[0][0]
        for table in FROZEN_TABLES
    }
    queries = connection.execute(
        "SELECT count(DISTINCT query_id) FROM split_members WHERE split = ?", [split]
    ).fetchall()[0][0]

    def by(column: str) -> dict[str, int]:
        rows = connection.execute(
            f"SELECT coalesce(CAST({column} AS VARCHAR), 'none'), count(*) FROM split_members WHERE split = ? "
            "GROUP BY 1 ORDER BY 1 DESC",
            [split],
        ).fetchall()
        return dict(rows)

    return {
        "split": split,
        "role": role,
        "pairs": counts["members"],
        "queries": queries,
        "tiers": by("tier"),
        "kinds": by("kind"),
        "bands": by("band"),
        "completions": counts["completions"],
        "preferences": counts["preferences"],
        "configuration": configuration,
        "recipe": recipe,
        "created_at": str(created),
        "content_hash": frozen,
    }


def verify_split(connection: duckdb.DuckDBPyConnection, split: str) -> list[str]:
    """Recompute every hash of `split`; return what differs, a line each. Empty means whole.

    Raises:
        TierwiseError: No such split.
    """
    require_split(connection, split)
    differences = []
    for table in FROZEN_TABLES:
        altered = connection.execute(
            f"""
            WITH rows AS (
                SELECT m.*, {table.key} AS key, now.row_hash AS hash_now FROM {table.name} m LEFT JOIN (
                    SELECT m.split, {table.key} AS key, {table.row_hash} AS row_hash FROM {table.name} m {table.source}
                ) now ON now.split = m.split AND now.key = {table.key} WHERE m.split = $split
            )
            SELECT CAST(rows.key AS VARCHAR), CAST(rows.pair_id AS VARCHAR), hash_now IS NULL, q.text, v.title,
                CASE WHEN t.item_id IS NOT NULL THEN concat(CAST(t.taken_down_at AS DATE), ' (', t.reason, ')') END
            FROM rows LEFT JOIN pairs p USING (pair_id) LEFT JOIN queries q ON q.query_id = p.query_id
            LEFT JOIN item_versions v ON v.item_version_id = p.item_version_id
            LEFT JOIN tombstones t ON t.item_id = p.item_id
            WHERE hash_now IS DISTINCT FROM row_hash ORDER BY 1
            """,
            {"split": split},
        ).fetchall()
        for key, pair_id, missing, query, title, taken_down in altered[:_NAMED]:
            of = "" if key == pair_id else f" of pair {pair_id}"
            if taken_down:
                fault = f"its item was taken down on {taken_down}"
            else:
                fault = "its text is no longer in the store" if missing else "its text or values were altered"
            differences.append(f"{table.what} {key}{of} ({query!r} × {title!r}): {fault}")
        if len(altered) > _NAMED:
            differences.append(f"… and {len(altered) - _NAMED:,} more {table.what}s")
    frozen = connection.execute("SELECT content_hash FROM splits WHERE split = ?", [split]).fetchall()[0][0]
    if content_hash(connection, rows_of(split)) != frozen:
        differences.append("rows were added to the frozen split, taken from it, or given other hashes")
    return differences


def diff_splits(connection: duckdb.DuckDBPyConnection, a: str, b: str) -> dict[str, Any]:
    """How two splits differ: pairs in one alone, and pairs in both that were frozen with other content.

    Raises:
        TierwiseError: No such split.
    """
    require_split(connection, a)
    require_split(connection, b)
    changed = ", ".join(
        f"count(*) FILTER (a.{column} IS DISTINCT FROM b.{column})"
        for column in ("tier", "band", "prompt_hash")
    )
    row = connection.execute(
        f"""
        SELECT count(*) FILTER (b.pair_id IS NULL), count(*) FILTER (a.pair_id IS NULL),
            count(*) FILTER (a.pair_id = b.pair_id),
            count(*) FILTER (a.pair_id = b.pair_id AND a.row_hash <> b.row_hash)
        FROM (SELECT * FROM {MEMBERS.name} WHERE split = $a) a
        FULL JOIN (SELECT * FROM {MEMBERS.name} WHERE split = $b) b ON a.pair_id = b.pair_id
        """,
        {"a": a, "b": b},
    ).fetchall()[0]
    tier, band, prompt = connection.execute(
        f"SELECT {changed} FROM {MEMBERS.name} a JOIN {MEMBERS.name} b USING (pair_id) "
        "WHERE a.split = $a AND b.split = $b",
        {"a": a, "b": b},
    ).fetchall()[0]
    payload: dict[str, Any] = {}
    for table in FROZEN_TABLES[1:]:
        gone, new = connection.execute(
            f"""
            SELECT count(*) FILTER (b.key IS NULL), count(*) FILTER (a.key IS NULL)
            FROM (SELECT {table.key} AS key FROM {table.name} m WHERE split = $a) a
            FULL JOIN (SELECT {table.key} AS key FROM {table.name} m WHERE split = $b) b ON a.key = b.key
            """,
            {"a": a, "b": b},
        ).fetchall()[0]
        payload[f"{table.what}s"] = {f"only in {a}": gone, f"only in {b}": new}
    return {
        "pairs": {
            f"only in {a}": row[0],
            f"only in {b}": row[1],
            "in both": row[2],
            "in both, altered": row[3],
        },
        "altered": {"tier": tier, "band": band, "prompt": prompt},
        **payload,
    }
