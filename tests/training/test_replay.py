"""Guided replay: when a rationale takes a sample's place, what it counts for, and its importance ratio."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import torch
from transformers import AutoTokenizer

from tests.training.test_dynamic import (
    GROUP,
    RATIONALE,
    ScriptedDynamic,
    ScriptedGuided,
    assert_equal_weights,
    config,
    curriculum,
    dataset,
    save_model,
    train_dynamic,
)
from training.replay import GuidedGRPOTrainer
from training.rewards import Rewards
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model"))


def rationale_rows(tokenizer: Any, batch: dict[str, torch.Tensor]) -> list[bool]:
    """Which completions of a batch are the rationale; no scripted sample of an unsolved prompt is."""
    texts = tokenizer.batch_decode(batch["completion_ids"], skip_special_tokens=True)
    return [text == RATIONALE for text in texts]


def test_the_last_sample_of_a_prompt_never_solved_is_replaced(tiny_model: Path, tmp_path: Path) -> None:
    trainer, windows, batches = train_dynamic(
        ScriptedGuided, tiny_model, tmp_path, ["unsolved"] * 4, max_steps=4, learning_rate=0.0
    )
    last = [row % GROUP == GROUP - 1 for row in range(4 * GROUP)]
    for step, (window, batch) in enumerate(zip(windows, batches, strict=True)):
        guided = step >= 2
        assert rationale_rows(trainer.processing_class, batch) == (last if guided else [False] * len(last))
        assert "guided" not in batch
        for group in window.groups:
            assert (group.n, group.c, group.zero_variance) == (GROUP - guided, 0, not guided)
        if guided:
            rows = torch.tensor(last)
            assert (batch["advantages"][rows] > 0).all()
            assert (batch["advantages"][~rows] < 0).all()
            old = batch["old_per_token_logps"]
            assert not old[rows].any()
            # The policy has not moved.
            now = trainer._current_logps(batch)
            torch.testing.assert_close(old[~rows], now[~rows])
            assert (now[rows][:, 0] < 0).all()
        else:
            assert "old_per_token_logps" not in batch
    tokens = [sum(group.tokens for group in window.groups) for window in windows]
    assert len(set(tokens)) == 1  # what was generated and then replaced counts too
    a, b = trainer.curriculum.posterior
    assert (a == 0.5).all()
    assert (b > 0.5).all()


def test_without_prompts_to_guide_it_is_dynamic_sampling(tiny_model: Path, tmp_path: Path) -> None:
    kinds = ["mixed", "solved"] * 5
    guided, ours, _ = train_dynamic(ScriptedGuided, tiny_model, tmp_path, kinds)
    dynamic, theirs, _ = train_dynamic(ScriptedDynamic, tiny_model, tmp_path, kinds)
    assert ours == theirs
    assert_equal_weights(guided, dynamic)


def test_the_ratio_of_a_replayed_token_is_its_probability(tiny_model: Path, tmp_path: Path) -> None:
    trainer, _, batches = train_dynamic(ScriptedGuided, tiny_model, tmp_path, ["unsolved"] * 4)
    last = batches[-1]
    guided = torch.tensor(rationale_rows(trainer.processing_class, last))
    replayed = {name: value[guided] if value.ndim else value for name, value in last.items()}
    weights = replayed["advantages"][:, None] * replayed["completion_mask"]
    expected = -(weights * trainer._current_logps(replayed).exp()).sum() / replayed["num_items_in_batch"]
    torch.testing.assert_close(trainer._compute_loss(trainer.model, replayed).detach(), expected)


def test_a_rationale_that_is_too_long_is_not_used(tiny_model: Path, tmp_path: Path) -> None:
    tokens = len(AutoTokenizer.from_pretrained(tiny_model)(RATIONALE)["input_ids"])
    for length, guided in ((tokens + 1, True), (tokens, False)):
        _, windows, _ = train_dynamic(
            ScriptedGuided, tiny_model, tmp_path, ["unsolved"] * 4, max_completion_length=length
        )
        assert windows[-1].groups[0].n == GROUP - guided, length


def test_the_state_goes_through_json(tiny_model: Path, tmp_path: Path) -> None:
    trainer, _, _ = train_dynamic(
        ScriptedGuided, tiny_model, tmp_path, ["unsolved", "mixed", "solved"] * 2, max_steps=2
    )
    state = json.loads(json.dumps(trainer.sampling_state()))
    other, _, _ = train_dynamic(
        ScriptedGuided, tiny_model, tmp_path, ["unsolved", "mixed", "solved"] * 2, max_steps=1
    )
    assert other.sampling_state() != trainer.sampling_state()
    other.load_sampling_state(state)
    assert other.sampling_state() == trainer.sampling_state()


@pytest.mark.parametrize(
    ("column", "options", "message"),
    [
        ([None] * 4, {}, "the split holds no rationale"),
        ([RATIONALE] * 4, {"loss_type": "sapo"}, "loss_type='sapo'"),
    ],
)
def test_refused(
    tiny_model: Path, tmp_path: Path, column: list[str | None], options: dict[str, Any], message: str
) -> None:
    rows = dataset(["mixed"] * 4).remove_columns("completion").add_column("completion", column)
    with pytest.raises(TierwiseError, match=message):
        GuidedGRPOTrainer(str(tiny_model), config(tmp_path, **options), Rewards(), rows, curriculum(4))
