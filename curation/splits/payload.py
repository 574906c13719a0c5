"""What a frozen split holds for each stage, in TRL's conversational formats.

Four tables: ``pairs`` (judged pairs), ``sft`` (prompt–completion), ``dpo`` (preference), ``grpo`` (prompt only, with
the gold tier for the reward).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from curation.splits.inspect import require_split, verify_split
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    import duckdb

_MESSAGES = '\'[{"role":"VARCHAR","content":"VARCHAR"}]\''


@dataclass(frozen=True, slots=True)
class Style:
    """How chat messages appear: as lists of role and content, or, for a spreadsheet, as text."""

    prompt: str
    answer: str


CHAT = Style(f"from_json(r.messages, {_MESSAGES})", "[{{'role': 'assistant', 'content': {0}}}]")
PLAIN = Style("CAST(r.messages AS VARCHAR)", "{0}")


def require_frozen(connection: duckdb.DuckDBPyConnection, split: str) -> None:
    """Check that `split` exists and is what was frozen.

    Raises:
        TierwiseError: It does not exist, or a row of it was altered; the message names it.
    """
    require_split(connection, split)
    differences = verify_split(connection, split)
    if differences:
        raise TierwiseError(
            f"{split} is not what was frozen: {differences[0]}; see `python -m curation split verify {split}`"
        )


def payload_queries(split: str, style: Style) -> dict[str, str]:
    """SELECT of each table of `split`, by its name."""

    def hexadecimal(column: str) -> str:
        return f"replace(CAST({column} AS VARCHAR), '-', '')"

    written = "completion_text(t.format, w.tier, w.text)"
    members = (
        f"FROM split_members m JOIN rendered_prompts r USING (pair_id, prompt_hash) WHERE m.split = '{split}'"
    )
    return {
        "pairs": f"""
            SELECT {hexadecimal("m.pair_id")} AS pair_id, q.text AS query, q.locale, m.kind, v.title, v.description,
                v.brand, CAST(v.attributes AS VARCHAR) AS attributes, m.tier, m.confidence, m.weight, m.n, m.c, m.band
            FROM split_members m JOIN queries q USING (query_id)
            JOIN item_versions v ON v.item_version_id = m.item_version_id
            WHERE m.split = '{split}' ORDER BY pair_id""",
        "sft": f"""
            SELECT {hexadecimal("m.pair_id")} AS pair_id, {hexadecimal("m.sample_id")} AS sample_id,
                {hexadecimal("m.rationale_id")} AS rationale_id, w.gold AS rationale_gold,
                {style.prompt} AS prompt, {style.answer.format(f"coalesce(s.text, {written})")} AS completion
            FROM split_completions m JOIN rendered_prompts r USING (pair_id, prompt_hash)
            JOIN prompts t USING (prompt_id)
            LEFT JOIN samples s ON s.sample_id = m.sample_id LEFT JOIN rationales w ON w.rationale_id = m.rationale_id
            WHERE m.split = '{split}' ORDER BY pair_id""",
        "dpo": f"""
            SELECT {hexadecimal("m.pair_id")} AS pair_id, {hexadecimal("m.preference_id")} AS preference_id,
                {hexadecimal("m.chosen_sample_id")} AS chosen_sample_id,
                {hexadecimal("m.chosen_rationale_id")} AS chosen_rationale_id,
                {hexadecimal("m.rejected_sample_id")} AS rejected_sample_id, w.gold AS rationale_gold,
                {style.prompt} AS prompt, {style.answer.format(f"coalesce(c.text, {written})")} AS chosen,
                {style.answer.format("j.text")} AS rejected
            FROM split_preferences m JOIN rendered_prompts r USING (pair_id, prompt_hash)
            JOIN prompts t USING (prompt_id)
            LEFT JOIN samples c ON c.sample_id = m.chosen_sample_id
            LEFT JOIN rationales w ON w.rationale_id = m.chosen_rationale_id
            JOIN samples j ON j.sample_id = m.rejected_sample_id
            WHERE m.split = '{split}' ORDER BY pair_id, preference_id""",
        "grpo": f"""
            SELECT {hexadecimal("m.pair_id")} AS pair_id, {style.prompt} AS prompt, m.tier, m.n, m.c, m.band, m.weight
            {members} ORDER BY pair_id""",
    }
