"""Measuring what the store holds: reads the evidence, warns, keeps the results in ``evaluations``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eval.decisions import cumpt
from eval.evidence import common_pairs, read_evidence
from eval.metrics.cautions import cautions, flattery
from eval.metrics.measure import Difference, compare, measure, measure_slices, rounded
from eval.partition.stored import find_partition
from eval.predictors import base_predictor
from warehouse.ids import content_id
from warehouse.ledger import Run
from warehouse.locking import StoreHeldError
from warehouse.parts import arrow_schema, replace_rows
from warehouse.schema import TABLE_BY_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import duckdb

    from eval.evidence import Evidence
    from eval.metrics.measure import Measured
    from eval.partition.stored import Partition
    from warehouse.store import Store


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured.

    Attributes:
        evidence: Of the predictor.
        versus: Of the one that it is compared with.
        partition: What decided its tiers, if not the most probable one.
        whole: Metrics of the split; differences when compared.
        slices: Metrics by attribute and value; empty when compared.
        warnings: What to know before believing them.
        written: Rows of ``evaluations`` new, changed and removed; none where another process kept the store.
    """

    evidence: Evidence
    versus: Evidence | None
    partition: Partition | None
    whole: list[Measured]
    slices: dict[tuple[str, str], list[Measured]]
    warnings: list[str]
    written: dict[str, int]


def evaluate(
    store: Store,
    predictor: str,
    split: str,
    *,
    versus: str | None,
    partition: str | None,
    resamples: int,
    seed: int,
    k: int,
    before: Callable[[Evidence], None],
) -> Evaluation:
    """Measure `predictor` on `split`, or its differences to `versus` on the pairs that both decided, and store them.

    They replace what was stored for the same predictor, split, partition and rival.

    Args:
        store: Held only while it is read and written.
        predictor: Name or id.
        split: Whose frozen gold tiers.
        versus: Another predictor, decided by its most probable tier.
        partition: First digits of the id of a partition of `predictor`, which then decides its tiers.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.
        k: Ranks that earn in NDCG.
        before: Called with the evidence before the slow part.

    Raises:
        TierwiseError: No such split, predictor or partition, or a partition of another predictor; pairs that were
            not predicted; two predictors that decided no pair in common.
    """
    store.merge_waiting()
    with store.read() as connection:
        ours = read_evidence(connection, predictor, split)
        theirs = None if versus is None else read_evidence(connection, versus, split)
        cut = None if partition is None else find_partition(connection, partition, ours.predictor)
        fitted_on = base_predictor(connection, ours.predictor)[1]
        flattering = flattery(connection, [*([cut.fit_split] if cut else []), *fitted_on], split)
    apart = ""
    if theirs is not None:
        common = common_pairs(ours, theirs)
        ours, theirs, apart = common.ours, common.theirs, common.told
    predicted = None if cut is None else cumpt(ours.tier_probs, cut.thetas)
    before(ours)
    settings: dict[str, Any] = {"resamples": resamples, "seed": seed, "k": k}
    whole: list[Measured]
    slices: dict[tuple[str, str], list[Measured]] = {}
    if theirs is None:
        whole = measure(ours, predicted, **settings)
        slices = measure_slices(ours, predicted, **settings)
    else:
        whole = list(compare(ours, theirs, predicted, **settings))
    warnings = [*flattering, *cautions(ours, predicted), *([apart] if apart else [])]
    asked = {"predictor": predictor, "split": split, "versus": versus, "partition": partition}
    run = Run("metrics", asked | settings)
    key: dict[str, str | None] = {
        "predictor_id": str(ours.predictor.predictor_id),
        "split": split,
        "partition_id": None if cut is None else str(cut.partition_id),
        "versus_id": None if theirs is None else str(theirs.predictor.predictor_id),
    }
    measured = {("all", "all"): whole} | slices
    written = keep_measured(store, run, key, measured, weighted=ours.weighted, warnings=warnings)
    return Evaluation(ours, theirs, cut, whole, slices, warnings, written)


def keep_measured(
    store: Store,
    run: Run,
    key: Mapping[str, str | None],
    measured: Mapping[tuple[str, str], Iterable[Measured]],
    *,
    weighted: bool,
    warnings: list[str],
) -> dict[str, int]:
    """Let ``evaluations`` hold what was measured in place of what it holds for the same `key`; return the counts.

    Args:
        store: The store; where another process keeps it, `warnings` gets a line, as what took long to measure is told
            all the same.
        run: The ledger row.
        key: Columns that say of what, on what: a predictor or a configuration, a split.
        measured: Metrics by slice and its value.
        weighted: Whether pairs count by traffic weight.
        warnings: Of the summary.
    """
    try:
        with store.write(run) as connection:
            run.summary = _write(connection, run, key, measured, weighted)
    except StoreHeldError as held:
        warnings.append(f"measured, but not kept: {held}")
        return {}
    return run.summary


def _write(
    connection: duckdb.DuckDBPyConnection,
    run: Run,
    key: Mapping[str, str | None],
    measured: Mapping[tuple[str, str], Iterable[Measured]],
    weighted: bool,
) -> dict[str, int]:
    import pyarrow as pa

    evaluations = TABLE_BY_NAME["evaluations"]
    rows = [
        {
            **key,
            "evaluation_id": str(content_id("evaluation", *key.values(), *of, found.metric)),
            "slice": of[0],
            "slice_value": of[1],
            "metric": found.metric,
            "value": rounded(found.value),
            "low": rounded(found.low),
            "high": rounded(found.high),
            "reason": found.reason,
            "pairs": found.pairs,
            "queries": found.queries,
            "weighted": weighted,
            "run_id": str(run.run_id),
        }
        for of, metrics in measured.items()
        for found in metrics
    ]
    connection.register("measured", pa.Table.from_pylist(rows, schema=arrow_schema(evaluations)))
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE fresh_evaluations AS "
        "SELECT * REPLACE (CAST(evaluation_id AS UUID) AS evaluation_id) FROM measured"
    )
    return replace_rows(
        connection,
        "evaluations",
        "fresh_evaluations",
        compared=("value", "low", "high", "reason", "pairs", "queries", "weighted"),
        among=" AND ".join(
            f"{name} IS NOT DISTINCT FROM CAST(${name} AS {evaluations.type_of(name)})" for name in key
        ),
        parameters=key,
    )


def told(found: Measured) -> dict[str, Any]:
    """`found` for JSON."""
    values = {name: rounded(getattr(found, name)) for name in ("value", "low", "high")}
    if isinstance(found, Difference):
        values |= {"ours": rounded(found.ours), "theirs": rounded(found.theirs)}
    return {
        "metric": found.metric,
        **values,
        "reason": found.reason,
        "pairs": found.pairs,
        "queries": found.queries,
    }
