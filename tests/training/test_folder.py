"""The folder of a trained model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from training.folder import complete, open_folder
from warehouse.errors import TierwiseError
from warehouse.ledger import Run

if TYPE_CHECKING:
    from pathlib import Path

IDENTITY = {"stage": "sft", "learning_rate": "1e-4"}


def test_the_same_command_finds_its_run_again(tmp_path: Path) -> None:
    folder = open_folder(tmp_path / "out", Run("sft", {}), IDENTITY, {})
    assert not folder.is_begun
    folder.save()
    again = open_folder(tmp_path / "out", Run("sft", {}), IDENTITY, {"trl": "1.16"})
    assert again.is_begun
    assert again.run == folder.run
    assert again.resolved == {"trl": "1.16"}


@pytest.mark.parametrize(
    ("identity", "said"),
    [
        ({**IDENTITY, "learning_rate": "2e-4"}, "with learning_rate 1e-4 where this one has 2e-4"),
        ({"stage": "sft"}, "with learning_rate 1e-4 where this one has none"),
        ({**IDENTITY, "label_only": True}, "with label_only none where this one has True"),
    ],
)
def test_another_command_is_told_the_difference(
    tmp_path: Path, identity: dict[str, object], said: str
) -> None:
    folder = open_folder(tmp_path / "out", Run("sft", {}), IDENTITY, {})
    folder.save()
    gives_way = open_folder(folder.path, Run("sft", {}), identity, {})
    assert gives_way.run != folder.run
    assert not gives_way.is_begun
    checkpoint = folder.checkpoints / "checkpoint-1"
    checkpoint.mkdir(parents=True)
    complete(checkpoint)
    with pytest.raises(TierwiseError, match=said):
        open_folder(folder.path, Run("sft", {}), identity, {})


def test_a_damaged_state_is_told(tmp_path: Path) -> None:
    folder = open_folder(tmp_path / "out", Run("sft", {}), IDENTITY, {})
    folder.save()
    state = tmp_path / "out" / "training.json"
    for damaged in ("", "{", json.dumps({"identity": {}}), "[]"):
        state.write_text(damaged)
        with pytest.raises(TierwiseError, match="is damaged"):
            open_folder(tmp_path / "out", Run("sft", {}), IDENTITY, {})


def test_checkpoints_that_were_not_written_whole_are_removed(tmp_path: Path) -> None:
    folder = open_folder(tmp_path, Run("sft", {}), IDENTITY, {})
    assert folder.last_checkpoint() is None
    for step in (2, 9, 10, 11):
        checkpoint = folder.checkpoints / f"checkpoint-{step}"
        checkpoint.mkdir(parents=True)
        if step < 11:
            complete(checkpoint)
    assert folder.last_checkpoint() == folder.checkpoints / "checkpoint-10"
    assert sorted(path.name for path in folder.checkpoints.iterdir()) == [
        "checkpoint-10",
        "checkpoint-2",
        "checkpoint-9",
    ]
