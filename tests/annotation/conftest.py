"""Argilla as a user gets it: ``python -m annotation serve`` in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from annotation.home import Home
from tests.annotation.shelf import Desk
from tests.postgres import PASSWORD
from tests.warehouse.support import ROOT
from warehouse.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    import argilla

    from annotation.home import Credentials
    from tests.postgres import Postgres

ANNOTATORS = ("ann", "bob")
# Installed once, by the first test that serves.
ENVIRONMENT = os.environ.get("TIERWISE_ARGILLA_ENV") or str(Path(sys.prefix) / "argilla-server")


def _heed_signals() -> None:
    """Tests may run under nohup or in the background, where a signal is ignored and children inherit that."""
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


@dataclass(slots=True)
class Served:
    """An Argilla that serves the home beside the store in `folder`."""

    folder: Path
    environ: dict[str, str]
    arguments: tuple[str, ...] = ()
    process: subprocess.Popen[str] | None = None
    told: dict[str, Any] | None = None
    clients: dict[str, argilla.Argilla] = field(default_factory=dict)

    @property
    def home(self) -> Home:
        """Its home."""
        return Home.of(Store(self.folder / "tierwise.duckdb"))

    @property
    def url(self) -> str:
        """Where it answers."""
        assert self.told is not None
        return str(self.told["url"])

    @property
    def pid(self) -> int:
        """Of the command."""
        assert self.process is not None
        return self.process.pid

    def command(self, *arguments: object, **env: str) -> subprocess.CompletedProcess[str]:
        """Run ``python -m annotation`` on the same store."""
        return subprocess.run(
            [sys.executable, "-m", "annotation", *map(str, arguments)],
            cwd=self.folder,
            env={**self.environ, **env},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    def start(self, *more: str) -> None:
        """Serve, and wait until it is ready."""
        command = [sys.executable, "-m", "annotation", "serve", "--json", "--port", "0"]
        names = [part for name in ANNOTATORS for part in ("--annotator", name)]
        with (self.folder / "stderr").open("w") as stderr:
            self.process = subprocess.Popen(
                [*command, *names, *self.arguments, *more],
                cwd=self.folder,
                env=self.environ,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                preexec_fn=_heed_signals,  # noqa: PLW1509
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, (self.folder / "stderr").read_text()
        self.told = json.loads(line)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it; return its exit status."""
        assert self.process is not None
        self.close()
        self.process.send_signal(number)
        self.process.communicate(timeout=60)
        return self.process.returncode

    def close(self) -> None:
        """Forget who was signed in."""
        for client in self.clients.values():
            client.http_client.close()
        self.clients.clear()

    def running(self) -> dict[str, psutil.Process]:
        """Its processes by what they are: redis, server, worker."""
        found = {}
        for process in psutil.Process(self.pid).children():
            command = " ".join(process.cmdline())
            name = next(n for n in ("redis", "argilla_home.server", "argilla_home.worker") if n in command)
            found[name.rpartition(".")[2]] = process
        return found

    def user(self, name: str) -> Credentials:
        """How a user signs in."""
        return self.home.credentials()[name]

    def client(self, name: str = "owner") -> argilla.Argilla:
        """The SDK, signed in as `name`."""
        import argilla

        if name not in self.clients:
            self.clients[name] = argilla.Argilla(api_url=self.url, api_key=self.user(name).api_key)
        return self.clients[name]


def served(folder: Path, *arguments: str, **env: str) -> Served:
    """One that is not started yet."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("ARGILLA_")}
    environ = {**own, "PYTHONPATH": str(ROOT), "TIERWISE_ARGILLA_ENV": ENVIRONMENT, **env}
    return Served(folder, environ, arguments)


@contextlib.contextmanager
def serving(folder: Path, *arguments: str, **env: str) -> Iterator[Served]:
    """One that runs, ended afterwards if a test has not."""
    instance = served(folder, *arguments, **env)
    instance.start()
    try:
        yield instance
    finally:
        instance.close()
        if instance.process is not None and instance.process.poll() is None:
            instance.stop()


def database_url(postgres: Postgres) -> str:
    """A new database, as Argilla names one."""
    name = postgres.new_database("argilla")
    return f"postgresql+asyncpg://tierwise:{PASSWORD}@/{name}?host={postgres.folder}"


@pytest.fixture(scope="session")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Argilla on SQLite, for tests that leave it running."""
    with serving(tmp_path_factory.mktemp("sqlite")) as instance:
        yield instance


@pytest.fixture(scope="session")
def on_postgres(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Argilla on PostgreSQL with two server processes, for tests that leave it running."""
    folder = tmp_path_factory.mktemp("postgres")
    with serving(folder, "--processes", "2", ARGILLA_DATABASE_URL=database_url(postgres)) as instance:
        yield instance


@pytest.fixture(params=["sqlite", "postgres"])
def argilla_server(request: pytest.FixtureRequest) -> Served:
    """Each of the two."""
    found: Served = request.getfixturevalue(f"on_{request.param}")
    return found


def eventually(condition: Any, seconds: float = 30.0) -> None:
    """Wait for `condition`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen"
        time.sleep(0.05)


@pytest.fixture
def desk(on_sqlite: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A store of its own and a dataset of its own on the Argilla that runs."""
    monkeypatch.setenv("ARGILLA_API_URL", on_sqlite.url)
    monkeypatch.setenv("ARGILLA_API_KEY", str(on_sqlite.user("owner").api_key))
    made = Desk(
        Store(tmp_path / "x.duckdb"), on_sqlite, f"review-{tmp_path.name}".replace("_", "-"), monkeypatch
    )
    yield made
    for dataset in on_sqlite.client().datasets:
        if str(dataset.name).startswith(made.dataset):
            dataset.delete()
