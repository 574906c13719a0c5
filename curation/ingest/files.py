"""Files by their format: CSV, TSV, JSONL and Parquet.

What is wrong with a file stops it in one line; what is wrong with one row makes that row a reject. Rows come
in batches of a few MB, so that a file of any size is read in flat memory.
"""

from __future__ import annotations

import json
import os
from itertools import chain
from typing import TYPE_CHECKING, Any

from curation.ingest.arrow import ARROW_ROWS, arrow_batch, as_text
from curation.ingest.csvfile import CsvFile
from curation.ingest.tables import CELL_LIMIT, Batch, Reject, TableFile, json_text
from curation.ingest.text import Text
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path


# Rows of JSONL that are asked for column names, as a row leaves out what it does not have.
_NAMING_ROWS = 1_000


def open_tables(paths: Iterable[Path], delimiter: str | None = None) -> Iterator[tuple[str, TableFile]]:
    """The files at `paths` with their names, each opened as it is asked for. Of a path given twice one is read.

    Raises:
        TierwiseError: As `open_table`.
    """
    for path in dict.fromkeys(path.resolve() for path in paths):
        yield file_name(path), open_table(path, delimiter)


def file_name(path: Path) -> str:
    """Absolute path as text, as lineage tells it; bytes of a name that are no text are replaced."""
    return os.fsencode(path.resolve()).decode(errors="replace")


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
            name: pa.array([as_text(row.get(name)) for _, row in found], pa.string()) for name in wanted
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
                if len(line) > CELL_LIMIT and any(len(as_text(v) or "") > CELL_LIMIT for v in value.values()):
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
            # Read ahead, all of the file would stay in memory until its last row.
            self._file = pq.ParquetFile(path, pre_buffer=False)
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
                for rows in self._file.iter_batches(batch_size=ARROW_ROWS):
                    yield arrow_batch(rows, wanted, str(self._path), done)
                    done += rows.num_rows
            except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
                raise TierwiseError(
                    f"{self._path}: cannot read past row {done} ({_first_line(error)})"
                ) from None


def _no_text(row: dict[str, Any]) -> str | None:
    """What in `row` JSON can escape but the store cannot hold."""
    together = "".join((*row, *(as_text(value) or "" for value in row.values())))
    if "\0" in together:
        return "a NUL character"
    try:
        together.encode()
    except UnicodeEncodeError:
        return "half of a surrogate pair"
    return None


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
