"""Sampling by workers of a real Ray cluster on this machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("ray")

import psutil

from curation.backends import Decoding
from curation.backends.opening import Engine
from curation.cluster.driver import BLOCK_PAIRS, block_pairs
from curation.cluster.worker import Errand, Worker
from curation.configurations import Configuration
from curation.models import resolve
from curation.prompts import load_template
from curation.sampling_plan import Block, Work, by_template
from tests.curation.conftest import rows
from warehouse.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from tests.curation.conftest import RunCommand, RunProcess

KEYS = "SELECT count(*) AS n, count(DISTINCT (pair_id, sample_index)) AS keys FROM samples"


def arguments(model: Path, store: Path, *more: str) -> tuple[str | Path, ...]:
    base = ("curation", "sample", "--model", model, "--max-tokens", "12", "--n", "6", "--json")
    return (*base, "--engine", "ray", "--workers", "2", "--batch-size", "8", "--db", store, *more)


def summary_of(printed: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return found


def test_two_workers_draw_all_and_a_second_run_draws_nothing(
    command: RunCommand, process: RunProcess, shop: Path, tiny_model: Path
) -> None:
    first = summary_of(process(*arguments(tiny_model, shop)).stdout)
    assert (first["drawn"], first["already_there"]) == (80 * 6, 0)
    assert rows(command, shop, KEYS) == [{"n": 480, "keys": 480}]
    found = rows(
        command,
        shop,
        "SELECT sum(prompt_tokens) AS prompt, sum(completion_tokens) AS completion, count(DISTINCT run_id) AS runs "
        "FROM token_usage",
    )
    assert found == [{"prompt": first["prompt_tokens"], "completion": first["completion_tokens"], "runs": 1}]
    again = summary_of(process(*arguments(tiny_model, shop)).stdout)
    assert (again["drawn"], again["already_there"]) == (0, 480)
    assert not list(shop.parent.glob("*.runs/[!.]*"))


def test_the_block_of_a_worker_that_is_killed_is_taken_over(
    command: RunCommand, shop: Path, tiny_model: Path
) -> None:
    words = [sys.executable, "-m", *map(str, arguments(tiny_model, shop, "--max-tokens", "96"))]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        killed = 0
        while running.poll() is None and killed < 2:
            time.sleep(0.05)
            if not list(shop.parent.glob("*.runs/*/drawn-*.json")):
                continue
            workers = [
                child
                for child in psutil.Process(running.pid).children(recursive=True)
                if "_Actor" in " ".join(child.cmdline()) and child.status() != psutil.STATUS_ZOMBIE
            ]
            if workers:
                os.kill(workers[0].pid, signal.SIGKILL)
                killed += 1
                time.sleep(1.0)
        printed, errors = running.communicate(timeout=300)
    assert killed == 2
    assert running.returncode == 0, errors
    assert rows(command, shop, KEYS) == [{"n": 480, "keys": 480}]
    assert summary_of(printed)["failures"] == 0


def test_an_adaptive_run_draws_its_pilot_first_and_spares_the_rest(
    command: RunCommand, process: RunProcess, shop: Path, tiny_model: Path
) -> None:
    adaptive = arguments(tiny_model, shop, "--n", "12", "--adaptive", "groups", "--agreement", "0.9")
    first = summary_of(process(*adaptive).stdout)
    assert first["drawn"] + first["spared"] == 80 * 12
    assert first["spared"]
    (design,) = rows(command, shop, "FROM designs")
    assert 10 <= design["pilot_pairs"] <= 35
    again = summary_of(process(*adaptive).stdout)
    assert (again["drawn"], again["spared"]) == (0, first["spared"])


def test_a_budget_stops_all_workers_and_says_what_is_left(
    command: RunCommand, process: RunProcess, shop: Path, tiny_model: Path
) -> None:
    summary = summary_of(process(*arguments(tiny_model, shop, "--budget", "tokens=1000")).stdout)
    assert 0 < summary["drawn"] < 480
    assert summary["left"] == 480 - summary["drawn"]


def errand(store: Path, model: Path, tmp_path: Path) -> Errand:
    from curation.sampling_plan import save_plan
    from curation.selection import selected_pairs

    configuration = Configuration(resolve(str(model)), load_template("answer-first"), Decoding(max_tokens=8))
    plan = tmp_path / "plan.parquet"
    with Store(store).read() as connection:
        selected_pairs(connection, None, None)
        save_plan(connection, tmp_path / "none", plan, configuration.configuration_id, None)
    directory = tmp_path / "run"
    directory.mkdir()
    run_id = "00000000-0000-0000-0000-000000000000"
    render = by_template(configuration.template)
    return Errand(plan, directory, run_id, configuration, render, 3, 0, False, Engine(batch_size=8), 80)


def test_blocks_hold_every_pair_once(shop: Path, tiny_model: Path, tmp_path: Path) -> None:
    of = errand(shop, tiny_model, tmp_path)

    def keys(block: Block | None) -> list[str]:
        parts = (of.plan, of.configuration.configuration_id, of.render, of.n)
        return [task.key for task in Work(*parts, each=None, seed=0, retry_failed=False, block=block).tasks()]

    whole = keys(None)
    for size in (1, 7, 32, 80, 100):
        assert [key for number in range(-(-80 // size)) for key in keys(Block(number, size))] == whole


def test_who_takes_a_block_over_draws_the_rest_alone(
    shop: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = errand(shop, tiny_model, tmp_path)
    block = Block(0, 16)

    class DiedError(Exception):
        pass

    dying = Worker(of)
    note = dying._note
    notes = 0

    def note_and_die(*arguments: Any) -> None:
        nonlocal notes
        note(*arguments)
        notes += 1
        if notes == 2:
            raise DiedError

    monkeypatch.setattr(dying, "_note", note_and_die)
    with pytest.raises(DiedError):
        dying.draw(block)
    # Whoever merges meanwhile takes the parts away; the notes stay.
    for part in of.directory.glob("part-*"):
        part.unlink()
    rest = Worker(of).draw(block)
    assert rest["samples"] == 16 * 3 - 2 * 8
    assert Worker(of).draw(block)["samples"] == 0


@pytest.mark.parametrize(("pairs", "workers", "size"), [(10, 2, 16), (800, 2, 50), (10**8, 64, BLOCK_PAIRS)])
def test_blocks_are_small_enough_for_all_to_have_some(pairs: int, workers: int, size: int) -> None:
    assert block_pairs(pairs, workers) == size
