"""CSV and TSV files.

Most of any file is what RFC 4180 describes, and Arrow parses that in parallel. Whether a block is, its quotes tell:
each opens at the start of a cell, closes at its end, or stands beside another. A block that is not, or whose rows
differ in width, is read row by row with `csv`, which tells what is wrong with which line.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from curation.ingest import text
from curation.ingest.tables import CELL_LIMIT, Batch, Reject, json_text, named, too_long
from curation.ingest.text import Text
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

_LF, _CR, _QUOTE = b'\n\r"'


@dataclass(frozen=True, slots=True)
class _Block:
    """Bytes of whole rows.

    Attributes:
        content: The bytes.
        codes: The same as integers.
        quotes: Where quotes stand.
        lines: The line of each row, from 0.
    """

    content: bytes
    codes: NDArray[np.uint8]
    quotes: NDArray[np.int64]
    lines: NDArray[np.int64]


class CsvFile:
    """A CSV file with a header."""

    def __init__(self, path: Path, delimiter: str) -> None:
        csv.field_size_limit(CELL_LIMIT)
        self._path = path
        self._delimiter = delimiter
        self._text = Text(path)
        try:
            self.columns: list[str] = next(filter(None, self._reader()))
        except (StopIteration, csv.Error):
            raise TierwiseError(f"{path}: no header can be read in line 1; is it a CSV file?") from None
        self._text.mark()

    def batches(self, wanted: Sequence[str]) -> Iterator[Batch]:
        """The rows, with the columns `wanted`."""
        some = False
        while not self._text.at_end:
            waiting = self._text.waiting
            found = _whole_rows(waiting, self._text.all_loaded)
            if found is None:
                if len(waiting) <= text.LINE_LIMIT:
                    self._text.load()
                    continue
                batch = self._row_by_row(len(waiting), wanted)
            else:
                batch = self._parsed(found, wanted) or self._row_by_row(len(found.content), wanted)
            some = some or len(batch.lines) + len(batch.rejects) > 0
            yield batch
        if not some:
            raise TierwiseError(f"{self._path} has a header but no rows; nothing to ingest")

    def _parsed(self, block: _Block, wanted: Sequence[str]) -> Batch | None:
        """The rows of `block`; None if it is not for Arrow."""
        import pyarrow as pa
        from pyarrow import csv as arrow_csv

        if not _is_plain(block, self._delimiter):
            return None
        # By number, as names may repeat.
        names = [str(number) for number in range(len(self.columns))]
        try:
            table = arrow_csv.read_csv(
                pa.py_buffer(block.content),
                arrow_csv.ReadOptions(column_names=names),
                arrow_csv.ParseOptions(delimiter=self._delimiter, newlines_in_values=True),
                arrow_csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
                ),
            )
        except pa.ArrowInvalid:
            return None
        columns = [pa.concat_arrays(column.chunks) for column in table.columns]
        if table.num_rows != len(block.lines) or any(map(too_long, columns)):
            return None
        before = self._text.line
        self._text.skip(len(block.content), block.content.count(b"\n"))
        return self._batch(wanted, pa.array(block.lines + before), columns, [])

    def _row_by_row(self, size: int, wanted: Sequence[str]) -> Batch:
        """The rows that start in the next `size` bytes."""
        import pyarrow as pa

        source = self._text
        lines: list[int] = []
        rows: list[list[str]] = []
        rejects: list[Reject] = []
        end = source.offset + size
        while source.offset < end and not source.at_end:
            start = source.line
            try:
                for cells in self._reader():
                    if len(cells) == len(self.columns):
                        lines.append(start)
                        rows.append(cells)
                    elif cells:
                        detail = f"{len(cells)} cells, header has {len(self.columns)}"
                        rejects.append(Reject(start, "wrong number of cells", detail, json_text(cells)))
                    source.mark()
                    start = source.line
                    if source.offset >= end:
                        break
            except csv.Error as error:
                # The next row starts on the next line, though the quote that this one opened ran on further.
                source.go_back()
                rejects.append(self._malformed(start, str(error), next(source.lines())))
                source.mark()
        columns = zip(*rows, strict=True) if rows else ((),) * len(self.columns)
        arrays = [pa.array(cells, pa.string()) for cells in columns]
        return self._batch(wanted, pa.array(lines, pa.int64()), arrays, rejects)

    def _batch(
        self, wanted: Sequence[str], lines: pa.Array, columns: list[pa.Array], rejects: list[Reject]
    ) -> Batch:
        by_name = dict(zip(self.columns, columns, strict=True))

        def raw(index: int) -> str:
            return json_text(named(self.columns, [column[index].as_py() for column in columns]))

        return Batch(lines, {name: by_name[name] for name in wanted}, raw, rejects)

    def _reader(self) -> Any:
        return csv.reader(self._text.lines(), delimiter=self._delimiter, strict=True)

    def _malformed(self, line: int, error: str, content: str) -> Reject:
        if "field limit" in error:
            raise TierwiseError(
                f"{self._path}, line {line}: a cell is longer than {CELL_LIMIT:,} characters; is a quote left open?"
            )
        if "unexpected end" in error:
            raise TierwiseError(f"{self._path}, line {line}: a quote opened here is never closed")
        return Reject(line, "malformed quoting", error, json_text(content.rstrip("\r\n")))


def _whole_rows(content: bytes, ended: bool) -> _Block | None:
    """The whole rows that `content` begins with; None without any.

    Rows end at every LF that an even number of quotes precedes. Blank lines are no rows.
    """
    import numpy as np

    codes = np.frombuffer(content, np.uint8)
    quotes = np.flatnonzero(codes == _QUOTE)
    line_ends = np.flatnonzero(codes == _LF)
    ends_row = np.searchsorted(quotes, line_ends) % 2 == 0
    row_ends = line_ends[ends_row]
    if ended:
        size = len(content)
    elif len(row_ends):
        size = int(row_ends[-1]) + 1
    else:
        return None
    starts = np.concatenate(([0], row_ends + 1))
    lines = np.concatenate(([0], np.flatnonzero(ends_row) + 1))
    lengths = np.append(row_ends, size) - starts
    first = codes[np.minimum(starts, size - 1)]
    filled = (lengths > 1) | ((lengths == 1) & (first != _CR))
    return _Block(content[:size], codes[:size], quotes[: np.searchsorted(quotes, size)], lines[filled])


def _is_plain(block: _Block, delimiter: str) -> bool:
    """Whether Arrow and `csv` read the same from `block`, which ends with a row."""
    import numpy as np

    content, codes, quotes = block.content, block.codes, block.quotes
    if not delimiter.isascii() or b"\0" in content or len(quotes) % 2:
        return False
    if b"\r" in content and content.count(b"\r") != content.count(b"\r\n"):
        return False
    opening, closing = quotes[::2], quotes[1::2]
    before = codes[opening[opening > 0] - 1]
    after = codes[closing[closing < len(codes) - 1] + 1]
    edges = (ord(delimiter), _LF, _QUOTE)
    return bool(np.isin(before, edges).all() and np.isin(after, (*edges, _CR)).all())
