"""Columns that many tables have."""

from __future__ import annotations

from warehouse.ddl import Column


def identifier(name: str, comment: str) -> Column:
    """A column of ids, which are content hashes."""
    return Column(name, "UUID", comment)


RUN = Column("run_id", "UUID", "Run that wrote the row.", "runs")
PAIR = Column("pair_id", "UUID", "Query–item pair.", "pairs")
CONFIGURATION = Column("configuration_id", "UUID", "Sampling configuration.", "configurations")
PROMPT_HASH = Column(
    "prompt_hash",
    "UUID",
    "Hash of the rendered prompt, which pair_id and it name together.",
    "rendered_prompts",
)
ITEM_VERSION = Column("item_version_id", "UUID", "Version of the item's text.", "item_versions")
