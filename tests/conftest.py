"""What tests of several packages share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.postgres import binaries, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.postgres import Postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL; tests that need it are skipped where it is missing."""
    found = binaries()
    if found is None:
        pytest.skip("PostgreSQL is not installed (on Debian: apt-get install postgresql)")
    with running(found) as server:
        yield server
