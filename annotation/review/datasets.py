"""The review datasets that a store knows of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from warehouse.store import Store


def review_datasets(store: Store, name: str | None) -> list[tuple[str, str, str | None]]:
    """Id, name and state at the last pull of the review datasets: that of `name`, or all.

    Raises:
        TierwiseError: There is none.
    """
    with store.read() as connection:
        rows = connection.execute(
            "SELECT CAST(dataset_id AS VARCHAR), name, pulled_state FROM review_datasets ORDER BY created_at"
        ).fetchall()
    if not rows:
        raise TierwiseError("nothing was pushed for review from this store; `python -m annotation push` does")
    chosen = [row for row in rows if name in (None, row[1])]
    if not chosen:
        known = ", ".join(sorted({row[1] for row in rows}))
        raise TierwiseError(f"no review dataset {name}; there are {known}")
    return chosen
