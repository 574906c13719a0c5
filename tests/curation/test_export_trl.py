"""The 🤗 export feeds TRL's trainers as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.curation.conftest import RunCommand

pytest.importorskip("trl")


@pytest.fixture(scope="module")
def exported(sampled_store: Path, tmp_path_factory: pytest.TempPathFactory, command: RunCommand) -> Any:
    from datasets import load_from_disk

    folder = tmp_path_factory.mktemp("export")
    store = folder / "tierwise.duckdb"
    store.write_bytes(sampled_store.read_bytes())
    command("curation", "split", "create", "all", "--db", store)
    command("curation", "export", "all_v1", "--format", "hf", "--out", folder / "hf", "--db", store)
    return load_from_disk(folder / "hf")


@pytest.fixture
def model(tiny_model: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(tiny_model)


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_model)


def settings(directory: Path) -> dict[str, Any]:
    return {
        "output_dir": str(directory),
        "max_steps": 2,
        "per_device_train_batch_size": 2,
        "learning_rate": 1e-3,
        "report_to": [],
        "save_strategy": "no",
        "use_cpu": True,
        "logging_steps": 1,
    }


def losses(trainer: Any) -> list[float]:
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def test_sft_trains_on_the_completions(exported: Any, model: Any, tokenizer: Any, tmp_path: Path) -> None:
    from trl import SFTConfig, SFTTrainer

    trainer = SFTTrainer(
        model,
        args=SFTConfig(**settings(tmp_path), max_length=None),
        train_dataset=exported["sft"],
        processing_class=tokenizer,
    )
    assert all(loss > 0 for loss in losses(trainer))
    completions = {row["completion"][0]["content"].strip() for row in exported["sft"]}
    batch = next(iter(trainer.get_train_dataloader()))
    for labels in batch["labels"].tolist():
        trained = tokenizer.decode([label for label in labels if label != -100], skip_special_tokens=True)
        assert trained.strip() in completions


def test_dpo_trains_on_the_preferences(exported: Any, model: Any, tokenizer: Any, tmp_path: Path) -> None:
    from trl import DPOConfig, DPOTrainer

    trainer = DPOTrainer(
        model,
        args=DPOConfig(**settings(tmp_path), max_length=None),
        train_dataset=exported["dpo"],
        processing_class=tokenizer,
    )
    assert all(loss > 0 for loss in losses(trainer))


def test_prompts_for_grpo_end_with_the_user_and_carry_the_gold_tier(exported: Any) -> None:
    rows = exported["grpo"]
    assert len(rows) == len(exported["pairs"]) == 60
    assert all([message["role"] for message in row["prompt"]] == ["system", "user"] for row in rows)
    assert set(rows["tier"]) <= {1, 2, 3, 4}
