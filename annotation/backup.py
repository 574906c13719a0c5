"""A copy of Argilla's records, users and secrets, and a home made from it."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

from annotation.environment import ARGILLA_VERSION
from annotation.home import write_private
from warehouse.errors import TierwiseError
from warehouse.ledger import utc_now
from warehouse.scratch import scratch_directory

if TYPE_CHECKING:
    from pathlib import Path

    from annotation.home import Home

_MANIFEST = "backup.json"


def back_up(home: Home, path: Path) -> dict[str, Any]:
    """Copy the database as it is at one moment, with what its users sign in with, into the new folder `path`.

    It may be served meanwhile. Jobs that wait in Redis are not part of it.

    Raises:
        TierwiseError: No home, one whose records are in PostgreSQL, or `path` is there already.
    """
    database = home.state().get("database", "sqlite")
    if database != "sqlite":
        raise TierwiseError(
            f"the records are in {database}; back that up with pg_dump, and {home.path} as files"
        )
    if not home.database.exists():
        raise TierwiseError(f"no Argilla at {home.path} yet; `python -m annotation serve` makes one")
    if path.exists():
        raise TierwiseError(f"{path} is there already; name a new folder")
    if not path.absolute().parent.is_dir():
        raise TierwiseError(f"no folder {path.absolute().parent} to hold the backup")
    with scratch_directory(path.absolute().parent, "backup") as directory:
        inside = directory / "copy"
        inside.mkdir(mode=0o700)
        counts = _copy_database(home.database, inside / home.database.name)
        for secret in home.secrets:
            if secret.exists():
                write_private(inside / secret.name, secret.read_text())
        manifest = {"argilla": ARGILLA_VERSION, "made_at": utc_now().isoformat(timespec="seconds"), **counts}
        write_private(inside / _MANIFEST, json.dumps(manifest, indent=1))
        inside.rename(path)
    return {"backup": str(path), **counts}


def restore(home: Home, path: Path) -> dict[str, Any]:
    """Make the home from the backup `path`.

    Raises:
        TierwiseError: `path` is no backup, it is of another version, or the home has records already.
    """
    try:
        manifest = json.loads((path / _MANIFEST).read_text())
    except (FileNotFoundError, ValueError):
        raise TierwiseError(
            f"{path} is no backup of Argilla; `python -m annotation backup` makes one"
        ) from None
    if manifest["argilla"] != ARGILLA_VERSION:
        raise TierwiseError(f"{path} is of Argilla {manifest['argilla']}, and this is {ARGILLA_VERSION}")
    home.make()
    with home.claimed("restore it"):
        if home.database.exists():
            raise TierwiseError(f"{home.path} has records already; move it away first")
        for secret in home.secrets:
            if (path / secret.name).exists():
                write_private(secret, (path / secret.name).read_text())
        arriving = home.database.with_name(f".{home.database.name}")
        arriving.unlink(missing_ok=True)
        counts = _copy_database(path / home.database.name, arriving)
        # Last, and whole: with it the home is there.
        arriving.rename(home.database)
        home.save_state({"database": "sqlite", "prepared": ARGILLA_VERSION})
    return {"home": str(home.path), **counts}


def _copy_database(source: Path, target: Path) -> dict[str, int]:
    os.close(os.open(target, os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as opened,
            closing(sqlite3.connect(target)) as copy,
        ):
            opened.backup(copy)
            (state,) = copy.execute("PRAGMA quick_check").fetchone()
            if state != "ok":
                raise TierwiseError(f"{source} is damaged: {state}")
            return {
                name: copy.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
                for name in ("users", "datasets", "records", "responses")
            }
    except sqlite3.Error as error:
        raise TierwiseError(f"cannot copy {source}: {error}") from error
