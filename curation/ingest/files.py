"""Files by their format: CSV, TSV, JSONL and Parquet.

What is wrong with a file stops it in one line; what is wrong with one row makes that row a reject. Rows come
in batches of a few MB, so that a file of any size is read in flat memory.
"""

from __future__ import annotations

import json
import math
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from curation.ingest.csvfile import CsvFile
from curation.ingest.tables import CELL_LIMIT, Batch, Reject, TableFile, json_text, named, too_long
from curation.ingest.text import Text
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

_PARQUET_ROWS = 20_000
# Rows of JSONL that are asked for column names, as a row leaves out what it does not have.
_NAMING_ROWS = 1_000


def open_table(path: Path, delimiter: str | None = None) -> TableFile:
    """Open the file at `path`, in the format of its suffix: .parquet, .jsonl/.ndjson, .tsv, and CSV otherwise.

    Raises:
        TierwiseError: No such file, a folder, empty, not readable, no header.
    """
    try:
        if path.is_dir():
            raise TierwiseError(f"{path} is a folder; name the file in it")
        if path.exists() and not path.is_file():
            raise TierwiseError(f"{path} is a pipe or device; save it to a file first")
        with path.open("rb") as file:
            if not file.read(1):
                raise TierwiseError(f"{path} is empty; nothing to ingest")
    except FileNotFoundError:
        raise TierwiseError(f"{path} is not there; check the path") from None
    except OSError as error:
        raise TierwiseError(f"cannot read {path}: {error.strerror}") from error
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return _ParquetFile(path)
    if suffix in (".jsonl", ".ndjson"):
        return _JsonLinesFile(path)
    return CsvFile(path, delimiter or ("\t" if suffix == ".tsv" else ","))


class _JsonLinesFile:
    """Columns are those that the first rows have between them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows = self._parsed()
        self._first: list[tuple[int, dict[str, Any]] | Reject] = []
        names: dict[str, None] = {}
        for row in self._rows:
            self._first.append(row)
            if not isinstance(row, Reject):
                names.update(dict.fromkeys(row[1]))
            if len(self._first) == _NAMING_ROWS:
                break
        self.columns = list(names)
        if not self._first:
            raise TierwiseError(f"{path} has no rows; nothing to ingest")
        if not names and isinstance(first := self._first[0], Reject):
            raise TierwiseError(f"{path}, line {first.line}: {first.detail}; give one JSON object a line")

    def batches(self, wanted: Sequence[str]) -> Iterator[Batch]:
        rows = chain(self._first, self._rows)
        self._first = []
        found: list[tuple[int, dict[str, Any]]] = []
        rejects: list[Reject] = []
        for row in rows:
            if isinstance(row, Reject):
                rejects.append(row)
            else:
                found.append(row)
            if len(found) + len(rejects) == _NAMING_ROWS:
                yield self._batch(wanted, found, rejects)
                found, rejects = [], []
        if found or rejects:
            yield self._batch(wanted, found, rejects)

    def _batch(
        self, wanted: Sequence[str], found: list[tuple[int, dict[str, Any]]], rejects: list[Reject]
    ) -> Batch:
        import pyarrow as pa

        columns = {
            name: pa.array([_as_text(row.get(name)) for _, row in found], pa.string()) for name in wanted
        }
        lines = pa.array([line for line, _ in found], pa.int64())
        return Batch(lines, columns, lambda i: json_text(found[i][1]), rejects)

    def _parsed(self) -> Iterator[tuple[int, dict[str, Any]] | Reject]:
        text = Text(self._path)
        for number, line in enumerate(text.lines(), 1):
            text.mark()
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except (ValueError, RecursionError) as error:
                yield Reject(number, "not JSON", str(error), line.strip())
                continue
            if not isinstance(value, dict):
                yield Reject(number, "not a JSON object", f"a {type(value).__name__}", line.strip())
            elif "\\u" in line and (fault := _no_text(value)):
                yield Reject(number, "not text", fault, line.strip())
            else:
                # Names and numbers aside, no cell is longer than its line.
                if len(line) > CELL_LIMIT and any(
                    len(_as_text(v) or "") > CELL_LIMIT for v in value.values()
                ):
                    raise TierwiseError(
                        f"{self._path}, line {number}: a cell is longer than {CELL_LIMIT:,} characters"
                    )
                yield number, value


class _ParquetFile:
    def __init__(self, path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._path = path
        try:
            self._file = pq.ParquetFile(path)
            self.columns: list[str] = list(self._file.schema_arrow.names)
        except (pa.ArrowException, OSError) as error:
            raise TierwiseError(f"{path} is not a complete Parquet file ({_first_line(error)})") from None
        if self._file.metadata.num_rows == 0:
            self._file.close()
            raise TierwiseError(f"{path} has columns but no rows; nothing to ingest")

    def batches(self, wanted: Sequence[str]) -> Iterator[Batch]:
        import pyarrow as pa

        done = 0
        with self._file:
            try:
                for batch in self._file.iter_batches(batch_size=_PARQUET_ROWS):
                    columns = {name: self._checked(_texts(batch.column(name)), done) for name in wanted}
                    lines = pa.array(range(done + 1, done + batch.num_rows + 1), pa.int64())
                    yield Batch(lines, columns, partial(_raw, batch))
                    done += batch.num_rows
            except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
                raise TierwiseError(
                    f"{self._path}: cannot read past row {done} ({_first_line(error)})"
                ) from None

    def _checked(self, texts: pa.Array, before: int) -> pa.Array:
        import pyarrow.compute as pc

        if too_long(texts) or pc.any(pc.match_substring(texts, "\0")).as_py():
            number = next(
                number
                for number, text in enumerate(texts.to_pylist(), before + 1)
                if text and (len(text) > CELL_LIMIT or "\0" in text)
            )
            detail = f"a NUL character or a cell longer than {CELL_LIMIT:,} characters"
            raise TierwiseError(f"{self._path}, row {number}: {detail}")
        return texts


def _texts(column: pa.Array) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_nested(column.type):
        return pa.array([_as_text(cell) for cell in column.to_pylist()], pa.string())
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    return column.cast(pa.string())


def _raw(batch: pa.RecordBatch, index: int) -> str:
    cells = [_texts(column.slice(index, 1))[0].as_py() for column in batch.columns]
    return json_text(named(batch.schema.names, cells))


def _as_text(value: Any) -> str | None:
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


def _no_text(row: dict[str, Any]) -> str | None:
    """What in `row` JSON can escape but the store cannot hold."""
    together = "".join((*row, *(_as_text(value) or "" for value in row.values())))
    if "\0" in together:
        return "a NUL character"
    try:
        together.encode()
    except UnicodeEncodeError:
        return "half of a surrogate pair"
    return None


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
