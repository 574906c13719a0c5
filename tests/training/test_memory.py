"""The estimate against what models really hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from training.memory import MemoryEstimate, estimate_memory, require_memory
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from pathlib import Path


def bytes_of(parameters: Any) -> int:
    return sum(parameter.numel() * parameter.element_size() for parameter in parameters)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("adapters", [False, True])
def test_what_is_certain_is_what_a_step_leaves_in_memory(
    tiny_model: Path, dtype: str, adapters: bool
) -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    peft_config = LoraConfig(task_type="CAUSAL_LM", r=4) if adapters else None
    estimate = estimate_memory(
        tiny_model,
        dtype=dtype,
        optimizer="adamw_torch_fused",
        peft_config=peft_config,
        reference=True,
        batch_size=2,
        tokens=8,
    )

    def load() -> Any:
        return AutoModelForCausalLM.from_pretrained(tiny_model, dtype=getattr(torch, dtype))

    model, reference = load(), load()
    if peft_config is not None:
        model = get_peft_model(model, peft_config)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained)
    tokens = torch.zeros(1, 8, dtype=torch.long)
    model(input_ids=tokens, labels=tokens).loss.backward()
    optimizer.step()
    assert estimate.trained == sum(parameter.numel() for parameter in trained)
    assert estimate.weights == bytes_of(model.parameters()) + bytes_of(reference.parameters())
    moments = [state[name] for state in optimizer.state.values() for name in ("exp_avg", "exp_avg_sq")]
    assert estimate.states == bytes_of(parameter.grad for parameter in trained) + bytes_of(moments)


def test_activations_grow_with_the_batch(tiny_model: Path) -> None:
    small, large = (
        estimate_memory(
            tiny_model,
            dtype="float32",
            optimizer="sgd",
            peft_config=None,
            reference=False,
            batch_size=size,
            tokens=64,
        )
        for size in (1, 8)
    )
    assert large.activations == 8 * small.activations
    assert large.certain == small.certain


def test_only_what_is_certain_refuses() -> None:
    needed = MemoryEstimate(parameters=10, trained=10, weights=40, states=120, activations=10_000)
    require_memory(needed, 160)
    with pytest.raises(TierwiseError, match="--use_peft"):
        require_memory(needed, 159)
