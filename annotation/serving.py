"""From nothing to a signed-in browser: Argilla's server, its worker and its Redis under one roof."""

from __future__ import annotations

import contextlib
import errno
import http.client
import json
import os
import re
import shutil
import socket
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from annotation.environment import ARGILLA_VERSION, SERVER_CODE, redis_server, server_python
from annotation.home import Credentials, Home
from annotation.processes import Service, Supervisor, kill_orphans, listener
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from annotation.home import Role

WORKSPACE = "tierwise"
"""Workspace that the users are members of."""

_SQLITE, _DATABASE_SEARCH = "sqlite", "database"
_USERNAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
# Read by Argilla too, and secret: they reach it on standard input.
_SECRET = ("ARGILLA_AUTH_SECRET_KEY", "ARGILLA_DATABASE_URL", "ARGILLA_REDIS_URL")
_NOT_INHERITED = (*_SECRET, "ARGILLA_API_KEY", "ARGILLA_API_URL", "HF_TOKEN", "PYTHONHOME", "VIRTUAL_ENV")
_PREPARING, _STARTING = 300.0, 90.0
_LOOK_EVERY = 0.5


@dataclass(frozen=True, slots=True)
class Options:
    """What is served, and how.

    Attributes:
        host: Address to listen on.
        port: TCP port.
        owner: Name of the user who may do all.
        annotators: Names of users who review.
        database_url: PostgreSQL for a team; None for SQLite in the home.
        redis_url: A Redis that runs; None for one of our own.
        search_engine: database, elasticsearch or opensearch.
        processes: Server processes.
        stock: Leave Argilla's code as it is.
    """

    host: str = "127.0.0.1"
    port: int = 6900
    owner: str = "owner"
    annotators: tuple[str, ...] = ()
    database_url: str | None = None
    redis_url: str | None = None
    search_engine: str = _DATABASE_SEARCH
    processes: int = 1
    stock: bool = False

    def check(self) -> None:
        """Refuse what cannot be.

        Raises:
            TierwiseError: A user's name that is none, an address of no PostgreSQL.
        """
        for name in (self.owner, *self.annotators):
            if not _USERNAME.fullmatch(name):
                raise TierwiseError(f"user {name!r}: use letters, digits, -, _ and .")
        if self.owner in self.annotators:
            raise TierwiseError(f"{self.owner} is the owner already; name the annotator otherwise")
        if self.database_url and not self.database_url.startswith(("postgresql://", "postgresql+asyncpg://")):
            raise TierwiseError("--database-url takes postgresql://…; SQLite needs none, it lies in the home")


@dataclass(frozen=True, slots=True)
class Ready:
    """An Argilla that answers: where, and the users who were made for it."""

    url: str
    home: Path
    made: tuple[Credentials, ...]


@contextlib.contextmanager
def serving(
    home: Home, options: Options, report: Callable[[str], None]
) -> Iterator[tuple[Ready, Supervisor]]:
    """Start all of it, and end all of it.

    Raises:
        TierwiseError: The port or the home is taken, a service does not start, or Argilla's default credentials are
            in the database.
    """
    options.check()
    home.make()
    with home.claimed("serve it"), _listening(options.host, options.port) as listening:
        state = home.state()
        kill_orphans({int(pid): began for pid, began in state.get("processes", {}).items()})
        _refuse_another_database(state, options, home)
        _empty(home.temporary)
        if options.search_engine != _DATABASE_SEARCH:
            _refuse_absent(options.search_engine)
        python = server_python(home.path.parent, needs_redis=options.redis_url is None, report=report)
        supervisor = Supervisor(_environment(home, options), home.path)
        url = f"http://{options.host}:{listening.getsockname()[1]}"
        served = {"pid": os.getpid(), "url": url}
        home.save_state({**state, **served})
        try:
            ready = _start(supervisor, home, options, python, url, listening, state)
            # A home has a database once it was prepared there, and not by having been asked to.
            kept = {"database": _database(options), "prepared": ARGILLA_VERSION}
            home.save_state({**served, **kept, "processes": supervisor.pids()})
            yield ready, supervisor
        finally:
            supervisor.stop()
            _empty(home.temporary)
            home.save_state({k: v for k, v in home.state().items() if k in ("database", "prepared")})


def watch(supervisor: Supervisor, home: Home, report: Callable[[str], None]) -> None:
    """Keep it running until a signal ends it.

    Raises:
        TierwiseError: A service keeps ending.
    """
    while True:
        time.sleep(_LOOK_EVERY)
        for service in supervisor.revive():
            report(f"{service.name} ended and was started again; {service.log} may say why")
            home.save_state({**home.state(), "processes": supervisor.pids()})


def _start(
    supervisor: Supervisor,
    home: Home,
    options: Options,
    python: Path,
    url: str,
    listening: socket.socket,
    state: dict[str, Any],
) -> Ready:
    environment = {"ARGILLA_AUTH_SECRET_KEY": home.secret_key()}
    environment["ARGILLA_REDIS_URL"] = options.redis_url or f"unix://{home.socket}"
    if options.database_url:
        environment["ARGILLA_DATABASE_URL"] = options.database_url
    if options.redis_url is None:
        supervisor.start(_redis(home, python))
    made = _prepared(supervisor, home, options, python, environment, state)
    secrets = {"environment": environment, "is_only_worker": options.redis_url is None}

    def service(name: str, *arguments: str, fds: tuple[int, ...] = ()) -> Service:
        module = ("-m", f"argilla_home.{name}")
        return Service(
            f"Argilla's {name}",
            [str(python), *module, *arguments],
            home.logs / f"{name}.log",
            json.dumps(secrets).encode(),
            fds,
        )

    fd = listening.fileno()
    stock = ["--stock"] if options.stock else []
    for _ in range(options.processes):
        supervisor.start(service("server", str(fd), *stock, fds=(fd,)))
    supervisor.start(service("worker"))
    supervisor.wait_for(lambda: _answers(url), _STARTING)
    return Ready(url, home.path, made)


def _redis(home: Home, python: Path) -> Service:
    program = redis_server(python)
    if program is None:
        raise TierwiseError("no redis-server here; install one, or name a Redis that runs with --redis-url")
    settings = {
        "port": "0",
        "unixsocket": str(home.socket),
        "unixsocketperm": "700",
        "dir": str(home.redis),
        # Jobs outlive a kill.
        "appendonly": "yes",
        "save": "",
        "loglevel": "warning",
    }
    arguments = [part for name, value in settings.items() for part in (f"--{name}", value)]
    return Service("Redis", [program, *arguments], home.logs / "redis.log")


def _prepared(
    supervisor: Supervisor,
    home: Home,
    options: Options,
    python: Path,
    environment: dict[str, str],
    state: dict[str, Any],
) -> tuple[Credentials, ...]:
    """Bring the database up to date and make the users that are missing; return these."""
    known = home.credentials()
    wanted: dict[str, Role] = {options.owner: "owner", **dict.fromkeys(options.annotators, "annotator")}
    new = {name: Credentials.generate(name, role) for name, role in wanted.items() if name not in known}
    is_ours = options.database_url is None
    if is_ours and not new and home.database.exists() and state.get("prepared") == ARGILLA_VERSION:
        return ()
    # Kept before they are used: a password that nobody knows would lock its user out. Those that were kept by a
    # start that was killed then are still to be made.
    home.save_credentials({**known, **new})
    users = [asdict({**known, **new}[name]) for name in wanted]
    given = {"environment": environment, "workspace": WORKSPACE, "users": users}
    service = Service(
        "preparing the database",
        [str(python), "-m", "argilla_home.prepare"],
        home.logs / "prepare.log",
        json.dumps(given).encode(),
    )
    made = json.loads(supervisor.run(service, _PREPARING))["made"]
    # Whoever was in the database already has another password than was made for them here.
    home.save_credentials({**known, **{name: user for name, user in new.items() if name in made}})
    return tuple({**known, **new}[name] for name in made)


def _environment(home: Home, options: Options) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    return {
        **inherited,
        "PYTHONPATH": str(SERVER_CODE),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TMPDIR": str(home.temporary),
        "ARGILLA_HOME_PATH": str(home.path),
        "ARGILLA_SEARCH_ENGINE": options.search_engine,
        "ARGILLA_CORS_ORIGINS": "[]",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """The socket that the server processes share: taken now, so that nothing was made in vain."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
            listening.listen(512)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise TierwiseError(
                    f"port {port} is taken by {listener(port)}; end it, or choose another with --port"
                ) from None
            raise TierwiseError(f"cannot listen on {host}:{port}: {error.strerror or error}") from None
        yield listening


def _database(options: Options) -> str:
    """The database without what is secret."""
    if options.database_url is None:
        return _SQLITE
    parts = urlsplit(options.database_url)
    return f"postgresql://{parts.hostname or ''}:{parts.port or 5432}{parts.path}"


def _refuse_another_database(state: dict[str, Any], options: Options, home: Home) -> None:
    former, asked = state.get("database"), _database(options)
    if former and former != asked:
        hint = "leave --database-url out" if former == _SQLITE else f"give --database-url {former}"
        raise TierwiseError(f"{home.path} keeps its records in {former}, not in {asked}; {hint}")


def _refuse_absent(search_engine: str) -> None:
    # Argilla itself asks for a minute before it gives up.
    url = os.environ.get("ARGILLA_ELASTICSEARCH", "http://localhost:9200")
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 9200), timeout=5).close()
    except OSError as error:
        where = f"{parts.hostname}:{parts.port or 9200}"
        raise TierwiseError(
            f"no {search_engine} answers at {where}: {error.strerror or error}; start it, or name it in "
            "ARGILLA_ELASTICSEARCH"
        ) from None


def _answers(url: str) -> bool:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=2)
    try:
        connection.request("GET", "/api/v1/version")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


def _empty(directory: Path) -> None:
    # Every process of Argilla's copies its web pages there and leaves them.
    for child in directory.iterdir():
        if child.is_dir() and not child.is_symlink():
            shutil.rmtree(child, ignore_errors=True)
        else:
            child.unlink(missing_ok=True)
