"""Two processes train as one does, and one of them keeps the store."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.curation.conftest import rows
from tests.training.conftest import QUICK, TRAIN
from tests.training.test_stages import GROUPS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.curation.conftest import RunCommand

# What accelerate needs on a machine without a GPU: its --cpu starts one process, whatever their number.
LAUNCH = (sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2")


@pytest.fixture
def launch(
    store: Path, speaking_model: Path, tmp_path: Path
) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        where = ("--model", str(speaking_model), "--out", str(tmp_path / "trained"), "--db", str(store))
        return subprocess.run(
            [*LAUNCH, "--main_process_port", "0", "-m", "training.grpo", *where, *QUICK, *GROUPS, *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
            env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        )

    return run


def test_one_run_one_model_and_no_prompt_twice_in_a_window(
    launch: Callable[..., subprocess.CompletedProcess[str]], store: Path, command: RunCommand
) -> None:
    done = launch("--split", TRAIN)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("model id") == 1
    (run,) = rows(command, store, "FROM runs WHERE kind = 'grpo'")
    assert run["status"] == "finished"
    (model,) = rows(command, store, f"FROM models WHERE run_id = '{run['run_id']}' AND split = '{TRAIN}'")
    assert model["model_id"] in done.stdout
    groups = rows(command, store, "SELECT step, pair_id, n FROM difficulty WHERE step IS NOT NULL")
    assert len({(row["step"], row["pair_id"]) for row in groups}) == len(groups)
    # A window of two processes holds twice the groups of one.
    per_window = 4 * 2 * 2 // 4
    assert min(sum(row["step"] == step for row in groups) for step in (0, 1)) >= per_window
    assert {row["n"] for row in groups} == {4}


def test_what_is_wrong_is_said_once(launch: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = launch("--split", "nowhere_v1")
    assert done.returncode != 0
    assert done.stderr.count("no split nowhere_v1") == 1


def test_a_command_ends_outside_of_its_process_group(store: Path) -> None:
    program = f"""
import torch
from training.grpo import main

group = torch.distributed.HashStore()
torch.distributed.init_process_group("gloo", store=group, rank=0, world_size=1)
try:
    main(["--split", "nowhere_v1", "--db", {str(store)!r}])
except SystemExit as end:
    print(end.code, torch.distributed.is_initialized())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["1", "False"], done.stderr
