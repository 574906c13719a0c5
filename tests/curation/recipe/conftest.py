"""A small recipe over real commands, and a folder in which it has been run."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.warehouse.support import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RECIPE = """\
title = "A shop and judged rows, frozen"

[files]
data = "judged.csv"

[settings]
seed = 11
size = 20

[stage.shop]
command = "curation synthesize --out {out}/shop.csv"
options = { pairs = 60, seed = "{seed}" }

[stage.ingest]
command = "curation ingest table {data}"
options = { map = ["query=query", "title=title", "description=description", "label=label"] }

[stage.sell]
command = '''
    curation ingest table {shop.out}/shop.csv --source shop
    --map query=query title=title description=description label=label item_id=item_id intent=intent
    --tiers Excellent=4,Related=3,Mismatch=2,Irrelevant=1
'''

[stage.train]
command = "curation split create train"
needs = ["ingest", "sell"]
watch = "SELECT pair_id, tier FROM pairs"
options = { size = "{size}" }

[stage.export]
command = "curation export {train.split} --out {out}"
options = { format = "csv" }
"""

STAGES = ["shop", "ingest", "sell", "train", "export"]


def heed_signals() -> None:
    """In a child: Ctrl-C counts, also where the tests run in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def environment(**env: str) -> dict[str, str]:
    """That of a command which works in another folder than the checkout."""
    kept = {
        name: value for name, value in os.environ.items() if name not in ("TIERWISE_DB", "OMP_NUM_THREADS")
    }
    return {**kept, "PYTHONPATH": str(ROOT), **env}


class Cli(Protocol):
    """Runs ``python -m ARGUMENTS`` in the test's folder; fails unless it exits with `code`."""

    def __call__(
        self, *arguments: object, code: int = 0, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]: ...


def cli_in(folder: Path) -> Cli:
    """`Cli` in `folder`."""

    def run(
        *arguments: object, code: int = 0, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", *map(str, arguments)],
            cwd=folder,
            env=environment(**(env or {})),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    return run


RUN = ("curation", "recipe", "run", "r.toml")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, judged_csv: Path) -> Path:
    """A folder in which `RECIPE` was run, with what that said in ``said.txt``. Copy before changing it."""
    folder = tmp_path_factory.mktemp("recipe")
    shutil.copy(judged_csv, folder / "judged.csv")
    (folder / "r.toml").write_text(RECIPE, encoding="utf-8")
    (folder / "said.txt").write_text(cli_in(folder)(*RUN).stdout, encoding="utf-8")
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of `finished` to change, the working directory."""
    copy = tmp_path / "work"
    shutil.copytree(finished, copy)
    monkeypatch.chdir(copy)
    monkeypatch.delenv("TIERWISE_DB", raising=False)
    return copy


@pytest.fixture
def cli(folder: Path) -> Cli:
    """`Cli` in `folder`."""
    return cli_in(folder)


def edit(folder: Path, old: str, new: str) -> None:
    """Change the recipe."""
    path = folder / "r.toml"
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


def commands(said: str) -> list[str]:
    """What was shown to have been run."""
    return [line.removeprefix("$ ") for line in said.splitlines() if line.startswith("$ ")]


def started(arguments: Sequence[object]) -> subprocess.Popen[str]:
    """``python -m ARGUMENTS``, running in the working directory in a session of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", *map(str, arguments)],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=heed_signals,  # noqa: PLW1509
    )


def until_begun(process: subprocess.Popen[str], count: int = 1) -> list[str]:
    """Lines up to the one that shows the command of the stage number `count`."""
    assert process.stdout is not None
    lines: list[str] = []
    while len(commands("\n".join(lines))) < count:
        line = process.stdout.readline()
        assert line, "ended before"
        lines.append(line.rstrip("\n"))
    return lines


def children_of(process: subprocess.Popen[str]) -> list[int]:
    """Its processes, on Linux."""
    told = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [int(pid) for pid in told.split()]
