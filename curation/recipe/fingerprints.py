"""What inputs and outputs hold, as digests: files and folders by content, rows of the store whatever their order."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from curation.models import content_digest
from warehouse.ddl import sql_name
from warehouse.errors import TierwiseError
from warehouse.transactions import first_line

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

_State = list[tuple[str, int, int, int]]


class Fingerprints:
    """SHA-256, in hex, of files and folders. What has not been touched since is not read again."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[_State, str]] = {}

    def of(self, path: Path) -> str:
        """Digest of the content at `path`; of a model, what decides what it generates.

        Raises:
            OSError: It is not there or cannot be read.
        """
        state = _state(path)
        known = self._known.get(path)
        if known is None or known[0] != state:
            known = self._known[path] = (state, _digest(path))
        return known[1]


def _state(path: Path) -> _State:
    found = []
    for file in _files(path) if path.is_dir() else [path]:
        stat = file.stat()
        found.append((str(file), stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return found


def _digest(path: Path) -> str:
    if not path.is_dir():
        return _of_file(path)
    if (path / "config.json").is_file() and any(path.glob("*.safetensors")):
        return content_digest(path)
    digest = hashlib.sha256()
    for file in _files(path):
        name = str(file.relative_to(path)).encode(errors="surrogateescape")
        digest.update(b"%d:%s%s" % (len(name), name, _of_file(file).encode()))
    return digest.hexdigest()


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _of_file(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@dataclass(frozen=True, slots=True)
class Watched:
    """Rows that a query yields.

    Attributes:
        tables: Tables and views that the query names.
        digest: SHA-256, in hex, over the rows; their order is no part of it.
    """

    tables: tuple[str, ...]
    digest: str


def watch(connection: duckdb.DuckDBPyConnection, query: str) -> Watched:
    """The rows of `query`, in memory that does not grow with them.

    Raises:
        TierwiseError: It is no query, or fails.
    """
    import duckdb

    # A name that no column has: a column would take the place of the row.
    row = sql_name(secrets.token_hex(8))
    # On lines of its own, so that a trailing comment comments out nothing of ours.
    rows = f"SELECT to_json({row})::VARCHAR AS text FROM (\n{query.strip().rstrip(';')}\n) AS {row}"
    halves = "md5_number_lower(text)", "md5_number_upper(text)"
    # Rows that come twice cancel out in the one, not in the other.
    sums = ", ".join(f"{each}({half})" for each in ("sum", "bit_xor") for half in halves)
    try:
        found = connection.execute(f"SELECT count(*), {sums} FROM ({rows})").fetchall()
        tables = connection.get_table_names(query)
    except duckdb.Error as error:
        raise TierwiseError(f"watch: {first_line(error)}; mend the query") from None
    return Watched(tuple(sorted(tables)), hashlib.sha256(str(found[0]).encode()).hexdigest())
