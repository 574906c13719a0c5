"""Turns at a shared store: advisory locks of PostgreSQL, which end with the session that holds them.

PostgreSQL queues those who wait, in order, and sees the end of a session however its process ends.
"""

from __future__ import annotations

import hashlib
import os
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

from warehouse.errors import TierwiseError
from warehouse.locking import StoreHeldError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

WRITING = "writing"
"""The turn of those who write."""

# A server may end sessions that idle, or statements that wait, as ours do. A machine that vanished without a
# word frees its turn after a minute.
_SETTINGS = {
    "idle_session_timeout": "0",
    "statement_timeout": "0",
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}
_LONGEST = 2**31 - 1
# PostgreSQL keeps so many characters of an application's name.
_NAME_LENGTH = 63


class TurnTakenError(Exception):
    """Somebody else has the turn; the text says who."""


def connection_string(text: str) -> str:
    """The libpq connection string or URI `text`, as our sessions use it.

    Raises:
        TierwiseError: It is none, or holds a password. The message repeats nothing of it.
    """
    try:
        import psycopg
        from psycopg.conninfo import conninfo_to_dict, make_conninfo
    except ModuleNotFoundError:
        raise TierwiseError(
            "a DuckLake store needs the package psycopg: `pip install 'tierwise[shared]'`"
        ) from None
    try:
        parameters = conninfo_to_dict(text)
    except psycopg.ProgrammingError:
        raise TierwiseError(
            "--db ducklake:postgres:… is followed by a PostgreSQL connection string, such as "
            "'ducklake:postgres:dbname=tierwise host=db.example user=me'"
        ) from None
    if any(name.endswith(("password", "secret")) for name in parameters):
        raise TierwiseError(
            "leave the password out of --db, where the list of processes shows it; put it into PGPASSWORD or ~/.pgpass"
        )
    me = f"process {os.getpid()} on {socket.gethostname()}"
    return make_conninfo(
        text, connect_timeout=parameters.get("connect_timeout", 10), application_name=me[:_NAME_LENGTH]
    )


@contextmanager
def session(conninfo: str, shown: str) -> Iterator[psycopg.Connection]:
    """A session of our own at the database, without transactions.

    Raises:
        StoreHeldError: The database cannot be reached, or does not let this user in.
    """
    import psycopg

    try:
        with psycopg.connect(conninfo, autocommit=True) as opened:
            for name, value in _SETTINGS.items():
                opened.execute(
                    "SELECT set_config(name, %s, false) FROM pg_settings WHERE name = %s", (value, name)
                )
            yield opened
    except psycopg.Error as error:
        said = " ".join(str(error).split())[:300]
        raise StoreHeldError(
            f"cannot use the catalog of {shown}: {said}; see that PostgreSQL is up and lets this user in"
        ) from None


def take_turn(opened: psycopg.Connection, name: str, wait: float) -> None:
    """Take the turn `name` for the rest of the session, waiting up to `wait` seconds.

    Raises:
        TurnTakenError: Another session kept it.
    """
    import psycopg

    key = turn_key(name)
    # 0 would mean without end.
    milliseconds = max(1, int(min(wait * 1_000, _LONGEST)))
    opened.execute("SELECT set_config('lock_timeout', %s, false)", (str(milliseconds),))
    try:
        opened.execute("SELECT pg_advisory_lock(%s)", (key,))
    except psycopg.errors.LockNotAvailable:
        raise TurnTakenError(_holder(opened, key)) from None


def turn_key(name: str) -> int:
    """The key of the advisory lock for the turn `name`."""
    digest = hashlib.sha256(f"tierwise {name}".encode()).digest()
    return int.from_bytes(digest[:8], signed=True)


def _holder(opened: psycopg.Connection, key: int) -> str:
    """The application name of the session that holds the lock, which for us names process and machine."""
    found = opened.execute(
        "SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid) "
        "WHERE locktype = 'advisory' AND granted AND objsubid = 1 "
        "AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
        "AND ((classid::bigint << 32) | objid::bigint) = %s",
        (key,),
    ).fetchone()
    return (found and found[0]) or "another session"
