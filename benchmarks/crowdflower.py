"""CrowdFlower: the two baselines out of fold, and what CumPT buys over argmax on held-out queries, and costs.

``python -m benchmarks.crowdflower [--data train.csv]``

Everything goes through a store as the commands do it: ingest, split, predict, measure.

The first table is the baselines on all pairs, folds grouped by query. Its theta is fitted on the very pairs that it is
judged on, which flatters it. In the second, each seed draws half of the queries for calibration and leaves the other
half for eval, less the near-copies of calibration pairs. TF-IDF predicts each half out of fold and from its own labels,
one theta is fitted for macro-F1 on calibration, and CumPT less argmax is told on eval, with a paired 95 % interval by
bootstrap over queries.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from benchmarks import CROWDFLOWER
from curation.ingest.files import open_tables
from curation.ingest.load import ingest
from curation.ingest.sources import CrowdFlower
from curation.splits.create import Recipe, create_split
from eval.decisions import argmax, cumpt, cumulative
from eval.evidence import read_evidence
from eval.metrics.counts import TIERS, accuracy, confusion, f1, macro_f1, quadratic_kappa
from eval.metrics.measure import compare
from eval.partition.objectives import OBJECTIVES
from eval.partition.sweep import sweep
from eval.predict.baselines import predict_baseline
from warehouse.store import Store

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from eval.evidence import Evidence
    from eval.metrics.measure import Difference
    from eval.predict.baselines import Baseline

SEEDS = (0, 1, 2, 3, 4)


@click.command(help=__doc__)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=CROWDFLOWER,
    help="train.csv of Search Results Relevance.  [default: shared/data/crowdflower beside this checkout]",
)
def main(data: Path) -> None:
    """Print both tables."""
    if not data.exists():
        print(f"CrowdFlower: no {data}, not measured")
        return
    console = Console(width=125)
    with tempfile.TemporaryDirectory(prefix="tierwise-crowdflower-") as folder:
        judged = Path(folder) / "judged.duckdb"
        ingest(Store(judged), CrowdFlower(), open_tables([data]))
        console.print(floor(copy(judged, "all")))
        console.print(held_out([copy(judged, f"seed-{seed}") for seed in SEEDS]))


def copy(judged: Path, name: str) -> Store:
    """A store of its own: in one, splits of two roles may not share a query."""
    path = judged.with_name(f"{name}.duckdb")
    shutil.copyfile(judged, path)
    return Store(path)


def predicted(store: Store, split: str, baseline: Baseline) -> Evidence:
    """What `baseline` says of `split`."""
    predict_baseline(store, split, baseline)
    with store.read() as connection:
        return read_evidence(connection, baseline, split)


def fit(evidence: Evidence) -> float:
    """The best theta for macro-F1."""
    return sweep(cumulative(evidence.tier_probs), evidence.gold, OBJECTIVES["macro_f1"]).theta


def floor(store: Store) -> Table:
    """Both baselines on all pairs."""
    split = create_split(store, Recipe("all", role="eval"))["split"]
    majority, tfidf = predicted(store, split, "majority"), predicted(store, split, "tfidf")
    theta = fit(tfidf)
    table = Table(title=f"{len(tfidf.gold):,} pairs, {tfidf.queries} queries, out of fold by query")
    columns = ("accuracy", "macro-F1", "F1 of tiers 1, 2, 3, 4", "F1 of {3,4}", "quadratic kappa")
    for column in ("baseline", "decision", *columns):
        table.add_column(column)
    for evidence, decision, tiers in (
        (majority, "argmax", argmax(majority.tier_probs)),
        (tfidf, "argmax", argmax(tfidf.tier_probs)),
        (tfidf, f"CumPT, θ = {theta:.3f}", cumpt(tfidf.tier_probs, [theta] * 3)),
    ):
        table.add_row(evidence.predictor.name, decision, *_headline(evidence, tiers))
    return table


def _headline(evidence: Evidence, tiers: NDArray[np.int64]) -> tuple[str, ...]:
    counts = confusion(evidence.gold, tiers)
    return (
        f"{accuracy(counts):.3f}",
        f"{macro_f1(counts):.3f}",
        ", ".join(f"{f1(counts, (tier,)):.3f}" for tier in TIERS),
        f"{f1(counts, (3, 4)):.3f}",
        f"{quadratic_kappa(counts):.3f}",
    )


def held_out(stores: list[Store]) -> Table:
    """CumPT less argmax on the queries that theta was not fitted on, a row for each seed."""
    table = Table(
        title="TF-IDF, argmax → CumPT: θ fitted on half of the pairs, judged on the queries of the others"
    )
    table.add_column("seed")
    for column in ("queries", "θ", "macro-F1", "difference", "accuracy", "difference"):
        table.add_column(column, justify="right", no_wrap=True)
    found: dict[str, list[float]] = {"macro_f1": [], "accuracy": []}
    for seed, store in zip(SEEDS, stores, strict=True):
        fitted_on, judged_on = halves(store, seed)
        theta = fit(fitted_on)
        cut = cumpt(judged_on.tier_probs, [theta] * 3)
        differences = {
            of.metric: of
            for of in compare(judged_on, judged_on, cut, seed=seed, areas=False)
            if of.metric in found
        }
        for name, values in found.items():
            values.append(differences[name].value)
        table.add_row(
            str(seed),
            f"{fitted_on.queries} | {judged_on.queries}",
            f"{theta:.3f}",
            *(text for name in found for text in _shown(differences[name])),
        )
    table.add_section()
    means = [f"{fmean(values):+.3f}" for values in found.values()]
    table.add_row("mean", "", "", "", means[0], "", means[1])
    return table


def halves(store: Store, seed: int) -> tuple[Evidence, Evidence]:
    """TF-IDF on half of the queries, and on the others."""
    with store.read() as connection:
        pairs = connection.execute("SELECT count(*) FROM pairs WHERE tier IS NOT NULL").fetchall()[0][0]
    fit_split = create_split(store, Recipe("fit", size=pairs // 2, role="calibration", seed=seed))["split"]
    others = "query_id NOT IN (SELECT query_id FROM split_queries)"
    judge_split = create_split(store, Recipe("judge", others, role="eval", drop_near_copies=True))["split"]
    return predicted(store, fit_split, "tfidf"), predicted(store, judge_split, "tfidf")


def _shown(of: Difference) -> tuple[str, str]:
    return f"{of.theirs:.3f} → {of.ours:.3f}", f"{of.value:+.3f} ({of.low:+.3f} to {of.high:+.3f})"


if __name__ == "__main__":
    main()
