"""Opening the file for moments: waiting for whoever holds it, and naming them when patience ends."""

from __future__ import annotations

import os
import random
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    import duckdb

_HOLDER = re.compile(r"Conflicting lock is held in (?P<program>.*?) \(PID (?P<pid>\d+)\)")


class StoreHeldError(TierwiseError):
    """Another process holds the store and did not let go in time."""


def patience() -> float:
    """Seconds to wait for the store: ``TIERWISE_LOCK_SECONDS``, else 30."""
    text = os.environ.get("TIERWISE_LOCK_SECONDS", "30")
    try:
        return float(text)
    except ValueError:
        raise TierwiseError(f"TIERWISE_LOCK_SECONDS is {text!r}; give a number of seconds") from None


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
            return duckdb.connect(str(path), read_only=read_only)
        except duckdb.Error as error:
            held = _HOLDER.search(str(error))
            if held is None:
                raise TierwiseError(_unopenable(path, error)) from error
            if time.monotonic() >= deadline:
                raise StoreHeldError(_held_by(path, int(held["pid"]), held["program"], wait)) from None
        time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311
        pause = min(pause * 2, 1.0)


def _held_by(path: Path, pid: int, program: str, wait: float) -> str:
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        program = " ".join(a.decode(errors="replace") for a in arguments if a) or program
    except OSError:
        pass
    return (
        f"{path} is held by process {pid} ({program[:80]}) and was not free within {wait:g} s; "
        "close it and try again"
    )


def _unopenable(path: Path, error: Exception) -> str:
    text = str(error)
    if "not a valid DuckDB database" in text or "Could not read" in text or "too small" in text:
        return f"{path} is not a DuckDB database; name another file with --db"
    if "version number" in text:
        return f"{path} was written by another version of DuckDB; upgrade duckdb ({text.splitlines()[0]})"
    return f"cannot open {path}: {text.splitlines()[0]}"
