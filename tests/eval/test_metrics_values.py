"""Metrics against scikit-learn, wherever it has them; undefined ones have a reason."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.decisions import argmax, cumulative
from eval.metrics.measure import measure
from eval.metrics.ranks import expected_tier
from tests.eval.arrays import evidence, evidences, simulated

if TYPE_CHECKING:
    from eval.evidence import Evidence
    from eval.metrics.measure import Measured

CERTAIN = np.eye(4)


def measured(of: Evidence, **settings: Any) -> dict[str, Measured]:
    return {found.metric: found for found in measure(of, **({"resamples": 5} | settings))}


def of_scikit_learn(of: Evidence, k: int) -> dict[str, float]:
    """Metrics by name; NaN where scikit-learn has none or warns."""
    gold, tiers, weight = of.gold, argmax(of.tier_probs), of.weight
    weights = {"sample_weight": weight}
    labels = [1, 2, 3, 4]
    per_tier = sk.f1_score(gold, tiers, labels=labels, average=None, zero_division=np.nan, **weights)
    upper_gold, upper = gold >= 3, tiers >= 3
    expected = {
        "accuracy": sk.accuracy_score(gold, tiers, **weights),
        "macro_f1": sk.f1_score(gold, tiers, average="macro", **weights),
        **{f"f1_{tier}": value for tier, value in zip(labels, per_tier, strict=True)},
        "f1_34": sk.f1_score(upper_gold, upper, zero_division=np.nan, **weights),
        "quadratic_kappa": sk.cohen_kappa_score(gold, tiers, weights="quadratic", labels=labels, **weights),
        "mae": sk.mean_absolute_error(gold, tiers, **weights),
        "log_loss": sk.log_loss(gold, of.tier_probs, labels=labels, **weights),
        "brier": sk.brier_score_loss(gold, of.tier_probs, labels=labels, **weights),
    }
    for tier, reached in zip((4, 3, 2), cumulative(of.tier_probs), strict=True):
        both = len(set((gold >= tier).tolist())) == 2
        expected[f"auc_{tier}"] = sk.roc_auc_score(gold >= tier, reached, **weights) if both else math.nan
    ranked, traffic = [], []
    for query in range(of.queries):
        rows = of.query == query
        if rows.sum() > 1 and gold[rows].max() > 1:
            scores = expected_tier(of.tier_probs[rows])
            ranked.append(sk.ndcg_score([2.0 ** (gold[rows] - 1) - 1], [scores], k=k))
            traffic.append(weight[rows].mean())
    expected[f"ndcg_{k}"] = float(np.average(ranked, weights=traffic)) if ranked else math.nan
    return expected


@given(evidences(), st.integers(1, 12))
@settings(deadline=None)
def test_metrics_are_those_of_scikit_learn(of: Evidence, k: int) -> None:
    found = measured(of, k=k)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = of_scikit_learn(of, k)
    assert found.keys() == expected.keys() | {"ece"}
    for name, value in expected.items():
        assert found[name].value == pytest.approx(value, abs=1e-9, nan_ok=True), name
        assert math.isnan(found[name].value) <= bool(found[name].reason), name
        assert math.isnan(found[name].low) == bool(found[name].reason), name


def test_many_pairs_are_those_of_scikit_learn_too() -> None:
    of = simulated(5_000, 400, weighted=True)
    found = measured(of)
    for name, value in of_scikit_learn(of, 10).items():
        assert found[name].value == pytest.approx(value, abs=1e-9), name


@given(evidences(), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=30)
def test_the_order_of_pairs_changes_nothing(of: Evidence, random: Any) -> None:
    order = np.array(random.sample(range(len(of.gold)), len(of.gold)))
    shuffled = replace(
        of,
        tier_probs=of.tier_probs[order],
        gold=of.gold[order],
        query=of.query[order],
        weight=of.weight[order],
    )
    for name, found in measured(shuffled).items():
        was = measured(of)[name]
        assert (found.value, found.low, found.high) == pytest.approx(
            (was.value, was.low, was.high), abs=1e-9, nan_ok=True
        )
        assert (found.reason, found.pairs, found.queries) == (was.reason, was.pairs, was.queries)


def test_ece_is_the_gap_between_confidence_and_accuracy() -> None:
    sure = [[0.1, 0.1, 0.1, 0.7]] * 10
    half = [[0.5, 0.3, 0.1, 0.1]] * 10
    of = evidence(sure + half, [4] * 5 + [1] * 5 + [1] * 9 + [2])
    assert measured(of)["ece"].value == pytest.approx((0.2 + 0.4) / 2)


def test_tiers_may_be_decided_otherwise() -> None:
    of = evidence([[0.4, 0.3, 0.2, 0.1]] * 4, [2, 2, 2, 1])
    assert measured(of)["accuracy"].value == 0.25
    decided = measured(of, predicted=np.array([2, 2, 2, 2]))
    assert decided["accuracy"].value == 0.75
    assert decided["log_loss"].value == measured(of)["log_loss"].value


def test_an_absent_tier_is_undefined_with_a_reason() -> None:
    found = measured(evidence(CERTAIN[[0, 0, 2, 2]], [1, 1, 3, 1]))
    for name, reason in {
        "f1_2": "no pair has tier 2, in gold or prediction",
        "f1_4": "no pair has tier 4, in gold or prediction",
        "auc_4": "no pair has gold tier 4 or above",
    }.items():
        assert math.isnan(found[name].value)
        assert math.isnan(found[name].low)
        assert found[name].reason == reason
    assert found["f1_3"].value == pytest.approx(2 / 3)
    assert found["macro_f1"].value == pytest.approx((0.8 + 2 / 3) / 2)


def test_all_the_same_leaves_kappa_areas_and_ranks_undefined() -> None:
    found = measured(evidence(CERTAIN[[0] * 3], [1, 1, 1], query=[0, 0, 1]))
    assert found["accuracy"].value == 1
    assert found["quadratic_kappa"].reason == "gold and predicted tiers are all one tier"
    assert found["auc_2"].reason == "no pair has gold tier 2 or above"
    assert found["ndcg_10"].reason == "no query has two pairs and one above tier 1"
    assert measured(evidence(CERTAIN[[3]], [4]))["auc_2"].reason == "no pair has gold tier below 2"


def test_ndcg_tells_over_which_queries_it_is() -> None:
    found = measured(evidence(CERTAIN[[0, 3, 3, 0, 0]], [1, 4, 4, 1, 1], query=[0, 0, 1, 2, 2]))["ndcg_10"]
    assert (found.value, found.pairs, found.queries) == (1.0, 2, 1)


def test_weights_of_zero_are_undefined() -> None:
    of = evidence(CERTAIN[[0, 1, 2]], [1, 2, 3], query=[0, 0, 1], weight=[0, 0, 0])
    for found in measure(of, resamples=5):
        assert math.isnan(found.value)
        assert found.reason == "all weights are 0"
