"""The numbers of the ladder, each with the row that it comes from."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING, Any

from curation.recipe.fingerprints import Fingerprints
from curation.recipe.plan import make_plan
from curation.recipe.reading import find_recipe, read_recipe
from curation.recipe.records import stage_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

    from curation.recipe.records import Record
    from warehouse.store import Store

RECIPE = "shop-small"
SEEDS = (0, 1, 2)
FORMS = ("reason-first", "answer-first")

RUNGS = {
    "label-only": "label-only SFT",
    "cot-sft": "CoT SFT",
    "dpo": "+ DPO",
    "grpo-static": "+ GRPO, static",
    "grpo-dynamic": "+ GRPO, dynamic",
    "grpo-careless": "… without `consistent`",
}
"""Stages that make a model, lowest first."""

GAINS = {
    "gain-cot-sft": ("cot-sft", "label-only"),
    "gain-dpo": ("dpo", "cot-sft"),
    "gain-grpo-static": ("grpo-static", "dpo"),
    "gain-grpo-dynamic": ("grpo-dynamic", "grpo-static"),
    "gain-consistent": ("grpo-dynamic", "grpo-careless"),
    "gain-whole": ("grpo-dynamic", "label-only"),
}
"""Stages that compare two of them on the same queries."""

TRAINED = ("num_tokens", "dynamic/generated_tokens")
"""Metrics of training that count up to a total."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number of one seed: its 95 % interval over queries, if it has one, and the id whose lineage leads on."""

    value: float
    low: float | None
    high: float | None
    row_id: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A number over seeds."""

    seeds: tuple[Number, ...]

    @property
    def mean(self) -> float:
        """Over seeds."""
        return fmean(number.value for number in self.seeds)

    @property
    def interval(self) -> tuple[float, float] | None:
        """The mean of each end over seeds."""
        lows = [number.low for number in self.seeds if number.low is not None]
        highs = [number.high for number in self.seeds if number.high is not None]
        return (fmean(lows), fmean(highs)) if len(lows) == len(highs) == len(self.seeds) else None

    @property
    def spread(self) -> tuple[float, float]:
        """The least and the largest value."""
        values = [number.value for number in self.seeds]
        return min(values), max(values)


@dataclass(slots=True)
class Ladder:
    """One form of the ladder.

    Attributes:
        form: answer-first or reason-first.
        seeds: Those that were climbed to the end.
        numbers: Of each stage by measure, a number for each of `seeds`.
        records: What each stage said, for each of `seeds`.
    """

    form: str
    seeds: list[int] = field(default_factory=list)
    numbers: dict[tuple[str, str], list[Number]] = field(default_factory=dict)
    records: list[Mapping[str, Record]] = field(default_factory=list)

    def cell(self, stage: str, measure: str) -> Cell | None:
        """The measure of a stage over seeds, None where it has none."""
        found = self.numbers.get((stage, measure))
        return Cell(tuple(found)) if found and len(found) == len(self.seeds) else None


def read_ladder(store: Store, form: str, seeds: Sequence[int] = SEEDS) -> Ladder:
    """Read what the store has of the recipe in `form`; seeds that are not done are left out."""
    ladder = Ladder(form)
    for seed in seeds:
        recipe = read_recipe(find_recipe(RECIPE), {"prompt": form, "seed": str(seed)})
        plan = make_plan(store, recipe, Fingerprints())
        records = {name: each.record for name, each in plan.items() if each.record is not None}
        if len(records) < len(plan):
            continue
        ladder.seeds.append(seed)
        ladder.records.append(records)
        with store.read(copy_if_held=True) as connection:
            _read_seed(connection, ladder, records)
    return ladder


def _read_seed(connection: duckdb.DuckDBPyConnection, ladder: Ladder, records: Mapping[str, Record]) -> None:
    def keep(stage: str, measure: str, number: Number) -> None:
        ladder.numbers.setdefault((stage, measure), []).append(number)

    split = records["eval"].outputs["split"]
    for rung in RUNGS:
        predictor = records[f"predict-{rung}"].outputs["predictor_id"]
        partition = records[f"cumpt-{rung}"].outputs["partition_id"]
        asked: list[tuple[str, dict[str, Any]]] = [
            ("", {"predictor_id": predictor}),
            ("cumpt_", {"predictor_id": predictor, "partition_id": partition}),
        ]
        if sampled := records.get(f"sample-{rung}"):
            asked.append(("", {"configuration_id": sampled.outputs["configuration"]}))
        for prefix, by in asked:
            for metric, number in _evaluations(connection, split, by):
                keep(rung, prefix + metric, number)
        if chains := records.get(f"chains-{rung}"):
            slope = chains.outputs["slope"]
            keep(rung, "slope", Number(**slope, row_id=str(stage_id(chains.key))))
        stage = records[rung]
        run, seconds = connection.execute(
            "SELECT CAST(r.run_id AS VARCHAR), epoch(s.ended_at - s.started_at) FROM stages s "
            "JOIN runs r USING (stage_id) WHERE s.key = ? AND s.ended_at IS NOT NULL ORDER BY s.ended_at DESC LIMIT 1",
            [stage.key],
        ).fetchall()[0]
        keep(rung, "minutes", Number(seconds / 60, None, None, run))
        for metric, total in connection.execute(
            "SELECT metric, max(value) FROM training_metrics "
            "WHERE run_id = ? AND list_contains(?, metric) GROUP BY ALL",
            [run, list(TRAINED)],
        ).fetchall():
            keep(rung, metric, Number(total, None, None, run))
    for gain, (ours, theirs) in GAINS.items():
        compared = {
            "predictor_id": records[f"predict-{ours}"].outputs["predictor_id"],
            "versus_id": records[f"predict-{theirs}"].outputs["predictor_id"],
        }
        for metric, number in _evaluations(connection, split, compared):
            keep(gain, metric, number)


def _evaluations(
    connection: duckdb.DuckDBPyConnection, split: str, by: Mapping[str, Any]
) -> list[tuple[str, Number]]:
    whose = {**dict.fromkeys(("predictor_id", "configuration_id", "partition_id", "versus_id")), **by}
    where = " AND ".join(f"{column} IS NOT DISTINCT FROM ?::UUID" for column in whose)
    return [
        (metric, Number(value, low, high, evaluation))
        for metric, value, low, high, evaluation in connection.execute(
            "SELECT metric, value, low, high, CAST(evaluation_id AS VARCHAR) FROM evaluations "
            f"WHERE split = ? AND slice = 'all' AND value IS NOT NULL AND {where} ORDER BY metric",
            [split, *whose.values()],
        ).fetchall()
    ]
