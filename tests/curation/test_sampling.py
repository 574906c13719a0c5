"""pass@N: keys, kills, a held store. The real command on a tiny model, killed for real."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from curation.backends import Completion, Decoding, EmittedDigit
from curation.configurations import Configuration
from curation.models import ModelReference
from curation.prompts import load_template
from curation.sampling_plan import Rendered, Task
from tests.curation.conftest import MAPPING, RunCommand, RunProcess, rows

if TYPE_CHECKING:
    from collections.abc import Iterator

COUNTS = (
    "SELECT count(*) AS n, count(DISTINCT sample_id) AS ids, count(DISTINCT (pair_id, sample_index)) AS keys "
    "FROM samples"
)


@pytest.fixture
def judged(tmp_path: Path, command: RunCommand, judged_csv: Path) -> Path:
    store = tmp_path / "tierwise.duckdb"
    command("curation", "ingest", "table", judged_csv, *MAPPING, "--db", store)
    return store


def sample(model: Path, store: Path, *more: str) -> tuple[str | Path, ...]:
    base = ("curation", "sample", "--model", model, "--max-tokens", "12", "--limit", "20", "--json")
    return (*base, "--db", store, *more)


@pytest.mark.parametrize("moments", [["part"], ["merge"], ["collect"], ["part", "merge", "collect"]])
def test_a_killed_run_goes_on_and_draws_nothing_twice(
    moments: list[str], command: RunCommand, process: RunProcess, judged: Path, tiny_model: Path
) -> None:
    for moment in moments:
        process(*sample(tiny_model, judged, "--n", "4"), code=-9, env={"TIERWISE_DIE_AT": moment})
    summary = json.loads(command(*sample(tiny_model, judged, "--n", "4")).stdout)
    assert summary["drawn"] + summary["already_there"] == 80
    # Whatever was finished before the kill was kept.
    assert summary["already_there"] >= (32 if moments[0] == "part" else 80)
    assert rows(command, judged, COUNTS) == [{"n": 80, "ids": 80, "keys": 80}]
    statuses = rows(command, judged, "SELECT status FROM runs WHERE kind = 'sample' ORDER BY started_at")
    assert [row["status"] for row in statuses] == [
        *("interrupted" if moment == "part" else "finished" for moment in moments),
        "finished",
    ]
    assert not list(Path(f"{judged}.runs").glob("*/part-*"))


def test_more_samples_buys_only_the_difference(command: RunCommand, judged: Path, tiny_model: Path) -> None:
    command(*sample(tiny_model, judged, "--n", "4"))
    before = rows(command, judged, "SELECT sample_id, text, tier_probs FROM samples ORDER BY sample_id")
    summary = json.loads(command(*sample(tiny_model, judged, "--n", "6")).stdout)
    assert (summary["already_there"], summary["drawn"]) == (80, 40)
    after = rows(
        command,
        judged,
        "SELECT sample_id, text, tier_probs FROM samples WHERE sample_index < 4 ORDER BY sample_id",
    )
    assert after == before


def test_another_configuration_draws_its_own(command: RunCommand, judged: Path, tiny_model: Path) -> None:
    first = json.loads(command(*sample(tiny_model, judged, "--n", "1")).stdout)
    second = json.loads(command(*sample(tiny_model, judged, "--n", "1", "--temperature", "0.5")).stdout)
    assert first["configuration"] != second["configuration"]
    assert second["drawn"] == 20


def test_a_guided_sample_opens_with_its_tier(command: RunCommand, judged: Path, tiny_model: Path) -> None:
    command(*sample(tiny_model, judged, "--n", "4"))
    found = rows(
        command,
        judged,
        "SELECT count(*) AS n, count(*) FILTER (text[1] = CAST(tier AS VARCHAR)) AS opened, "
        "max(abs(list_sum(tier_probs) - 1)) AS error FROM samples",
    )[0]
    assert found["n"] == found["opened"] == 80
    assert found["error"] < 1e-9


def test_tier_probabilities_are_those_where_the_tier_is_emitted(
    command: RunCommand, judged: Path, tiny_model: Path
) -> None:
    command(*sample(tiny_model, judged, "--n", "4", "--prompt", "reason-first", "--max-tokens", "40"))
    found = rows(command, judged, "SELECT tier, tier_probs FROM samples")
    assert all(row["tier"] is not None or row["tier_probs"] is None for row in found)


@pytest.mark.parametrize(
    ("text", "offset", "tier", "expected"),
    [
        ("3 things are asked for.", 0, None, None),
        ("It fits.\nTier: 3", 15, 3, [0.1, 0.2, 0.3, 0.4]),
        ("It fits.\nTier: Related", 0, 3, None),
    ],
)
def test_a_digit_that_is_no_verdict_gives_no_tier_probabilities(
    text: str, offset: int, tier: int | None, expected: list[float] | None
) -> None:
    logprobs = (math.log(0.1), math.log(0.2), math.log(0.3), math.log(0.4))
    task = Task("pair", "version", "hash", Rendered(()), {7: 0})
    completion = Completion("pair", 7, text, "stop", 9, 4, logprobs, (EmittedDigit(offset, logprobs),), 9)
    reference = ModelReference("tiny", Path("tiny"), "digest", 4096)
    configuration = Configuration(reference, load_template("reason-first"), Decoding())
    row = task.sample_row(completion, configuration, "run")
    assert row["tier"] == tier
    assert row["tier_probs"] == (None if expected is None else pytest.approx(expected))


def test_a_dry_run_writes_nothing(command: RunCommand, judged: Path, tiny_model: Path) -> None:
    before = judged.read_bytes()
    summary = json.loads(command(*sample(tiny_model, judged, "--n", "4", "--dry-run")).stdout)
    assert summary["to_draw"] == 80
    assert judged.read_bytes() == before


def test_a_prompt_too_long_is_stored_once_and_tried_again_when_asked(
    command: RunCommand, judged: Path, tmp_path: Path
) -> None:
    from tests.tiny_model import save_tiny_model

    model = save_tiny_model(tmp_path / "short", context=300)
    first = json.loads(command(*sample(model, judged, "--n", "2")).stdout)
    assert (first["failures"], first["drawn"]) == (20, 0)
    reasons = rows(command, judged, "SELECT count(*) AS n, min(reason) AS reason FROM sample_failures")
    assert reasons[0]["n"] == 20
    assert "300" in reasons[0]["reason"]
    again = json.loads(command(*sample(model, judged, "--n", "2")).stdout)
    assert (again["failed_before"], again["failures"]) == (20, 0)
    retried = json.loads(command(*sample(model, judged, "--n", "2", "--retry-failed")).stdout)
    assert retried["failures"] == 20


@pytest.fixture
def holder(judged: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process with an idle connection to the store."""
    code = f"import duckdb, sys; c = duckdb.connect({str(judged)!r}); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_while_a_shell_holds_the_store_parts_wait_and_the_next_writer_merges_them(
    command: RunCommand,
    process: RunProcess,
    judged: Path,
    tiny_model: Path,
    holder: subprocess.Popen[str],
) -> None:
    quick = {"TIERWISE_LOCK_SECONDS": "0.2"}
    summary = json.loads(process(*sample(tiny_model, judged, "--n", "4"), env=quick).stdout)
    assert summary["drawn"] == 80
    assert f"process {holder.pid}" in summary["waiting"]
    again = json.loads(process(*sample(tiny_model, judged, "--n", "4"), env=quick).stdout)
    assert (again["already_there"], again["drawn"]) == (80, 0)
    refused = process("curation", "difficulty", "--db", judged, code=1, env=quick)
    assert f"process {holder.pid}" in refused.stderr
    holder.kill()
    holder.wait()
    command("curation", "difficulty", "--db", judged)
    assert rows(command, judged, COUNTS)[0]["n"] == 80
    assert rows(command, judged, "SELECT sum(n) AS n FROM difficulty")[0]["n"] == 80


def test_two_processes_do_not_sample_one_configuration_at_once(
    command: RunCommand, judged: Path, tiny_model: Path
) -> None:
    import fcntl

    summary = json.loads(command(*sample(tiny_model, judged, "--n", "1")).stdout)
    lock = Path(f"{judged}.runs") / f".sample-{summary['configuration']}.lock"
    with lock.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        refused = command(*sample(tiny_model, judged, "--n", "2"), code=1)
    assert "already sampling this configuration" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--where", "colour = 'red'"], "colour"),
        (["--where", "tier = 9"], "no pair with a tier matches"),
        (["--where", "true; DROP TABLE pairs"], "--where"),
        (["--prompt", "nonsense"], "answer-first"),
        (["--model", "/nowhere/model"], "/nowhere/model"),
    ],
)
def test_what_cannot_be_sampled_is_told_in_one_line(
    arguments: list[str], words: str, command: RunCommand, judged: Path, tiny_model: Path
) -> None:
    failed = command(*sample(tiny_model, judged, "--n", "1", *arguments), code=1)
    assert words in failed.stderr
    assert len(failed.stderr.strip().splitlines()) == 1
