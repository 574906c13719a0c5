"""Calibration: probabilities that hold what they say, by temperature or by a Dirichlet map.

- `Temperature`: p(t) to the power 1 / T over their sum (Guo et al., "On Calibration of Modern Neural Networks", ICML
  2017). One number, and the most probable tier stays the same.
- `Dirichlet`: multinomial logistic regression on log p (Kull et al., "Beyond temperature scaling", NeurIPS 2019), with
  scikit-learn's L2 penalty, not the paper's off-diagonal one. Twenty numbers; it can move the most probable tier.

Both minimise the log loss weighted by traffic. Probabilities of zero are taken for 10⁻¹².
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from eval.metrics.cautions import absent_tiers
from eval.metrics.counts import TIERS
from eval.metrics.sums import log_loss
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eval.evidence import Evidence

    Floats = NDArray[np.float64]

Method = Literal["temperature", "dirichlet"]

_LEAST = 1e-12
TEMPERATURES = (0.05, 20.0)

# Inverse strengths of the L2 penalty that are tried, for a mean weight of 1.
_STRENGTHS = tuple(10.0**n for n in range(-4, 3))
_FOLDS = 5

# A fit differs in its last digits between machines; what is stored, and so a predictor's id, does not.
_DECIMALS = 6


@dataclass(frozen=True, slots=True)
class Temperature:
    """Above 1 for a predictor that is too sure of itself."""

    temperature: float

    @property
    def at_the_end(self) -> bool:
        """Whether the best one lies at the end of what was tried, or beyond."""
        return not 1.01 * TEMPERATURES[0] < self.temperature < 0.99 * TEMPERATURES[1]

    def apply(self, tier_probs: Floats) -> Floats:
        """Calibrated `tier_probs`, [N, 4]."""
        return _softmax(_logs(tier_probs) / self.temperature)

    @property
    def numbers(self) -> dict[str, Any]:
        """What makes it this one."""
        return {"temperature": self.temperature}


@dataclass(frozen=True, slots=True)
class Dirichlet:
    """softmax(W log p + b).

    Attributes:
        weights: W, a row for each calibrated tier.
        intercepts: b.
        strength: The inverse strength of the penalty that did best on held-out queries.
    """

    weights: list[list[float]]
    intercepts: list[float]
    strength: float

    def apply(self, tier_probs: Floats) -> Floats:
        """Calibrated `tier_probs`, [N, 4]."""
        return _softmax(_logs(tier_probs) @ np.array(self.weights).T + np.array(self.intercepts))

    @property
    def numbers(self) -> dict[str, Any]:
        """What makes it this one."""
        return {"weights": self.weights, "intercepts": self.intercepts, "strength": self.strength}


def fit_temperature(evidence: Evidence) -> Temperature:
    """The temperature between 0.05 and 20 with the least log loss.

    Raises:
        TierwiseError: All weights are 0.
    """
    from scipy.optimize import minimize_scalar

    _require_weight(evidence)
    logs = _logs(evidence.tier_probs)

    def loss(log_temperature: float) -> float:
        calibrated = _softmax(logs / np.exp(log_temperature))
        return float(np.average(log_loss(calibrated, evidence.gold), weights=evidence.weight))

    found = minimize_scalar(
        loss, bounds=tuple(np.log(TEMPERATURES)), method="bounded", options={"xatol": 1e-8}
    )
    return Temperature(round(float(np.exp(found.x)), _DECIMALS))


def fit_dirichlet(evidence: Evidence) -> Dirichlet:
    """The regression whose penalty has the least log loss on queries held out, fitted on all.

    Raises:
        TierwiseError: A tier is absent, which it would then never give a probability; fewer than two queries; or all
            weights are 0.
    """
    from sklearn.model_selection import GroupKFold

    _require_weight(evidence)
    if absent := absent_tiers(evidence):
        raise TierwiseError(
            f"no pair of {evidence.split} has gold tier {absent[0]}, so dirichlet would never predict it; "
            "use --method temperature, or fit on a split with all tiers"
        )
    if evidence.queries < 2:
        raise TierwiseError(
            f"{evidence.split} has one query, and dirichlet needs others to choose its penalty; "
            "use --method temperature"
        )
    logs, gold = _logs(evidence.tier_probs), evidence.gold
    weight = evidence.weight / evidence.weight.mean()
    folds = GroupKFold(min(_FOLDS, evidence.queries)).split(logs, gold, evidence.query)
    losses = np.zeros(len(_STRENGTHS))
    for seen, held in folds:
        if len(np.unique(gold[seen])) < 2:
            continue
        for number, strength in enumerate(_STRENGTHS):
            model = _regression(logs[seen], gold[seen], weight[seen], strength)
            tier_probs = np.zeros((len(held), len(TIERS)))
            tier_probs[:, model.classes_ - 1] = model.predict_proba(logs[held])
            losses[number] += float(weight[held] @ log_loss(tier_probs, gold[held]))
    strength = _STRENGTHS[int(losses.argmin())]
    model = _regression(logs, gold, weight, strength)
    return Dirichlet(
        model.coef_.round(_DECIMALS).tolist(), model.intercept_.round(_DECIMALS).tolist(), strength
    )


def fit(method: Method, evidence: Evidence) -> Temperature | Dirichlet:
    """`fit_temperature` or `fit_dirichlet`."""
    return fit_temperature(evidence) if method == "temperature" else fit_dirichlet(evidence)


def _regression(logs: Floats, gold: NDArray[np.int64], weight: Floats, strength: float) -> Any:
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        return LogisticRegression(C=strength, max_iter=1000).fit(logs, gold, sample_weight=weight)


def _require_weight(evidence: Evidence) -> None:
    if not evidence.weight.any():
        raise TierwiseError(f"all pairs of {evidence.split} have weight 0; there is nothing to fit to")


def _logs(tier_probs: Floats) -> Floats:
    logs: Floats = np.log(np.maximum(tier_probs, _LEAST))
    return logs


def _softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    tier_probs: Floats = powers / powers.sum(axis=1, keepdims=True)
    return tier_probs
