"""One process of Argilla's server, on a socket that its parent has bound.

``python -m argilla_home.server FD``. The search engine of this folder is there to choose; ``--stock`` leaves Argilla's
code as it is.
"""

from __future__ import annotations

import socket
import sys

from argilla_home.secrets_in import read_secrets


def main(fd: int, *, stock: bool) -> None:
    """Serve until SIGTERM or SIGINT."""
    read_secrets()
    import argilla_database_search.engine  # noqa: F401 - registers the engine
    import uvicorn
    from argilla_server import app

    _refuse_default_credentials()
    if not stock:
        from argilla_home.webhooks import skip_unwanted_events

        skip_unwanted_events()
    config = uvicorn.Config(app, access_log=False, log_level="warning", timeout_graceful_shutdown=5)
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=fd)])


def _refuse_default_credentials() -> None:
    """End where anybody who knows Argilla's documentation could sign in as its owner."""
    from argilla_server.constants import DEFAULT_API_KEY, DEFAULT_PASSWORD, DEFAULT_USERNAME
    from argilla_server.contexts.accounts import verify_password
    from argilla_server.database import SyncSessionLocal
    from argilla_server.models import User
    from sqlalchemy import or_, select

    suspicious = or_(User.username == DEFAULT_USERNAME, User.api_key == DEFAULT_API_KEY)
    with SyncSessionLocal() as db:
        for user in db.scalars(select(User).where(suspicious)):
            if user.api_key == DEFAULT_API_KEY or verify_password(DEFAULT_PASSWORD, user.password_hash):
                sys.exit(
                    f"the user {user.username!r} has Argilla's default password or API key, which everybody knows; "
                    "give it others or delete it"
                )


if __name__ == "__main__":
    main(int(sys.argv[1]), stock="--stock" in sys.argv[2:])
