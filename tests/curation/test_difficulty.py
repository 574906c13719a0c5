"""Difficulty in Python is difficulty in SQL."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from curation.difficulty import band, difficulty_at_step
from tests.curation.conftest import rows
from warehouse.parts import insert_rows

if TYPE_CHECKING:
    from pathlib import Path

    from tests.curation.conftest import RunCommand


def test_bands_are_those_of_the_macro(command: RunCommand, sampled_store: Path) -> None:
    counts = "SELECT n, c FROM range(1, 25) n(n), range(0, 25) c(c) WHERE c <= n"
    found = rows(command, sampled_store, f"SELECT n, c, difficulty_band(n, c) AS band FROM ({counts})")
    assert len(found) == sum(range(2, 26))
    assert [row["band"] for row in found] == [band(row["n"], row["c"]) for row in found]


def test_a_group_at_a_step_is_measured_as_offline_samples_are(command: RunCommand, store: Path) -> None:
    from warehouse.ledger import Run
    from warehouse.store import Store

    measured = rows(command, store, "FROM difficulty ORDER BY c LIMIT 1")[0]
    run = Run("grpo", {})
    row = difficulty_at_step(
        measured["pair_id"],
        uuid.UUID(measured["configuration_id"]),
        run_id=run.run_id,
        step=3,
        **{name: measured[name] for name in ("n", "c", "unparsable", "gold_tier")},
    )
    with Store(store).write(run) as connection:
        assert insert_rows(connection, "difficulty", [row]) == 1
    (kept,) = rows(command, store, "FROM difficulty WHERE step IS NOT NULL")
    changed = {name for name, value in kept.items() if measured[name] != value}
    assert changed == {"difficulty_id", "step", "run_id"}
