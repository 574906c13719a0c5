"""A store on its way from judged rows to frozen splits, made by the real commands."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from click.testing import CliRunner

from curation.shop import INGEST_OPTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import click

CROWDFLOWER = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "crowdflower" / "train.csv"


@dataclass(frozen=True, slots=True)
class Done:
    """What a command printed."""

    stdout: str
    stderr: str


class RunCommand(Protocol):
    """Runs ``python -m <package> …``; fails unless it exits with `code`."""

    def __call__(self, *arguments: str | Path, code: int = 0) -> Done: ...


class RunProcess(Protocol):
    """`RunCommand` in a process of its own, with `env` added to its environment."""

    def __call__(
        self, *arguments: str | Path, code: int = 0, env: Mapping[str, str] | None = None
    ) -> Done: ...


@pytest.fixture(scope="session", autouse=True)
def offline() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        # Models this small only lose by a second thread.
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="session")
def command() -> RunCommand:
    from curation.__main__ import main as curation
    from eval.__main__ import main as evaluate
    from warehouse.__main__ import main as warehouse

    def run(*arguments: str | Path, code: int = 0) -> Done:
        package, *rest = map(str, arguments)
        return invoke({"curation": curation, "eval": evaluate, "warehouse": warehouse}[package], rest, code)

    return run


def invoke(main: click.Command, arguments: list[str], code: int) -> Done:
    """Run `main` in this process; fails unless it exits with `code`."""
    result = CliRunner().invoke(main, arguments)
    if not isinstance(result.exception, SystemExit | None):
        raise result.exception
    assert result.exit_code == code, f"exit {result.exit_code}\n{result.output}"
    return Done(result.stdout, result.stderr)


@pytest.fixture(scope="session")
def process() -> RunProcess:
    def run(*arguments: str | Path, code: int = 0, env: Mapping[str, str] | None = None) -> Done:
        done = subprocess.run(
            [sys.executable, "-m", *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **(env or {})},
        )
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return Done(done.stdout, done.stderr)

    return run


@pytest.fixture(scope="session")
def crowdflower() -> Path:
    """The real data, where the checkout has it beside it."""
    if not CROWDFLOWER.exists():
        pytest.skip("shared/data/crowdflower/train.csv is not beside this checkout")
    return CROWDFLOWER


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.tiny_model import save_tiny_model

    return save_tiny_model(tmp_path_factory.mktemp("tiny-model"))


@pytest.fixture(scope="session")
def shop_store(tmp_path_factory: pytest.TempPathFactory, command: RunCommand) -> Path:
    """Eighty judged pairs of the shop and its rulebook. Copy before changing it."""
    folder = tmp_path_factory.mktemp("shop")
    store, shop = folder / "shop.duckdb", folder / "shop.csv"
    command("curation", "synthesize", "--pairs", "80", "--out", shop)
    command("curation", "ingest", "table", shop, *INGEST_OPTIONS, "--db", store)
    command("curation", "rules", "load", "shop", "--db", store)
    return store


@pytest.fixture
def shop(shop_store: Path, tmp_path: Path) -> Path:
    """A copy of `shop_store` to change."""
    copy = tmp_path / "shop.duckdb"
    copy.write_bytes(shop_store.read_bytes())
    return copy


@pytest.fixture(scope="session")
def judged_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 judged pairs over 12 queries, all four tiers."""
    path = tmp_path_factory.mktemp("judged") / "judged.csv"
    draw = random.Random(5)
    lines = ["query,title,description,label"]
    for query in range(12):
        for item in range(5):
            text = f"item {item} for shelf {query} in {draw.choice(['red', 'blue', 'oak', 'steel'])}"
            lines.append(f"shelf {query},Shelf item {query}-{item},{text},{draw.randint(1, 4)}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


MAPPING = ("--map", "query=query", "title=title", "description=description", "label=label")


@pytest.fixture(scope="session")
def sampled_store(
    tmp_path_factory: pytest.TempPathFactory, command: RunCommand, judged_csv: Path, tiny_model: Path
) -> Path:
    """`judged_csv` sampled 6 times, graded, with preferences. Copy before changing it."""
    store = tmp_path_factory.mktemp("store") / "tierwise.duckdb"
    command("curation", "ingest", "table", judged_csv, *MAPPING, "--db", store)
    command("curation", "sample", "--n", "6", "--max-tokens", "24", "--model", tiny_model, "--db", store)
    command("curation", "difficulty", "--db", store)
    command("curation", "pairs", "--max-length-ratio", "8", "--db", store)
    return store


@pytest.fixture
def store(sampled_store: Path, tmp_path: Path) -> Path:
    """A copy of `sampled_store` to change."""
    copy = tmp_path / "tierwise.duckdb"
    copy.write_bytes(sampled_store.read_bytes())
    return copy


def rows(command: RunCommand, store: Path, query: str) -> list[dict[str, Any]]:
    """Rows of `query`, through ``warehouse sql --json``."""
    parsed: list[dict[str, Any]] = json.loads(
        command("warehouse", "sql", query, "--json", "--db", store).stdout
    )
    return parsed
