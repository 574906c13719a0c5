"""The loss on prompts, against sums over the model's own logits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer

from tests.training.conftest import TRAIN
from training.prompt_loss import PromptLossTrainer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.training.conftest import Train

ROWS = [
    {
        "prompt": [{"role": "user", "content": prompt}],
        "completion": [{"role": "assistant", "content": completion}],
    }
    for prompt, completion in (
        ("is a hat of wool a hat, and a warm one", "4"),
        ("a cup", "1\nNo hat at all."),
    )
]


def made(kind: Any, model: Path, out: Path, **options: Any) -> Any:
    return kind(
        model=AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32),
        args=SFTConfig(str(out), completion_only_loss=True, max_length=None, use_cpu=True, report_to=[]),
        train_dataset=Dataset.from_list(ROWS),
        processing_class=AutoTokenizer.from_pretrained(model),
        **options,
    )


def loss(trainer: Any) -> float:
    batch = next(iter(trainer.get_train_dataloader()))
    trainer.model.train()
    return float(trainer.compute_loss(trainer.model, batch).detach())


@pytest.mark.parametrize("weight", [0.0, 0.2, 1.0])
def test_a_prompt_token_weighs_what_it_is_given(tiny_model: Path, tmp_path: Path, weight: float) -> None:
    trainer = made(PromptLossTrainer, tiny_model, tmp_path, prompt_loss_weight=weight)
    batch = next(iter(trainer.get_train_dataloader()))
    assert (batch["attention_mask"] == 0).any(), "one of them is padded"
    with torch.no_grad():
        logits = trainer.model(batch["input_ids"], attention_mask=batch["attention_mask"]).logits[:, :-1]
    nll = torch.nn.functional.cross_entropy(
        logits.transpose(1, 2).float(), batch["input_ids"][:, 1:], reduction="none"
    )
    completion = batch["labels"][:, 1:] != -100
    prompt = (batch["attention_mask"][:, 1:] == 1) & ~completion
    assert min(completion.sum(), prompt.sum()) > 5
    expected = (nll[completion].sum() + weight * nll[prompt].sum()) / completion.sum()
    assert loss(trainer) == pytest.approx(float(expected), rel=1e-5)


def test_without_a_weight_it_is_the_loss_on_completions_and_metrics_are_theirs(
    tiny_model: Path, tmp_path: Path
) -> None:
    plain = made(SFTTrainer, tiny_model, tmp_path)
    ours = made(PromptLossTrainer, tiny_model, tmp_path, prompt_loss_weight=0.0)
    weighed = made(PromptLossTrainer, tiny_model, tmp_path, prompt_loss_weight=0.5)
    expected = loss(plain)
    assert loss(ours) == pytest.approx(expected, rel=1e-6)
    assert loss(weighed) > expected
    for metric, values in plain._metrics["train"].items():
        assert weighed._metrics["train"][metric] == pytest.approx(values, rel=1e-5), metric


def test_it_does_nothing_where_all_tokens_count_already(
    store: Path, tiny_model: Path, tmp_path: Path, train: Train
) -> None:
    asked = ("--split", TRAIN, "--model", tiny_model, "--out", tmp_path / "x", "--db", store)
    said = train("sft", *asked, "--prompt-loss-weight", 0.2, "--completion_only_loss", "false", code=1).stderr
    assert said.startswith("Error: --prompt-loss-weight does nothing with --completion_only_loss false")
