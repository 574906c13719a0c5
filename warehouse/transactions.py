"""One transaction, and errors of DuckDB as a user can read them."""

from __future__ import annotations

import contextlib
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from warehouse.errors import TierwiseError

# As libpq writes it: quoted, with backslashes inside, or up to the next blank.
_PASSWORD = re.compile(r"password\s*=\s*('(\\.|[^'])*'|[^\s\"]+)")
# Behind the statement that it refused, which may be long.
_POSTGRES = re.compile(r'": ((?:ERROR|FATAL): .+)')

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb


class Rollback(Exception):  # noqa: N818
    """Raised inside `Store.write`, leaves it without keeping anything: a dry run, or nothing new."""


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Commit what is done inside; an exception undoes all of it."""
    import duckdb

    connection.execute("BEGIN")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A failed commit has already ended the transaction; the first error is the one to tell.
        with contextlib.suppress(duckdb.Error):
            connection.execute("ROLLBACK")
        raise


@contextmanager
def storage_failures(failing: str) -> Iterator[None]:
    """Tell a full disk, exhausted memory or a damaged file in one line that begins with `failing`.

    Errors of the statement itself pass. Ctrl-C while DuckDB works becomes KeyboardInterrupt.

    Raises:
        TierwiseError: Storage or memory failed.
    """
    import duckdb

    try:
        yield
    except duckdb.InterruptException as error:
        raise KeyboardInterrupt from error
    except RuntimeError as error:
        if str(error) == "Query interrupted":
            raise KeyboardInterrupt from error
        raise
    except duckdb.Error as error:
        # DuckDB raises the base class itself for a checksum that does not match.
        if type(error) is duckdb.Error or isinstance(
            error, (duckdb.OperationalError, duckdb.FatalException, duckdb.InternalException)
        ):
            hint = "; raise TIERWISE_MEMORY" if isinstance(error, duckdb.OutOfMemoryException) else ""
            raise TierwiseError(f"{failing}: {first_line(error)}{hint}") from error
        raise


def first_line(error: Exception) -> str:
    """First line of a DuckDB message that says something, and what PostgreSQL said, if it did.

    Without the password that a secret of DuckDB's may have brought into it.
    """
    lines = (line.strip() for line in str(error).splitlines())
    said = next((line for line in lines if line and not line.startswith("LINE ")), type(error).__name__)
    behind = [found for found in _POSTGRES.findall(str(error)) if found not in said]
    return _PASSWORD.sub("password=…", " ".join([said, *behind[-1:]]))
