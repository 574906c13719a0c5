"""Completions of GRPO's groups by the decode loop that pass@N sampling has, in place of ``model.generate``.

A prompt is read once for its whole group, and a completion that ends is carried no further. Random numbers come from
PyTorch's generator, whose state checkpoints keep.
"""

from __future__ import annotations

from types import MethodType
from typing import TYPE_CHECKING, Any

import torch

from curation.backends import Decoding
from curation.backends.decoding import decode

if TYPE_CHECKING:
    from trl import GRPOConfig


def generate_groups(
    model: Any, input_ids: Any, attention_mask: Any, generation_config: Any, **_: Any
) -> torch.Tensor:
    """What ``generate`` returns by sampling: [R, L + T], padded behind each completion.

    Args:
        model: A causal language model, in whatever mode it is.
        input_ids: Prompts, padded on the left, [R, L]; equal ones stand beside each other.
        attention_mask: 1 where `input_ids` holds a token, [R, L].
        generation_config: Its ``max_new_tokens``, ``temperature``, ``top_p``, ``eos_token_id`` and ``pad_token_id``.
    """
    rows = torch.cat([input_ids, attention_mask], dim=1)
    prompts, of_prompt = torch.unique_consecutive(rows, dim=0, return_inverse=True)
    ids, mask = prompts.chunk(2, dim=1)
    end = generation_config.eos_token_id
    ends = set(end if isinstance(end, list) else [end])
    limit = generation_config.max_new_tokens
    decoding = Decoding(generation_config.temperature, generation_config.top_p, limit, guided=False)
    completions: list[list[int]] = [[] for _ in of_prompt]

    def take(live: list[int], tokens: list[int], _: Any) -> list[bool]:
        for row, token in zip(live, tokens, strict=True):
            if not completions[row] or completions[row][-1] not in ends:
                completions[row].append(token)
        return [token in ends for token in tokens]

    with torch.no_grad():
        # In (0, 1].
        uniforms = 1 - torch.rand(len(of_prompt), limit).to(ids.device)
        decode(model, ids, mask, of_prompt, uniforms, decoding, take)
    length = max(map(len, completions))
    padded = [tokens + [generation_config.pad_token_id] * (length - len(tokens)) for tokens in completions]
    return torch.cat([input_ids, torch.tensor(padded, device=input_ids.device)], dim=1)


def replace_generate(model: Any, config: GRPOConfig, *, sharded: bool) -> None:
    """Let `model` generate by `generate_groups`, where that does all that `config` asks for.

    Args:
        model: The policy; it is changed.
        config: TRL's.
        sharded: Whether processes hold shares of the weights: they would have to take equally many steps.
    """
    other_ways = (
        config.use_vllm,
        config.use_transformers_continuous_batching,
        config.generation_kwargs,
        config.cache_implementation,
    )
    other_draws = config.top_k or config.min_p or config.repetition_penalty != 1
    if not (sharded or any(other_ways) or other_draws):
        model.generate = MethodType(generate_groups, model)
