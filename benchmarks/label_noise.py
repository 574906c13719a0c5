"""Label noise: how many planted flips stand at the top of the suspects, against chance.

``python -m benchmarks.label_noise``

In labels taken for true, a tenth is flipped: to any other tier (uniform) or to a neighbouring one (adjacent). The
pairs are then ranked by label quality, and precision at the number planted (P@K) is the share of flips among as
many of the worst: a tenth by chance. CrowdFlower's own labels are not all true, so what is found there beside the
flips is not all wrong.

The bag of words is the baseline that `curation suspects` uses. Crossed words are a logistic regression on each word of
the query together with each attribute of the item, where the items have attributes: a model that can learn what goes
with what, out of fold like the baseline. The simulated scorers are no models: their
probabilities are drawn around the true tier, calibrated (the tiers that get 0.7 are true in 70 %), to show what a
better model would buy. Label quality is the probability of the label; one column ranks by the normalised margin.
Precision and recall are those of the flag `suspect`.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
from cleanlab.rank import get_label_quality_scores
from rich.console import Console
from rich.table import Table
from sklearn.feature_extraction import FeatureHasher
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from benchmarks import CROWDFLOWER
from curation.baseline import FOLDS, TIERS, assign_folds, out_of_fold_tier_probs
from curation.ingest.files import open_tables
from curation.ingest.load import ingest
from curation.ingest.sources import CrowdFlower, MappedTable
from curation.label_noise import score_labels
from curation.scorers import read_gold, read_texts
from curation.shop import generate, write_csv
from curation.shop.rows import COLUMNS
from warehouse.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from curation.ingest.sources import Source

PAIRS = 5_000
PLANTED = 0.1
SEEDS = (0, 1, 2)
COMMON = 20
SHOP_TIERS = {"Excellent": 4, "Related": 3, "Mismatch": 2, "Irrelevant": 1}


@dataclass(frozen=True, slots=True)
class Data:
    """Pairs as the store has them, with the tiers taken for true; `attributes` are name=value."""

    texts: list[tuple[str, str, str]]
    groups: list[str]
    tiers: NDArray[np.int64]
    attributes: list[list[str]]


def main() -> None:
    """Print a table for each data set."""
    with tempfile.TemporaryDirectory(prefix="tierwise-noise-") as folder:
        shop = Path(folder) / "shop.csv"
        write_csv(generate(PAIRS, seed=0), shop)
        fields = {name: name for name in MappedTable.FIELDS if name in COLUMNS}
        measure("shop", load(Path(folder), MappedTable("shop", fields, SHOP_TIERS), shop))
        if CROWDFLOWER.exists():
            measure("CrowdFlower", load(Path(folder), CrowdFlower(), CROWDFLOWER))
        else:
            print(f"CrowdFlower: no {CROWDFLOWER}, not measured")


def load(folder: Path, source: Source, path: Path) -> Data:
    """The pairs of the file, through a store of their own."""
    store = Store(folder / f"{source.name}.duckdb")
    ingest(store, source, open_tables([path]))
    with store.read() as connection:
        texts, groups = read_texts(connection)
        found = connection.execute(
            "SELECT coalesce(attributes, '{}') FROM pairs p JOIN item_versions v "
            "ON v.item_version_id = p.item_version_id WHERE p.tier IS NOT NULL ORDER BY p.pair_id"
        ).fetchall()
        attributes = [[f"{name}={value}" for name, value in json.loads(row[0]).items()] for row in found]
        return Data(texts, groups, read_gold(connection).tiers, attributes)


def measure(name: str, data: Data) -> None:
    """Print one data set's table: medians over the seeds."""
    table = Table(
        "noise",
        "scorer",
        "accuracy",
        "P@K",
        "× chance",
        "P@K by margin",
        "flagged",
        "precision",
        "recall",
        title=f"{name}: {len(data.tiers):,} pairs, {PLANTED:.0%} flipped, "
        f"chance {PLANTED:.2f}, medians of {len(SEEDS)}",
    )
    for noise, flip in (("uniform", _any_other), ("adjacent", _neighbour)):
        for scorer, predict in SCORERS.items():
            if predict is _crossed_words and not any(data.attributes):
                continue
            runs = [_measure_once(data, flip, predict, seed) for seed in SEEDS]
            middle = {column: median(run[column] for run in runs) for column in runs[0]}
            table.add_row(
                noise,
                scorer,
                f"{middle['accuracy']:.2f}",
                f"{middle['quality']:.3f}",
                f"{middle['quality'] / PLANTED:.1f}",
                f"{middle['margin']:.3f}",
                f"{middle['flagged']:,.0f}",
                f"{middle['precision']:.2f}",
                f"{middle['recall']:.2f}",
            )
    Console(width=120).print(table)


def _measure_once(
    data: Data,
    flip: Callable[[np.random.Generator, int], int],
    predict: Callable[[Data, NDArray[np.int64], np.random.Generator], NDArray[np.float64]],
    seed: int,
) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    count = round(PLANTED * len(data.tiers))
    planted = np.zeros(len(data.tiers), bool)
    planted[rng.choice(len(data.tiers), count, replace=False)] = True
    labels = data.tiers.copy()
    labels[planted] = [flip(rng, tier) for tier in data.tiers[planted]]
    tier_probs = predict(data, labels, rng)
    scores = score_labels(labels, tier_probs)
    margin = get_label_quality_scores(labels - 1, tier_probs, method="normalized_margin")
    return {
        "accuracy": float((scores.suggested == data.tiers).mean()),
        "quality": _precision(planted, scores.quality, count),
        "margin": _precision(planted, margin, count),
        "flagged": float(scores.suspect.sum()),
        "precision": float(planted[scores.suspect].mean()),
        "recall": float(scores.suspect[planted].mean()),
    }


def _precision(planted: NDArray[np.bool_], quality: NDArray[np.float64], count: int) -> float:
    return float(planted[np.argsort(quality, kind="stable")[:count]].mean())


def _any_other(rng: np.random.Generator, tier: int) -> int:
    return int(rng.choice([other for other in TIERS if other != tier]))


def _neighbour(rng: np.random.Generator, tier: int) -> int:
    return int(rng.choice([other for other in TIERS if abs(other - tier) == 1]))


def _bag_of_words(data: Data, labels: NDArray[np.int64], _: np.random.Generator) -> NDArray[np.float64]:
    return out_of_fold_tier_probs(data.texts, labels, data.groups)


def _crossed_words(data: Data, labels: NDArray[np.int64], _: np.random.Generator) -> NDArray[np.float64]:
    # Prices and free text recur too rarely to learn from.
    pairs_with = Counter(attribute for attributes in data.attributes for attribute in attributes)
    crossed = [
        [
            f"{word} {attribute}"
            for word in set(re.findall(r"\w+", query.lower()))
            for attribute in attributes
            if pairs_with[attribute] >= COMMON
        ]
        for (query, _title, _description), attributes in zip(data.texts, data.attributes, strict=True)
    ]
    features = FeatureHasher(2**16, input_type="string", alternate_sign=False).transform(crossed)
    folds = assign_folds(labels, data.groups)
    tier_probs = np.zeros((len(labels), len(TIERS)))
    for fold in range(FOLDS):
        seen, held = folds != fold, folds == fold
        with threadpool_limits(1):
            model = LogisticRegression(C=0.03, max_iter=500).fit(features[seen], labels[seen])
        tier_probs[held] = model.predict_proba(features[held])
    return tier_probs


def _simulated(
    spread: float,
) -> Callable[[Data, NDArray[np.int64], np.random.Generator], NDArray[np.float64]]:
    """Draws from Dirichlet(spread × shares of the tiers + 1 at the true one): the less spread, the better.

    As the shares are the prior of the tiers, p(tier | draw) is the draw itself.
    """

    def predict(data: Data, _: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float64]:
        shares = np.bincount(data.tiers, minlength=5)[1:] / len(data.tiers)
        at_truth = np.eye(len(TIERS))[data.tiers - 1]
        draws: NDArray[np.float64] = rng.standard_gamma(spread * shares + at_truth)
        tier_probs: NDArray[np.float64] = draws / draws.sum(axis=1, keepdims=True)
        return tier_probs

    return predict


SCORERS = {
    "bag of words": _bag_of_words,
    "crossed words": _crossed_words,
    "simulated, spread 1": _simulated(1.0),
    "simulated, spread 0.3": _simulated(0.3),
}


if __name__ == "__main__":
    main()
