"""A PostgreSQL of our own, and DuckLakes on it, for processes that run on DuckDB 1.5.5."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.postgres import PASSWORD
from tests.warehouse.support import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from tests.postgres import Postgres

# Extensions come as packages for this version of DuckDB only, so it stands apart from the one installed.
DUCKDB = Path(sys.prefix) / "duckdb-1.5.5"

# Real commands, one after the other in one process, as imports and extensions take longer than most of them.
_SHELL = """
import json, sys
from click.testing import CliRunner
from curation.__main__ import main as curation
from eval.__main__ import main as evaluate
from warehouse.__main__ import main as warehouse

for line in sys.stdin:
    package, *arguments = json.loads(line)
    done = CliRunner().invoke({"curation": curation, "eval": evaluate, "warehouse": warehouse}[package], arguments)
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


@pytest.fixture(scope="session")
def server(postgres: Postgres) -> Postgres:
    """The PostgreSQL of these tests; they are skipped where DuckDB 1.5.5 is missing."""
    if not (DUCKDB / "installed").exists():
        pytest.skip("DuckDB 1.5.5 with its extensions is not installed; `make test` does that")
    return postgres


def new_lake(server: Postgres, folder: Path) -> Lake:
    """An empty database, with `folder` for Parquet files and long runs."""
    env = {
        "PYTHONPATH": f"{DUCKDB}{os.pathsep}{ROOT}",
        "PGPASSWORD": PASSWORD,
        "TIERWISE_DB": f"ducklake:postgres:{server.conninfo(server.new_database('lake'))}",
        "TIERWISE_STATE": str(folder / "state"),
        "TIERWISE_LOCK_SECONDS": "60",
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }
    return Lake(env["TIERWISE_DB"], folder / "lake", env)


@pytest.fixture
def no_lake(server: Postgres, tmp_path: Path) -> Iterator[Lake]:
    """A database in which nothing was made yet."""
    with closing(new_lake(server, tmp_path)) as made:
        yield made


@pytest.fixture
def lake(no_lake: Lake) -> Lake:
    """An empty store."""
    no_lake.command("warehouse", "init", "--data", no_lake.data)
    return no_lake
