"""A store with a train and an eval split, and a model that states tiers, made by the real commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from tests.curation.conftest import (
    command,
    invoke,
    judged_csv,
    offline,
    sampled_store,
    shop,
    shop_store,
    tiny_model,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.curation.conftest import Done, RunCommand

__all__ = ["command", "judged_csv", "offline", "sampled_store", "shop", "shop_store", "tiny_model"]

TRAIN, EVAL = "learn_v1", "held_v1"
QUICK = ("--learning_rate", "1e-3", "--per_device_train_batch_size", "4", "--max_steps", "2")


class Train(Protocol):
    """Runs ``python -m training.<stage>``; fails unless it exits with `code`."""

    def __call__(self, stage: str, *arguments: object, code: int = 0) -> Done: ...


@pytest.fixture(scope="session")
def train() -> Train:
    from training import dpo, grpo, scratch, sft

    stages = {"scratch": scratch.main, "sft": sft.main, "dpo": dpo.main, "grpo": grpo.main}

    def run(stage: str, *arguments: object, code: int = 0) -> Done:
        return invoke(stages[stage], list(map(str, arguments)), code)

    return run


@pytest.fixture(scope="session")
def split_store(
    tmp_path_factory: pytest.TempPathFactory,
    sampled_store: Path,
    command: RunCommand,
) -> Path:
    """`sampled_store` with `TRAIN` and `EVAL`. Copy before changing it."""
    store = tmp_path_factory.mktemp("split") / "tierwise.duckdb"
    store.write_bytes(sampled_store.read_bytes())
    command("curation", "split", "create", "held", "--role", "eval", "--size", "10", "--db", store)
    rest = "query_id NOT IN (SELECT query_id FROM split_queries)"
    command("curation", "split", "create", "learn", "--where", rest, "--db", store)
    return store


@pytest.fixture
def store(split_store: Path, tmp_path: Path) -> Path:
    """A copy of `split_store` to change."""
    copy = tmp_path / "tierwise.duckdb"
    copy.write_bytes(split_store.read_bytes())
    return copy


@pytest.fixture(scope="session")
def speaking_model(
    tmp_path_factory: pytest.TempPathFactory,
    split_store: Path,
    tiny_model: Path,
    train: Train,
) -> Path:
    """`tiny_model` after so much label-only SFT that most of its answers are tiers, and not all the right ones."""
    folder = tmp_path_factory.mktemp("speaking")
    store = folder / "tierwise.duckdb"
    store.write_bytes(split_store.read_bytes())
    out = folder / "model"
    asked = ("--label-only", "--model", tiny_model, "--out", out, "--db", store)
    train(
        "sft",
        "--split",
        TRAIN,
        *asked,
        "--learning_rate",
        "1e-2",
        "--max_steps",
        "30",
        "--save_strategy",
        "no",
    )
    return out
