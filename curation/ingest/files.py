"""Rows of CSV, TSV, JSONL and Parquet files, each with the place it came from.

What is wrong with a file stops it in one line; what is wrong with one row makes that row a reject.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# A longer cell is a quote that was never closed, or no product text.
CELL_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True)
class Row:
    """Cells by column name; `line` is where the row starts, from 1 (in Parquet: its number)."""

    line: int
    cells: dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that cannot be used. `reason` is the same for all rows of one fault."""

    line: int
    reason: str
    detail: str
    raw: str


def read_columns_and_rows(path: Path, delimiter: str | None) -> tuple[list[str], Iterator[Row | Reject]]:
    """Column names of the file at `path`, and its rows as they are read.

    The format follows the suffix: .parquet, .jsonl/.ndjson, .tsv, and CSV otherwise. JSONL has the columns
    of its first row.

    Raises:
        TierwiseError: Now or while reading: no such file, a folder, empty, no rows, not UTF-8, NUL bytes, a
            cell past `CELL_LIMIT`, a quote never closed, a broken Parquet file.
    """
    if path.is_dir():
        raise TierwiseError(f"{path} is a folder; name the file in it")
    if not path.exists():
        raise TierwiseError(f"{path} is not there; check the path")
    if path.stat().st_size == 0:
        raise TierwiseError(f"{path} is empty; nothing to ingest")
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return _read_parquet(path)
    if suffix in (".jsonl", ".ndjson"):
        return _read_jsonl(path)
    return _read_csv(path, delimiter or ("\t" if suffix == ".tsv" else ","))


def _read_csv(path: Path, delimiter: str) -> tuple[list[str], Iterator[Row | Reject]]:
    csv.field_size_limit(CELL_LIMIT)
    lines = _text_lines(path)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        columns = next(reader)
    except (StopIteration, csv.Error):
        raise TierwiseError(f"{path}: no header can be read in line 1; is it a CSV file?") from None

    def rows() -> Iterator[Row | Reject]:
        some = False
        while True:
            start = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                break
            except csv.Error as error:
                if "field limit" in str(error):
                    raise TierwiseError(
                        f"{path}, line {start}: a cell is longer than {CELL_LIMIT:,} characters; is a quote left open?"
                    ) from None
                if "unexpected end" in str(error):
                    raise TierwiseError(
                        f"{path}, line {start}: a quote opened here is never closed"
                    ) from None
                some = True
                yield Reject(start, "malformed quoting", str(error), "")
                continue
            if not cells:
                continue
            some = True
            if len(cells) != len(columns):
                detail = f"{len(cells)} cells, header has {len(columns)}"
                yield Reject(start, "wrong number of cells", detail, json.dumps(cells, ensure_ascii=False))
            else:
                yield Row(start, dict(zip(columns, cells, strict=True)))
        if not some:
            raise TierwiseError(f"{path} has a header but no rows; nothing to ingest")

    return columns, rows()


def _text_lines(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, line in enumerate(file, 1):
                if "\0" in line:
                    raise TierwiseError(f"{path}, line {number}: NUL byte; is it a text file in UTF-8?")
                yield line
    except UnicodeDecodeError:
        raise TierwiseError(_not_utf8(path)) from None
    except OSError as error:
        raise TierwiseError(f"cannot read {path}: {error.strerror}") from error


def _not_utf8(path: Path) -> str:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                byte = line[error.start]
                return f"{path}, line {number}: byte 0x{byte:02x} is not UTF-8; convert the file, such as with iconv"
    return f"{path} is not UTF-8; convert the file, such as with iconv"


def _read_jsonl(path: Path) -> tuple[list[str], Iterator[Row | Reject]]:
    parsed = _jsonl_rows(path)
    first = next(parsed, None)
    while isinstance(first, Reject):
        # Without one good row there are no columns to map.
        raise TierwiseError(f"{path}, line {first.line}: {first.detail}; give one JSON object a line")
    if first is None:
        raise TierwiseError(f"{path} has no rows; nothing to ingest")

    def rows() -> Iterator[Row | Reject]:
        yield first
        yield from parsed

    return list(first.cells), rows()


def _jsonl_rows(path: Path) -> Iterator[Row | Reject]:
    for number, line in enumerate(_text_lines(path), 1):
        if not line.strip():
            continue
        if len(line) > CELL_LIMIT:
            raise TierwiseError(f"{path}, line {number}: longer than {CELL_LIMIT:,} characters")
        try:
            value = json.loads(line)
        except json.JSONDecodeError as error:
            yield Reject(number, "not JSON", str(error), line.strip())
            continue
        if isinstance(value, dict):
            yield Row(number, {name: _as_text(cell) for name, cell in value.items()})
        else:
            yield Reject(number, "not a JSON object", f"a {type(value).__name__}", line.strip())


def _read_parquet(path: Path) -> tuple[list[str], Iterator[Row | Reject]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise TierwiseError(f"{path} is not a complete Parquet file ({_first_line(error)})") from None
    if file.metadata.num_rows == 0:
        raise TierwiseError(f"{path} has columns but no rows; nothing to ingest")

    def rows() -> Iterator[Row | Reject]:
        number = 0
        try:
            for batch in file.iter_batches(batch_size=10_000):
                for cells in batch.to_pylist():
                    number += 1
                    texts = {name: _as_text(cell) for name, cell in cells.items()}
                    if any(text and ("\0" in text or len(text) > CELL_LIMIT) for text in texts.values()):
                        detail = f"a NUL character or a cell longer than {CELL_LIMIT:,} characters"
                        raise TierwiseError(f"{path}, row {number}: {detail}")
                    yield Row(number, texts)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise TierwiseError(f"{path}: cannot read past row {number} ({_first_line(error)})") from None

    return list(file.schema_arrow.names), rows()


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    return str(value)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
