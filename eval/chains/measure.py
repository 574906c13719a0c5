"""The chains of a configuration, measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curation.configurations import pick_configuration
from curation.splits.inspect import require_split
from eval.chains.found import Chains
from eval.chains.losses import step_losses
from eval.chains.table import ChainTable
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    import duckdb

    from curation.configurations import ConfigurationInStore
    from warehouse.store import Store


def measure_chains(
    store: Store,
    *,
    configuration: str | None = None,
    split: str | None = None,
    answer_first: str | None = None,
    resamples: int = 1_000,
    seed: int = 0,
) -> Chains:
    """Measure the chains of a configuration.

    Args:
        store: Read once.
        configuration: Beginning of its id; the newest finished without.
        split: Whose pairs; all that were sampled without.
        answer_first: Beginning of the id of the answer-first configuration beside it; without, the newest of the same
            model, if it has one. Nothing stands beside a configuration that answers first itself.
        resamples: Of the bootstrap over queries.
        seed: Of the resamples.

    Raises:
        TierwiseError: No such configuration or split, one of the other format, or one without samples of judged pairs.
    """
    with store.read(copy_if_held=True) as connection:
        picked = pick_configuration(connection, configuration)
        if split is not None:
            require_split(connection, split)
        beside = _beside(connection, picked, answer_first)
        asked = [picked.configuration_id, split, split]
        rows = connection.sql(_CHAINS, params=asked).to_arrow_table().to_pylist()
        values = connection.sql(_VALUES, params=asked).to_arrow_table().to_pylist()
        answers = (
            dict(connection.execute(_ANSWERS, [beside.configuration_id, split, split]).fetchall())
            if beside
            else {}
        )
    if not rows:
        raise TierwiseError(
            f"{picked.text} has no samples of pairs{f' of {split}' if split else ''} with a tier; "
            "`python -m curation sample` first"
        )
    table = ChainTable(rows, picked.format, answers, resamples, seed)
    lost, continued_wrong = step_losses(values, table)
    return Chains(
        configuration=picked.text,
        chains=len(rows),
        pairs=len({row["pair_id"] for row in rows}),
        queries=table.queries,
        slope=table.slope(),
        lengths=tuple(table.length(low, high) for low, high in table.groups()),
        lost=lost,
        continued_wrong=continued_wrong,
        answer_first=table.answer_first(beside.text) if beside and answers else None,
    )


# Of the item text that was judged, as difficulty has it. A sample's text may state its tier by a name.
_OF_JUDGED = """
    FROM samples s JOIN pairs p ON p.pair_id = s.pair_id AND p.tier IS NOT NULL
    JOIN rendered_prompts r ON r.pair_id = s.pair_id AND r.prompt_hash = s.prompt_hash
        AND r.item_version_id = p.item_version_id
    WHERE s.configuration_id = ?::UUID
        AND (? IS NULL OR s.pair_id IN (SELECT pair_id FROM split_members WHERE split = ?))
"""
_CHAINS = f"""
    SELECT CAST(s.sample_id AS VARCHAR) AS sample_id, CAST(s.pair_id AS VARCHAR) AS pair_id,
        CAST(p.query_id AS VARCHAR) AS query, s.text, s.tier IS DISTINCT FROM p.tier AS wrong,
        s.tier IS NULL AS unparsable, s.finish_reason = 'stop' AS finished, s.completion_tokens AS tokens,
        s.sample_id IN (SELECT text_id FROM current_checks) AS checked,
        s.sample_id IN (SELECT text_id FROM current_findings WHERE severity = 'error') AS found
    {_OF_JUDGED} ORDER BY s.sample_id
"""
_ANSWERS = f"""
    SELECT CAST(s.pair_id AS VARCHAR), avg(CAST(s.tier IS DISTINCT FROM p.tier AS DOUBLE)) {_OF_JUDGED} GROUP BY 1
"""
_VALUES = """
    SELECT CAST(sample_id AS VARCHAR) AS sample_id, step_index, step, value, change
    FROM step_values WHERE configuration_id = ?::UUID
        AND (? IS NULL OR pair_id IN (SELECT pair_id FROM split_members WHERE split = ?))
    ORDER BY sample_id, step_index
"""


def _beside(
    connection: duckdb.DuckDBPyConnection, picked: ConfigurationInStore, prefix: str | None
) -> ConfigurationInStore | None:
    if prefix is not None:
        beside = pick_configuration(connection, prefix)
        if (picked.format, beside.format) != ("reason-first", "answer-first"):
            raise TierwiseError(
                f"{picked.text} is {picked.format}, and {beside.text} {beside.format}; "
                "hold a configuration that is answer-first against one that is reason-first"
            )
        return beside
    if picked.format == "answer-first":
        return None
    found = connection.execute(
        "SELECT CAST(c.configuration_id AS VARCHAR) FROM configurations c JOIN prompts t USING (prompt_id) "
        "JOIN runs r ON r.configuration_id = c.configuration_id AND r.kind = 'sample' AND r.status = 'finished' "
        "WHERE t.format = 'answer-first' AND coalesce(t.purpose, 'judgments') = 'judgments' AND c.model_id = "
        "(SELECT model_id FROM configurations WHERE configuration_id = ?::UUID) ORDER BY r.ended_at DESC LIMIT 1",
        [picked.configuration_id],
    ).fetchall()
    return pick_configuration(connection, found[0][0]) if found else None
