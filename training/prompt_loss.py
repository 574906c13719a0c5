"""Fine-tuning on completions, with a small share of the loss on their prompts.

A model that was trained on much text can read a prompt. One that starts from nothing learns it here.

Source: Huerta-Enochian and Ko, "Instruction Fine-Tuning: Does Prompt Loss Matter?" (arXiv 2401.13586), where the prompt
loss weight is defined.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from trl import SFTTrainer

if TYPE_CHECKING:
    from torch import Tensor


class PromptLossTrainer(SFTTrainer):
    """TRL's trainer, whose loss is the sum over completion tokens and, weighed, over prompt tokens.

    Both sums are divided by the number of completion tokens, so that a weight of 0 is TRL's loss on completions alone.

    Args:
        prompt_loss_weight: Weight of a prompt token, 0 to 1.
        options: TRL's.
    """

    def __init__(self, *, prompt_loss_weight: float, **options: Any) -> None:
        super().__init__(**options)
        self._weight = prompt_loss_weight

    def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **options: Any) -> Any:
        """TRL's; where prompts weigh something, by a forward pass that scores them as well."""
        if not self._weight:
            return super().compute_loss(model, inputs, *args, **options)
        labels: Tensor = inputs["labels"]
        everything: Tensor = inputs["input_ids"]
        if "attention_mask" in inputs:
            everything = everything.masked_fill(inputs["attention_mask"] == 0, -100)
        completion = labels[:, 1:] != -100

        def forward(**given: Any) -> Any:
            outputs = model(**{**given, "labels": everything})
            outputs.log_probs = outputs.log_probs * torch.where(completion, 1.0, self._weight)
            # TRL's metrics are those of completions.
            outputs.label_mask = completion
            outputs.entropy = outputs.entropy * completion
            outputs.is_top1 = outputs.is_top1 & completion
            return outputs

        return super().compute_loss(forward, inputs, *args, **options)
