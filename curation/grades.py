"""Grades: every sample held against the gold judgment of its pair by the current grader.

A grade's key is (sample, gold judgment, grader version). Gold that changes, or a better grader, adds rows; no
sample is touched. The view of SQL here, `CURRENT_GRADES`, is what counts now.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curation.grading import GRADER_VERSION, grade
from warehouse.ddl import sql_text
from warehouse.ids import content_id
from warehouse.ledger import Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from warehouse.store import Store

_BATCH = 20_000

CURRENT_GRADES = f"""
    SELECT s.sample_id, s.pair_id, s.configuration_id, s.prompt_hash, s.sample_index, s.tier_probs,
        s.finish_reason, s.completion_tokens, s.text_hash, r.prompt_id, g.tier, g.outcome, g.correct, g.distance,
        g.consistent, g.gold_tier
    FROM (SELECT * EXCLUDE (text), md5_number_lower(text) AS text_hash FROM samples) s
    JOIN pairs p ON p.pair_id = s.pair_id
    JOIN rendered_prompts r ON r.pair_id = s.pair_id AND r.prompt_hash = s.prompt_hash
        AND r.item_version_id = p.item_version_id
    JOIN grades g ON g.sample_id = s.sample_id AND g.judgment_id = p.judgment_id
        AND g.grader_version = '{GRADER_VERSION}'
"""
"""Samples of the text version that was judged, with their grade under today's gold and grader. No texts, but 64 bits
of their hash, by which those of one prompt are told apart."""

_UNGRADED = f"""
    SELECT CAST(s.sample_id AS VARCHAR) AS sample_id, s.text, t.format, p.tier AS gold_tier,
        CAST(p.judgment_id AS VARCHAR) AS judgment_id
    FROM samples s JOIN pairs p USING (pair_id)
    JOIN configurations c ON c.configuration_id = s.configuration_id JOIN prompts t USING (prompt_id)
    WHERE p.tier IS NOT NULL AND coalesce(t.purpose, 'judgments') <> 'continuations' AND NOT EXISTS (
        SELECT 1 FROM grades g WHERE g.sample_id = s.sample_id AND g.judgment_id = p.judgment_id
            AND g.grader_version = '{GRADER_VERSION}')
"""


def grade_samples(
    store: Store, report: Callable[[int, int], None] = lambda _done, _total: None
) -> dict[str, Any]:
    """Grade every sample that has no grade under today's gold and grader; return the counts.

    Args:
        store: The store; held while the work list is read and while the grades are merged.
        report: Called with the samples graded so far and in all.
    """
    import pyarrow.parquet as pq

    store.merge_waiting()
    counts = {"correct": 0, "wrong": 0, "unparsable": 0}
    with tempfile.TemporaryDirectory(prefix="tierwise-grade-") as directory:
        ungraded = Path(directory) / "ungraded.parquet"
        with store.read() as connection:
            row = connection.execute(
                f"COPY ({_UNGRADED}) TO {sql_text(ungraded)} (FORMAT parquet)"
            ).fetchone()
        total = int(row[0]) if row else 0
        if not total:
            return {"graded": 0, "outcomes": counts}
        with store.long_run(Run("grade", {"grader_version": GRADER_VERSION})) as long_run:
            done = 0
            with pq.ParquetFile(ungraded) as file:
                for batch in file.iter_batches(batch_size=_BATCH):
                    rows = [_grade_row(sample, str(long_run.run.run_id)) for sample in batch.to_pylist()]
                    long_run.write_part("grades", rows)
                    for graded in rows:
                        counts[graded["outcome"]] += 1
                    done += len(rows)
                    report(done, total)
            long_run.run.summary = {"graded": total, "outcomes": counts}
    return long_run.run.summary


def _grade_row(sample: dict[str, Any], run_id: str) -> dict[str, Any]:
    graded = grade(sample["text"], sample["format"], sample["gold_tier"])
    return {
        "grade_id": str(content_id("grade", sample["sample_id"], sample["judgment_id"], GRADER_VERSION)),
        "sample_id": sample["sample_id"],
        "judgment_id": sample["judgment_id"],
        "gold_tier": sample["gold_tier"],
        "grader_version": GRADER_VERSION,
        "tier": graded.tier,
        "outcome": graded.outcome,
        "correct": graded.outcome == "correct",
        "distance": graded.distance,
        "consistent": graded.consistent,
        "run_id": run_id,
    }
