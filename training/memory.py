"""How much memory a training run needs, before the weights are loaded.

Certain is what weights, gradients and optimizer take; the parameters are counted on a model without storage. What
activations take on top depends on kernels, and is a guide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from pathlib import Path

    from peft import PeftConfig

_ADAPTER_SIZE = 4
"""Bytes of an adapter's parameter: peft keeps them in float32."""
_LOGIT_COPIES = 3
"""The loss holds logits, their float32 copy and their gradient."""


@dataclass(frozen=True, slots=True)
class MemoryEstimate:
    """Bytes that one process takes.

    Attributes:
        parameters: Of the model, adapters included.
        trained: Those that the optimizer moves.
        weights: Bytes of all parameters, of the reference model too.
        states: Bytes of gradients and of the optimizer's moments.
        activations: Bytes of the largest batch, a guide.
    """

    parameters: int
    trained: int
    weights: int
    states: int
    activations: int

    @property
    def certain(self) -> int:
        """Bytes without which no step can be taken."""
        return self.weights + self.states

    def __str__(self) -> str:
        return (
            f"{_gigabytes(self.certain + self.activations)}: weights {_gigabytes(self.weights)}, gradients and "
            f"optimizer {_gigabytes(self.states)}, activations about {_gigabytes(self.activations)} "
            f"({self.trained:,} of {self.parameters:,} parameters are trained)"
        )


def estimate_memory(
    model: Path,
    *,
    dtype: str,
    optimizer: str,
    peft_config: PeftConfig | None,
    reference: bool,
    batch_size: int,
    tokens: int,
) -> MemoryEstimate:
    """What a step takes in one process that holds the whole model.

    Args:
        model: Its directory.
        dtype: What weights are held in, ``float32``, ``bfloat16``, ``float16``, or ``auto`` for the file's.
        optimizer: As TRL names it; the moments of AdamW in full precision are counted, those of others are not.
        peft_config: Adapters to train in place of the model.
        reference: Whether a second copy of the model is kept beside it.
        batch_size: Sequences in a forward pass.
        tokens: Length of the longest sequence.

    Raises:
        TierwiseError: The model has no place for the adapters.
    """
    import torch
    from accelerate import init_empty_weights
    from peft import get_peft_model
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(model, trust_remote_code=False)
    held = getattr(torch, dtype) if dtype != "auto" else (config.dtype or torch.float32)
    with init_empty_weights():
        bare: Any = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
        bare.tie_weights()
        base = sum(parameter.numel() for parameter in bare.parameters())
        if peft_config is not None:
            try:
                bare = get_peft_model(bare, peft_config)
            except Exception as error:
                # No module of that name, or none that adapters fit: peft has an exception for each.
                raise TierwiseError(f"no adapters for {model}: {' '.join(str(error).split())}") from error
    parameters = sum(parameter.numel() for parameter in bare.parameters())
    trained = sum(parameter.numel() for parameter in bare.parameters() if parameter.requires_grad)
    size = held.itemsize
    trained_size = size if peft_config is None else _ADAPTER_SIZE
    moments = 2 if optimizer.startswith("adamw_torch") and "bit" not in optimizer else 0
    text = config.get_text_config(decoder=True)
    # With activation checkpointing a layer keeps its input alone.
    hidden = text.num_hidden_layers * text.hidden_size * size
    return MemoryEstimate(
        parameters=parameters,
        trained=trained,
        weights=size * base * (2 if reference else 1) + _ADAPTER_SIZE * (parameters - base),
        states=trained * trained_size * (1 + moments),
        activations=batch_size * tokens * (hidden + _LOGIT_COPIES * 4 * text.vocab_size),
    )


def available_memory() -> int:
    """Bytes that this process may still take: of its GPU, or its share of the machine's."""
    import os

    import psutil
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.mem_get_info()[0])
    return int(psutil.virtual_memory().available) // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def require_memory(needed: MemoryEstimate, available: int) -> None:
    """Check that what is certain fits.

    Raises:
        TierwiseError: It does not.
    """
    if needed.certain > available:
        raise TierwiseError(
            f"training needs about {needed}, and {_gigabytes(available)} are free for each process; train adapters "
            "with --use_peft, hold weights in --dtype bfloat16, or name a smaller --model"
        )


def _gigabytes(size: float) -> str:
    return f"{size / 2**30:,.1f} GiB"
