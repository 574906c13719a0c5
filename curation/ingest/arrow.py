"""Rows that come as Arrow, as texts."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

from curation.ingest.tables import CELL_LIMIT, Batch, json_text, named, too_long
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

ARROW_ROWS = 20_000
"""Rows of a batch."""


def arrow_batch(rows: pa.RecordBatch, wanted: Sequence[str], name: str, before: int) -> Batch:
    """`rows` of the file called `name`, which `before` others precede.

    Raises:
        TierwiseError: A NUL character or a cell past `CELL_LIMIT`.
    """
    import pyarrow as pa

    columns = {}
    for column in wanted:
        columns[column] = _texts(rows.column(column))
        _check(columns[column], name, before)
    lines = pa.array(range(before + 1, before + rows.num_rows + 1), pa.int64())
    return Batch(lines, columns, partial(_raw, rows))


def as_text(value: Any) -> str | None:
    """A cell of JSON, written as Arrow writes numbers and truth values: 4.0 is 4."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else str(value)
    return json_text(value) if isinstance(value, (dict, list)) else str(value)


def _check(texts: pa.Array, name: str, before: int) -> None:
    import pyarrow.compute as pc

    if too_long(texts) or pc.any(pc.match_substring(texts, "\0")).as_py():
        number = next(
            number
            for number, text in enumerate(texts.to_pylist(), before + 1)
            if text and (len(text) > CELL_LIMIT or "\0" in text)
        )
        detail = f"a NUL character or a cell longer than {CELL_LIMIT:,} characters"
        raise TierwiseError(f"{name}, row {number}: {detail}")


def _texts(column: pa.Array) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_nested(column.type) or isinstance(column.type, pa.UuidType):
        return pa.array([as_text(cell) for cell in column.to_pylist()], pa.string())
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    return column.cast(pa.string())


def _raw(rows: pa.RecordBatch, index: int) -> str:
    cells = [_texts(column.slice(index, 1))[0].as_py() for column in rows.columns]
    return json_text(named(rows.schema.names, cells))
