"""Comments of view columns."""

from __future__ import annotations

from warehouse.schema import TABLE_BY_NAME


def comments_of(table: str, *names: str) -> tuple[tuple[str, str], ...]:
    """Comments of view columns that are columns of `table` as they stand."""
    comments = {column.name: column.comment for column in TABLE_BY_NAME[table].columns}
    return tuple((name, comments[name]) for name in names)
