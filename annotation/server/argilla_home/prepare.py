"""Bring the database up to date and make users.

Reads ``{"environment": {…}, "workspace": …, "users": [{"username", "password", "api_key", "role"}, …]}`` and prints
``{"made": [usernames]}``. Users that are there stay as they are.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from typing import Any

from argilla_home.secrets_in import read_secrets


def main() -> None:
    """Do it."""
    given = read_secrets()
    # Its command line prints; standard output is for the answer.
    with contextlib.redirect_stdout(sys.stderr):
        _migrate()
        answer = asyncio.run(_users(given["workspace"], given["users"]))
    json.dump(answer, sys.stdout)


def _migrate() -> None:
    from alembic import command
    from alembic.config import Config
    from argilla_server.database import ALEMBIC_CONFIG_FILE, sync_engine
    from argilla_server.settings import settings

    if settings.database_is_sqlite:
        with sync_engine.connect() as connection:
            # Readers and the one writer then do not wait for each other. It is a property of the file.
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    command.upgrade(Config(ALEMBIC_CONFIG_FILE), "head")


async def _users(workspace_name: str, users: list[dict[str, Any]]) -> dict[str, Any]:
    from argilla_server.contexts import accounts
    from argilla_server.database import AsyncSessionLocal, async_engine
    from argilla_server.models import User, Workspace, WorkspaceUser

    made = []
    async with AsyncSessionLocal() as db:
        workspace = await Workspace.get_by(db, name=workspace_name)
        if workspace is None:
            workspace = await Workspace.create(db, name=workspace_name, autocommit=False)
            await db.flush()
        for user in users:
            if await User.get_by(db, username=user["username"]) is not None:
                continue
            made.append(user["username"])
            created = await User.create(
                db,
                first_name=user["username"],
                username=user["username"],
                role=user["role"],
                password_hash=accounts.hash_password(user["password"]),
                autocommit=False,
                # Argilla makes one for whom none was made.
                **({"api_key": user["api_key"]} if user["api_key"] else {}),
            )
            await db.flush()
            await WorkspaceUser.create(db, workspace_id=workspace.id, user_id=created.id, autocommit=False)
        await db.commit()
    await async_engine.dispose()
    return {"made": made}


if __name__ == "__main__":
    main()
