"""DPO preferences: a correct and a wrong sample of the same rendered prompt.

Each default is a choice that a practitioner would make:

- Chosen is correct, finished, and does not contradict itself. Trainers append an end-of-sequence token, so a
  text that was cut would teach to stop in mid-sentence.
- Rejected states a wrong tier. Unparsable texts are left out: they teach a format, which SFT does better.
- At most 2 for a prompt: a pair of medium difficulty would else give dozens and drown the rest.
- The hardest negatives first: the wrong tier that the model itself finds most probable (or the nearest tier).
- Sides matched by length: to each rejected text the chosen one nearest in tokens, never beyond a ratio of 2,
  so that length does not become the signal.
- No two equal texts: among equal samples the first counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from curation.configurations import pick_configuration
from curation.grades import CURRENT_GRADES
from warehouse.ids import sql_content_id
from warehouse.ledger import Run
from warehouse.parts import insert_new

if TYPE_CHECKING:
    import duckdb

    from warehouse.store import Store

HardestBy = Literal["confidence", "distance"]

_HARDNESS = {
    "confidence": "rejected_confidence DESC NULLS LAST, tier_distance",
    "distance": "tier_distance, rejected_confidence DESC NULLS LAST",
}


def update_preferences(
    store: Store,
    *,
    configuration: str | None = None,
    per_prompt: int = 2,
    hardest_by: HardestBy = "confidence",
    max_length_ratio: float = 2.0,
) -> dict[str, Any]:
    """Make the preferences of a configuration anew from today's grades; return the counts.

    Those that still follow stay as they are; those that no longer do are withdrawn. Frozen splits keep theirs.

    Args:
        store: The store.
        configuration: Id or its beginning; the newest finished one if not given.
        per_prompt: At most so many for a prompt.
        hardest_by: Which wrong samples come first.
        max_length_ratio: Longer over shorter side, in generated tokens, at most.

    Raises:
        TierwiseError: No such configuration.
    """
    run = Run(
        "pairs", {"per_prompt": per_prompt, "hardest_by": hardest_by, "max_length_ratio": max_length_ratio}
    )
    with store.read() as connection:
        picked = pick_configuration(connection, configuration)
    with store.write(run) as connection:
        connection.execute(
            f"""
            CREATE TEMP TABLE candidates AS
            SELECT g.*, (correct AND finish_reason = 'stop' AND consistent IS DISTINCT FROM false) AS choosable,
                outcome = 'wrong' AS rejectable
            FROM ({CURRENT_GRADES}) g WHERE configuration_id = $configuration::UUID
            """,
            {"configuration": picked.configuration_id},
        )
        _drop_equal_texts(connection)
        _match(connection, per_prompt, _HARDNESS[hardest_by], max_length_ratio)
        withdrawn = connection.execute(
            "DELETE FROM preferences WHERE configuration_id = $configuration::UUID "
            "AND preference_id NOT IN (SELECT preference_id FROM matched)",
            {"configuration": picked.configuration_id},
        ).fetchall()[0][0]
        # Texts join last: all ranking above moves ids and numbers only.
        added = insert_new(
            connection,
            "preferences",
            "SELECT matched.*, c.text AS chosen, r.text AS rejected, $run::UUID AS run_id FROM matched "
            "JOIN samples c ON c.sample_id = chosen_sample_id JOIN samples r ON r.sample_id = rejected_sample_id",
            {"run": run.run_id},
        )
        run.summary = {
            "configuration": picked.text,
            **_counts(connection),
            "new": added,
            "withdrawn": withdrawn,
        }
    return run.summary


def _drop_equal_texts(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        "DELETE FROM candidates WHERE sample_id NOT IN ("
        "SELECT arg_min(s.sample_id, s.sample_index) FROM candidates JOIN samples s USING (sample_id) "
        "GROUP BY s.pair_id, s.prompt_hash, md5(s.text))"
    )


def _match(
    connection: duckdb.DuckDBPyConnection, per_prompt: int, hardness: str, max_length_ratio: float
) -> None:
    connection.execute(
        f"""
        CREATE TEMP TABLE matched AS
        WITH combined AS (
            SELECT c.pair_id, c.configuration_id, c.prompt_id, c.prompt_hash, c.sample_id AS chosen_sample_id,
                r.sample_id AS rejected_sample_id, c.gold_tier, r.tier AS rejected_tier, r.distance AS tier_distance,
                r.tier_probs[r.tier] AS rejected_confidence,
                greatest(c.completion_tokens, r.completion_tokens) / least(c.completion_tokens, r.completion_tokens)
                    AS length_ratio
            FROM candidates c JOIN candidates r USING (pair_id, prompt_hash)
            WHERE c.choosable AND r.rejectable
        ), nearest AS (
            SELECT * FROM combined WHERE length_ratio <= $max_length_ratio
            QUALIFY row_number() OVER (
                PARTITION BY rejected_sample_id ORDER BY length_ratio, chosen_sample_id) = 1
        )
        SELECT *, {sql_content_id("preference", "chosen_sample_id", "rejected_sample_id")} AS preference_id FROM nearest
        QUALIFY row_number() OVER (
            PARTITION BY pair_id, prompt_hash ORDER BY {hardness}, rejected_sample_id) <= $per_prompt
        """,
        {"per_prompt": per_prompt, "max_length_ratio": max_length_ratio},
    )


def _counts(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    prompts = connection.execute(
        """
        WITH sides AS (
            SELECT pair_id, prompt_hash, count(*) FILTER (choosable) AS chosen, count(*) FILTER (rejectable) AS rejected
            FROM candidates GROUP BY pair_id, prompt_hash
        )
        SELECT count(*), count(*) FILTER (m.pair_id IS NOT NULL),
            count(*) FILTER (chosen = 0), count(*) FILTER (chosen > 0 AND rejected = 0),
            count(*) FILTER (chosen > 0 AND rejected > 0 AND m.pair_id IS NULL)
        FROM sides LEFT JOIN (SELECT DISTINCT pair_id, prompt_hash FROM matched) m USING (pair_id, prompt_hash)
        """
    ).fetchall()[0]
    preferences = connection.execute("SELECT count(*) FROM matched").fetchall()[0][0]
    return {
        "prompts": prompts[0],
        "prompts_with_preferences": prompts[1],
        "prompts_without": {
            "no finished correct sample": prompts[2],
            "no wrong sample": prompts[3],
            "no match in length": prompts[4],
        },
        "preferences": preferences,
    }
