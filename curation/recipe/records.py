"""What the store knows of stages: rows of ``stages``, merged or still in the parts of a run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from warehouse.ids import content_id
from warehouse.ledger import utc_now
from warehouse.parts import with_waiting

if TYPE_CHECKING:
    import uuid
    from datetime import datetime
    from pathlib import Path

    import duckdb

_COLUMNS = ("recipe", "stage", "key", "inputs", "ended_at", "outputs", "out_digest")


@dataclass(frozen=True, slots=True)
class Record:
    """A stage that was finished.

    Attributes:
        stage: The name that it had, and its folder has.
        key: Its key.
        inputs: As `curation.recipe.keys.inputs_of` has them.
        outputs: The command's summary, and its folder.
        out_digest: Of its folder, where it has one.
    """

    stage: str
    key: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    out_digest: str | None


def stage_id(key: str) -> uuid.UUID:
    """Id of the stage with `key`."""
    return content_id("stage", key)


def finished(connection: duckdb.DuckDBPyConnection, runs: Path, key: str) -> Record | None:
    """The stage with `key`, as it was finished last, whichever recipe asked for it."""
    return _newest(connection, runs, "key = $key", {"key": key})


def finished_before(
    connection: duckdb.DuckDBPyConnection, runs: Path, recipe: str, stage: str
) -> Record | None:
    """What `stage` of `recipe` was when it was finished last, whatever its key."""
    return _newest(
        connection, runs, "recipe = $recipe AND stage = $stage", {"recipe": recipe, "stage": stage}
    )


def _newest(
    connection: duckdb.DuckDBPyConnection, runs: Path, where: str, parameters: dict[str, str]
) -> Record | None:
    found = connection.execute(
        f"SELECT stage, key, inputs, outputs, out_digest FROM ({with_waiting(runs, 'stages', _COLUMNS)}) "
        f"WHERE ended_at IS NOT NULL AND {where} ORDER BY ended_at DESC LIMIT 1",
        parameters,
    ).fetchone()
    if found is None:
        return None
    stage, key, inputs, outputs, out_digest = found
    return Record(stage, key, json.loads(inputs), json.loads(outputs), out_digest)


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of ``stages`` while the stage runs, and once it has ended."""

    recipe: str
    stage: str
    key: str
    command: str
    inputs: dict[str, Any]
    started_at: datetime
    run_id: uuid.UUID

    @property
    def row(self) -> dict[str, Any]:
        """The row of a stage that has begun."""
        return {
            "stage_id": str(stage_id(self.key)),
            "recipe": _storable(self.recipe),
            "stage": self.stage,
            "key": self.key,
            "command": _storable(self.command),
            "inputs": _json(self.inputs),
            "started_at": self.started_at,
            "run_id": str(self.run_id),
        }

    def ended(self, outputs: dict[str, Any], out_digest: str | None) -> dict[str, Any]:
        """The row of a stage that has finished."""
        return {
            **self.row,
            "ended_at": utc_now(),
            "outputs": _json(outputs),
            "out_digest": out_digest,
        }


def _json(value: dict[str, Any]) -> str:
    return _storable(json.dumps(value, ensure_ascii=False))


def _storable(text: str) -> str:
    """`text` with "?" for the bytes of undecodable paths."""
    return text.encode(errors="replace").decode()
