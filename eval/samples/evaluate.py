"""Measuring samples that the store holds: checks what is unchecked, counts, warns, keeps the results."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from curation.checks.checking import check_texts
from curation.configurations import pick_configuration
from eval.evaluation import keep_measured
from eval.metrics.cautions import split_cautions
from eval.samples.measure import left_out, measure, measure_slices
from eval.samples.sampled import read_sampled, require_samples
from warehouse.ddl import sql_text
from warehouse.ledger import Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from eval.metrics.measure import Measured
    from eval.samples.sampled import Sampled
    from warehouse.store import Store


@dataclass(frozen=True, slots=True)
class SampleEvaluation:
    """What was measured.

    Attributes:
        sampled: The samples, counted.
        whole: Metrics of the split.
        slices: Metrics by attribute and value.
        warnings: What to know before believing them.
        written: Rows of ``evaluations`` new, changed and removed; none where another process kept the store.
    """

    sampled: Sampled
    whole: list[Measured]
    slices: dict[tuple[str, str], list[Measured]]
    warnings: list[str]
    written: dict[str, int]


def evaluate_samples(
    store: Store,
    split: str,
    *,
    configuration: str | None,
    resamples: int,
    seed: int,
    report: Callable[[int, int], None] = lambda _done, _total: None,
) -> SampleEvaluation:
    """Measure the samples of a configuration for the pairs of `split`, and store the metrics.

    They replace what was stored for the same configuration and split. Texts of these pairs that the checks have not
    read are checked first.

    Args:
        store: Held only while it is read and written.
        split: Whose frozen gold tiers.
        configuration: Beginning of its id; the newest finished one if not given.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.
        report: Called with the texts checked so far and in all.

    Raises:
        TierwiseError: No such split or configuration, one whose samples judge nothing, or pairs without samples.
    """
    store.merge_waiting()
    with store.read() as connection:
        picked = pick_configuration(connection, configuration)
        failed = require_samples(connection, picked, split)
    where = f"pair_id IN (SELECT pair_id FROM split_members WHERE split = {sql_text(split)})"
    check_texts(store, where=where, report=report)
    with store.read() as connection:
        sampled = read_sampled(connection, picked, split, failed)
    whole = measure(sampled, resamples=resamples, seed=seed)
    slices = measure_slices(sampled, resamples=resamples, seed=seed)
    warnings = [*split_cautions(sampled), *_cautions(sampled)]
    key = {"configuration_id": picked.configuration_id, "split": split}
    run = Run(
        "samples",
        {"split": split, "configuration": configuration, "resamples": resamples, "seed": seed},
        configuration_id=uuid.UUID(picked.configuration_id),
    )
    measured = {("all", "all"): whole} | slices
    written = keep_measured(store, run, key, measured, weighted=sampled.weighted, warnings=warnings)
    return SampleEvaluation(sampled, whole, slices, warnings, written)


def _cautions(sampled: Sampled) -> list[str]:
    """Values of k, pairs and samples that are left out, a line each."""
    found = [
        f"pass_{k} is left out: {fewer:,} of the {len(sampled.n):,} pairs have fewer than {k} samples"
        for k, fewer in left_out(sampled).items()
    ]
    if sampled.failed:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in sampled.failed.items())
        found.append(
            f"{sum(sampled.failed.values()):,} pairs of {sampled.split} could not be sampled and are left out: "
            f"{reasons}"
        )
    if unchecked := int((sampled.n - sampled.checked).sum()):
        found.append(
            f"{unchecked:,} samples are left out of hallucination rates: empty, or of pairs without a gold tier now, "
            "which the checks do not read"
        )
    return found
