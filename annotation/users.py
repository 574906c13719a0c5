"""Users of Argilla."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Any

from annotation.client import signed_in, workspace
from annotation.home import Credentials, Home
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    import argilla

    from annotation.home import Role
    from warehouse.store import Store


def add(store: Store, name: str, role: Role) -> dict[str, Any]:
    """Make a user, a member of the workspace; return what to hand over.

    Raises:
        TierwiseError: As `signed_in`; there is one of that name.
    """
    from argilla import User

    with signed_in(store) as client:
        if _named(client, name) is not None:
            raise TierwiseError(f"there is a user {name} already")
        # The server makes the API key.
        made = dataclasses.replace(Credentials.generate(name, role), api_key=None)
        user = User(username=name, first_name=name, role=role, password=made.password, client=client).create()
        user.add_to_workspace(workspace(client))
        url = str(client.api_url)
    home = _own_home(store)
    if home is not None:
        home.save_credentials({**home.credentials(), name: made})
    kept = str(home.credentials_file) if home is not None else "nowhere else: hand it over now"
    return {
        "user": name,
        "role": role,
        "password": made.password,
        "kept_in": kept,
        "url": url,
    }


def listed(store: Store) -> dict[str, Any]:
    """Roles by name.

    Raises:
        TierwiseError: As `signed_in`.
    """
    with signed_in(store) as client:
        return {str(user.username): str(user.role.value) for user in client.users}


def remove(store: Store, name: str, *, with_responses: bool) -> dict[str, Any]:
    """Remove a user; Argilla removes their responses with them.

    Raises:
        TierwiseError: As `signed_in`; there is none of that name; they have answered, and nobody said that this may go.
    """
    with signed_in(store) as client:
        user = _named(client, name)
        if user is None:
            raise TierwiseError(f"there is no user {name}; `python -m annotation users list` has all")
        if user.id == client.me.id:
            raise TierwiseError(f"{name} is who this is done as; an owner cannot remove itself")
        responses = _responses(client, name)
        if responses and not with_responses:
            count, datasets = sum(responses.values()), ", ".join(responses)
            raise TierwiseError(
                f"{name} has {count:,} responses in {datasets}, which Argilla deletes with the user; pull them first, "
                "then say --with-responses"
            )
        user.delete()
    home = _own_home(store)
    if home is not None:
        home.save_credentials({n: c for n, c in home.credentials().items() if n != name})
    return {"removed": name, "responses_gone": sum(responses.values())}


def _named(client: argilla.Argilla, name: str) -> argilla.User | None:
    return next((user for user in client.users if user.username == name), None)


def _responses(client: argilla.Argilla, name: str) -> dict[str, int]:
    """Responses of a user, by dataset that has some."""
    found = {}
    for dataset in client.datasets:
        users = dataset.progress(with_users_distribution=True).get("users") or {}
        count = sum(sum(statuses.values()) for statuses in users.get(name, {}).values())
        if count:
            found[str(dataset.name)] = count
    return found


def _own_home(store: Store) -> Home | None:
    return None if os.environ.get("ARGILLA_API_URL") else Home.of(store)
