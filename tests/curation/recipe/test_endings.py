"""However a runner ends, its children end with it, and the same command goes on from there."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.curation.conftest import rows
from tests.curation.recipe.conftest import (
    RUN,
    STAGES,
    children_of,
    cli_in,
    commands,
    environment,
    heed_signals,
    started,
    until_begun,
)

if TYPE_CHECKING:
    from tests.curation.conftest import RunCommand
    from tests.curation.recipe.conftest import Cli

NEW = Path("new.duckdb")
# Takes minutes, unless it is ended.
LONG = ("--set", "pairs=1000000")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture(autouse=True)
def _with_pairs(folder: Path) -> None:
    text = (folder / "r.toml").read_text(encoding="utf-8")
    text = text.replace("seed = 11\n", "seed = 11\npairs = 60\n").replace("pairs = 60,", 'pairs = "{pairs}",')
    (folder / "r.toml").write_text(text, encoding="utf-8")


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def the_child(process: subprocess.Popen[str]) -> int:
    """The only child of `process`, once it runs its command."""
    while True:
        for pid in children_of(process):
            if b"synthesize" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
        time.sleep(0.01)


def wait_for_work(count: int = 1) -> None:
    """Until so many shops are being written: Python heeds Ctrl-C badly while it starts."""
    while sum(map(_holds_rows, Path("new.recipes").glob("*/.*.csv.*"))) < count:
        time.sleep(0.01)


def _holds_rows(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:  # it has its name now
        return False


def wait_for_the_end_of(pid: int) -> None:
    deadline = time.monotonic() + 60
    while is_running(pid):
        assert time.monotonic() < deadline, "still running"
        time.sleep(0.01)


def runs_of(command: RunCommand, kind: str) -> list[str]:
    found = rows(command, NEW, f"SELECT status FROM runs WHERE kind = '{kind}' ORDER BY started_at")
    return [row["status"] for row in found]


def finished_stages(command: RunCommand) -> list[str]:
    query = "SELECT stage FROM stages WHERE ended_at IS NOT NULL ORDER BY ended_at"
    return [row["stage"] for row in rows(command, NEW, query)]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_killed_runner_leaves_no_child_and_the_same_command_finishes(
    command: RunCommand, cli: Cli, jobs: int
) -> None:
    asked = (*RUN, "--db", NEW, "--jobs", jobs, "--set", "pairs=2000")
    with started(asked) as process:
        until_begun(process)
        child = the_child(process)
        process.kill()
    wait_for_the_end_of(child)
    # It did not go on to its end either.
    assert not list(Path("new.recipes").glob("*/shop.csv"))
    told = json.loads(cli(*asked, "--json").stdout)
    assert told["stages_run"] + told["done_before"] == len(STAGES)
    assert told["stages"]["shop"]["state"] == "ran"
    assert sorted(finished_stages(command)) == sorted(STAGES)
    assert runs_of(command, "recipe") == ["interrupted", "finished"]
    assert "Nothing to do." in cli(*asked).stdout


@pytest.mark.parametrize("moment", ["stage", "collect"])
def test_a_runner_that_dies_between_the_end_of_a_child_and_its_record(
    command: RunCommand, cli: Cli, moment: str
) -> None:
    killed = cli(*RUN, "--db", NEW, code=-signal.SIGKILL, env={"TIERWISE_DIE_AT": moment})
    assert len(commands(killed.stdout)) == 1
    again = commands(cli(*RUN, "--db", NEW).stdout)
    # What was kept as a part counts, merged or not.
    assert len(again) == len(STAGES) - (moment == "collect")
    assert finished_stages(command) == STAGES
    assert "Nothing to do." in cli(*RUN, "--db", NEW).stdout


def test_ctrl_c_for_the_runner_alone_is_passed_on(command: RunCommand, cli: Cli) -> None:
    with started([*RUN, "--db", NEW, *LONG]) as process:
        until_begun(process)
        child = the_child(process)
        wait_for_work()
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate()
    assert process.returncode == 130
    assert not is_running(child)
    assert stderr.endswith("Interrupted. What was finished is kept; the same command goes on from there.\n")
    assert "Traceback" not in stderr
    assert runs_of(command, "recipe") == ["interrupted"]
    assert finished_stages(command) == []
    cli(*RUN, "--db", NEW)
    assert finished_stages(command) == STAGES


def test_ctrl_c_at_a_terminal_reaches_each_once(command: RunCommand, folder: Path) -> None:
    ours, theirs = pty.openpty()

    def at_the_terminal() -> None:
        heed_signals()
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

    with subprocess.Popen(
        [sys.executable, "-m", *RUN, "--db", str(NEW), *LONG],
        env=environment(),
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        start_new_session=True,
        preexec_fn=at_the_terminal,  # noqa: PLW1509
    ) as process:
        os.close(theirs)
        until_begun(process)
        child = the_child(process)
        wait_for_work()
        os.write(ours, b"\x03")
        process.communicate()
        said = os.read(ours, 100_000).decode()
    os.close(ours)
    assert process.returncode == 130
    assert not is_running(child)
    assert said.count("Interrupted. What was finished is kept") == 2
    assert runs_of(command, "recipe") == ["interrupted"]


@pytest.mark.parametrize("place", ["foreground", "background", "elsewhere"])
def test_only_a_terminal_whose_foreground_we_are_in_signals_our_children(place: str) -> None:
    ours, theirs = pty.openpty()

    def placed() -> None:
        if place != "elsewhere":
            fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)
        if place == "background" and os.fork():
            os._exit(os.waitstatus_to_exitcode(os.wait()[1]))
        if place == "background":
            os.setpgid(0, 0)

    told = subprocess.run(
        [sys.executable, "-c", "from curation.recipe.children import terminal_told_them as t; print(t())"],
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        start_new_session=True,
        preexec_fn=placed,
    ).stdout
    os.close(theirs)
    os.close(ours)
    assert told == f"{place == 'foreground'}\n"


def test_two_jobs_that_are_interrupted(folder: Path, command: RunCommand) -> None:
    (folder / "r.toml").write_text(
        "".join(
            f'[stage.{name}]\ncommand = "curation synthesize --seed {seed} --pairs {pairs} --out {{out}}/s.csv"\n'
            for seed, (name, pairs) in enumerate((("short", 40), ("long", 1_000_000), ("longer", 1_000_000)))
        )
    )
    with started([*RUN, "--db", NEW, "--jobs", 2]) as process:
        # The third begins when the first has ended.
        until_begun(process, 3)
        wait_for_work(2)
        children = children_of(process)
        process.send_signal(signal.SIGINT)
        process.communicate()
    assert process.returncode == 130
    assert len(children) == 2
    assert not any(map(is_running, children))
    assert finished_stages(command) == ["short"]
    assert cli_in(folder)(*RUN, "--db", NEW, "--dry-run").stdout.splitlines() == [
        "done  short",
        "runs  long    new",
        "runs  longer  new",
    ]
