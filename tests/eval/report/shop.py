"""Stores with judged pairs, frozen splits, predictors and partitions, as their commands leave them."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from click.testing import CliRunner

from curation.__main__ import main as curation
from curation.prompts import load_template
from eval.decisions import argmax, cumpt, cumulative
from eval.evidence import read_evidence
from eval.metrics.counts import confusion
from eval.metrics.measure import compare, measure
from eval.partition.objectives import OBJECTIVES
from eval.partition.sweep import sweep
from eval.predictors import Predictor
from tests.eval.arrays import draws
from tests.warehouse.support import row
from warehouse.ids import content_id
from warehouse.ledger import Run
from warehouse.parts import insert_rows
from warehouse.store import Store

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from eval.evidence import Evidence
    from eval.metrics.measure import Measured

KINDS = (
    "{} {}",
    "{} without {}",
    "cheaper alternative to {} {}",
    "which {} is best for {}?",
)
"""Queries of four kinds."""


@dataclass(frozen=True, slots=True)
class Sold:
    """A judged pair."""

    query: str
    title: str
    label: int
    description: str = ""
    weight: float = 1.0
    judged_at: str = "2025-03-01"
    judged_by: str = "rater 7"
    reason: str = ""
    locale: str = "en"


def stocked(folder: Path, sold: Sequence[Sold], source: str = "shop") -> Store:
    """A store with `sold` in it."""
    judged = folder / "judged.csv"
    with judged.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Sold)])
        writer.writeheader()
        writer.writerows(asdict(pair) for pair in sold)
    store = Store(folder / "tierwise.duckdb")
    maps = [f"{field.name}={field.name}" for field in fields(Sold)]
    curate("ingest", "table", judged, "--map", *maps, "--source", source, "--db", store.path)
    return store


def freeze(store: Store, role: str, where: str) -> str:
    """A split of that name and role; its name with its version."""
    curate("split", "create", role, "--role", role, "--where", where, "--db", store.path)
    return f"{role}_v1"


def curate(*arguments: object) -> None:
    """Run ``python -m curation``."""
    done = CliRunner().invoke(curation, [*map(str, arguments)])
    assert done.exit_code == 0, (done.output, done.exception)


def sold_at_random(queries: int, items: int, seed: int = 0) -> list[Sold]:
    """Queries of four kinds, half of which begin with fit, with `items` each of any tier."""
    rng = np.random.default_rng(seed)

    def words(count: int) -> str:
        return " ".join(f"w{number}" for number in rng.integers(10**6, size=count))

    pairs = []
    for number in range(queries):
        half = "fit" if number % 2 else "held"
        query = f"{half} {KINDS[number // 2 % 4].format(words(2), words(1))}"
        pairs += [
            Sold(
                query,
                words(6),
                int(rng.choice([1, 2, 3, 4], p=[0.1, 0.15, 0.25, 0.5])),
                description=words(20),
                weight=1.0 + item % 3,
                judged_at=f"2025-{number % 5 + 1:02d}-01",
                locale="de" if number % 3 == 0 else "en",
            )
            for item in range(items)
        ]
    return pairs


def by_model(
    store: Store,
    form: str,
    splits: Sequence[str],
    tier_probs: Callable[[NDArray[np.int64]], NDArray[np.float64]],
    texts: Callable[[int, int], str] | None = None,
) -> Predictor:
    """A model that predicted `splits` in that format.

    Args:
        store: Where its predictions go.
        form: answer-first or reason-first.
        splits: Predicted.
        tier_probs: From gold tiers [N] to probabilities [N, 4].
        texts: From the position of a pair and its most probable tier to a stored sample.
    """
    run = Run("predict", {"splits": list(splits)})
    model, configuration = content_id("model", "tiny"), content_id("configuration", form)
    template = load_template(form)
    predictor = Predictor(f"tiny.{form}", "model", configuration_id=configuration)
    rows: dict[str, list[dict[str, Any]]] = {
        "models": [row("models", model_id=model, name="tiny")],
        "prompts": [row("prompts", prompt_id=template.prompt_id, name=form, format=form, text=template.text)],
        "configurations": [
            row(
                "configurations",
                configuration_id=configuration,
                model_id=model,
                prompt_id=template.prompt_id,
                decoding='{"temperature": 0, "max_tokens": 256}',
            )
        ],
        "predictors": [predictor.row(run.run_id)],
        "rendered_prompts": [],
        "samples": [],
        "predictions": [],
    }
    with store.read() as connection:
        members = connection.execute(
            "SELECT pair_id, judgment_id, item_version_id, tier FROM split_members "
            "WHERE split IN (SELECT unnest(?)) ORDER BY split, pair_id",
            [list(splits)],
        ).fetchall()
    probs = tier_probs(np.array([member[3] for member in members], np.int64))
    for position, (member, its) in enumerate(zip(members, probs.tolist(), strict=True)):
        pair_id, judgment_id, item_version_id, _ = member
        sample: uuid.UUID | None = None
        if texts is not None:
            sample = content_id("sample", form, str(pair_id))
            prompt_hash = content_id("prompt", form, str(pair_id))
            rows["rendered_prompts"].append(
                row(
                    "rendered_prompts",
                    prompt_hash=prompt_hash,
                    pair_id=pair_id,
                    prompt_id=template.prompt_id,
                    item_version_id=item_version_id,
                )
            )
            rows["samples"].append(
                row(
                    "samples",
                    sample_id=sample,
                    pair_id=pair_id,
                    configuration_id=configuration,
                    prompt_hash=prompt_hash,
                    sample_index=0,
                    text=texts(position, int(np.argmax(its)) + 1),
                )
            )
        reasons = form == "reason-first"
        rows["predictions"].append(
            row(
                "predictions",
                prediction_id=content_id("prediction", form, str(pair_id)),
                predictor_id=predictor.predictor_id,
                pair_id=pair_id,
                judgment_id=judgment_id,
                item_version_id=item_version_id,
                basis_id=content_id("basis", form, str(pair_id)),
                sample_id=sample if reasons else None,
                tier_probs=its,
                prompt_tokens=180 + position % 40,
                completion_tokens=90 + position % 30 if reasons else 1,
                seconds=0.8 if reasons else 0.02,
            )
        )
    with store.write(run) as connection:
        for table, found in rows.items():
            insert_rows(connection, table, [{**of, "run_id": str(run.run_id)} for of in found])
    return predictor


def around_gold(seed: int, power: float = 1.0) -> Callable[[NDArray[np.int64]], NDArray[np.float64]]:
    """Probabilities around gold; a `power` above 1 makes them too sure."""

    def drawn(gold: NDArray[np.int64]) -> NDArray[np.float64]:
        powers = draws(gold, np.random.default_rng(seed), 0.7) ** power
        tier_probs: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
        return tier_probs

    return drawn


def partitioned(
    store: Store,
    predictor: Predictor,
    fit_split: str,
    judge_split: str,
    *,
    kind: str = "one-theta",
    promises: Sequence[dict[str, Any]] = (),
    **details: Any,
) -> str:
    """A partition for macro-F1, in one θ or in three around it; its id."""
    name = str(predictor.predictor_id)
    with store.read() as connection:
        fitted_on, judged_on = (read_evidence(connection, name, split) for split in (fit_split, judge_split))
    objective = OBJECTIVES["macro_f1"]
    curve = sweep(cumulative(fitted_on.tier_probs), fitted_on.gold, objective, fitted_on.weight)
    thetas = [curve.theta] * 3
    if kind == "per-boundary":
        thetas = [curve.theta - 0.05, curve.theta, curve.theta + 0.05]
    decided = cumpt(judged_on.tier_probs, thetas)
    partition_id = str(content_id("partition", name, fit_split, judge_split, kind))
    run = Run("partition", {})
    told = {
        "chosen": kind.replace("-theta", " theta").replace("-", " "),
        "choice": "one θ: one for each boundary is not clearly better",
        "alternatives": _alternatives(judged_on, thetas),
        "shares": _stability(judged_on, decided),
        "warnings": [],
        **details,
    }
    with store.write(run) as connection:
        insert_rows(
            connection,
            "partitions",
            [
                row(
                    "partitions",
                    partition_id=partition_id,
                    predictor_id=name,
                    fit_split=fit_split,
                    judge_split=judge_split,
                    same_split=fit_split == judge_split,
                    kind=kind,
                    objective="macro_f1",
                    thetas=thetas,
                    theta_low=curve.theta * 0.9,
                    theta_high=min(1.0, curve.theta * 1.1),
                    fit_value=curve.value,
                    judge_value=float(objective.value(confusion(judged_on.gold, decided, judged_on.weight))),
                    promises=json.dumps(list(promises)),
                    details=json.dumps(told),
                    created_at=run.started_at,
                    run_id=run.run_id,
                )
            ],
        )
    return partition_id


def _alternatives(evidence: Evidence, thetas: Sequence[float]) -> list[dict[str, Any]]:
    top = argmax(evidence.tier_probs)
    found: list[dict[str, Any]] = []
    for name, of in (("argmax", None), ("one theta", [thetas[1]] * 3), ("per boundary", list(thetas))):
        tiers = top if of is None else cumpt(evidence.tier_probs, of)
        changes = compare(evidence, evidence, tiers, top, resamples=100, areas=False) if of else []
        found.append(
            {
                "name": name,
                "thetas": of,
                "fit": {},
                "judge": _told(measure(evidence, tiers, resamples=100, areas=False)),
                "versus_argmax": _told(changes),
            }
        )
    return found


def _told(found: Sequence[Measured]) -> dict[str, dict[str, float]]:
    kept = ("accuracy", "macro_f1", "f1_34")
    return {
        of.metric: {"value": of.value, "low": of.low, "high": of.high} for of in found if of.metric in kept
    }


def _stability(evidence: Evidence, decided: NDArray[np.int64]) -> list[dict[str, Any]]:
    shares = []
    for by in ("month", "source", "kind"):
        attribute = evidence.attributes[by]
        for code, value in enumerate(attribute.names):
            rows = attribute.codes == code
            counts = np.bincount(decided[rows], minlength=5)[1:]
            shares.append(
                {
                    "by": by,
                    "value": value,
                    "pairs": int(rows.sum()),
                    "queries": len(np.unique(evidence.query[rows])),
                    "shares": (counts / rows.sum()).tolist(),
                }
            )
    return shares


def doubt(store: Store, split: str, scorer: str = "bag-of-words") -> None:
    """Let confident learning doubt the gold of every seventh pair of `split`."""
    run = Run("suspects", {})
    with store.write(run) as connection:
        members = connection.execute(
            "SELECT pair_id, judgment_id, tier FROM split_members WHERE split = ? ORDER BY pair_id", [split]
        ).fetchall()[::7]
        insert_rows(
            connection,
            "label_scores",
            [
                row(
                    "label_scores",
                    label_score_id=content_id("score", scorer, str(pair_id)),
                    pair_id=pair_id,
                    judgment_id=judgment_id,
                    scorer=scorer,
                    tier=tier,
                    suggested_tier=tier % 4 + 1,
                    label_quality=0.05,
                    run_id=run.run_id,
                )
                for pair_id, judgment_id, tier in members
            ],
        )
