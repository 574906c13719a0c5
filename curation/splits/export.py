"""Frozen splits as files for trainers and for people: Parquet, CSV, or a 🤗 dataset folder.

Four tables, in TRL's conversational formats: ``pairs`` (judged pairs), ``sft`` (prompt–completion), ``dpo``
(preference), ``grpo`` (prompt only, with the gold tier for the reward). One without rows is left out.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from curation.splits.card import dataset_card, is_card_of
from curation.splits.inspect import require_split, verify_split
from warehouse.errors import TierwiseError
from warehouse.tabular import write_query

if TYPE_CHECKING:
    import duckdb

    from warehouse.store import Store

Format = Literal["parquet", "csv", "hf"]

_MESSAGES = '\'[{"role":"VARCHAR","content":"VARCHAR"}]\''


@dataclass(frozen=True, slots=True)
class _Style:
    """How chat messages appear: as lists of role and content, or, for a spreadsheet, as text."""

    prompt: str
    answer: str


_CHAT = _Style(f"from_json(r.messages, {_MESSAGES})", "[{{'role': 'assistant', 'content': {0}}}]")
_PLAIN = _Style("CAST(r.messages AS VARCHAR)", "{0}")


def export_split(store: Store, split: str, file_format: Format, out: Path) -> dict[str, Any]:
    """Write `split` to the folder `out` with a dataset card; return the rows by table.

    The folder appears whole or not at all; a former export of the same split there is replaced.

    Raises:
        TierwiseError: No such split, it is not what was frozen, or `out` holds something else.
    """
    if out.exists() and not is_card_of(out / "README.md", split):
        raise TierwiseError(f"{out} exists and is no export of {split}; name a new folder with --out")
    if not out.absolute().parent.is_dir():
        raise TierwiseError(f"no folder {out.absolute().parent}; make it first")
    with tempfile.TemporaryDirectory(prefix=".export-", dir=out.absolute().parent) as directory:
        target = Path(directory) / "export"
        target.mkdir()
        with store.read() as connection:
            require_split(connection, split)
            differences = verify_split(connection, split)
            if differences:
                raise TierwiseError(f"{split} is not what was frozen: {differences[0]}; nothing was exported")
            queries = _queries(split, _PLAIN if file_format == "csv" else _CHAT)
            rows = {name: _count(connection, query) for name, query in queries.items()}
            written = {name: query for name, query in queries.items() if rows[name]}
            if file_format == "hf":
                _write_datasets(connection, written, split, target)
            else:
                for name, query in written.items():
                    write_query(connection, query, target / f"{name}.{file_format}")
            card = dataset_card(connection, split, rows, file_format)
        (target / "README.md").write_text(card, encoding="utf-8")
        if out.exists():
            shutil.rmtree(out)
        target.rename(out)
    return {"split": split, "format": file_format, "rows": rows, "out": str(out)}


def _queries(split: str, style: _Style) -> dict[str, str]:
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
                {hexadecimal("m.rationale_id")} AS rationale_id, {style.prompt} AS prompt,
                {style.answer.format(f"coalesce(s.text, {written})")} AS completion
            FROM split_completions m JOIN rendered_prompts r USING (pair_id, prompt_hash)
            JOIN prompts t USING (prompt_id)
            LEFT JOIN samples s ON s.sample_id = m.sample_id LEFT JOIN rationales w ON w.rationale_id = m.rationale_id
            WHERE m.split = '{split}' ORDER BY pair_id""",
        "dpo": f"""
            SELECT {hexadecimal("m.pair_id")} AS pair_id, {hexadecimal("m.preference_id")} AS preference_id,
                {hexadecimal("m.chosen_sample_id")} AS chosen_sample_id,
                {hexadecimal("m.chosen_rationale_id")} AS chosen_rationale_id,
                {hexadecimal("m.rejected_sample_id")} AS rejected_sample_id,
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


def _count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM ({query})").fetchall()[0][0])


def _write_datasets(
    connection: duckdb.DuckDBPyConnection, queries: dict[str, str], split: str, target: Path
) -> None:
    import datasets

    datasets.disable_progress_bars()
    frozen = connection.execute("SELECT content_hash FROM splits WHERE split = ?", [split]).fetchall()[0][0]
    # The fingerprint from the content, so that the same split gives the same bytes.
    datasets.DatasetDict(
        {
            name: datasets.Dataset(
                connection.sql(query).to_arrow_table(), fingerprint=f"{name}-{frozen[:16]}"
            )
            for name, query in queries.items()
        }
    ).save_to_disk(target)
