"""Designs as rows: what was learned, what follows from it in every state, and what is estimated where a pair stops."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from curation.adaptive.policy import Policy, Target, make_policy
from curation.adaptive.prior import learn_prior
from warehouse.ids import content_id
from warehouse.ledger import utc_now
from warehouse.parts import with_waiting

if TYPE_CHECKING:
    import uuid
    from collections.abc import Mapping
    from pathlib import Path

    import duckdb

    from curation.adaptive.policy import State

FIRST = 4
PROMPT_WEIGHT = 0.2
"""What a prompt's token costs, as a share of one that is generated, where no price says so."""


@dataclass(frozen=True, slots=True)
class Design:
    """What an adaptive run was asked for.

    Attributes:
        n: Samples after which a pair's band is what it is.
        target: What is to be right of it.
        agreement: Share of pairs for which it is to be.
    """

    n: int
    target: Target
    agreement: float

    @property
    def first(self) -> int:
        """Samples that are drawn of every pair, before anything is decided."""
        return min(FIRST, self.n)


def learn_design(
    design: Design,
    configuration_id: uuid.UUID,
    counts: Mapping[State, int],
    pilot: float,
    asking_cost: float,
    run_id: str,
) -> tuple[Policy, dict[str, Any], list[dict[str, Any]]]:
    """The policy that follows from the `counts` of a pilot of a share `pilot` of pairs, and its rows.

    Returns:
        The policy, its row of ``designs``, and those of ``design_states``.
    """
    prior = learn_prior(counts)
    policy = replace(
        make_policy(
            prior,
            n=design.n,
            first=design.first,
            target=design.target,
            agreement=design.agreement,
            asking_cost=asking_cost,
        ),
        pilot=pilot,
    )
    identity = str(
        content_id(
            "design",
            configuration_id,
            design.n,
            design.target,
            *map(float.hex, [design.agreement, pilot, asking_cost, *prior.tolist()]),
        )
    )
    row = {
        "design_id": identity,
        "configuration_id": str(configuration_id),
        "n": design.n,
        "first": design.first,
        "target": design.target,
        "agreement": design.agreement,
        "expected_agreement": policy.agreement,
        "expected_samples": policy.samples,
        "asking_cost": asking_cost,
        "pilot_pairs": sum(counts.values()),
        "pilot_share": pilot,
        "prior": prior.tolist(),
        "created_at": utc_now(),
        "run_id": run_id,
    }
    states = [
        {
            "design_id": identity,
            "n": n,
            "c": c,
            "more": more,
            "band": policy.bands[n, c],
            "probability": policy.probabilities[n, c],
            "pass_at_k": policy.pass_at_k.get((n, c)),
            "run_id": run_id,
        }
        for (n, c), more in sorted(policy.more.items())
    ]
    return policy, row, states


def find_policy(
    connection: duckdb.DuckDBPyConnection, runs: Path, configuration_id: uuid.UUID, design: Design
) -> Policy | None:
    """The policy that an earlier run learned for the same design, in the store or in parts that wait; None without."""
    designs = with_waiting(
        runs,
        "designs",
        (
            *("design_id", "configuration_id", "n", "first", "target", "agreement"),
            *("expected_agreement", "expected_samples", "created_at"),
        ),
    )
    found = connection.execute(
        f"SELECT CAST(design_id AS VARCHAR), first, expected_agreement, expected_samples FROM ({designs}) "
        "WHERE configuration_id = ? AND n = ? AND target = ? AND agreement = ? ORDER BY created_at, design_id LIMIT 1",
        [configuration_id, design.n, design.target, design.agreement],
    ).fetchone()
    if found is None:
        return None
    identity, first, agreement, samples = found
    states = with_waiting(runs, "design_states", ("design_id", "n", "c", "more", "band", "probability"))
    rows = connection.execute(
        f"SELECT n, c, more, band, probability FROM ({states}) WHERE design_id = ?::UUID", [identity]
    ).fetchall()
    return Policy(
        design.n,
        first,
        {(n, c): more for n, c, more, _, _ in rows},
        {(n, c): band for n, c, _, band, _ in rows},
        {(n, c): probability for n, c, _, _, probability in rows},
        agreement,
        samples,
    )
