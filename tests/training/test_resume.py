"""A killed run goes on where its last checkpoint stands, and ends where an uninterrupted one does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.curation.conftest import process, rows
from tests.training.conftest import TRAIN
from tests.training.test_stages import GROUPS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.curation.conftest import RunCommand, RunProcess
    from tests.training.conftest import Train

__all__ = ["process"]

EVERY_STEP = (
    "--learning_rate",
    "1e-3",
    "--per_device_train_batch_size",
    "4",
    "--max_steps",
    "3",
    "--save_steps",
    "1",
)
# A schedule that does not end at nothing, so that a step too many would show.
STEADY = ("--lr_scheduler_type", "constant")
MOMENTS = {
    # In the middle of a step's work; when a checkpoint lies there but does not count yet; when it counts and the store
    # has not heard; when all is trained and nothing is registered.
    "sft": ("step 2", ()),
    "dpo": ("checkpoint", ("--use_peft",)),
    "grpo": ("commit", (*GROUPS, "--temperature", "1.3", "--guided-replay")),
    "grpo at the end": ("trained", (*GROUPS, *STEADY)),
}
KILLED = -9


def told(command: RunCommand, store: Path) -> dict[str, list[dict[str, Any]]]:
    """What a store says of a training run, without ids and times."""
    return {
        "metrics": rows(
            command,
            store,
            "SELECT step, metric, value FROM training_metrics WHERE metric NOT LIKE '%time%' "
            "AND metric NOT LIKE '%runtime%' AND metric NOT LIKE '%per_second%' AND metric NOT LIKE 'train_%' "
            "AND metric <> 'total_flos' "
            "ORDER BY ALL",
        ),
        "groups": rows(
            command, store, "SELECT pair_id, step, n, c FROM difficulty WHERE step IS NOT NULL ORDER BY ALL"
        ),
    }


@pytest.mark.parametrize("case", MOMENTS)
def test_a_killed_run_ends_with_the_weights_of_an_uninterrupted_one(
    case: str,
    split_store: Path,
    speaking_model: Path,
    tmp_path: Path,
    train: Train,
    process: RunProcess,
    command: RunCommand,
) -> None:
    stage = case.split(maxsplit=1)[0]
    moment, more = MOMENTS[case]
    stores = {}
    for name in ("whole", "killed"):
        stores[name] = tmp_path / f"{name}.duckdb"
        stores[name].write_bytes(split_store.read_bytes())

    def asked(name: str) -> tuple[Any, ...]:
        where = ("--out", tmp_path / name, "--db", stores[name])
        return ("--split", TRAIN, "--model", speaking_model, *where, *EVERY_STEP, *more)

    whole = json.loads(train(stage, *asked("whole"), "--json").stdout)
    process(f"training.{stage}", *asked("killed"), code=KILLED, env={"TIERWISE_DIE_AT": moment})
    assert (
        rows(command, stores["killed"], "SELECT count(*) AS n FROM models WHERE parent_id IS NOT NULL")[0][
            "n"
        ]
        == 0
    )
    resumed = json.loads(train(stage, *asked("killed"), "--json").stdout)

    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "killed")]
    assert weights[0] == weights[1]
    assert weights[0] != (speaking_model / "model.safetensors").read_bytes()
    assert resumed["model_id"] == whole["model_id"]
    assert told(command, stores["killed"]) == told(command, stores["whole"])
    (run,) = rows(command, stores["killed"], f"FROM runs WHERE kind = '{stage}'")
    assert run["status"] == "finished"
    assert len(run["resumed_at"]) == 1


def test_two_processes_do_not_train_into_one_folder(
    store: Path, tiny_model: Path, tmp_path: Path, train: Train
) -> None:
    from warehouse.ids import content_id
    from warehouse.store import Store

    out = tmp_path / "trained"
    with Store(store).exclusive(f"train-{content_id('folder', str(out))}", "training"):
        said = train(
            "sft", "--split", TRAIN, "--model", tiny_model, "--out", out, "--db", store, code=1
        ).stderr
    assert said.count("\n") == 1
    assert "is already training into" in said
    assert not out.exists()
