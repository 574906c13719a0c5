"""The ledger: tokens, seconds and money, by run, model, kind of query or band."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

    from curation.budget import Price
    from warehouse.store import Store

DIMENSIONS = {
    "run": ("run_id", "run_kind", "started_at", "model"),
    "model": ("model",),
    "kind": ("query_kind",),
    "band": ("band",),
}
"""Columns of the view ``token_usage`` that each way of grouping goes by."""

AMOUNTS = ("answers", "prompt_tokens", "cached_tokens", "completion_tokens", "seconds", "usd")


def read_usage(store: Store, by: Sequence[str], price: Price | None = None) -> list[dict[str, Any]]:
    """A row for each group, those of runs in the order in which they began; what waits in parts is merged first.

    Args:
        store: The store.
        by: Of `DIMENSIONS`, grouped by together; none for one row of all.
        price: What all of it would cost at this; None for what each run was told that it costs.

    Returns:
        The columns of `by` and `AMOUNTS`; ``usd`` is None where no price is known.
    """
    store.merge_waiting()
    columns = list(dict.fromkeys(column for each in by for column in DIMENSIONS[each]))
    order = ["started_at"] if "run" in by else []
    with store.read() as connection:
        connection.execute(
            f"""
            SELECT {"".join(f"{column}, " for column in columns)} count(*) AS answers,
                sum(prompt_tokens) AS prompt_tokens, sum(cached_tokens) AS cached_tokens,
                sum(completion_tokens) AS completion_tokens, sum(seconds) AS seconds,
                sum({"usd" if price is None else _AT_PRICE}) AS usd
            FROM token_usage {f"GROUP BY {', '.join(columns)}" if columns else ""}
            ORDER BY {", ".join([*order, *columns, "answers"])}
            """,
            {} if price is None else {"price": json.dumps(asdict(price))},
        )
        return _dicts(connection)


_AT_PRICE = "usd_of(CAST($price AS JSON), prompt_tokens, cached_tokens, completion_tokens, seconds)"


def _dicts(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    names = [column[0] for column in connection.description or ()]
    return [dict(zip(names, row, strict=True)) for row in connection.fetchall()]
