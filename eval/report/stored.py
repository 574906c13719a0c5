"""What the store knows of a report's subject: what made it, from which runs, at what cost, in which words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from eval.report.data import Case, Cost, Run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb
    import numpy as np
    from numpy.typing import NDArray

    from eval.evidence import Evidence
    from eval.predictors import Predictor

_RUNS_OF_A_KIND = 5

# Untrusted texts are cut here, before anything else sees them.
_TITLE, _DESCRIPTION, _REASONING = 300, 280, 1200


def read_made_of(
    connection: duckdb.DuckDBPyConnection, predictor: Predictor, base: Predictor, split: str
) -> dict[str, str]:
    """What stands behind `predictor`, name to value."""
    made_of = {}
    if predictor.calibrates_id is not None:
        made_of["calibrates"] = base.name
        made_of |= {name: _plain(value) for name, value in predictor.parameters.items()}
    if base.configuration_id is not None:
        model, digest, prompt, prompt_format, decoding = connection.execute(
            "SELECT m.name, m.digest, t.name, t.format, c.decoding FROM configurations c "
            "JOIN models m USING (model_id) JOIN prompts t USING (prompt_id) WHERE c.configuration_id = ?",
            [base.configuration_id],
        ).fetchall()[0]
        settings = ", ".join(f"{name} {_plain(value)}" for name, value in json.loads(decoding).items())
        made_of |= {
            "model": f"{model} (SHA-256 {digest[:12]})",
            "prompt": f"{prompt} ({prompt_format})",
            "decoding": settings,
        }
    elif base.kind == "file":
        files = connection.execute(_FILES, {"predictor": base.predictor_id, "split": split}).fetchall()
        made_of["file"] = ", ".join(row[0] for row in files) or "not known"
    made_of |= {name: _plain(value) for name, value in base.parameters.items() if name not in made_of}
    return made_of


def read_sources(connection: duckdb.DuckDBPyConnection, split: str) -> dict[str, int]:
    """Pairs of `split` by source of their gold judgment, most first."""
    return dict(
        connection.execute(
            "SELECT j.source, count(*) FROM split_members m JOIN judgments j USING (judgment_id) "
            "WHERE m.split = ? GROUP BY 1 ORDER BY 2 DESC, 1",
            [split],
        ).fetchall()
    )


def read_runs(
    connection: duckdb.DuckDBPyConnection, predictor: Predictor, split: str, partition_id: str | None
) -> tuple[Run, ...]:
    """Runs that wrote what the report reads; of several that did the same, the newest."""
    rows = connection.execute(
        _RUNS,
        {
            "predictor": predictor.predictor_id,
            "split": split,
            "partition": partition_id,
            "most": _RUNS_OF_A_KIND,
        },
    ).fetchall()
    return tuple(
        Run(
            what if alike <= _RUNS_OF_A_KIND else f"{what} (the newest of {alike:,})",
            str(run_id),
            version,
            f"{started_at:%Y-%m-%d %H:%M}",
        )
        for what, run_id, version, started_at, alike in rows
    )


def read_costs(connection: duckdb.DuckDBPyConnection, split: str) -> tuple[Cost, ...]:
    """Of each model that predicted pairs of `split`."""
    return tuple(Cost(*row) for row in connection.execute(_COSTS, {"split": split}).fetchall())


def read_fit_splits(connection: duckdb.DuckDBPyConnection, predictor: Predictor) -> tuple[str, ...]:
    """Calibration splits of which `predictor` predicted something, newest first."""
    rows = connection.execute(
        "SELECT s.split FROM splits s WHERE s.role = 'calibration' AND EXISTS (SELECT 1 FROM split_members m "
        "JOIN predictions p USING (pair_id) WHERE m.split = s.split AND p.predictor_id = ?) ORDER BY s.created_at DESC",
        [predictor.predictor_id],
    ).fetchall()
    return tuple(row[0] for row in rows)


def read_suspects(connection: duckdb.DuckDBPyConnection, evidence: Evidence) -> dict[int, str]:
    """Pairs of the evidence whose gold is doubted, by index, with who doubts it; the worst first."""
    rows = connection.execute(_SUSPECTS, {"split": evidence.split}).fetchall()
    at = pc.index_in(pa.array([row[0] for row in rows], pa.string()), value_set=evidence.pair_ids).to_pylist()
    return {
        index: f"{scorer} suggests tier {suggested} and gives gold a probability of {quality:.2f}"
        for index, (_, scorer, suggested, quality) in zip(at, rows, strict=True)
        if index is not None
    }


def read_cases(
    connection: duckdb.DuckDBPyConnection,
    evidence: Evidence,
    base: Predictor,
    chosen: Mapping[int, str],
    argmax: NDArray[np.int64],
    decided: NDArray[np.int64] | None,
) -> tuple[Case, ...]:
    """The pairs `chosen`, in this order, with their words.

    Args:
        connection: To the store.
        evidence: N pairs.
        base: The predictor's base, whose texts its reasoning is.
        chosen: Index of each to why it is shown.
        argmax: Most probable tiers, [N].
        decided: The partition's tiers, [N].
    """
    ids = evidence.pair_ids.take(pa.array(chosen, pa.int64())).to_pylist()
    found: dict[str, Sequence[Any]] = {
        row[0]: row
        for row in connection.execute(
            _CASES,
            {
                "pairs": ids,
                "split": evidence.split,
                "predictor": evidence.predictor.predictor_id,
                "base": base.predictor_id,
                "configuration": base.configuration_id,
            },
        ).fetchall()
    }
    without = _without_reasoning(connection, base)
    cases = []
    for pair_id, (index, why) in zip(ids, chosen.items(), strict=True):
        row = found[pair_id]
        _, query, title, description, kind, source, judged_by, reason, *rest, text, correction = row
        judgment_id, prediction_id, run_id = rest
        cases.append(
            Case(
                why=why,
                query=_cut(query, _TITLE),
                title=_cut(title, _TITLE) or "(text taken down)",
                description=_cut(description, _DESCRIPTION),
                kind=kind,
                gold=int(evidence.gold[index]),
                judged=source if judged_by is None else f"{source}, {_cut(judged_by, 60)}",
                judge_reason=_cut(reason, _DESCRIPTION),
                argmax=int(argmax[index]),
                decided=None if decided is None else int(decided[index]),
                tier_probs=tuple(evidence.tier_probs[index].tolist()),
                reasoning=without if text is None else _cut(text, _REASONING),
                generated=text is not None,
                correction=_cut(correction, _REASONING),
                ids={
                    "pair": pair_id,
                    "judgment": judgment_id,
                    "prediction": prediction_id,
                    "run": run_id,
                },
            )
        )
    return tuple(cases)


def _without_reasoning(connection: duckdb.DuckDBPyConnection, base: Predictor) -> str:
    if base.configuration_id is None:
        return (
            "A baseline gives no reasoning."
            if base.kind == "baseline"
            else "The file gave probabilities only."
        )
    prompt_format = connection.execute(
        "SELECT t.format FROM configurations JOIN prompts t USING (prompt_id) WHERE configuration_id = ?",
        [base.configuration_id],
    ).fetchall()[0][0]
    if prompt_format == "answer-first":
        return "Answer-first reads one token: no reasoning was generated."
    return "Its text is not in the store."


def _cut(text: str | None, most: int) -> str:
    if text is None:
        return ""
    return text if len(text) <= most else f"{text[:most].rstrip()}…"


def _plain(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


_FILES = """
    SELECT DISTINCT json_extract_string(r.parameters, '$.from') AS file FROM predictions p JOIN runs r USING (run_id)
    WHERE p.predictor_id = $predictor::UUID AND json_extract_string(r.parameters, '$.split') = $split
        AND file IS NOT NULL
    ORDER BY 1
"""

_RUNS = """
    WITH used AS (
        SELECT 'judged the pairs' AS what, 1 AS rank, j.run_id FROM split_members m JOIN judgments j USING (judgment_id)
        WHERE m.split = $split
        UNION SELECT 'froze ' || split, 2, run_id FROM splits WHERE split = $split
        UNION SELECT 'predicted', 3, c.run_id FROM split_members m
            JOIN current_predictions c ON c.pair_id = m.pair_id AND c.item_version_id = m.item_version_id
            WHERE m.split = $split AND c.predictor_id = $predictor::UUID
        UNION SELECT 'fitted the partition', 4, run_id FROM partitions WHERE partition_id = $partition::UUID
    )
    SELECT what, run_id, code_version, started_at, count(*) OVER (PARTITION BY what) FROM used JOIN runs USING (run_id)
    QUALIFY row_number() OVER (PARTITION BY what ORDER BY started_at DESC, run_id) <= $most
    ORDER BY rank, started_at, run_id
"""

_COSTS = """
    SELECT n.name, l.name, t.format, count(*), avg(c.prompt_tokens), avg(c.completion_tokens), avg(c.seconds),
        avg(CAST(list_position(c.tier_probs, list_max(c.tier_probs)) = m.tier AS INTEGER))
    FROM split_members m
    JOIN (
        SELECT p.* FROM predictions p JOIN runs USING (run_id) JOIN predictors USING (predictor_id)
        WHERE predictors.kind = 'model' AND p.pair_id IN (SELECT pair_id FROM split_members WHERE split = $split)
        QUALIFY row_number() OVER (PARTITION BY p.predictor_id, p.pair_id, p.item_version_id
            ORDER BY started_at DESC, p.prediction_id) = 1
    ) c ON c.pair_id = m.pair_id AND c.item_version_id = m.item_version_id
    JOIN predictors n USING (predictor_id) JOIN configurations USING (configuration_id) JOIN prompts t USING (prompt_id)
    JOIN models l USING (model_id) WHERE m.split = $split
    GROUP BY n.predictor_id, n.name, l.name, t.format ORDER BY t.format, n.name, n.predictor_id
"""

_SUSPECTS = """
    SELECT CAST(s.pair_id AS VARCHAR), s.scorer, s.suggested_tier, s.label_quality FROM suspect_labels s
    JOIN split_members m ON m.pair_id = s.pair_id AND m.judgment_id = s.judgment_id
    WHERE m.split = $split AND s.suggested_tier <> m.tier
    QUALIFY row_number() OVER (PARTITION BY s.pair_id ORDER BY s.label_quality, s.scorer) = 1
    ORDER BY s.label_quality, s.pair_id
"""

# A sample of the pair under the same configuration stands in where the prediction has none of its own.
_CASES = """
    WITH wanted AS (
        SELECT m.* FROM split_members m WHERE m.split = $split AND m.pair_id IN (SELECT unnest($pairs::UUID[]))
    ), predicted AS (
        SELECT p.* FROM predictions p JOIN runs USING (run_id) JOIN wanted w USING (pair_id, item_version_id)
        WHERE p.predictor_id IN ($predictor::UUID, $base::UUID)
        QUALIFY row_number() OVER (PARTITION BY p.predictor_id, p.pair_id ORDER BY started_at DESC, p.prediction_id) = 1
    ), drawn AS (
        SELECT s.pair_id, s.text FROM samples s JOIN rendered_prompts r USING (pair_id, prompt_hash)
        JOIN wanted w ON w.pair_id = s.pair_id AND w.item_version_id = r.item_version_id
        WHERE s.configuration_id = $configuration::UUID
        QUALIFY row_number() OVER (PARTITION BY s.pair_id ORDER BY s.sample_index, s.sample_id) = 1
    ), written AS (
        SELECT pair_id, text FROM rationales JOIN wanted USING (pair_id)
        QUALIFY row_number() OVER (PARTITION BY pair_id ORDER BY written_at DESC, rationale_id) = 1
    )
    SELECT CAST(w.pair_id AS VARCHAR), q.text, v.title, v.description, w.kind, j.source, j.judged_by, j.reason,
        CAST(w.judgment_id AS VARCHAR), CAST(c.prediction_id AS VARCHAR), CAST(c.run_id AS VARCHAR),
        coalesce(s.text, drawn.text), written.text
    FROM wanted w JOIN queries q ON q.query_id = w.query_id JOIN judgments j ON j.judgment_id = w.judgment_id
    JOIN predicted c ON c.pair_id = w.pair_id AND c.predictor_id = $predictor::UUID
    LEFT JOIN predicted b ON b.pair_id = w.pair_id AND b.predictor_id = $base::UUID
    LEFT JOIN item_versions v ON v.item_version_id = w.item_version_id
    LEFT JOIN samples s ON s.sample_id = b.sample_id
    LEFT JOIN drawn ON drawn.pair_id = w.pair_id LEFT JOIN written ON written.pair_id = w.pair_id
"""
