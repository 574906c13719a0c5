"""A connection to Argilla: the one beside the store, or any that the environment names."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from annotation.home import Home
from annotation.serving import WORKSPACE
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import argilla

    from warehouse.store import Store

_URL, _KEY = "ARGILLA_API_URL", "ARGILLA_API_KEY"
_SUPPORTED = (2, 8)


@contextlib.contextmanager
def signed_in(store: Store) -> Iterator[argilla.Argilla]:
    """An owner's session: at ``ARGILLA_API_URL`` with ``ARGILLA_API_KEY``, else where `store`'s own is served.

    Raises:
        TierwiseError: None is served or named, it does not answer, refuses the key, or is of another version.
    """
    url, key = os.environ.get(_URL), os.environ.get(_KEY)
    if url and not key:
        raise TierwiseError(f"{_URL} is set and {_KEY} is not; set it to the API key of an owner")
    if not url:
        home = Home.of(store)
        url = home.state().get("url") if home.is_claimed else None
        if not url:
            raise TierwiseError(
                f"no Argilla is served beside {store.place.name}; start one with `python -m annotation serve`, or name "
                f"one with {_URL} and {_KEY}"
            )
        owners = [user for user in home.credentials().values() if user.role == "owner" and user.api_key]
        key = key or (owners[0].api_key if owners else None)
        if not key:
            raise TierwiseError(f"{home.credentials_file} has no owner; set {_KEY} to the API key of one")
    client = _client(url, str(key))
    try:
        yield client
    finally:
        client.http_client.close()


def workspace(client: argilla.Argilla) -> argilla.Workspace:
    """The workspace that users are members of and reviews are in; made where it is missing."""
    from argilla import Workspace

    found = {workspace.name: workspace for workspace in client.workspaces}
    return found.get(WORKSPACE) or Workspace(name=WORKSPACE, client=client).create()


def _client(url: str, key: str) -> argilla.Argilla:
    import argilla
    import httpx
    from argilla._exceptions import ArgillaCredentialsError, ArgillaError

    try:
        version = httpx.get(f"{url.rstrip('/')}/api/v1/version", timeout=10).json()["version"]
        if tuple(map(int, version.split(".")[:2])) != _SUPPORTED:
            wanted = ".".join(map(str, _SUPPORTED))
            raise TierwiseError(f"Argilla at {url} is {version}; this works with {wanted}")
        return argilla.Argilla(api_url=url, api_key=key)
    except ArgillaCredentialsError:
        raise TierwiseError(
            f"Argilla at {url} does not know this API key; set {_KEY} to that of an owner"
        ) from None
    except (httpx.HTTPError, httpx.InvalidURL, ArgillaError, ValueError, KeyError, TypeError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TierwiseError(f"no Argilla answers at {url}: {said}; start it, or mend {_URL}") from None
