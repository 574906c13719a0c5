"""Which sampling configuration a command works on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class ConfigurationInStore:
    """A configuration, with words for a summary line."""

    configuration_id: str
    text: str
    format: str


def pick_configuration(connection: duckdb.DuckDBPyConnection, prefix: str | None) -> ConfigurationInStore:
    """The configuration whose id begins with `prefix`; without one, that of the newest finished sampling run.

    Raises:
        TierwiseError: None, or several.
    """
    chosen = (
        "configuration_id = (SELECT configuration_id FROM newest_configuration)"
        if prefix is None
        else "starts_with(CAST(configuration_id AS VARCHAR), $prefix)"
    )
    rows = connection.execute(
        "SELECT CAST(configuration_id AS VARCHAR), m.name, t.name, t.format, c.decoding "
        "FROM configurations c JOIN models m USING (model_id) JOIN prompts t USING (prompt_id) "
        f"WHERE {chosen} ORDER BY 1",
        {} if prefix is None else {"prefix": prefix.lower()},
    ).fetchall()
    if not rows:
        raise TierwiseError(
            "no finished sampling run in this store; run `python -m curation sample --n 8`"
            if prefix is None
            else f'no configuration {prefix}; see `python -m warehouse sql "FROM configurations"`'
        )
    if len(rows) > 1:
        raise TierwiseError(f"{prefix} is the beginning of {len(rows)} configurations; give more of it")
    configuration_id, model, prompt, form, decoding = rows[0]
    return ConfigurationInStore(
        configuration_id, f"{configuration_id[:8]} ({model}, {prompt}, {decoding})", form
    )
