"""What a model is asked for: the pairs of a split with the item texts that it froze, prompts rendered one by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from curation.prompts import prompt_hash, rendered_prompt_row
from eval.predict.members import require_unaltered
from eval.predictors import require_name
from warehouse.ddl import sql_text
from warehouse.ids import content_id
from warehouse.parts import with_waiting

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb

    from curation.backends import Message
    from curation.prompts import Template
    from eval.predictors import Predictor


@dataclass(frozen=True, slots=True)
class Asked:
    """A pair and its prompt.

    Attributes:
        pair_id: The pair, as the other ids in text.
        judgment_id: Its gold judgment as the split froze it.
        item_version_id: Its item's text as the split froze it.
        prompt_hash: Of the rendered prompt, which a prediction stands on.
        messages: The rendered prompt.
        predicted: Whether that prediction is there already.
    """

    pair_id: str
    judgment_id: str
    item_version_id: str
    prompt_hash: str
    messages: tuple[Message, ...]
    predicted: bool

    def prompt_row(self, template: Template, run_id: str) -> dict[str, Any]:
        """Row of ``rendered_prompts``."""
        return rendered_prompt_row(
            self.messages, self.pair_id, self.item_version_id, template.prompt_id, run_id
        )

    def prediction_row(self, predictor_id: uuid.UUID, run_id: str, **found: Any) -> dict[str, Any]:
        """Row of ``predictions`` with the columns `found`."""
        stands_on = (predictor_id, self.pair_id, self.item_version_id, self.prompt_hash)
        return {
            "prediction_id": str(content_id("prediction", *stands_on)),
            "predictor_id": str(predictor_id),
            "pair_id": self.pair_id,
            "judgment_id": self.judgment_id,
            "item_version_id": self.item_version_id,
            "basis_id": self.prompt_hash,
            "run_id": run_id,
            **found,
        }


def save_asked(
    connection: duckdb.DuckDBPyConnection, runs: Path, target: Path, split: str, predictor: Predictor
) -> int:
    """Write the pairs of `split`, their texts and what `predictor` said of them to the Parquet file `target`.

    Predictions in the store and in parts that wait count alike.

    Returns:
        How many pairs.

    Raises:
        TierwiseError: No such split, or it was altered since it was frozen; a name that no predictor can have.
    """
    require_unaltered(connection, split)
    require_name(connection, predictor)
    columns = ("pair_id", "item_version_id", "predictor_id", "basis_id")
    predictions = with_waiting(runs, "predictions", columns)
    connection.execute(
        f"""
        COPY (
            SELECT CAST(m.pair_id AS VARCHAR) AS pair_id, CAST(m.judgment_id AS VARCHAR) AS judgment_id,
                CAST(m.item_version_id AS VARCHAR) AS item_version_id, q.text AS query, v.title, v.description,
                v.brand, json_extract_string(v.attributes, '$.price') AS price, coalesce(d.bases, []) AS bases
            FROM split_members m JOIN queries q ON q.query_id = m.query_id
            JOIN item_versions v ON v.item_version_id = m.item_version_id
            LEFT JOIN (
                SELECT pair_id, item_version_id, list(DISTINCT CAST(basis_id AS VARCHAR)) AS bases
                FROM ({predictions}) WHERE predictor_id = '{predictor.predictor_id}' GROUP BY ALL
            ) d ON d.pair_id = m.pair_id AND d.item_version_id = m.item_version_id
            WHERE m.split = {sql_text(split)} ORDER BY m.pair_id
        ) TO {sql_text(target)} (FORMAT parquet)
        """
    )
    return int(
        connection.execute("SELECT count(*) FROM split_members WHERE split = ?", [split]).fetchall()[0][0]
    )


def read_asked(plan: Path, template: Template) -> Iterator[Asked]:
    """The pairs that `save_asked` wrote, in its order."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(plan) as file:
        for batch in file.iter_batches(batch_size=1_024):
            for row in batch.to_pylist():
                messages = template.render(
                    row["query"],
                    row["title"],
                    description=row["description"],
                    brand=row["brand"],
                    price=row["price"],
                )
                key = str(prompt_hash(messages))
                ids = (row["pair_id"], row["judgment_id"], row["item_version_id"])
                yield Asked(*ids, key, messages, key in row["bases"])
