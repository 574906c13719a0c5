"""What a split freezes, row by row, and the hashes that hold it.

Values (tier, band, …) are frozen as columns of the split's own tables. Texts are frozen by reference: item
versions, rendered prompts and samples never change, and each row's SHA-256 covers the texts it stands for, so
that one altered by hand is found and named. The split's content hash covers all row hashes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class FrozenTable:
    """A table of a split's rows: the expression for their key, and what a row's hash covers, over `source`."""

    name: str
    what: str
    key: str
    source: str
    covered: tuple[str, ...]

    @property
    def row_hash(self) -> str:
        """SQL expression for the hash of a row, over `source`."""
        fields = " || ".join(f"netstring({expression})" for expression in self.covered)
        return f"sha256(netstring('{self.what}') || {fields})"


MEMBERS = FrozenTable(
    "split_members",
    "member",
    "m.pair_id",
    "JOIN queries q ON q.query_id = m.query_id "
    "JOIN item_versions v ON v.item_version_id = m.item_version_id "
    "JOIN rendered_prompts r ON r.pair_id = m.pair_id AND r.prompt_hash = m.prompt_hash",
    (
        *(
            f"m.{c}"
            for c in ("pair_id", "tier", "kind", "confidence", "weight", "judgment_id", "n", "c", "band")
        ),
        *("q.text", "q.locale", "v.title", "v.description", "v.raw_description", "v.brand", "v.attributes"),
        "r.messages",
    ),
)
# A text that a person wrote is frozen as its prompt's format asks for it.
_WRITTEN = (
    "LEFT JOIN rationales w ON w.rationale_id = m.{0} "
    "LEFT JOIN rendered_prompts a ON a.pair_id = m.pair_id AND a.prompt_hash = m.prompt_hash "
    "LEFT JOIN prompts f ON f.prompt_id = a.prompt_id"
)
_WRITTEN_TEXT = "completion_text(f.format, w.tier, nullif(w.text, ''))"
COMPLETIONS = FrozenTable(
    "split_completions",
    "completion",
    "coalesce(m.sample_id, m.rationale_id)",
    f"LEFT JOIN samples s ON s.sample_id = m.sample_id {_WRITTEN.format('rationale_id')}",
    (
        *("m.pair_id", "m.prompt_hash", "coalesce(m.sample_id, m.rationale_id)"),
        f"coalesce(s.text, {_WRITTEN_TEXT})",
    ),
)
PREFERENCES = FrozenTable(
    "split_preferences",
    "preference",
    "m.preference_id",
    "LEFT JOIN samples c ON c.sample_id = m.chosen_sample_id "
    f"{_WRITTEN.format('chosen_rationale_id')} "
    "JOIN samples r ON r.sample_id = m.rejected_sample_id "
    # The live row may have been withdrawn since; while it is there, its texts must be those of the samples.
    "LEFT JOIN preferences p ON p.preference_id = m.preference_id",
    (
        *("m.preference_id", "m.pair_id", "m.prompt_hash"),
        *("coalesce(m.chosen_sample_id, m.chosen_rationale_id)", "m.rejected_sample_id"),
        *(f"coalesce(c.text, {_WRITTEN_TEXT})", "r.text"),
        *(f"coalesce(p.chosen, c.text, {_WRITTEN_TEXT})", "coalesce(p.rejected, r.text)"),
    ),
)
FROZEN_TABLES = (MEMBERS, COMPLETIONS, PREFERENCES)


def content_hash(connection: duckdb.DuckDBPyConnection, rows: str) -> str:
    """SHA-256 over the column row_hash of the query `rows`, whatever the order of its rows."""
    # By leading digits first, so that no string grows with the split.
    found = connection.execute(
        "SELECT sha256(coalesce(string_agg(share, '' ORDER BY bucket), '')) FROM ("
        "SELECT substr(row_hash, 1, 3) AS bucket, sha256(string_agg(row_hash, '' ORDER BY row_hash)) AS share "
        f"FROM ({rows}) GROUP BY bucket)"
    ).fetchall()
    return str(found[0][0])


def rows_of(split: str) -> str:
    """Query for the row hashes of the frozen split named `split`, a checked name."""
    return " UNION ALL ".join(
        f"SELECT row_hash FROM {table.name} WHERE split = '{split}'" for table in FROZEN_TABLES
    )
