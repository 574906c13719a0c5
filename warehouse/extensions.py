"""DuckDB's extensions, from wherever there is a copy."""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from warehouse.ddl import sql_text
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    import duckdb

# DuckDB takes an extension's entry point from the name of its file.
_ENTRY_POINTS = {"postgres": "postgres_scanner"}


def load_extension(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Load the extension `name`: as installed, else from its package, else downloaded.

    Raises:
        TierwiseError: There is no copy, and none can be downloaded.
    """
    import duckdb

    version = duckdb.__version__
    package = f"duckdb-extension-{name}"
    connection.execute("SET autoinstall_known_extensions = false")
    try:
        connection.execute(f"LOAD {name}")
    except duckdb.Error:
        packaged = _packaged(name, version)
        try:
            if packaged:
                with tempfile.TemporaryDirectory(prefix="tierwise-extension-") as directory:
                    link = Path(directory) / f"{_ENTRY_POINTS.get(name, name)}.duckdb_extension"
                    link.symlink_to(packaged)
                    connection.execute(f"LOAD {sql_text(link)}")
            else:
                connection.execute(f"INSTALL {name}")
                connection.execute(f"LOAD {name}")
        except duckdb.Error as error:
            raise TierwiseError(
                f"DuckDB {version} has no extension {name} and cannot download it; run `INSTALL {name}` in a DuckDB "
                f"{version} that is online, or `pip install {package}=={version}`"
            ) from error
    finally:
        connection.execute("SET autoinstall_known_extensions = true")


def _packaged(name: str, version: str) -> Path | None:
    """The extension's file in the package duckdb-extension-<name> for this version of DuckDB."""
    spec = importlib.util.find_spec(f"duckdb_extension_{name}")
    for folder in spec.submodule_search_locations or () if spec else ():
        path = Path(folder) / "extensions" / f"v{version}" / f"{name}.duckdb_extension"
        if path.exists():
            return path
    return None
