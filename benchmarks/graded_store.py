"""A store full of graded samples, made by SQL alone."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from curation.grading import GRADER_VERSION
from warehouse.ids import sql_content_id
from warehouse.ledger import Run
from warehouse.store import Store

if TYPE_CHECKING:
    from pathlib import Path

SAMPLES_A_PAIR = 8

_CONFIGURATION, _PROMPT = f"'{uuid.UUID(int=1)}'::UUID", f"'{uuid.UUID(int=2)}'::UUID"
_PAIR = sql_content_id("pair", "p")
_VERSION = sql_content_id("item version", "p")
_JUDGMENT = sql_content_id("judgment", "p")
_RENDERED = sql_content_id("rendered prompt", "p")
_SAMPLE = sql_content_id("sample", "p", "i")


def _uniform(salt: str, *key: str) -> str:
    """SQL of a number in [0, 1) that is the same for the same key."""
    return f"(hash({', '.join(key)}, '{salt}') % 1000003 / 1000003.0)"


# A pair's solve rate is uniform; three in a hundred samples are unparsable.
_DRAWN = f"""
    SELECT *, CASE WHEN correct THEN gold WHEN u < 0.03 THEN NULL
        ELSE 1 + (gold + floor(v * 3)::INTEGER) % 4 END AS stated
    FROM (SELECT p, i, (1 + p % 4)::INTEGER AS gold, {_uniform("right", "p", "i")} < {_uniform("rate", "p")} AS correct,
        {_uniform("words", "p", "i")} AS u, {_uniform("tier", "p", "i")} AS v
        FROM range(0, $pairs) pairs(p), range(0, {SAMPLES_A_PAIR}) samples(i))
"""
_TABLES = {
    "models": f"SELECT {_CONFIGURATION} AS model_id, 'm' AS name, '' AS digest, '' AS path",
    "prompts": f"SELECT {_PROMPT} AS prompt_id, 'p' AS name, 'answer-first' AS format, '' AS text",
    "configurations": f"SELECT {_CONFIGURATION} AS configuration_id, {_CONFIGURATION} AS model_id, "
    f"{_PROMPT} AS prompt_id, '{{}}' AS decoding",
    "pairs": f"""
        SELECT {_PAIR} AS pair_id, {sql_content_id("query", "p // 20")} AS query_id,
            {sql_content_id("item", "p")} AS item_id, {_VERSION} AS item_version_id, (1 + p % 4)::INTEGER AS tier,
            1.0 AS confidence, {_JUDGMENT} AS judgment_id, 'bench' AS source, 1.0 AS weight
        FROM range(0, $pairs) pairs(p)""",
    "rendered_prompts": f"""
        SELECT {_RENDERED} AS prompt_hash, {_PAIR} AS pair_id, {_PROMPT} AS prompt_id,
            {_VERSION} AS item_version_id, '[]' AS messages FROM range(0, $pairs) pairs(p)""",
    # The last two texts of a pair are often the same.
    "samples": f"""
        SELECT {_SAMPLE} AS sample_id, {_PAIR} AS pair_id, {_CONFIGURATION} AS configuration_id,
            {_RENDERED} AS prompt_hash, i::INTEGER AS sample_index,
            concat(coalesce(stated, 0), ': ', repeat(md5(concat(p, ' ', least(i, 6))), 3)) AS text, stated AS tier,
            [v / 2, (1 - v) / 2, u / 2, (1 - u) / 2] AS tier_probs,
            CASE WHEN u > 0.95 THEN 'length' ELSE 'stop' END AS finish_reason, 200 AS prompt_tokens,
            (20 + 60 * v)::INTEGER AS completion_tokens FROM drawn""",
    "grades": f"""
        SELECT {sql_content_id("grade", "p", "i")} AS grade_id, {_SAMPLE} AS sample_id, {_JUDGMENT} AS judgment_id,
            gold AS gold_tier, '{GRADER_VERSION}' AS grader_version, stated AS tier,
            CASE WHEN correct THEN 'correct' WHEN stated IS NULL THEN 'unparsable' ELSE 'wrong' END AS outcome,
            correct, abs(stated - gold) AS distance FROM drawn""",
}


def fill(path: Path, samples: int) -> None:
    """Make a store at `path` with `samples` graded samples, eight a pair; texts of about 100 characters."""
    run = Run("sample", {"n": SAMPLES_A_PAIR}, configuration_id=uuid.UUID(int=1))
    pairs = str(samples // SAMPLES_A_PAIR)
    with Store(path).write(run) as connection:
        connection.execute("SET preserve_insertion_order = false")
        for table, rows in _TABLES.items():
            connection.execute(
                f"INSERT INTO {table} BY NAME WITH drawn AS ({_DRAWN}) "
                f"SELECT *, '{run.run_id}'::UUID AS run_id FROM ({rows})".replace("$pairs", pairs)
            )
