"""Evidence made of arrays, without a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from eval.evidence import Attribute, Evidence
from eval.predictors import Predictor

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def evidence(
    tier_probs: ArrayLike,
    gold: ArrayLike,
    query: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    *,
    name: str = "ours",
    kind: ArrayLike | None = None,
) -> Evidence:
    """N pairs; each a query of its own, of weight 1, unless told otherwise. `kind` numbers the kinds a, b, …"""
    golds = np.asarray(gold, np.int64)
    count = len(golds)
    attributes = {}
    if kind is not None:
        codes = np.asarray(kind, np.int64)
        attributes["kind"] = Attribute(tuple("abcdefgh"[: codes.max() + 1]), codes)
    return Evidence(
        predictor=Predictor(name, "file"),
        split="eval_v1",
        role="eval",
        pair_ids=pa.array([f"{number:06d}" for number in range(count)]),
        tier_probs=np.asarray(tier_probs, np.float64),
        gold=golds,
        query=np.arange(count) if query is None else np.unique(np.asarray(query), return_inverse=True)[1],
        weight=np.ones(count) if weight is None else np.asarray(weight, np.float64),
        attributes=attributes,
        undecided={},
        gold_changed=0,
    )


def simulated(
    pairs: int,
    queries: int,
    *,
    seed: int = 0,
    spread: float = 0.5,
    weighted: bool = False,
    name: str = "ours",
) -> Evidence:
    """Probabilities drawn around gold, and calibrated; pairs of a query tend to one tier."""
    rng = np.random.default_rng(seed)
    query = np.unique(rng.integers(queries, size=pairs), return_inverse=True)[1]
    middle = rng.integers(1, 5, size=queries)
    gold = np.where(rng.random(pairs) < 0.5, middle[query], rng.integers(1, 5, size=pairs))
    return evidence(
        draws(gold, rng, spread), gold, query, rng.exponential(size=pairs) if weighted else None, name=name
    )


def draws(gold: NDArray[np.int64], rng: np.random.Generator, spread: float) -> NDArray[np.float64]:
    """Tier probabilities that are right about how often they are right, if all tiers are equally frequent."""
    gamma = rng.standard_gamma(spread + np.eye(4)[gold - 1])
    tier_probs: NDArray[np.float64] = gamma / gamma.sum(axis=1, keepdims=True)
    return tier_probs


@st.composite
def evidences(draw: st.DrawFn, least: int = 1) -> Evidence:
    """Small evidence with ties, absent tiers, certain predictions and weights."""
    count = draw(st.integers(least, 25))
    parts = st.lists(st.integers(0, 4), min_size=4, max_size=4).filter(any)
    probs = np.array(draw(st.lists(parts, min_size=count, max_size=count)), float)
    tiers = st.lists(st.integers(1, 4), min_size=count, max_size=count)
    numbers = st.lists(st.integers(0, 5), min_size=count, max_size=count)
    weights = st.lists(st.sampled_from([0.25, 1.0, 3.0]), min_size=count, max_size=count)
    return evidence(
        probs / probs.sum(axis=1, keepdims=True), draw(tiers), draw(numbers), draw(st.none() | weights)
    )
