"""Opening the file for moments: waiting for whoever holds it, and naming them when patience ends."""

from __future__ import annotations

import math
import os
import random
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warehouse.errors import TierwiseError
from warehouse.transactions import first_line

if TYPE_CHECKING:
    import duckdb

# Without a holder where it let go before DuckDB could ask who it was, or lives in another container.
_HELD = re.compile(r"Could not set lock on file|different configuration than existing connections")
_HOLDER = re.compile(r"Conflicting lock is held in (?P<program>.*?) ?\(?PID (?P<pid>[1-9]\d*)\)?")
_SIZE = re.compile(r"[1-9]\d*(\.\d+)? ?([KMGT]i?B)", re.IGNORECASE)


class StoreHeldError(TierwiseError):
    """The store cannot be had now: another process did not let go in time, or its catalog cannot be reached."""


def patience() -> float:
    """Seconds to wait for the store: ``TIERWISE_LOCK_SECONDS``, else 30."""
    text = os.environ.get("TIERWISE_LOCK_SECONDS", "30")
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not seconds >= 0:
        raise TierwiseError(f"TIERWISE_LOCK_SECONDS is {text!r}; give a number of seconds")
    return seconds


def memory_settings() -> dict[str, Any]:
    """DuckDB's memory limit: ``TIERWISE_MEMORY``, else 3 GB, or 80 % of a machine that has less.

    Beyond it DuckDB spills to disk, which costs little here, and the rest of the machine is left to models.
    """
    text = os.environ.get("TIERWISE_MEMORY")
    if text is None:
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return {"memory_limit": f"{min(3_000, machine * 8 // 10_000_000)}MB"}
    if not _SIZE.fullmatch(text):
        raise TierwiseError(f"TIERWISE_MEMORY is {text!r}; give a size such as 4GB")
    return {"memory_limit": text}


def connect(path: Path, *, read_only: bool, wait: float) -> duckdb.DuckDBPyConnection:
    """Open the DuckDB file at `path`, retrying with backoff for up to `wait` seconds.

    Raises:
        StoreHeldError: Another process kept the file; the message names it.
        TierwiseError: The file is no DuckDB database, or cannot be opened.
    """
    import duckdb

    deadline = time.monotonic() + wait
    pause = 0.02
    while True:
        try:
            return _connect(path, read_only)
        except duckdb.Error as error:
            if not _HELD.search(str(error)):
                raise TierwiseError(_unopenable(path, error)) from error
            left = deadline - time.monotonic()
            if left <= 0:
                raise StoreHeldError(_held_by(path, error, wait)) from None
        time.sleep(min(left, pause * random.uniform(0.5, 1.0)))  # noqa: S311
        pause = min(pause * 2, 1.0)


def _connect(path: Path, read_only: bool) -> duckdb.DuckDBPyConnection:
    import duckdb

    # Absolute, because DuckDB reads meaning into names such as ":memory:" and "md:store". Without downloads,
    # because it would fetch an extension to open, say, a SQLite file.
    connection = duckdb.connect(
        str(path.absolute()),
        read_only=read_only,
        config={"autoinstall_known_extensions": False, **memory_settings()},
    )
    connection.execute("SET autoinstall_known_extensions = true")
    return connection


def _held_by(path: Path, error: Exception, wait: float) -> str:
    found = _HOLDER.search(str(error))
    if found:
        pid, program = int(found["pid"]), found["program"]
    elif "different configuration" in str(error):
        pid, program = os.getpid(), ""
    else:
        return f"{path} is held by another process and was not free within {wait:g} s; try again"
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        program = " ".join(a.decode(errors="replace") for a in arguments if a) or program
    except OSError:
        pass
    shown = f" ({program[:80]})" if program else ""
    return (
        f"{path} is held by process {pid}{shown} and was not free within {wait:g} s; close it and try again"
    )


def _unopenable(path: Path, error: Exception) -> str:
    text = first_line(error)
    if "version number" in text:
        return f"{path} was written by another version of DuckDB; upgrade duckdb ({text})"
    try:
        # Only after a failure: closing a file drops every POSIX lock that the process has on it, DuckDB's too.
        with path.open("rb") as file:
            head = file.read(12)
    except OSError:
        return f"cannot open {path}: {text}"
    if not head:
        return f"{path} is an empty file; remove it, or name another file with --db"
    if head[8:] != b"DUCK":
        return f"{path} is not a DuckDB database; name another file with --db"
    return f"cannot open {path}, a DuckDB database: {text}"
