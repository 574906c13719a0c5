"""Processes that live and die together: started in order, started again when one dies, gone when we are."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections import deque
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

import psutil

from annotation.home import open_private
from warehouse.errors import TierwiseError
from warehouse.orphans import die_with

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_PATIENCE = 10.0
"""Seconds between asking a process to end and ending it."""
_DEATHS, _WITHIN = 3, 60.0
"""So many deaths of a process in so many seconds are no accident."""


@dataclass(slots=True)
class Service:
    """A process to run.

    Attributes:
        name: As people are told.
        command: Program and arguments; no secret.
        log: File that its output is added to.
        secrets: Written to its standard input.
        fds: File descriptors that it inherits.
    """

    name: str
    command: Sequence[str]
    log: Path
    secrets: bytes = b""
    fds: tuple[int, ...] = ()
    _process: subprocess.Popen[bytes] | None = None
    _deaths: deque[float] = field(default_factory=lambda: deque(maxlen=_DEATHS))

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """Once it was started."""
        assert self._process is not None
        return self._process

    def last_words(self) -> str:
        """The last line of the log that says something."""
        lines = [line.strip() for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        return lines[-1] if lines else "it said nothing"


class Supervisor:
    """Runs services with `env` in the directory `cwd`."""

    def __init__(self, env: Mapping[str, str], cwd: Path) -> None:
        self._env = dict(env)
        self._cwd = cwd
        self._services: list[Service] = []

    def start(self, service: Service) -> None:
        """Start it, after those that were started before."""
        self._launch(service)
        self._services.append(service)

    def pids(self) -> dict[int, float]:
        """Processes and when they began, which tells them from later ones of the same number."""
        found = {}
        for service in self._services:
            with contextlib.suppress(psutil.NoSuchProcess):
                process = psutil.Process(service.process.pid)
                found[process.pid] = process.create_time()
        return found

    def wait_for(self, is_ready: Callable[[], bool], seconds: float) -> None:
        """Wait until `is_ready`.

        Raises:
            TierwiseError: A service ended meanwhile, or time is up.
        """
        deadline = time.monotonic() + seconds
        while not is_ready():
            for service in self._services:
                if service.process.poll() is not None:
                    raise TierwiseError(
                        f"{service.name} ended before it was ready: {service.last_words()} ({service.log})"
                    )
            if time.monotonic() > deadline:
                logs = ", ".join(str(service.log) for service in self._services)
                raise TierwiseError(f"Argilla was not ready within {seconds:.0f} s; see {logs}")
            time.sleep(0.05)

    def revive(self) -> list[Service]:
        """Start again what has died; return it.

        Raises:
            TierwiseError: It keeps dying.
        """
        dead = [service for service in self._services if service.process.poll() is not None]
        for service in dead:
            service._deaths.append(time.monotonic())
            if len(service._deaths) == _DEATHS and service._deaths[-1] - service._deaths[0] < _WITHIN:
                raise TierwiseError(f"{service.name} keeps ending: {service.last_words()} ({service.log})")
            self._launch(service)
        return dead

    def stop(self) -> None:
        """End all, the last first, each with what it started itself."""
        for service in reversed(self._services):
            process = service.process
            if process.poll() is None:
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_PATIENCE)
            # Every service leads a process group of its own.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._services.clear()

    def run(self, service: Service, seconds: float) -> bytes:
        """Run it to its end; return what it printed.

        Raises:
            TierwiseError: It failed.
        """
        with open_private(service.log) as log, self._popen(service, subprocess.PIPE, log) as process:
            try:
                printed, _ = process.communicate(service.secrets, timeout=seconds)
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            raise TierwiseError(f"{service.name} failed: {service.last_words()} ({service.log})")
        return printed

    def _launch(self, service: Service) -> None:
        with open_private(service.log) as log:
            process = self._popen(service, log, subprocess.STDOUT)
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(service.secrets)
            process.stdin.close()
        service._process = process

    def _popen(
        self, service: Service, stdout: IO[bytes] | int, stderr: IO[bytes] | int
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            service.command,
            cwd=self._cwd,
            env=self._env,
            stdin=subprocess.PIPE,
            stdout=stdout,
            stderr=stderr,
            pass_fds=service.fds,
            umask=0o077,
            # Ctrl-C is for us; we end them in order.
            start_new_session=True,
            preexec_fn=die_with(os.getpid()),  # noqa: PLW1509 - this process has no threads
        )


def kill_orphans(pids: Mapping[int, float]) -> None:
    """Kill the processes of `Supervisor.pids` that are still the same ones, and their children."""
    for pid, began in pids.items():
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            if process.create_time() == began:
                for each in (*process.children(recursive=True), process):
                    with contextlib.suppress(psutil.NoSuchProcess):
                        each.kill()
                process.wait(_PATIENCE)


def listener(port: int) -> str:
    """Which process listens on a TCP port, in words."""
    with contextlib.suppress(psutil.AccessDenied):
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.laddr
            if listens and listens.port == port and connection.pid:
                command = " ".join(psutil.Process(connection.pid).cmdline())
                return f"process {connection.pid} ({command[:80]})"
    return "another user's process"
