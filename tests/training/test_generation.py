"""Groups by our decode loop: what is drawn, how it is padded, and when TRL's own generation stands."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from transformers import AutoModelForCausalLM, GenerationConfig

from training.generation import generate_groups, replace_generate

if TYPE_CHECKING:
    from pathlib import Path

PROMPTS = torch.tensor([[0, 0, 5, 6], [0, 0, 5, 6], [7, 8, 9, 10], [7, 8, 9, 10]])
MASK = torch.tensor([[0, 0, 1, 1], [0, 0, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1]])


@pytest.fixture
def model(tiny_model: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32).eval()


def config(**given: Any) -> GenerationConfig:
    return GenerationConfig(
        **{"max_new_tokens": 12, "temperature": 1.0, "top_p": 1.0, "eos_token_id": [2], "pad_token_id": 3}
        | given
    )


def test_each_row_goes_on_as_it_would_alone(model: Any) -> None:
    """At temperature 0 by `argmax`; whatever stands beside it, and however its prompt is padded."""
    found = generate_groups(model, PROMPTS, MASK, config(temperature=0, eos_token_id=[-1]))
    for prompt, mask, row in zip(PROMPTS, MASK, found, strict=True):
        alone = prompt[mask.bool()]
        with torch.no_grad():
            for _ in range(12):
                alone = torch.cat([alone, model(alone[None]).logits[0, -1:].argmax(-1)])
        assert row.tolist() == prompt.tolist() + alone[-12:].tolist()


def test_first_tokens_come_as_often_as_the_model_says(model: Any) -> None:
    torch.manual_seed(0)
    rows = 4_000
    found = generate_groups(
        model,
        PROMPTS[:1].repeat(rows, 1),
        MASK[:1].repeat(rows, 1),
        config(max_new_tokens=1, temperature=0.3),
    )
    with torch.no_grad():
        expected = (model(PROMPTS[:1, 2:]).logits[0, -1].float() / 0.3).softmax(-1)
    seen = torch.bincount(found[:, 4], minlength=len(expected)) / rows
    likely = expected.topk(5).indices
    assert expected[likely].sum() > 0.05
    # Four standard errors.
    assert ((seen - expected).abs() <= 4 * (expected * (1 - expected) / rows).sqrt() + 1e-3).all()


def test_what_follows_an_end_is_padding(model: Any) -> None:
    torch.manual_seed(1)
    ends = list(range(0, model.config.vocab_size, 3))
    prompts, mask = PROMPTS.repeat_interleave(16, 0), MASK.repeat_interleave(16, 0)
    found = generate_groups(model, prompts, mask, config(eos_token_id=ends, pad_token_id=-7))[:, 4:]
    lengths = set()
    for row in found.tolist():
        real = [token for token in row if token != -7]
        assert row == real + [-7] * (len(row) - len(real))
        assert not any(token in ends for token in real[:-1])
        assert real[-1] in ends or len(real) == 12
        lengths.add(len(real))
    assert len(lengths) > 3
    assert max(lengths) == found.shape[1]


def test_the_generator_of_pytorch_decides(model: Any) -> None:
    def draw(seed: int) -> list[list[int]]:
        torch.manual_seed(seed)
        rows: list[list[int]] = generate_groups(model, PROMPTS, MASK, config()).tolist()
        return rows

    assert draw(1) == draw(1) != draw(2)


PLAIN = {
    "use_vllm": False,
    "use_transformers_continuous_batching": False,
    "generation_kwargs": None,
    "cache_implementation": None,
    "top_k": 0,
    "min_p": None,
    "repetition_penalty": 1.0,
}


@pytest.mark.parametrize(
    ("given", "replaced"),
    [
        ({}, True),
        ({"use_vllm": True}, False),
        ({"use_transformers_continuous_batching": True}, False),
        ({"generation_kwargs": {"num_beams": 2}}, False),
        ({"cache_implementation": "static"}, False),
        ({"top_k": 5}, False),
        ({"min_p": 0.1}, False),
        ({"repetition_penalty": 1.2}, False),
    ],
)
def test_what_it_does_not_do_is_left_to_transformers(
    model: Any, given: dict[str, Any], replaced: bool
) -> None:
    before = model.generate
    asked: Any = SimpleNamespace(**PLAIN | given)
    replace_generate(model, asked, sharded=True)
    assert model.generate == before
    replace_generate(model, asked, sharded=False)
    assert (model.generate != before) == replaced
