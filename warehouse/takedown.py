"""Taking an item's text down: out of every table, with a tombstone in its place.

Ids, labels, probabilities and counts stay, so that lineage, costs and frozen splits tell honestly what is gone. The
tombstone keeps the text out: rows that bring it again are rejected, parts that a run still holds lose it when they
are merged.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from warehouse.errors import TierwiseError
from warehouse.ids import id_range
from warehouse.ledger import Run, utc_now
from warehouse.parts import insert_new
from warehouse.tombstones import remove_texts
from warehouse.transactions import Rollback

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

    from warehouse.store import Store

_NAMED = 10
_DIGITS = re.compile(r"[0-9a-f]{6,32}")


def take_down(store: Store, items: Sequence[str], reason: str, *, dry_run: bool = False) -> dict[str, Any]:
    """Remove the texts of `items` from `store`; return the counts.

    Args:
        store: The store.
        items: Each an item id, its first digits, or the source's own item id, which may stand for several items.
        reason: Why, for those who meet the tombstone.
        dry_run: Count, and keep everything.

    Raises:
        TierwiseError: An item that is not there, an ambiguous beginning of an id, or no reason.
    """
    if not reason.strip():
        raise TierwiseError("--reason is empty; say why, for those who meet the tombstone")
    with store.read() as connection:
        for item in items:
            _find(connection, item)
    run = Run("takedown", {"items": list(items), "reason": reason})
    with store.write(run) as connection:
        found = {item: _find(connection, item) for item in items}
        known = sorted({item_id for item_ids in found.values() for item_id in item_ids})
        new = insert_new(
            connection,
            "tombstones",
            "SELECT unnest($items)::UUID AS item_id, $reason AS reason, $now::TIMESTAMP AS taken_down_at, "
            "$run::UUID AS run_id",
            {"reason": reason, "now": utc_now(), "run": run.run_id, "items": known},
        )
        rejects = _clear_rejects(connection, known)
        run.summary = {
            "items": len(known),
            "tombstones_new": new,
            "texts_removed": {**remove_texts(connection), "rejects": rejects},
            "splits_no_longer_whole": _splits_of(connection, known),
        }
        if dry_run:
            run.summary = {"dry_run": "nothing was removed", **run.summary}
            raise Rollback
    if not dry_run:
        store.forget()
    return run.summary


def _find(connection: duckdb.DuckDBPyConnection, item: str) -> list[str]:
    own = connection.execute(
        "SELECT DISTINCT CAST(item_id AS VARCHAR) FROM item_versions WHERE source_item_id = $item",
        {"item": item},
    ).fetchall()
    if own:
        return [item_id for (item_id,) in own]
    digits = item.lower().replace("-", "")
    if _DIGITS.fullmatch(digits):
        found = connection.execute(
            "SELECT DISTINCT CAST(item_id AS VARCHAR) FROM item_versions WHERE item_id BETWEEN ? AND ? LIMIT 2",
            id_range(digits),
        ).fetchall()
        if len(found) > 1:
            raise TierwiseError(f"--item {item}: several items begin so; give more digits")
        if found:
            return [found[0][0]]
    raise TierwiseError(
        f"--item {item}: no such item; give an item_id, its first six digits or more, or the source's own item id"
    )


def _clear_rejects(connection: duckdb.DuckDBPyConnection, items: list[str]) -> int:
    """Empty the rejected rows that speak of `items`: those that hold a title of theirs, or their source's id."""
    # A rejected row is JSON of its cells.
    row = connection.execute(
        """
        UPDATE rejects SET raw = '' WHERE raw <> '' AND reject_id IN (
            SELECT reject_id FROM rejects, (SELECT DISTINCT to_json(unnest([title, source_item_id])) AS cell
                FROM item_versions WHERE item_id IN (SELECT unnest($items)::UUID)) WHERE contains(raw, cell))
        """,
        {"items": items},
    ).fetchall()[0]
    return int(row[0])


def _splits_of(connection: duckdb.DuckDBPyConnection, items: list[str]) -> list[str]:
    rows = connection.execute(
        "SELECT concat(split, ': ', count(*), ' of its pairs') FROM split_members SEMI JOIN (SELECT pair_id FROM pairs "
        "WHERE item_id IN (SELECT unnest($items)::UUID)) USING (pair_id) GROUP BY split ORDER BY split",
        {"items": items},
    ).fetchall()
    return [row[0] for row in rows[:_NAMED]]
