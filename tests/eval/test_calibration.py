"""Calibration by temperature and by Dirichlet map, on arrays; the command is in test_metrics_commands."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from eval.calibrators import fit, fit_dirichlet, fit_temperature
from eval.decisions import argmax
from eval.metrics.measure import measure
from tests.eval.arrays import draws, evidence
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from eval.calibrators import Method
    from eval.evidence import Evidence


def calibrated(pairs: int, *, seed: int = 0, weight: bool = False) -> Evidence:
    """Predictions that need no calibration: tiers are equally frequent and drawn independently."""
    rng = np.random.default_rng(seed)
    gold = rng.integers(1, 5, size=pairs)
    weights = rng.exponential(size=pairs) if weight else None
    return evidence(draws(gold, rng, 0.5), gold, rng.integers(pairs // 5, size=pairs), weights)


def at_power(of: Evidence, power: float) -> Evidence:
    """Predictions whose right temperature is `power`."""
    powers = of.tier_probs**power
    return replace(of, tier_probs=powers / powers.sum(axis=1, keepdims=True))


def values(of: Evidence) -> dict[str, float]:
    return {found.metric: found.value for found in measure(of, resamples=1, areas=False)}


@pytest.mark.parametrize("power", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("weight", [False, True])
def test_a_planted_temperature_is_found(power: float, weight: bool) -> None:
    found = fit_temperature(at_power(calibrated(20_000, weight=weight), power))
    assert found.temperature == pytest.approx(power, rel=0.05)
    assert not found.at_the_end


def test_a_temperature_leaves_the_most_probable_tier() -> None:
    of = at_power(calibrated(2_000), 3.0)
    after = fit_temperature(of).apply(of.tier_probs)
    assert after.sum(axis=1) == pytest.approx(np.ones(2_000))
    assert (argmax(after) == argmax(of.tier_probs)).all()


@pytest.mark.parametrize("method", ["temperature", "dirichlet"])
def test_what_is_too_sure_is_mended_on_other_pairs(method: Method) -> None:
    fitted_on, judged_on = (at_power(calibrated(5_000, seed=seed), 3.0) for seed in (1, 2))
    after = replace(judged_on, tier_probs=fit(method, fitted_on).apply(judged_on.tier_probs))
    before, now = values(judged_on), values(after)
    assert now["log_loss"] < before["log_loss"] - 0.1
    assert now["brier"] < before["brier"]
    assert now["ece"] < before["ece"] / 3


def test_dirichlet_mends_tiers_that_are_mixed_up() -> None:
    fitted_on, judged_on = (calibrated(4_000, seed=seed) for seed in (3, 4))
    mixed = [1, 0, 2, 3]
    model = fit_dirichlet(replace(fitted_on, tier_probs=fitted_on.tier_probs[:, mixed]))
    after = replace(judged_on, tier_probs=model.apply(judged_on.tier_probs[:, mixed]))
    assert values(after)["accuracy"] > values(judged_on)["accuracy"] - 0.02


def test_certain_predictions_can_be_calibrated() -> None:
    gold = np.random.default_rng(0).integers(1, 5, size=400)
    of = evidence(np.eye(4)[np.where(np.arange(400) % 4, gold, 5 - gold) - 1], gold, np.arange(400) // 4)
    for method in ("temperature", "dirichlet"):
        after = replace(of, tier_probs=fit(method, of).apply(of.tier_probs))
        assert np.isfinite(after.tier_probs).all()
        assert values(after)["ece"] < 0.02


def test_predictions_that_are_always_right_drive_the_temperature_to_its_end() -> None:
    gold = np.arange(40) % 4 + 1
    assert fit_temperature(evidence(0.2 + 0.2 * np.eye(4)[gold - 1], gold)).at_the_end


def test_dirichlet_refuses_what_it_cannot_learn() -> None:
    of = calibrated(200)
    with pytest.raises(TierwiseError, match="gold tier 3"):
        fit_dirichlet(replace(of, gold=np.where(of.gold == 3, 2, of.gold)))
    with pytest.raises(TierwiseError, match="one query"):
        fit_dirichlet(replace(of, query=np.zeros(200, np.int64)))


@pytest.mark.parametrize("method", ["temperature", "dirichlet"])
def test_weights_of_zero_are_refused(method: Method) -> None:
    of = calibrated(40)
    with pytest.raises(TierwiseError, match="weight 0"):
        fit(method, replace(of, weight=np.zeros(40)))
