"""Rows of ``runs``, and the stage of a recipe that a run was."""

from __future__ import annotations

import json
import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.warehouse.support import row
from warehouse.errors import TierwiseError
from warehouse.ledger import STAGE_VARIABLE, Run
from warehouse.lineage import trace

if TYPE_CHECKING:
    from warehouse.store import Store

STAGE = uuid.UUID(int=5)


def ask(store: Store, query: str) -> Any:
    with store.read() as connection:
        return connection.execute(query).fetchall()


def test_a_command_of_a_recipe_knows_its_stage(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with store.write(Run("grade", {})):
        pass
    monkeypatch.setenv(STAGE_VARIABLE, str(STAGE))
    with store.write(Run("ingest", {})):
        pass
    with store.long_run(Run("sample", {})):
        pass
    assert ask(store, "SELECT kind, stage_id, status FROM runs ORDER BY kind") == [
        ("grade", None, "finished"),
        ("ingest", STAGE, "finished"),
        ("sample", STAGE, "finished"),
    ]


def test_a_run_of_before_is_none_of_the_stage_that_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run("sample", {}, stage_id=STAGE)
    assert Run.from_json(run.to_json()) == run
    older = json.loads(run.to_json())
    del older["stage_id"]
    monkeypatch.setenv(STAGE_VARIABLE, str(STAGE))
    assert Run.from_json(json.dumps(older)).stage_id is None


def test_a_stage_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STAGE_VARIABLE, "sft")
    with pytest.raises(
        TierwiseError, match="TIERWISE_STAGE is 'sft', no id of a stage; recipes set it, so unset"
    ):
        Run("sample", {})
    monkeypatch.setenv(STAGE_VARIABLE, "")
    assert Run("sample", {}).stage_id is None


def test_a_stage_is_told_as_it_was_run_last(store: Store) -> None:
    def told() -> str:
        with store.read() as connection:
            return list(trace(connection, str(run.run_id)).lines())[1]

    run = Run("sample", {}, stage_id=STAGE)
    with store.write(run):
        pass
    assert told() == f"  stage {STAGE}  (no longer in the store)"
    stage = row(
        "stages",
        stage_id=STAGE,
        stage="sft",
        recipe="r",
        key="0123456789",
        command="python -m training.sft",
        started_at=datetime(2025, 1, 2),
        run_id=run.run_id,
    )
    with store.long_run(Run("recipe", {})) as long_run:
        long_run.write_part("stages", [stage])
        long_run.checkpoint()
        assert told().startswith(
            f"  stage {STAGE}  sft of recipe r, key 01234567, not finished, python -m training.sft"
        )
        long_run.write_part("stages", [stage | {"ended_at": datetime(2025, 1, 3), "outputs": "{}"}])
        long_run.checkpoint()
        assert told().startswith(
            f"  stage {STAGE}  sft of recipe r, key 01234567, python -m training.sft  ← "
        )
        again = stage | {"started_at": datetime(2025, 1, 4), "command": "python -m training.dpo"}
        # Begun and finished between two merges.
        long_run.write_part("stages", [again])
        long_run.write_part("stages", [again | {"ended_at": datetime(2025, 1, 5), "outputs": "{}"}])
    assert told().startswith(f"  stage {STAGE}  sft of recipe r, key 01234567, python -m training.dpo  ← ")
    assert ask(store, "SELECT count(*), count(ended_at), count(outputs) FROM stages") == [(2, 2, 2)]
