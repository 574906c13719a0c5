"""Numbers and names as a report writes them."""

from __future__ import annotations

import math
import shlex
from typing import TYPE_CHECKING

from warehouse.console import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from eval.metrics.measure import Difference, Measured

DASH = "–"

TIER_NAMES = {4: "Excellent", 3: "Related", 2: "Mismatch", 1: "Irrelevant"}

OF_DECISIONS = {
    "macro_f1": "Macro-F1",
    "accuracy": "Accuracy",
    "f1_34": "F1 of tiers 3 and 4",
    "f1_4": "F1 of tier 4",
    "f1_3": "F1 of tier 3",
    "f1_2": "F1 of tier 2",
    "f1_1": "F1 of tier 1",
    "quadratic_kappa": "Quadratic kappa",
    "mae": "Mean error in tiers",
}
"""Metrics that depend on how tiers are decided."""

OF_PROBABILITIES = {
    "ndcg_10": "NDCG@10",
    "auc_4": "AUC, tier 4 against below",
    "auc_3": "AUC, tier 3 or above",
    "auc_2": "AUC, tier 2 or above",
    "log_loss": "Log loss",
    "brier": "Brier score",
    "ece": "Calibration error (ECE)",
}
"""Metrics that depend on the probabilities alone."""

_LOWER_IS_BETTER = {"mae", "log_loss", "brier", "ece"}

_OTHERS = {"cost": "Mean cost (negated)"}


def metric_name(metric: str) -> str:
    """What people call `metric`."""
    return ({**OF_DECISIONS, **OF_PROBABILITIES, **_OTHERS}).get(metric, metric.replace("_", " "))


def named(metric: str) -> str:
    """The same inside a sentence."""
    name = metric_name(metric)
    return name if name[:2].isupper() or name.startswith("F1") else name[0].lower() + name[1:]


def direction(metric: str) -> str:
    """Which way is better: ↑ or ↓."""
    return "↓" if metric in _LOWER_IS_BETTER else "↑"


def number(value: float | None, digits: int = 3) -> str:
    """`value`, or a dash where it is undefined."""
    return DASH if value is None or math.isnan(value) else _minus(f"{value + 0.0:.{digits}f}")


def signed(value: float | None, digits: int = 3) -> str:
    """`value` with its sign."""
    return DASH if value is None or math.isnan(value) else _minus(f"{value + 0.0:+.{digits}f}")


def percent(share: float | None, digits: int = 1) -> str:
    """A share of 1 as a percentage."""
    return DASH if share is None or math.isnan(share) else f"{share * 100:.{digits}f} %"


def ends(low: float | None, high: float | None, *, sign: bool = False) -> str:
    """An interval."""
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return DASH
    told = signed if sign else number
    return f"{told(low)} to {told(high)}"


def value_and_interval(found: Measured) -> tuple[str, str]:
    """Value and interval."""
    return number(found.value), ends(found.low, found.high)


def verdict(difference: Difference) -> str:
    """Whether a difference is better, worse, or open as its interval holds 0."""
    if math.isnan(difference.low) or difference.low <= 0 <= difference.high:
        return "open"
    up = difference.low > 0
    return "better" if up is (difference.metric not in _LOWER_IS_BETTER) else "worse"


def moved(difference: Difference) -> str:
    """A difference in a sentence: 0.045 more macro-F1."""
    return f"{number(abs(difference.value))} {'more' if difference.value > 0 else 'less'} {named(difference.metric)}"


def listed(parts: list[str]) -> str:
    """a, b and c."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def reasons(measured: Iterable[Measured]) -> tuple[str, ...]:
    """Why values or intervals are undefined, a line for each reason."""
    by_reason: dict[str, list[str]] = {}
    for found in measured:
        if found.reason:
            by_reason.setdefault(found.reason, []).append(metric_name(found.metric))
    return tuple(f"{', '.join(dict.fromkeys(names))}: {reason}" for reason, names in by_reason.items())


def command(verb: str, options: Mapping[str, str]) -> str:
    """A line for a shell."""
    return " ".join(
        [f"python -m eval {verb}", *(f"{name} {shlex.quote(value)}" for name, value in options.items())]
    )


def sentence(text: str) -> str:
    """`text` with a capital and a full stop."""
    # A θ stays small.
    first = text[:1].upper() if text[:1].isascii() else text[:1]
    return f"{first}{text[1:].rstrip('.')}." if text else ""


def shown(text: str) -> str:
    """Untrusted `text` without controls and marks that turn its direction; line breaks become spaces."""
    return printable(" ".join(text.split()))


def _minus(told: str) -> str:
    return told.replace("-", "−")
