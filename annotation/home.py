"""The home of an Argilla of our own: its database, its secrets and its logs, for its owner's eyes alone."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import IO, TYPE_CHECKING, Any, Literal

from warehouse.errors import TierwiseError
from warehouse.scratch import is_claimed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from warehouse.store import Store

Role = Literal["owner", "annotator"]

# Sockets have names of at most 108 bytes on Linux and 104 elsewhere.
_LONGEST_SOCKET = 103


@dataclass(frozen=True, slots=True)
class Credentials:
    """How a user signs in (password) and a program does (API key)."""

    username: str
    role: Role
    password: str
    api_key: str | None = None

    @classmethod
    def generate(cls, username: str, role: Role) -> Credentials:
        """New ones: 96 bits of password, 256 of key."""
        return cls(username, role, secrets.token_urlsafe(12), secrets.token_urlsafe(32))


class Home:
    """The directory `path`, with mode 0700; every file in it is made with 0600."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.database = self.path / "argilla.db"
        self.credentials_file = self.path / "credentials.json"
        self.logs = self.path / "logs"
        self.temporary = self.path / "tmp"
        self.redis = self.path / "redis"
        self._secret = self.path / "secret-key"
        self.secrets = (self.credentials_file, self._secret)
        self._state = self.path / "server.json"
        self._lock = self.path / "lock"

    @classmethod
    def of(cls, store: Store) -> Home:
        """The home beside `store`."""
        return cls(store.runs.with_suffix(".argilla"))

    @property
    def socket(self) -> Path:
        """Redis's socket."""
        return self.redis / "redis.sock"

    def make(self) -> None:
        """Make the directory where it is missing, and close it to others.

        Raises:
            TierwiseError: Its folder is missing, or its path is too long for a socket.
        """
        if len(os.fsencode(self.socket)) > _LONGEST_SOCKET:
            raise TierwiseError(f"{self.path}: too long a path for a socket; put the store in a shorter one")
        if not self.path.parent.is_dir():
            raise TierwiseError(
                f"no folder {self.path.parent} for Argilla's home; make it or name another store"
            )
        for directory in (self.path, self.logs, self.temporary, self.redis):
            directory.mkdir(mode=0o700, exist_ok=True)
            directory.chmod(0o700)

    @contextmanager
    def claimed(self, doing: str) -> Iterator[None]:
        """Keep other processes from this home.

        Raises:
            TierwiseError: One has it; the message says which, and where it serves.
        """
        with open_private(self._lock) as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                state = self.state()
                holder = f"process {state['pid']}" if "pid" in state else "another process"
                where = f" at {state['url']}" if "url" in state else ""
                raise TierwiseError(
                    f"{holder} already serves {self.path}{where}, so this cannot {doing}; stop it with Ctrl-C first"
                ) from None
            yield

    @property
    def is_claimed(self) -> bool:
        """Whether a process has it."""
        return is_claimed(self.path)

    def state(self) -> dict[str, Any]:
        """What the last server of this home said of itself; as it left it, if it was killed."""
        return dict(_read_json(self._state) or {})

    def save_state(self, state: Mapping[str, Any]) -> None:
        """Replace `state`."""
        write_private(self._state, json.dumps(state, indent=1))

    def secret_key(self) -> str:
        """The key that signs sessions: ``ARGILLA_AUTH_SECRET_KEY``, else one made once and kept."""
        if given := os.environ.get("ARGILLA_AUTH_SECRET_KEY"):
            return given
        if not self._secret.exists():
            write_private(self._secret, secrets.token_urlsafe(48))
        return self._secret.read_text()

    def credentials(self) -> dict[str, Credentials]:
        """By name, those of the users that were made here."""
        return {user["username"]: Credentials(**user) for user in _read_json(self.credentials_file) or []}

    def save_credentials(self, users: Mapping[str, Credentials]) -> None:
        """Replace `credentials`."""
        write_private(self.credentials_file, json.dumps([asdict(user) for user in users.values()], indent=1))


def open_private(path: Path) -> IO[bytes]:
    """Open a file to add to it; one that is made then is its owner's alone."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")


def write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone can read, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise TierwiseError(
            f"{path} is damaged ({error}); bring it back from a backup or remove it"
        ) from error
