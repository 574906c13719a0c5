"""A PostgreSQL of our own."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PASSWORD = f"sesame-{secrets.token_hex(8)}"
_OWNER = "postgres"


@dataclass(frozen=True, slots=True)
class Postgres:
    """A PostgreSQL that listens on a socket in `folder` only."""

    folder: Path
    binaries: Path

    def conninfo(self, database: str) -> str:
        """Connection string without password."""
        return f"dbname={database} host={self.folder} user=tierwise"

    def new_database(self, kind: str) -> str:
        """Make an empty database; return its name."""
        import psycopg

        name = f"{kind}_{secrets.token_hex(4)}"
        with psycopg.connect(self.conninfo("postgres"), password=PASSWORD, autocommit=True) as session:
            session.execute(f"CREATE DATABASE {name}")
        return name

    def control(self, *arguments: str) -> None:
        """Run ``pg_ctl`` and wait."""
        _as_owner([str(self.binaries / "pg_ctl"), "-D", str(self.folder / "data"), "-w", "-s", *arguments])

    def start(self) -> None:
        """Start it; what is lost with the power is no matter here."""
        options = f"-c listen_addresses='' -c unix_socket_directories={self.folder} -c fsync=off"
        self.control("-l", str(self.folder / "log"), "-o", options, "start")


@contextmanager
def running(binaries: Path) -> Iterator[Postgres]:
    """A new one, gone afterwards."""
    # Not in pytest's folder, which nobody but us may enter; and a socket's name must be short.
    folder = Path(tempfile.mkdtemp(prefix="tierwise-pg-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, _OWNER)
        secret = folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        postgres = Postgres(folder, binaries)
        initialise = [str(binaries / "initdb"), "-D", str(folder / "data"), "-U", "tierwise", "--no-sync"]
        _as_owner([*initialise, "--auth=scram-sha-256", f"--pwfile={secret}", "-E", "UTF8", "--locale=C"])
        postgres.start()
        try:
            yield postgres
        finally:
            postgres.control("-m", "fast", "stop")
    finally:
        shutil.rmtree(folder)


def binaries() -> Path | None:
    """Where PostgreSQL's programs are, if they are."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "initdb").exists():
            return folder
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


def _as_owner(command: Sequence[str]) -> None:
    """Run `command`, as another user where we are root: PostgreSQL refuses root."""
    if os.geteuid() == 0:
        command = ["runuser", "-u", _OWNER, "--", *command]
    subprocess.run(command, cwd="/", check=True, stdout=subprocess.DEVNULL)
