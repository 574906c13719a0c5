"""Pairs whose judgments disagree, and the decisions of named persons that settle them.

A decision is a judgment with the source ``decision``; `curation.resolution` says what it outranks. It may
also overrule a tier that is not in conflict but wrong.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from curation.resolution import DECISION, resolve_tiers, sql_standing
from warehouse.errors import TierwiseError
from warehouse.ids import id_range, sql_content_id
from warehouse.ledger import Run, utc_now
from warehouse.parts import insert_new

if TYPE_CHECKING:
    import uuid

    import duckdb

    from warehouse.store import Store

_HEX = re.compile(r"[0-9a-f]{1,32}")
_NAMED = 4


def list_conflicts(connection: duckdb.DuckDBPyConnection, limit: int | None = None) -> list[dict[str, Any]]:
    """The pairs in conflict, those with most traffic first, with the judgments that stand."""
    rows = connection.execute(
        "SELECT CAST(pair_id AS VARCHAR), query, title, tiers, confidences, sources "
        "FROM conflicts JOIN pairs USING (pair_id) ORDER BY weight DESC, pair_id LIMIT $limit",
        {"limit": limit},
    ).fetchall()
    return [
        {
            "pair_id": pair_id,
            "query": query,
            "title": title,
            "judgments": [
                {"tier": tier, "confidence": confidence, "source": source}
                for tier, confidence, source in zip(*judged, strict=True)
            ],
        }
        for pair_id, query, title, *judged in rows
    ]


def decide(store: Store, pair: str, tier: int, judged_by: str, reason: str) -> dict[str, Any]:
    """Decide that a pair is of `tier`; return what became of it.

    The decision is about the text that the pair stands for at this moment. It is kept with all earlier ones;
    the same one as that which stands adds nothing.

    Args:
        store: The store.
        pair: Id of the pair, or its first hex digits.
        tier: 1 to 4.
        judged_by: Who decided.
        reason: Why.

    Raises:
        TierwiseError: No such pair or several, an item that was taken down, no name or no reason.
    """
    said = {"judged_by": _said("--by", judged_by), "reason": _said("--reason", reason)}
    with store.read() as connection:
        pair_id = _find_pair(connection, pair)
    this = f"SELECT '{pair_id}'::UUID AS pair_id"
    run = Run("decide", {"pair_id": str(pair_id), "tier": tier, **said})
    with store.write(run) as connection:
        query, title, before = connection.execute(
            "SELECT query, title, tier FROM pair_overview WHERE pair_id = ?", [pair_id]
        ).fetchall()[0]
        decision = sql_content_id("decision", "p.pair_id", "$tier", "$judged_by", "$reason", "d.judgment_id")
        added = insert_new(
            connection,
            "judgments",
            # The id of the decision that is replaced tells a return to an earlier one from that one.
            f"""
            SELECT {decision} AS judgment_id, p.pair_id, p.item_version_id, $tier AS tier, 1.0 AS confidence,
                '{DECISION}' AS source, '#1' AS source_key, $judged_by AS judged_by, $now::TIMESTAMP AS judged_at,
                $reason AS reason, $run::UUID AS run_id
            FROM pairs p LEFT JOIN (SELECT * FROM ({sql_standing(this)}) WHERE source = '{DECISION}') d USING (pair_id)
            WHERE p.pair_id = $pair::UUID
                AND (d.tier, d.judged_by, d.reason) IS DISTINCT FROM ($tier, $judged_by, $reason)
            """,
            {"tier": tier, **said, "now": utc_now(), "pair": pair_id, "run": run.run_id},
        )
        resolve_tiers(connection, this)
        run.summary = {"decisions": added}
    return {
        "pair": str(pair_id),
        "query": query,
        "title": title,
        "tier": tier,
        "before": "no tier" if before is None else before,
        "state": "decided" if added else "already decided so, nothing changed",
    }


def _said(option: str, text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise TierwiseError(f"{option}: not UTF-8; check the terminal's encoding") from None
    if not text.strip():
        raise TierwiseError(f"{option} is empty; a decision has a name and a reason")
    return text.strip()


def _find_pair(connection: duckdb.DuckDBPyConnection, name: str) -> uuid.UUID:
    prefix = name.replace("-", "").lower()
    if not _HEX.fullmatch(prefix):
        raise TierwiseError(f"{name!r} is no id of a pair; see `python -m curation conflicts list`")
    found = connection.execute(
        "SELECT p.pair_id, t.reason FROM pairs p LEFT JOIN tombstones t USING (item_id) "
        f"WHERE p.pair_id BETWEEN ? AND ? ORDER BY 1 LIMIT {_NAMED + 1}",
        id_range(prefix),
    ).fetchall()
    if not found:
        raise TierwiseError(f"no pair {name}; see `python -m curation conflicts list`")
    if len(found) > 1:
        listed = ", ".join(str(pair_id) for pair_id, _ in found[:_NAMED])
        more = ", …" if len(found) > _NAMED else ""
        raise TierwiseError(f"{name} is the beginning of several pairs ({listed}{more}); give more of it")
    pair_id: uuid.UUID = found[0][0]
    if (taken_down := found[0][1]) is not None:
        raise TierwiseError(f"the item of pair {pair_id} was taken down ({taken_down}); it can have no tier")
    return pair_id
