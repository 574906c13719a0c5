"""A partition as it is deployed: JSON, a SQL expression, a Python function, all of which decide alike.

Each adds and divides in the order of `eval.decisions.cumulative`, in double precision, so that a tie with a threshold
is a tie everywhere, and each finds no tier for the same invalid input.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from eval.decisions import cumpt
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

FORMAT = "tierwise-partition"
VERSION = 1

RULE = (
    "Add up s4 = p4, s3 = p4 + p3, s2 = p4 + p3 + p2 and total = p4 + p3 + p2 + p1, from left to right, in double "
    "precision. The tier is the first of 4, 3, 2 whose s / total is at least its theta, else 1. There is no tier where "
    "a probability is missing, not a number, infinite or negative, or where the total is 0 or infinite."
)

_LARGEST = repr(float(np.finfo(np.float64).max))


@dataclass(frozen=True, slots=True)
class Deployed:
    """A partition and where it comes from.

    Attributes:
        partition_id: Its id.
        predictor: Name of the predictor whose probabilities it cuts.
        objective: What was maximised.
        kind: ``one-theta`` or ``per-boundary``.
        thetas: Of tiers 4, 3 and 2, in (0, 1].
        fit_split: Split it was fitted on.
        judge_split: Split it was judged on.
        same_split: Whether the two are one.
        promises: What was promised of it, as JSON has it.
        created_at: When it was fitted, as ISO 8601.
    """

    partition_id: str
    predictor: str
    objective: str
    kind: str
    thetas: tuple[float, float, float]
    fit_split: str
    judge_split: str
    same_split: bool
    promises: Sequence[dict[str, Any]]
    created_at: str


def to_json(deployed: Deployed) -> str:
    """A document that ``partition-v1.schema.json``, beside this module, describes."""
    four, three, two = map(float, deployed.thetas)
    document = {
        "format": FORMAT,
        "version": VERSION,
        "partition_id": deployed.partition_id,
        "predictor": deployed.predictor,
        "objective": deployed.objective,
        "kind": deployed.kind,
        "thetas": {"4": four, "3": three, "2": two},
        "rule": RULE,
        "fit_split": deployed.fit_split,
        "judge_split": deployed.judge_split,
        "same_split": deployed.same_split,
        "promises": list(deployed.promises),
        "created_at": deployed.created_at,
    }
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def read_partition(text: str) -> tuple[float, float, float]:
    """The thetas of tiers 4, 3 and 2 of a document by `to_json`.

    Raises:
        TierwiseError: No such document, one of another version, or thetas that are none.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise TierwiseError(f"the partition is not JSON: {error}; export it again") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise TierwiseError(
            f'the partition lacks "format": "{FORMAT}"; `partition export` writes such documents'
        )
    if document.get("version") != VERSION:
        raise TierwiseError(
            f"the partition has version {document.get('version')}, and this Tierwise reads version {VERSION}; "
            "export it again with this one"
        )
    thetas: Any = document.get("thetas")
    found: list[Any] = [thetas.get(tier) if isinstance(thetas, dict) else None for tier in ("4", "3", "2")]
    if not all(type(theta) in (int, float) and 0 < theta <= 1 for theta in found):
        raise TierwiseError(
            f"the partition has thetas {thetas}, and needs one above 0 and at most 1 for each of the tiers 4, 3 and 2; "
            "export it again"
        )
    four, three, two = map(float, found)
    return four, three, two


def to_sql(deployed: Deployed) -> str:
    """A CASE expression over the numeric columns p1, p2, p3 and p4: the tier, or NULL.

    In standard SQL; databases that raise an error where a sum overflows, or a text is no number, do so here.
    """
    p1, p2, p3, p4 = (f"CAST(p{tier} AS DOUBLE PRECISION)" for tier in (1, 2, 3, 4))
    sums = (p4, f"({p4} + {p3})", f"({p4} + {p3} + {p2})")
    total = f"({p4} + {p3} + {p2} + {p1})"
    largest = _double(_LARGEST)
    # NaN compares as the largest number or not at all, and is never between.
    valid = [f"{p} BETWEEN 0 AND {largest}" for p in (p1, p2, p3, p4, total)]
    reached = [
        f"WHEN {above} / {total} >= {_double(repr(float(theta)))} THEN {tier}"
        for tier, above, theta in zip((4, 3, 2), sums, deployed.thetas, strict=True)
    ]
    lines = [
        *(f"-- {line}" for line in _origin(deployed)),
        "CASE WHEN",
        "    " + "\n    AND ".join([*valid, f"{total} > 0"]),
        "THEN CASE",
        *(f"    {line}" for line in reached),
        "    ELSE 1 END",
        "END",
    ]
    return "\n".join(lines) + "\n"


def to_python(deployed: Deployed) -> str:
    """A module of one function without imports, ``tier(p1, p2, p3, p4)``: the tier, or None.

    It takes whatever databases and data frames hand over, as ``float`` reads it: what that refuses has no tier.
    """
    four, three, two = (repr(float(theta)) for theta in deployed.thetas)
    comments = "\n".join(f"# {line}" for line in _origin(deployed))
    return f'''{comments}
def tier(p1, p2, p3, p4):
    """Tier 1 to 4 by the probabilities of the tiers, or None if they are invalid."""
    try:
        p1, p2, p3, p4 = float(p1), float(p2), float(p3), float(p4)
    except (TypeError, ValueError, OverflowError):
        return None
    total = p4 + p3 + p2 + p1
    if not all(p >= 0 for p in (p1, p2, p3, p4)) or not 0 < total <= {_LARGEST}:
        return None
    if p4 / total >= {four}:
        return 4
    if (p4 + p3) / total >= {three}:
        return 3
    if (p4 + p3 + p2) / total >= {two}:
        return 2
    return 1
'''


def decide(tier_probs: NDArray[np.float64], thetas: Sequence[float]) -> NDArray[np.int64]:
    """What all exports decide: tiers of `tier_probs` [N, 4] by the `thetas` of tiers 4, 3 and 2.

    Returns:
        [N], 1 to 4, and 0 where there is no tier; a missing probability is NaN here.
    """
    p1, p2, p3, p4 = tier_probs.T
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        total = p4 + p3 + p2 + p1
        tiers = cumpt(tier_probs, thetas)
    valid = (tier_probs >= 0).all(axis=1) & np.isfinite(total) & (total > 0)
    return np.where(valid, tiers, 0)


def _double(literal: str) -> str:
    # A bare 0.1 is a decimal number in SQL.
    return f"CAST('{literal}' AS DOUBLE PRECISION)"


def _origin(deployed: Deployed) -> list[str]:
    """Lines for comments: nothing in a name ends one."""
    lines = [
        f"Tier by cumulative probability: partition {deployed.partition_id}, {deployed.kind}, "
        f"of {deployed.created_at}.",
        f"Cuts the probabilities of {deployed.predictor}; fitted for {deployed.objective} "
        f"on {deployed.fit_split}, judged on {deployed.judge_split}.",
    ]
    if deployed.same_split:
        lines.append("Judged on the split it was fitted on: what was measured there flatters it.")
    return ["".join(c if c.isprintable() else " " for c in line) for line in lines]
