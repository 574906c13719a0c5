"""What tests of several packages share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Where several processes share the tests, let one have all that share a server, or what a module makes."""
    from xdist.scheduler import LoadScopeScheduling

    class TogetherScheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return next(
                (name for name in ("annotation", "ducklake", "training") if f"/{name}/" in file), file
            )

    return TogetherScheduling(config, log)
