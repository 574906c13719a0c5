"""What vLLM's engine loads to hold an answer to a first line that is a tier digit alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from vllm.v1.sample.logits_processor import LogitsProcessor
from vllm.v1.sample.logits_processor.builtin import process_dict_updates

if TYPE_CHECKING:
    from vllm import SamplingParams
    from vllm.v1.sample.logits_processor import BatchUpdate


class TierLine(LogitsProcessor):
    """For requests with ``tier_line`` in their extra arguments, four digits and a line break by their token ids.

    The first token is drawn among the digits, the second is the line break; rows that are past it cost nothing.
    """

    def __init__(self, _config: Any, device: torch.device, _is_pin_memory: bool) -> None:
        self._device = device
        self._rows: dict[int, tuple[list[int], list[int]]] = {}

    def is_argmax_invariant(self) -> bool:
        """It decides the first tokens."""
        return False

    def update_state(self, batch_update: BatchUpdate | None) -> None:
        """Follow the rows of the batch, and forget those that have their line."""
        process_dict_updates(self._rows, batch_update, _state)
        self._rows = {row: (line, tokens) for row, (line, tokens) in self._rows.items() if len(tokens) < 2}

    def apply(self, logits: torch.Tensor) -> torch.Tensor:
        """Leave only what the line may hold there, [R, V]."""
        for row, (line, tokens) in self._rows.items():
            allowed = torch.as_tensor(line[-1:] if tokens else line[:-1], device=self._device)
            kept = logits[row, allowed]
            logits[row] = -torch.inf
            logits[row, allowed] = kept
        return logits


def _state(
    params: SamplingParams, _prompt: list[int] | None, tokens: list[int]
) -> tuple[list[int], list[int]] | None:
    line = (params.extra_args or {}).get("tier_line")
    return (line, tokens) if line else None
