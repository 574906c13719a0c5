"""A PostgreSQL of our own, and DuckLakes on it, for processes that run on DuckDB 1.5.5."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.warehouse.support import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import psycopg

# Extensions come as packages for this version of DuckDB only, so it stands apart from the one installed.
DUCKDB = Path(sys.prefix) / "duckdb-1.5.5"
PASSWORD = f"sesame-{secrets.token_hex(8)}"
_OWNER = "postgres"

# Real commands, one after the other in one process, as imports and extensions take longer than most of them.
_SHELL = """
import json, sys
from click.testing import CliRunner
from curation.__main__ import main as curation
from warehouse.__main__ import main as warehouse

for line in sys.stdin:
    package, *arguments = json.loads(line)
    done = CliRunner().invoke({"curation": curation, "warehouse": warehouse}[package], arguments)
    print(json.dumps([done.exit_code, done.stdout, done.stderr or repr(done.exception)]), flush=True)
"""


@dataclass(slots=True)
class Lake:
    """A DuckLake, and how processes reach it."""

    name: str
    data: Path
    env: dict[str, str]
    _shell: subprocess.Popen[str] | None = None

    def start(self, *arguments: object, **env: str) -> subprocess.Popen[str]:
        """Start ``python ARGUMENTS`` on DuckDB 1.5.5 with this lake as ``TIERWISE_DB``."""
        return subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            cwd=ROOT,
            env={**os.environ, **self.env, **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: object, **env: str) -> subprocess.CompletedProcess[str]:
        """`start` and wait."""
        with self.start(*arguments, **env) as process:
            stdout, stderr = process.communicate(timeout=240)
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def command(self, *arguments: object, code: int = 0) -> str:
        """What ``python -m ARGUMENTS`` prints; on stderr, where it is to exit with another `code`.

        In a process that stays for the next command.
        """
        if self._shell is None:
            self._shell = self.start("-c", _SHELL)
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        print(json.dumps([*map(str, arguments)]), file=self._shell.stdin, flush=True)
        status, stdout, stderr = json.loads(self._shell.stdout.readline())
        assert status == code, stderr
        return str(stderr if code else stdout)

    def rows(self, query: str) -> list[list[Any]]:
        """Rows of ``warehouse sql``."""
        found = json.loads(self.command("warehouse", "sql", query, "--json"))
        return [list(row.values()) for row in found]

    def close(self) -> None:
        """End the process of `command`."""
        if self._shell is not None:
            with self._shell:
                self._shell.communicate()

    def catalog(self) -> psycopg.Connection:
        """A session at the catalog's database, as an administrator has one."""
        import psycopg

        conninfo = self.name.removeprefix("ducklake:postgres:")
        return psycopg.connect(conninfo, password=PASSWORD, autocommit=True, application_name="psql")


@dataclass(frozen=True, slots=True)
class Server:
    """A PostgreSQL that listens on a socket in `folder` only."""

    folder: Path
    binaries: Path

    def conninfo(self, database: str) -> str:
        """Connection string without password."""
        return f"dbname={database} host={self.folder} user=tierwise"

    def new_lake(self, folder: Path) -> Lake:
        """An empty database, with `folder` for Parquet files and long runs."""
        import psycopg

        database = f"lake_{secrets.token_hex(4)}"
        with psycopg.connect(self.conninfo("postgres"), password=PASSWORD, autocommit=True) as session:
            session.execute(f"CREATE DATABASE {database}")
        env = {
            "PYTHONPATH": f"{DUCKDB}{os.pathsep}{ROOT}",
            "PGPASSWORD": PASSWORD,
            "TIERWISE_DB": f"ducklake:postgres:{self.conninfo(database)}",
            "TIERWISE_STATE": str(folder / "state"),
            "TIERWISE_LOCK_SECONDS": "60",
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": "1",
        }
        return Lake(env["TIERWISE_DB"], folder / "lake", env)

    def control(self, *arguments: str) -> None:
        """Run ``pg_ctl`` and wait."""
        _as_owner([str(self.binaries / "pg_ctl"), "-D", str(self.folder / "data"), "-w", "-s", *arguments])

    def start(self) -> None:
        """Start it; what is lost with the power is no matter here."""
        options = f"-c listen_addresses='' -c unix_socket_directories={self.folder} -c fsync=off"
        self.control("-l", str(self.folder / "log"), "-o", options, "start")


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The PostgreSQL of these tests; they are skipped where it or DuckDB 1.5.5 is missing."""
    binaries = _binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed (on Debian: apt-get install postgresql)")
    if not (DUCKDB / "installed").exists():
        pytest.skip("DuckDB 1.5.5 with its extensions is not installed; `make test` does that")
    # Not in pytest's folder, which nobody but us may enter; and a socket's name must be short.
    folder = Path(tempfile.mkdtemp(prefix="tierwise-pg-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, _OWNER)
        secret = folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        server = Server(folder, binaries)
        initialise = [str(binaries / "initdb"), "-D", str(folder / "data"), "-U", "tierwise", "--no-sync"]
        _as_owner([*initialise, "--auth=scram-sha-256", f"--pwfile={secret}", "-E", "UTF8", "--locale=C"])
        server.start()
        try:
            yield server
        finally:
            server.control("-m", "fast", "stop")
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def no_lake(server: Server, tmp_path: Path) -> Iterator[Lake]:
    """A database in which nothing was made yet."""
    with closing(server.new_lake(tmp_path)) as made:
        yield made


@pytest.fixture
def lake(no_lake: Lake) -> Lake:
    """An empty store."""
    no_lake.command("warehouse", "init", "--data", no_lake.data)
    return no_lake


def _binaries() -> Path | None:
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
