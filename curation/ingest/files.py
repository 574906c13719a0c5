"""Rows of CSV, TSV, JSONL and Parquet files, each with the place it came from.

What is wrong with a file stops it in one line; what is wrong with one row makes that row a reject. Rows come
in batches of a few MB, by column, so that a file of any size is read in flat memory.
"""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol

from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa

Cell = str | None

# A longer cell is a quote that was never closed, or no product text.
CELL_LIMIT = 1 << 20
# A longer line is no table, such as one JSON array over a whole file.
LINE_LIMIT = 1 << 24
_BLOCK = 1 << 21
_PARQUET_ROWS = 10_000
# Rows of JSONL that are asked for column names, as a row leaves out what it does not have.
_NAMING_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that cannot be used. `reason` is the same for all rows of one fault."""

    line: int
    reason: str
    detail: str
    raw: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows that were read together.

    Attributes:
        lines: Where each row starts: its line in CSV and JSONL, its number in Parquet, from 1. Lines end where
            they do for a text editor: at LF, CR LF or CR.
        columns: Cells of the columns that were asked for.
        raw: Gives the row at an index as JSON.
        rejects: What stood between the rows.
    """

    lines: list[int]
    columns: dict[str, list[Cell]]
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
    return _CsvFile(path, delimiter or ("\t" if suffix == ".tsv" else ","))


def require_columns(
    path: Path, columns: Sequence[str], wanted: Sequence[str], delimiter_option: str = ""
) -> None:
    """Check that each column `wanted` stands once among the `columns` of the file at `path`.

    Raises:
        TierwiseError: One is missing, or stands twice. Where the file has one column alone, which a wrong
            delimiter would explain, `delimiter_option` is named.
    """
    missing = [column for column in wanted if column not in columns]
    if missing:
        guess = delimiter_option and len(columns) == 1
        hint = f"; is that the right delimiter ({delimiter_option})?" if guess else ""
        raise TierwiseError(
            f"{path}: no column {', '.join(missing)}; columns seen: {', '.join(columns)[:300]}{hint}"
        )
    doubled = [column for column in wanted if list(columns).count(column) > 1]
    if doubled:
        raise TierwiseError(f"{path}: column {doubled[0]} stands twice in the header; rename one")


class _CsvFile:
    def __init__(self, path: Path, delimiter: str) -> None:
        csv.field_size_limit(CELL_LIMIT)
        self._path = path
        self._delimiter = delimiter
        self._text = _Lines(path)
        self._parse_from(1)
        try:
            self.columns: list[str] = next(filter(None, self._reader))
        except (StopIteration, csv.Error):
            raise TierwiseError(f"{path}: no header can be read in line 1; is it a CSV file?") from None

    def batches(self, wanted: Sequence[str]) -> Iterator[Batch]:
        width = len(self.columns)
        some = False
        more = True
        while more:
            text, reader, base = self._text, self._reader, self._base
            lines: list[int] = []
            rows: list[list[str]] = []
            rejects: list[Reject] = []
            text.start = start = base + reader.line_num + 1
            blocks = text.blocks_read
            more = False
            try:
                for cells in reader:
                    if len(cells) == width:
                        lines.append(start)
                        rows.append(cells)
                    elif cells:
                        detail = f"{len(cells)} cells, header has {width}"
                        rejects.append(Reject(start, "wrong number of cells", detail, _json(cells)))
                    text.start = start = base + reader.line_num + 1
                    if text.blocks_read != blocks:
                        more = True
                        break
            except csv.Error as error:
                more = True
                rejects.append(self._skip_line(start, str(error)))
            if rows or rejects:
                some = True
                yield self._batch(wanted, lines, rows, rejects)
        if not some:
            raise TierwiseError(f"{self._path} has a header but no rows; nothing to ingest")

    def _batch(
        self, wanted: Sequence[str], lines: list[int], rows: list[list[str]], rejects: list[Reject]
    ) -> Batch:
        by_name = dict(zip(self.columns, zip(*rows, strict=True), strict=True)) if rows else {}
        columns: dict[str, list[Cell]] = {name: list(by_name.get(name, ())) for name in wanted}
        return Batch(lines, columns, lambda i: _json(_named(self.columns, rows[i])), rejects)

    def _parse_from(self, line: int) -> None:
        self._reader = csv.reader(self._text.read_from(line), delimiter=self._delimiter, strict=True)
        # What the reader's own line number has to be added to.
        self._base = line - 1

    def _skip_line(self, start: int, error: str) -> Reject:
        """Reject the line at `start` and go on with the next, though the quote it opened ran on further."""
        if "field limit" in error:
            raise TierwiseError(
                f"{self._path}, line {start}: a cell is longer than {CELL_LIMIT:,} characters; is a quote left open?"
            )
        if "unexpected end" in error:
            raise TierwiseError(f"{self._path}, line {start}: a quote opened here is never closed")
        if self._base + self._reader.line_num > start:
            self._parse_from(start + 1)
        return Reject(start, "malformed quoting", error, _json(self._text.line(start).rstrip("\r\n")))


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
        columns = {name: [_as_text(row.get(name)) for _, row in found] for name in wanted}
        return Batch([line for line, _ in found], columns, lambda i: _json(found[i][1]), rejects)

    def _parsed(self) -> Iterator[tuple[int, dict[str, Any]] | Reject]:
        text = _Lines(self._path)
        for number, line in enumerate(text.read_from(1), 1):
            text.start = number
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
                    lines = list(range(done + 1, done + batch.num_rows + 1))
                    yield Batch(lines, columns, partial(_raw, batch))
                    done += batch.num_rows
            except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
                raise TierwiseError(
                    f"{self._path}: cannot read past row {done} ({_first_line(error)})"
                ) from None

    def _checked(self, texts: list[Cell], before: int) -> list[Cell]:
        for number, text in enumerate(texts, before + 1):
            if text and (len(text) > CELL_LIMIT or "\0" in text):
                detail = f"a NUL character or a cell longer than {CELL_LIMIT:,} characters"
                raise TierwiseError(f"{self._path}, row {number}: {detail}")
        return texts


class _Lines:
    """Lines of a UTF-8 text file; those from line `start` on can be read again."""

    __slots__ = ("_blocks", "_first", "_kept", "_path", "blocks_read", "start")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._blocks = self._read_blocks()
        self._kept: list[str] = []
        self._first = 1
        self.start = 1
        self.blocks_read = 0

    def line(self, number: int) -> str:
        """A line that was read, from `start` on."""
        return self._kept[number - self._first]

    def read_from(self, number: int) -> Iterator[str]:
        """The lines from `number`, not before `start`, to the end of the file, with their ends.

        Raises:
            TierwiseError: Not UTF-8, a NUL byte, or a line past `LINE_LIMIT`.
        """
        return chain(self._kept[number - self._first :], chain.from_iterable(self._blocks))

    def _read_blocks(self) -> Iterator[list[str]]:
        try:
            for block in self._split():
                del self._kept[: self.start - self._first]
                self._first = self.start
                self._kept += block
                self.blocks_read += 1
                yield block
        except UnicodeDecodeError:
            raise TierwiseError(self._not_utf8()) from None
        except OSError as error:
            raise TierwiseError(f"cannot read {self._path}: {error.strerror}") from error

    def _split(self) -> Iterator[list[str]]:
        rest = ""
        before = 0
        with self._path.open(encoding="utf-8-sig", newline="") as file:
            while text := file.read(_BLOCK):
                lines = io.StringIO(rest + text, newline="").readlines()
                if "\0" in text:
                    number = before + next(i for i, line in enumerate(lines, 1) if "\0" in line)
                    raise TierwiseError(f"{self._path}, line {number}: NUL byte; is it a text file in UTF-8?")
                # The last line may go on in the next block, be it by the LF of a CR LF.
                rest = lines.pop()
                before += len(lines)
                if len(rest) > LINE_LIMIT:
                    raise TierwiseError(
                        f"{self._path}, line {before + 1}: longer than {LINE_LIMIT:,} characters; "
                        "is there one row a line?"
                    )
                yield lines
        if rest:
            yield [rest]

    def _not_utf8(self) -> str:
        # Latin-1 reads any byte and leaves them as they are.
        with self._path.open(encoding="latin-1", newline="") as file:
            for number, line in enumerate(file, 1):
                try:
                    line.encode("latin-1").decode("utf-8")
                except UnicodeDecodeError as error:
                    if number == 1 and line.startswith(("ÿþ", "þÿ")):
                        return f"{self._path} is UTF-16, not UTF-8; convert the file, such as with iconv"
                    byte = error.object[error.start]
                    return (
                        f"{self._path}, line {number}: byte 0x{byte:02x} is not UTF-8; "
                        "convert the file, such as with iconv"
                    )
        return f"{self._path} is not UTF-8; convert the file, such as with iconv"


def _texts(column: pa.Array) -> list[Cell]:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_nested(column.type) or isinstance(column.type, pa.UuidType):
        return [_as_text(cell) for cell in column.to_pylist()]
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    texts: list[Cell] = column.cast(pa.string()).to_pylist()
    return texts


def _raw(batch: pa.RecordBatch, index: int) -> str:
    cells = [_texts(column.slice(index, 1))[0] for column in batch.columns]
    return _json(_named(batch.schema.names, cells))


def _as_text(value: Any) -> Cell:
    """A cell of JSON, written as Arrow writes numbers and truth values: 4.0 is 4."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else str(value)
    return _json(value) if isinstance(value, (dict, list)) else str(value)


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


def _named(columns: Sequence[str], cells: Sequence[Cell]) -> Any:
    """Cells by column; without their names where two columns share one."""
    return dict(zip(columns, cells, strict=True)) if len(set(columns)) == len(columns) else cells


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
