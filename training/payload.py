"""Rows of a frozen split for a stage, verified before anything is trained on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from curation.prompts import Template, parse_template
from curation.splits.payload import CHAT, payload_queries, require_frozen
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from warehouse.store import Store

Table = Literal["sft", "dpo", "grpo"]

_NEEDS = {
    "sft": "rationales: correct samples, or texts that people accepted or wrote",
    "dpo": "preferences; `python -m curation pairs`, then freeze a new version",
    "grpo": "pairs",
}


@dataclass(frozen=True, slots=True)
class Payload:
    """Rows of a table that a split froze.

    Attributes:
        split: Name and version.
        content_hash: SHA-256 over all that it froze.
        template: Prompt template of its rendered prompts.
        rows: Of the table, see `curation.splits.payload`; for ``grpo`` also ``format``, and ``completion``, a right
            answer to the prompt where the split has one: of the ``sft`` table, else a chosen side, a teacher's perhaps.
    """

    split: str
    content_hash: str
    template: Template
    rows: list[dict[str, Any]]


def read_payload(store: Store, split: str, table: Table) -> Payload:
    """Verify `split` and read the rows of `table`.

    Raises:
        TierwiseError: No such split, a row of it was altered, it is no train split, or it holds none of them.
    """
    with store.read() as connection:
        require_frozen(connection, split)
        role, content_hash = connection.execute(
            "SELECT role, content_hash FROM splits WHERE split = ?", [split]
        ).fetchall()[0]
        if role != "train":
            raise TierwiseError(
                f"{split} is a split for {role}: what is trained on it could not be judged by it; "
                "name one of role train, see `python -m curation split list`"
            )
        queries = payload_queries(split, CHAT)
        rows = connection.sql(queries[table]).to_arrow_table().to_pylist()
        if not rows:
            raise TierwiseError(f"{split} has nothing for {table}: no {_NEEDS[table]}")
        name, text = connection.execute(
            "SELECT DISTINCT name, text FROM prompts SEMI JOIN (SELECT prompt_id FROM rendered_prompts SEMI JOIN "
            "(SELECT pair_id, prompt_hash FROM split_members WHERE split = ?) USING (pair_id, prompt_hash)) "
            "USING (prompt_id)",
            [split],
        ).fetchall()[0]
        template = parse_template(name, text)
        if table == "grpo":
            completions = {
                pair_id: answer
                for column, source in (("chosen", "dpo"), ("completion", "sft"))
                for pair_id, answer in connection.sql(
                    f"SELECT pair_id, {column} FROM ({queries[source]})"
                ).fetchall()
            }
            for row in rows:
                completion = completions.get(row["pair_id"])
                row |= {
                    "format": template.format,
                    "completion": completion[0]["content"] if completion else None,
                }
    return Payload(split, content_hash, template, rows)
