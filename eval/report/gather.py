"""From the store to what a report says. Reads only."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from eval.decisions import argmax, cumpt
from eval.evidence import common_pairs, read_evidence
from eval.metrics.cautions import cautions, flattery
from eval.metrics.counts import confusion
from eval.metrics.measure import compare, measure, measure_slices
from eval.metrics.ranks import auc, auc_seconds, boundary_pairs
from eval.predictors import base_predictor
from eval.report.data import Decided, ReportData, Slice, Subject
from eval.report.errors import choose
from eval.report.partitions import objective_of, read_partition
from eval.report.series import line, reliability
from eval.report.stored import (
    read_cases,
    read_costs,
    read_fit_splits,
    read_made_of,
    read_runs,
    read_sources,
    read_suspects,
)
from warehouse.errors import TierwiseError
from warehouse.ledger import utc_now
from warehouse.locking import StoreHeldError
from warehouse.version import code_version

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb
    from numpy.typing import NDArray

    from eval.evidence import Evidence
    from eval.metrics.measure import Difference, Measured
    from eval.partition.objectives import Objective
    from eval.report.data import Case, Cost, Matrix, Partition
    from warehouse.store import Store

    Tiers = NDArray[np.int64]

_AREA_SECONDS = 10
"""Intervals of the areas under the ROC curve that take longer are left out."""


@dataclass(frozen=True, slots=True)
class _Stored:
    """What is read while the store is held."""

    evidence: Evidence
    theirs: Evidence | None
    argmax: Tiers
    partition: Partition | None
    decided: Tiers | None
    flattering: str | None
    told: tuple[str, ...]
    subject: Subject
    curves_of: tuple[Evidence, ...]
    objective: Objective | None
    no_line: str
    costs: tuple[Cost, ...]
    fit_splits: tuple[str, ...]
    cases: tuple[Case, ...]


def gather(
    store: Store,
    predictor: str,
    split: str,
    *,
    partition: str | None,
    versus: str | None,
    resamples: int,
    seed: int,
) -> ReportData:
    """All that a report on `predictor` says.

    Args:
        store: Held only while it is read; a copy of it where another process keeps it.
        predictor: Name or id.
        split: Whose frozen gold tiers.
        partition: First digits of the id of a partition of `predictor`; the newest that was judged on `split` if not
            given, else none.
        versus: Another predictor, decided by its most probable tier.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.

    Raises:
        TierwiseError: No such split, predictor or partition, or a partition of another predictor; pairs that were
            not predicted; two predictors that decided no pair in common.
    """
    with suppress(StoreHeldError):
        store.merge_waiting(wait=0)
    with store.read(copy_if_held=True) as connection:
        read = _read(connection, predictor, split, partition, versus)
    ours, decided = read.evidence, read.decided
    drawn: dict[str, Any] = {"resamples": resamples, "seed": seed}
    # What depends on the probabilities alone is measured once.
    areas = auc_seconds(len(ours.gold), resamples) <= _AREA_SECONDS
    whole = _decided(ours, "most probable tier", read.argmax, drawn, areas=areas)
    if not areas:
        known = _areas_without_intervals(ours, whole.metrics["accuracy"])
        whole = replace(whole, metrics={**whole.metrics, **known})
    by_partition = None
    if read.partition is not None and decided is not None:
        short = read.partition.partition_id[:8]
        by_partition = _decided(ours, f"partition {short}", decided, drawn, areas=False)
    against, apart = {}, ""
    if read.theirs is not None:
        common = common_pairs(ours, read.theirs)
        tiers = None if decided is None else decided[common.kept]
        against, apart = _differences(common.ours, common.theirs, tiers, None, drawn), common.told
    slices = tuple(
        Slice(*of, _by_name(found)) for of, found in measure_slices(ours, decided, **drawn).items()
    )
    return ReportData(
        subject=read.subject,
        flattering=read.flattering,
        warnings=tuple(
            dict.fromkeys(
                [
                    *([read.flattering] if read.flattering else []),
                    *cautions(ours, decided),
                    *([apart] if apart else []),
                    *read.told,
                ]
            )
        ),
        argmax=whole,
        partition=read.partition,
        decided=by_partition,
        changed=0 if decided is None else int(np.count_nonzero(decided != read.argmax)),
        gain=_differences(ours, ours, decided, read.argmax, drawn) if decided is not None else {},
        versus=None if read.theirs is None else read.theirs.predictor.name,
        against=against,
        lines=() if read.objective is None else tuple(line(of, read.objective) for of in read.curves_of),
        no_line=read.no_line,
        reliability=reliability(ours),
        by_kind=_by_kind(ours, whole, by_partition, read.argmax, slices, drawn),
        slices=slices,
        costs=read.costs,
        fit_splits=read.fit_splits,
        errors=int(np.count_nonzero((read.argmax if decided is None else decided) != ours.gold)),
        cases=read.cases,
    )


def _read(
    connection: duckdb.DuckDBPyConnection,
    predictor: str,
    split: str,
    prefix: str | None,
    versus: str | None,
) -> _Stored:
    ours = read_evidence(connection, predictor, split)
    theirs = None if versus is None else read_evidence(connection, versus, split)
    most_probable = argmax(ours.tier_probs)
    found = read_partition(connection, ours, prefix)
    partition, details = found or (None, {})
    decided = None if partition is None else cumpt(ours.tier_probs, partition.thetas)
    curves_of, no_line = _curves_of(connection, ours, partition)
    objective = None if partition is None else objective_of(partition, details)
    if partition is not None and objective is None:
        no_line = f"this version knows no objective {partition.objective}"
    warnings = details.get("warnings")
    told = [str(warning) for warning in warnings] if isinstance(warnings, list) else []
    if ours.role == "calibration":
        told.append(f"{split} has the role calibration: only splits of the role eval are kept for judging")
    known = details.get("fingerprints")
    if isinstance(known, dict) and known.get(split, ours.fingerprint) != ours.fingerprint:
        told.append(
            "predicted anew since the partition was fitted: its own numbers are of before, fit it again"
        )
    base, fitted_on = base_predictor(connection, ours.predictor)
    if partition is not None:
        fitted_on.insert(0, partition.fit_split)
    chosen = choose(ours, most_probable if decided is None else decided, read_suspects(connection, ours))
    return _Stored(
        evidence=ours,
        theirs=theirs,
        argmax=most_probable,
        partition=partition,
        decided=decided,
        flattering=next(iter(flattery(connection, fitted_on, split)), None),
        told=tuple(told),
        subject=Subject(
            predictor=ours.predictor.name,
            predictor_id=str(ours.predictor.predictor_id),
            kind=ours.predictor.kind,
            made_of=read_made_of(connection, ours.predictor, base, split),
            split=split,
            role=ours.role,
            content_hash=_content_hash(connection, split),
            pairs=len(ours.gold),
            queries=ours.queries,
            weighted=ours.weighted,
            sources=read_sources(connection, split),
            runs=read_runs(
                connection, ours.predictor, split, None if partition is None else partition.partition_id
            ),
            version=code_version(),
            made_at=f"{utc_now():%Y-%m-%d %H:%M}",
        ),
        curves_of=curves_of,
        objective=objective,
        no_line=no_line,
        costs=read_costs(connection, split),
        fit_splits=read_fit_splits(connection, ours.predictor),
        cases=read_cases(connection, ours, base, chosen, most_probable, decided),
    )


def _curves_of(
    connection: duckdb.DuckDBPyConnection, ours: Evidence, partition: Partition | None
) -> tuple[tuple[Evidence, ...], str]:
    """Evidence of the split that `partition` was fitted on, then ours, once if they are one; or why there is none."""
    if partition is None or partition.fit_split == ours.split:
        return (ours,), ""
    try:
        fitted_on = read_evidence(connection, str(ours.predictor.predictor_id), partition.fit_split)
    except TierwiseError as error:
        return (), str(error)
    return (fitted_on, ours), ""


def _decided(evidence: Evidence, name: str, tiers: Tiers, drawn: dict[str, Any], *, areas: bool) -> Decided:
    metrics = _by_name(measure(evidence, tiers, areas=areas, **drawn))
    return Decided(
        name,
        _matrix(confusion(evidence.gold, tiers)),
        _matrix(confusion(evidence.gold, tiers, evidence.weight)),
        metrics,
    )


def _areas_without_intervals(evidence: Evidence, like: Measured) -> dict[str, Measured]:
    once = np.ones(evidence.queries)
    reason = "no interval, as it takes long; eval metrics has it"
    found = {}
    for tier, pairs in boundary_pairs(
        evidence.tier_probs, evidence.gold, evidence.query, evidence.weight
    ).items():
        value = auc(pairs, once)
        why = "all gold tiers lie on one side" if np.isnan(value) else reason
        name = f"auc_{tier}"
        found[name] = replace(like, metric=name, value=value, low=float("nan"), high=float("nan"), reason=why)
    return found


def _by_kind(
    evidence: Evidence,
    whole: Decided,
    by_partition: Decided | None,
    most_probable: Tiers,
    slices: tuple[Slice, ...],
    drawn: dict[str, Any],
) -> dict[str, tuple[Mapping[str, Measured], ...]]:
    """Metrics of each kind of query, by argmax and, where there is one, by the partition."""
    attribute = evidence.attributes["kind"]
    if len(attribute.names) == 1:
        both = (whole.metrics, *([] if by_partition is None else [by_partition.metrics]))
        return {attribute.names[0]: both}
    found = {of.value: of.metrics for of in slices if of.attribute == "kind"}
    if by_partition is None:
        return {kind: (metrics,) for kind, metrics in found.items()}
    kinds = replace(evidence, attributes={"kind": attribute})
    return {
        kind: (_by_name(measured), found[kind])
        for (_, kind), measured in measure_slices(kinds, most_probable, **drawn).items()
    }


def _differences(
    ours: Evidence, theirs: Evidence, tiers: Tiers | None, their_tiers: Tiers | None, drawn: dict[str, Any]
) -> dict[str, Difference]:
    return {found.metric: found for found in compare(ours, theirs, tiers, their_tiers, areas=False, **drawn)}


def _by_name(found: list[Measured]) -> dict[str, Measured]:
    return {measured.metric: measured for measured in found}


def _matrix(counts: NDArray[np.float64]) -> Matrix:
    return tuple(tuple(row) for row in counts.tolist())


def _content_hash(connection: duckdb.DuckDBPyConnection, split: str) -> str:
    rows = connection.execute("SELECT content_hash FROM splits WHERE split = ?", [split]).fetchall()
    return str(rows[0][0])
