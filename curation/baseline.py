"""The floor that every model has to beat: a bag of words with six overlap features and logistic regression.

Probabilities are out of fold and folds are grouped by intent (by query, where the source names none), so that no
model has seen another item of the query that it judges. Folds that share queries flatter: the words of a query
then tell how its items were judged.
"""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING

from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray

FOLDS = 5
TEACHES = -1
"""In place of a fold: never held out."""

TIERS = (1, 2, 3, 4)

_WORD = re.compile(r"\w+")


def out_of_fold_tier_probs(
    texts: Sequence[tuple[str, str, str]],
    tiers: NDArray[np.int64],
    groups: Sequence[str],
    report: Callable[[int, int], None] = lambda _done, _total: None,
) -> NDArray[np.float64]:
    """Probabilities of tiers 1 to 4 for each pair, shape (pairs, 4), by a model that saw none of its group.

    Args:
        texts: Query, title and description of each pair.
        tiers: Gold tier of each pair, 1 to 4. A tier that a fold's model never saw gets probability 0.
        groups: What may not be torn apart: the intent or query of each pair.
        report: Called with the folds done so far and in all.

    Raises:
        TierwiseError: Too few queries or tiers to hold some out.
    """
    return fold_tier_probs(texts, tiers, assign_folds(tiers, groups), report)


def fold_tier_probs(
    texts: Sequence[tuple[str, str, str]],
    tiers: NDArray[np.int64],
    folds: NDArray[np.int64],
    report: Callable[[int, int], None] = lambda _done, _total: None,
) -> NDArray[np.float64]:
    """As `out_of_fold_tier_probs`, with the `folds` given.

    Args:
        texts: Query, title and description of each pair.
        tiers: Gold tier of each pair, 1 to 4.
        folds: Fold of each pair, 0 to 4, or `TEACHES`: such a pair is learned from in every fold and not predicted;
            its row is 0.
        report: Called with the folds done so far and in all.

    Raises:
        TierwiseError: Some fold leaves one tier to learn from.
    """
    import numpy as np
    from scipy import sparse
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    bags = [f"{query} {title}" for query, title, _ in texts]
    overlap = sparse.csr_matrix([overlap_features(*text) for text in texts])
    tier_probs = np.zeros((len(texts), len(TIERS)))
    for fold in range(FOLDS):
        seen, held = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        if len(held):
            if len(np.unique(tiers[seen])) < 2:
                raise _too_few("all queries but those held out have one tier")
            words = TfidfVectorizer(token_pattern=_WORD.pattern, sublinear_tf=True)
            known = sparse.hstack([words.fit_transform([bags[i] for i in seen]), overlap[seen]], "csr")
            asked = sparse.hstack([words.transform([bags[i] for i in held]), overlap[held]], "csr")
            # The solver's vectors are too short for threads, which make it several times slower.
            with threadpool_limits(1):
                model = LogisticRegression(max_iter=2_000).fit(known, tiers[seen])
            tier_probs[np.ix_(held, model.classes_ - 1)] = model.predict_proba(asked)
        report(fold + 1, FOLDS)
    return tier_probs


def assign_folds(tiers: NDArray[np.int64], groups: Sequence[str]) -> NDArray[np.int64]:
    """Fold of each pair, 0 to 4: groups stay whole, the shares of the tiers are alike. The same each time.

    Raises:
        TierwiseError: Fewer groups than folds, or no tier that every fold could have.
    """
    import numpy as np
    from sklearn.model_selection import StratifiedGroupKFold

    if len(set(groups)) < FOLDS:
        raise _too_few(f"{len(set(groups))} with a gold tier")
    if np.bincount(tiers).max() < FOLDS:
        raise _too_few(f"no tier has {FOLDS} pairs")
    folds = np.zeros(len(tiers), np.int64)
    with warnings.catch_warnings():
        # A tier with fewer pairs than folds: its share cannot be alike, and need not be.
        warnings.filterwarnings("ignore", "The least populated class")
        splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
        parts: Any = splitter.split(tiers, tiers, groups)
        for fold, (_, held) in enumerate(parts):
            folds[held] = fold
    return folds


def overlap_features(query: str, title: str, description: str) -> tuple[float, ...]:
    """How far the words of the query come back in the item, six numbers from 0 to 1.

    The share of them in the title, and in the description; words shared over words of query and title (Jaccard);
    whether the title has all of them, has them in a row, has the last one (in English mostly the noun).
    """
    asked, titled = _words(query), _words(title)
    wanted, offered = set(asked), set(titled)
    if not asked:
        return (0.0,) * 6
    found = len(wanted & offered)
    return (
        found / len(wanted),
        len(wanted.intersection(_words(description))) / len(wanted),
        found / len(wanted | offered),
        float(found == len(wanted)),
        float(f" {' '.join(asked)} " in f" {' '.join(titled)} "),
        float(asked[-1] in offered),
    )


def _words(text: str) -> list[str]:
    """Words in lower case, longer ones without a plural's s."""
    return [word[:-1] if len(word) > 3 and word[-1] == "s" else word for word in _WORD.findall(text.lower())]


def _too_few(found: str) -> TierwiseError:
    return TierwiseError(
        f"too few judged queries for {FOLDS} folds that share none ({found}); "
        "ingest more, or bring a model's own predictions (`suspects --predictions`, `eval predict --from`)"
    )
