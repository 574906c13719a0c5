"""What an item under a tombstone leaves in the store: ids, labels, probabilities and counts, but no text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

GONE = "[taken down]"
"""What stands where a text has to stand."""


@dataclass(frozen=True, slots=True)
class Removal:
    """How the texts of a table go: `statement` changes the rows of the pairs or items that were taken down."""

    table: str
    statement: str
    rows: str


_ITEMS = "(SELECT item_id FROM tombstones)"
_PAIRS = "(SELECT pair_id FROM pairs SEMI JOIN tombstones USING (item_id))"

_REMOVALS = (
    Removal(
        "item_versions",
        f"UPDATE item_versions SET title = '{GONE}', description = NULL, raw_description = NULL, brand = NULL, "
        "attributes = NULL",
        f"item_id IN {_ITEMS} AND title <> '{GONE}'",
    ),
    Removal(
        "rendered_prompts",
        "UPDATE rendered_prompts SET messages = '[]'",
        f"pair_id IN {_PAIRS} AND messages <> '[]'",
    ),
    # Answers quote the item.
    Removal("samples", "UPDATE samples SET text = ''", f"pair_id IN {_PAIRS} AND text <> ''"),
    Removal(
        "rationales",
        "UPDATE rationales SET text = '', rules_cited = CASE WHEN rules_cited IS NOT NULL THEN [] END",
        f"pair_id IN {_PAIRS} AND text <> ''",
    ),
    # A server that refuses a prompt may quote it.
    Removal(
        "sample_failures",
        f"UPDATE sample_failures SET reason = '{GONE}'",
        f"pair_id IN {_PAIRS} AND reason <> '{GONE}'",
    ),
    Removal(
        "rationale_rejects",
        "UPDATE rationale_rejects SET detail = ''",
        f"pair_id IN {_PAIRS} AND detail <> ''",
    ),
    Removal(
        "derived_verdicts",
        f"UPDATE derived_verdicts SET reason = '{GONE}'",
        f"pair_id IN {_PAIRS} AND reason <> '{GONE}'",
    ),
    Removal("findings", "UPDATE findings SET evidence = ''", f"pair_id IN {_PAIRS} AND evidence <> ''"),
    # Notes and corrections quote it too.
    Removal(
        "reviews",
        "UPDATE reviews SET correction = NULL, note = NULL, answers = '{}'",
        f"pair_id IN {_PAIRS} AND answers <> '{{}}'",
    ),
    Removal("preferences", "DELETE FROM preferences", f"pair_id IN {_PAIRS}"),
    Removal("difficulty", "DELETE FROM difficulty", f"pair_id IN {_PAIRS}"),
    Removal("judgments", "UPDATE judgments SET reason = NULL", f"pair_id IN {_PAIRS} AND reason IS NOT NULL"),
    Removal(
        "pairs",
        "UPDATE pairs SET tier = NULL, confidence = NULL, judgment_id = NULL",
        f"item_id IN {_ITEMS} AND judgment_id IS NOT NULL",
    ),
)


def remove_texts(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Remove what the store holds of items under a tombstone; return the rows changed by table."""
    removed = {}
    for removal in _REMOVALS:
        count = connection.execute(f"SELECT count(*) FROM {removal.table} WHERE {removal.rows}").fetchall()[
            0
        ][0]
        if count:
            connection.execute(f"{removal.statement} WHERE {removal.rows}")
        removed[removal.table] = count
    return removed
