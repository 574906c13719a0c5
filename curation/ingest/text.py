"""A text file as bytes, with the numbers of the physical lines they stand in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# A longer line is no table, such as one JSON array over a whole file.
LINE_LIMIT = 1 << 24
BLOCK = 1 << 23

_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n|\r|\n")


class Text:
    """A UTF-8 file, read forwards. Lines end where they do for a text editor: at LF, CR LF or CR.

    Attributes:
        offset: Bytes read so far.
        line: Number of the line that starts there, from 1.
    """

    __slots__ = ("_at", "_blocks", "_buffer", "_ended", "_mark", "_marked_line", "_path", "line", "offset")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._blocks = self._read()
        self._buffer = b""
        self._at = self._mark = 0
        self._ended = False
        self.offset = 0
        self.line = self._marked_line = 1
        self.load()
        if self._buffer.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise TierwiseError(f"{path} is UTF-16, not UTF-8; convert the file, such as with iconv")
        if self._buffer.startswith(_BOM):
            self.skip(len(_BOM), 0)

    @property
    def waiting(self) -> bytes:
        """What was loaded and not read yet."""
        return self._buffer[self._at :]

    @property
    def all_loaded(self) -> bool:
        """Whether nothing is left in the file."""
        return self._ended

    @property
    def at_end(self) -> bool:
        """Whether everything was read."""
        return self._ended and self._at == len(self._buffer)

    def load(self) -> None:
        """Load one more block.

        Raises:
            TierwiseError: The file cannot be read.
        """
        block = next(self._blocks, b"")
        self._buffer = self._buffer[self._mark :] + block
        self._at -= self._mark
        self._mark = 0
        self._ended = not block

    def skip(self, size: int, lines: int) -> None:
        """Go on by `size` bytes of what waits, which hold the ends of `lines` lines."""
        self._at += size
        self.offset += size
        self.line += lines
        self.mark()

    def mark(self) -> None:
        """Keep what comes from here on for `go_back`."""
        self._mark, self._marked_line = self._at, self.line

    def go_back(self) -> None:
        """Go back to the mark."""
        self.offset -= self._at - self._mark
        self._at, self.line = self._mark, self._marked_line

    def lines(self) -> Iterator[str]:
        """The lines from here on, with their ends; each is read as it is asked for.

        Raises:
            TierwiseError: Not UTF-8, a NUL byte, or a line past `LINE_LIMIT`.
        """
        while line := self._next_line():
            if b"\0" in line:
                raise TierwiseError(f"{self._path}, line {self.line}: NUL byte; is it a text file in UTF-8?")
            try:
                text = line.decode()
            except UnicodeDecodeError as error:
                raise TierwiseError(
                    f"{self._path}, line {self.line}: byte 0x{line[error.start]:02x} is not UTF-8; "
                    "convert the file, such as with iconv"
                ) from None
            self._at += len(line)
            self.offset += len(line)
            self.line += 1
            yield text

    def _next_line(self) -> bytes:
        searched = self._at
        while True:
            end = _LINE_END.search(self._buffer, searched)
            # A CR at the end of what is loaded may be the first half of a CR LF.
            if end and (self._ended or end.end() < len(self._buffer)):
                return self._buffer[self._at : end.end()]
            if self._ended:
                return self._buffer[self._at :]
            waiting = len(self._buffer) - self._at
            if waiting > LINE_LIMIT:
                raise TierwiseError(
                    f"{self._path}, line {self.line}: longer than {LINE_LIMIT:,} characters; "
                    "is there one row a line?"
                )
            self.load()
            searched = self._at + max(waiting - 1, 0)

    def _read(self) -> Iterator[bytes]:
        try:
            with self._path.open("rb") as file:
                while block := file.read(max(BLOCK, len(_BOM))):
                    yield block
        except OSError as error:
            raise TierwiseError(f"cannot read {self._path}: {error.strerror}") from error
