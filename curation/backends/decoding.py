"""A decode loop that reads each prompt once for all of its completions.

``model.generate(num_return_sequences=n)`` prefills every prompt n times and copies all keys and values at every token.
Here a prompt's key–value cache is repeated for its rows and grows in place, rows that end leave it, and a token is
drawn from one uniform number, so that a row's random numbers are its own.

Shapes: P prompts, R rows (completions in flight), L cached positions, V vocabulary size, T new tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.random import Generator, Philox
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from curation.backends import Decoding

NUCLEUS_CANDIDATES = 512
"""Most probable tokens looked at before a nucleus has to sort the whole vocabulary."""

CACHE_BLOCK = 64
"""Positions by which the key–value cache grows."""


def decode(
    model: Any,
    ids: Any,
    mask: Any,
    of_prompt: Any,
    uniforms: Any,
    decoding: Decoding,
    take: Callable[[list[int], list[int], Any], list[bool]],
    restrict: Callable[[Any, int], Any] = lambda logits, _: logits,
) -> None:
    """Sample completions of prompts, until each has ended or has T tokens.

    Args:
        model: A causal language model.
        ids: Token ids of the prompts, padded on the left, [P, L].
        mask: 1 where `ids` holds a token, [P, L].
        of_prompt: Which prompt each row completes, [R].
        uniforms: The random numbers of each row, in (0, 1], [R, T].
        decoding: Temperature and top-p; T takes the place of its ``max_tokens``.
        take: Called at each step with the numbers of the rows in flight, the tokens drawn for them and the logits
            [rows, V] that these were drawn from; says which of the rows end.
        restrict: Logits to draw from instead, given these and the step.
    """
    cache = DynamicCache(config=model.config)
    logits = prefill(model, ids, mask, cache)[of_prompt]
    mask = mask[of_prompt]
    repeat_cache(cache, of_prompt)
    position = mask.sum(-1, keepdim=True)
    live = list(range(len(of_prompt)))
    ended: set[int] = set()
    steps = uniforms.shape[1]
    for step in range(steps):
        tokens = sample_tokens(restrict(logits, step), uniforms[:, step], decoding)
        ended.update(row for row, ends in zip(live, take(live, tokens.tolist(), logits), strict=True) if ends)
        unfinished = [index for index, row in enumerate(live) if row not in ended]
        if not unfinished or step == steps - 1:
            break
        # Dropping rows copies the cache once; keeping a finished row costs every step.
        if len(live) - len(unfinished) >= max(1, len(live) // 8):
            live = [live[index] for index in unfinished]
            keep = torch.as_tensor(unfinished, device=ids.device)
            tokens, mask, position, uniforms = tokens[keep], mask[keep], position[keep], uniforms[keep]
            cache.reorder_cache(keep)
        mask = torch.cat([mask, mask.new_ones(len(live), 1)], dim=-1)
        output = model(
            input_ids=tokens[:, None],
            attention_mask=mask,
            position_ids=position,
            past_key_values=cache,
            use_cache=True,
        )
        logits = output.logits[:, -1].float()
        position = position + 1


def prefill(model: Any, ids: Any, mask: Any, cache: DynamicCache | None) -> Any:
    """Read each prompt once: next-token logits [P, V]; fills `cache`, if any.

    Args:
        model: A causal language model.
        ids: As in `decode`.
        mask: As in `decode`.
        cache: An empty one.
    """
    output = model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=(mask.cumsum(-1) - 1).clamp(min=0),
        past_key_values=cache,
        use_cache=cache is not None,
        logits_to_keep=1,
    )
    return output.logits[:, -1].float()


def sample_tokens(logits: Any, uniforms: Any, decoding: Decoding) -> Any:
    """Draw one token per row by inverting its cumulative distribution.

    Args:
        logits: [R, V], float32.
        uniforms: [R], float32 in (0, 1].
        decoding: Temperature, then top-p, are applied to ``logits``.

    Returns:
        Token ids, [R].
    """
    if decoding.temperature == 0:
        return logits.argmax(-1)
    probabilities = (logits / decoding.temperature).softmax(-1)
    if decoding.top_p >= 1:
        mass = probabilities.cumsum(-1)
        return torch.searchsorted(mass, uniforms[:, None] * mass[:, -1:]).squeeze(-1)
    sorted_probabilities, ids = probabilities.topk(min(NUCLEUS_CANDIDATES, probabilities.shape[-1]))
    mass = sorted_probabilities.cumsum(-1)
    if (mass[:, -1] < decoding.top_p).any():
        sorted_probabilities, ids = probabilities.sort(descending=True)
        mass = sorted_probabilities.cumsum(-1)
    last = (mass < decoding.top_p).sum(-1, keepdim=True).clamp(max=mass.shape[-1] - 1)
    choice = torch.searchsorted(mass, uniforms[:, None] * mass.gather(-1, last))
    return ids.gather(-1, choice).squeeze(-1)


def draw_uniforms(stream: int, count: int) -> NDArray[np.float32]:
    """The first ``count`` numbers, in (0, 1], of the Philox generator whose key is the 128-bit ``stream``."""
    return (1 - Generator(Philox(key=stream)).random(count)).astype(np.float32)


class _GrowingLayer(DynamicLayer):  # type: ignore[misc]
    """A cache layer with room to grow: ``DynamicLayer`` copies all keys and values at every token."""

    def __init__(self, layer: Any, rows: Any) -> None:
        """Take over the positions of ``layer``, its batch entries chosen by ``rows`` [R]."""
        super().__init__()
        self.dtype, self.device, self.is_initialized = layer.dtype, layer.device, True
        self.keys, self.values = layer.keys, layer.values
        self.reorder_cache(rows)

    def update(self, key_states: Any, value_states: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        """Append one position and return all of them, [R, heads, L + 1, head size]."""
        length = self.keys.shape[-2]
        if length == self._key_storage.shape[-2]:
            self._reserve(self.keys, self.values)
        self._key_storage[:, :, length] = key_states[:, :, 0]
        self._value_storage[:, :, length] = value_states[:, :, 0]
        self.keys = self._key_storage[:, :, : length + 1]
        self.values = self._value_storage[:, :, : length + 1]
        return self.keys, self.values

    def reorder_cache(self, beam_idx: Any) -> None:
        """Keep the rows ``beam_idx`` [R], which may repeat."""
        self._reserve(self.keys[beam_idx], self.values[beam_idx])

    def _reserve(self, keys: Any, values: Any) -> None:
        length = keys.shape[-2]
        storage = []
        for states in (keys, values):
            shape = (*states.shape[:-2], length + CACHE_BLOCK, states.shape[-1])
            storage.append(states.new_empty(shape))
            storage[-1][:, :, :length] = states
        self._key_storage, self._value_storage = storage
        self.keys, self.values = (states[:, :, :length] for states in storage)


def repeat_cache(cache: Any, rows: Any) -> None:
    """Make row i of ``cache`` a copy of its row ``rows[i]``, layer by layer, and let it grow cheaply.

    Args:
        cache: A ``DynamicCache`` of prefilled prompts; changed in place.
        rows: [R], which prompt each row continues.
    """
    for index, layer in enumerate(cache.layers):
        if type(layer) is DynamicLayer:
            cache.layers[index] = _GrowingLayer(layer, rows)
        else:
            layer.reorder_cache(rows)
