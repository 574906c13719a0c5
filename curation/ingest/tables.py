"""What every reader yields: rows by column, each with the place it came from."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa

# A longer cell is a quote that was never closed, or no product text.
CELL_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that cannot be used. `reason` is the same for all rows of one fault; `file` None is the file read."""

    line: int
    reason: str
    detail: str
    raw: str
    file: str | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows that were read together.

    Attributes:
        lines: int64 array: where each row starts, its line in CSV and JSONL, its number in Parquet, from 1. Lines
            end where they do for a text editor: at LF, CR LF or CR.
        columns: String arrays of the columns that were asked for; null where the file has no value.
        raw: Gives the row at an index as JSON.
        rejects: What stood between the rows.
    """

    lines: pa.Array
    columns: dict[str, pa.Array]
    raw: Callable[[int], str]
    rejects: list[Reject] = field(default_factory=list)


class TableFile(Protocol):
    """A file whose columns are known and whose rows are still to be read, once."""

    @property
    def columns(self) -> Sequence[str]:
        """Column names in the order of the file."""
        ...

    def batches(self, wanted: Sequence[str]) -> Iterator[Batch]:
        """The rows, with the columns `wanted`.

        Raises:
            TierwiseError: No rows, not UTF-8, NUL bytes, a cell past `CELL_LIMIT`, a quote never closed, a
                broken Parquet file.
        """
        ...


def require_columns(
    name: str, columns: Sequence[str], wanted: Sequence[str], delimiter_option: str = ""
) -> None:
    """Check that each column `wanted` stands once among the `columns` of the file called `name`.

    Raises:
        TierwiseError: One is missing, or stands twice. Where the file has one column alone, which a wrong
            delimiter would explain, `delimiter_option` is named.
    """
    missing = [column for column in wanted if column not in columns]
    if missing:
        guess = delimiter_option and len(columns) == 1
        hint = f"; is that the right delimiter ({delimiter_option})?" if guess else ""
        raise TierwiseError(
            f"{name}: no column {', '.join(missing)}; columns seen: {', '.join(columns)[:300]}{hint}"
        )
    doubled = [column for column in wanted if list(columns).count(column) > 1]
    if doubled:
        raise TierwiseError(f"{name}: column {doubled[0]} stands twice in the header; rename one")


def named(columns: Sequence[str], cells: Sequence[str | None]) -> Any:
    """Cells by column; without their names where two columns share one."""
    return dict(zip(columns, cells, strict=True)) if len(set(columns)) == len(columns) else cells


def json_text(value: Any) -> str:
    """JSON of a row, readable."""
    return json.dumps(value, ensure_ascii=False, default=str)


def too_long(column: pa.Array) -> bool:
    """Whether a text of `column` is past `CELL_LIMIT`."""
    import pyarrow.compute as pc

    # No text has more characters than bytes, and bytes cost nothing to count.
    longest = pc.max(pc.binary_length(column)).as_py() or 0
    return longest > CELL_LIMIT and pc.max(pc.utf8_length(column)).as_py() > CELL_LIMIT
