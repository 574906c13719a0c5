"""The made-up shop: what it holds, what splits of it share, and what word counting makes of it.

``python -m benchmarks.shop [--pairs 20000] [--seed 7]``

Learners are scored by five folds whose predictions are pooled; no intent stands on both sides of a fold (where a row
says so, no query). The six overlap features are the shares of the query's words in the title, in the description and in
either, the Jaccard index of query and title, and the lengths of both in words.
"""

from __future__ import annotations

import html
import re
import tempfile
import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from click.testing import CliRunner
from rich.console import Console
from rich.table import Table
from scipy.sparse import csr_matrix, hstack
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction import FeatureHasher
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score
from sklearn.model_selection import GroupKFold

from curation.__main__ import main as curation
from curation.shop import INGEST_OPTIONS, KINDS, LABELS, ShopRow, generate, write_csv
from warehouse.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Fit = Callable[[np.ndarray[Any, Any], np.ndarray[Any, Any]], np.ndarray[Any, Any]]

BOUND = 0.45
FOLDS = 5
TIERS = {"Excellent": 4, "Related": 3, "Mismatch": 2, "Irrelevant": 1}


def words(text: str) -> set[str]:
    """Words of two letters or more, as the vectorizers take them."""
    return set(re.findall(r"\w\w+", text.lower()))


def description(row: ShopRow) -> str:
    """The description without its markup."""
    return html.unescape(re.sub(r"<[^>]+>", " ", row.description))


def overlap(row: ShopRow) -> list[float]:
    """The six overlap features."""
    asked, title, text = words(row.query), words(row.title), words(description(row))
    shares = (len(asked & title), len(asked & text), len(asked & (title | text)))
    jaccard = len(asked & title) / len(asked | title)
    return [*(share / len(asked) for share in shares), jaccard, len(asked), len(title)]


def distribution(rows: Sequence[ShopRow]) -> Table:
    """Tiers by kinds, and the share of a query's words that an item of each tier shares with it."""
    table = Table("tier", *KINDS, "words shared with title", "with description", title="Pairs")
    for label in LABELS:
        of_tier = [row for row in rows if row.label == label]
        kinds = Counter(row.kind for row in of_tier)
        shared = np.mean([overlap(row) for row in of_tier], axis=0)
        table.add_row(label, *(f"{kinds[kind]:,}" for kind in KINDS), f"{shared[0]:.3f}", f"{shared[1]:.3f}")
    return table


def wordings(rows: Iterable[ShopRow]) -> str:
    """How many queries, intents, and queries for each intent."""
    intents = {row.query: row.intent for row in rows}
    counted = Counter(Counter(intents.values()).values())
    each = ", ".join(f"{count:,} with {n}" for n, count in sorted(counted.items()))
    return f"{len(intents):,} distinct queries, {len(set(intents.values())):,} intents; wordings: {each}"


def splits(rows: Sequence[ShopRow], folder: Path) -> tuple[Table, str]:
    """What frozen eval and train splits of a real store have in common, and which kinds the rules find."""
    write_csv(rows, folder / "shop.csv")
    store = str(folder / "shop.duckdb")
    apart = "query_id NOT IN (SELECT query_id FROM split_queries WHERE role <> 'train')"
    for arguments in (
        ["ingest", "table", str(folder / "shop.csv"), *INGEST_OPTIONS],
        ["split", "create", "eval", "--role", "eval", "--size", str(len(rows) // 5)],
        ["split", "create", "train", "--where", apart],
    ):
        result = CliRunner().invoke(curation, [*arguments, "--db", store])
        if result.exit_code:
            raise click.ClickException(result.output)
    with Store(Path(store)).read() as connection:
        held = connection.execute(
            "SELECT split, q.intent, q.text, v.title, v.description FROM split_members JOIN queries q USING (query_id) "
            "JOIN item_versions v USING (item_version_id)"
        ).fetchall()
        found = dict(connection.execute("SELECT text, kind FROM queries").fetchall())
    sides: dict[str, list[set[str]]] = {"eval_v1": [set(), set(), set()], "train_v1": [set(), set(), set()]}
    for split, intent, *texts in held:
        sides[split][0].add(intent.partition(": ")[2])
        sides[split][1].update(intent.partition("; ")[2].split("; "))
        for text in texts:
            sides[split][2] |= words(text or "")
    table = Table("in eval_v1", "distinct", "also in train_v1", title="Frozen splits")
    for name, tested, trained in zip(
        ("attribute combinations", "single constraints", "words"), *sides.values(), strict=True
    ):
        table.add_row(
            name, f"{len(tested):,}", f"{len(tested & trained):,} ({len(tested & trained) / len(tested):.1%})"
        )
    true = {row.query: row.kind for row in rows}
    right = Counter(kind for query, kind in true.items() if found[query] == kind)
    all_of = Counter(true.values())
    kinds = "Kind found by rules at ingest: " + ", ".join(
        f"{kind} {right[kind] / all_of[kind]:.0%}" for kind in KINDS
    )
    return table, kinds


def linear(texts: Sequence[str], extra: csr_matrix | None, tiers: np.ndarray[Any, Any]) -> Fit:
    """TF-IDF of `texts`, beside `extra`, into a logistic regression."""

    def fit(train: np.ndarray[Any, Any], test: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        vectorizer = TfidfVectorizer(min_df=2)
        seen = vectorizer.fit_transform([texts[i] for i in train])
        unseen = vectorizer.transform([texts[i] for i in test])
        if extra is not None:
            seen, unseen = hstack([seen, extra[train]]).tocsr(), hstack([unseen, extra[test]]).tocsr()
        # Tiers are balanced over words, so the first gradient is small: the default tolerance would stop there.
        model = LogisticRegression(C=10, tol=1e-5, max_iter=100).fit(seen, tiers[train])
        return np.asarray(model.predict(unseen))

    return fit


def boosted(features: np.ndarray[Any, Any], tiers: np.ndarray[Any, Any]) -> Fit:
    """Gradient boosting on the overlap features alone."""
    return lambda train, test: np.asarray(
        HistGradientBoostingClassifier(max_iter=100, random_state=0)
        .fit(features[train], tiers[train])
        .predict(features[test])
    )


def crossed(rows: Sequence[ShopRow], tiers: np.ndarray[Any, Any]) -> Fit:
    """Every word of the query with every word of the title: what a linear model needs to compare the two."""
    pairs = ([f"{a} {b}" for a in words(row.query) for b in words(row.title)] for row in rows)
    features = FeatureHasher(2**20, input_type="string", alternate_sign=False).transform(pairs)
    return lambda train, test: np.asarray(
        SGDClassifier(loss="log_loss", alpha=1e-5, max_iter=20, random_state=0)
        .fit(features[train], tiers[train])
        .predict(features[test])
    )


def scores(rows: Sequence[ShopRow]) -> tuple[Table, float]:
    """What each learner gets, and the best macro-F1 of those that count words."""
    tiers = np.array([TIERS[row.label] for row in rows])
    kinds = np.array([row.kind for row in rows])
    groups = {"intent": [row.intent for row in rows], "query": [row.query for row in rows]}
    features = np.array([overlap(row) for row in rows])
    query_title = [f"{row.query} {row.title}" for row in rows]
    all_text = [f"{row.query} {row.title} {description(row)}" for row in rows]
    bag = linear(all_text, None, tiers)
    floor = linear(query_title, csr_matrix(features), tiers)
    counting: list[tuple[str, str, Fit]] = [
        ("majority", "intent", lambda train, test: np.full(len(test), np.bincount(tiers[train]).argmax())),
        ("TF-IDF (query, title, description)", "intent", bag),
        ("TF-IDF (query, title, description)", "query", bag),
        ("TF-IDF (query, title) + 6 overlaps", "intent", floor),
        ("TF-IDF (query, title) + 6 overlaps", "query", floor),
    ]
    stronger: list[tuple[str, str, Fit]] = [
        ("gradient boosting on 6 overlaps", "intent", boosted(features, tiers)),
        ("query word × title word, linear", "intent", crossed(rows, tiers)),
    ]
    table = Table(
        "learner", "folds by", "macro-F1", "F1 of 4, 3, 2, 1", "accuracy", "κ²", *KINDS, title="Five folds"
    )
    best = 0.0
    for name, group, fit in counting + stronger:
        predicted = np.empty_like(tiers)
        for train, test in GroupKFold(FOLDS).split(tiers, tiers, groups[group]):
            predicted[test] = fit(train, test)
        of_tier = f1_score(tiers, predicted, labels=[4, 3, 2, 1], average=None)
        of_kind = [
            f1_score(tiers[kinds == kind], predicted[kinds == kind], average="macro") for kind in KINDS
        ]
        if (name, group, fit) in counting:
            best = max(best, np.mean(of_tier), *of_kind)
        table.add_row(
            name,
            group,
            f"{np.mean(of_tier):.3f}",
            " ".join(f"{each:.2f}" for each in of_tier),
            f"{accuracy_score(tiers, predicted):.3f}",
            f"{cohen_kappa_score(tiers, predicted, weights='quadratic'):.3f}",
            *(f"{each:.2f}" for each in of_kind),
        )
        Console(stderr=True).print(f"{name}, folds by {group}: {np.mean(of_tier):.3f}")
    return table, best


@click.command(help=__doc__)
@click.option("--pairs", type=click.IntRange(200), default=20_000, show_default=True, help="Judged pairs.")
@click.option("--seed", default=7, show_default=True, help="Of the shop.")
def main(pairs: int, seed: int) -> None:
    """Print the tables."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    rows = list(generate(pairs, seed))
    console = Console(width=150)
    console.print(distribution(rows))
    console.print(wordings(rows))
    with tempfile.TemporaryDirectory() as folder:
        table, kinds = splits(rows, Path(folder))
    console.print(table)
    console.print(kinds)
    table, best = scores(rows)
    console.print(table)
    kept = "stays at or below" if best <= BOUND else "EXCEEDS"
    console.print(f"Word counting {kept} {BOUND}: {best:.3f} at best, over all kinds and within each.")


if __name__ == "__main__":
    main()
