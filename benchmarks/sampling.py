"""Sampling speed: ``TransformersBackend`` against ``model.generate(num_return_sequences=n)``.

``python -m benchmarks.sampling [--model M] [--repeats K] [--quick]``

Both sides use the same loaded model and take the same chats to the same kind of texts: chat template, left
padding, prefill, sampling from the full softmax, decoding. A batch is four prompts of about the stated
length (within 8 %, so that both sides pad) and eight completions of each, 32 rows. End-of-sequence tokens
are disabled on both sides, so that every completion has exactly the same number of tokens and neither side
gains by finishing early: the backend's dropping of finished rows is not measured, nor needed to win.
The backend computes the tier digits' log-probabilities besides; ``generate`` does not.

The two sides alternate within one run, which goes first alternates too, and the ratio is the median of the
pairwise ratios, so that a machine that slows down slows both.
"""

from __future__ import annotations

import time
from statistics import median
from typing import Any

import click
import torch
from rich.console import Console
from rich.table import Table
from transformers import GenerationConfig

from curation.backends import Completion, Decoding, Message, Request
from curation.backends.transformers import TransformersBackend
from curation.models import resolve

PROMPTS = 4
SAMPLES = 8
TASK = "Judge how relevant the item is to the query, 1 to 4. Query: red walking shoes for wide feet. Item: "
FILLER = "lightweight waterproof trail shoe with reinforced toe, breathable mesh and a cushioned sole "


def build_requests(tokenizer: Any, tokens: int) -> list[Request]:
    """Four chats of about ``tokens`` tokens after the chat template, 8 % apart from end to end each way."""
    requests = []
    for number in range(PROMPTS):
        target = round(tokens * (1 + 0.08 * (2 * number / (PROMPTS - 1) - 1)))
        words: list[str] = []
        filler = FILLER.split() * tokens
        length = 0
        while length < target:
            words.append(filler[len(words)])
            messages = (Message("user", TASK + " ".join(words)),)
            length = len(tokenizer(render(tokenizer, messages), add_special_tokens=False)["input_ids"])
        streams = tuple(number * SAMPLES + sample for sample in range(SAMPLES))
        requests.append(Request(f"prompt-{number}", messages, streams))
    return requests


def render(tokenizer: Any, messages: tuple[Message, ...]) -> Any:
    """The chat as text, up to where the assistant speaks."""
    chat = [{"role": message.role, "content": message.content} for message in messages]
    return tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)


def run_backend(backend: TransformersBackend, requests: list[Request], new_tokens: int) -> list[str]:
    """Ours."""
    decoding = Decoding(temperature=1.0, top_p=1.0, max_tokens=new_tokens)
    texts = []
    for batch in backend.generate(requests, decoding):
        for completion in batch:
            assert isinstance(completion, Completion)
            assert completion.completion_tokens == new_tokens
            texts.append(completion.text)
    return texts


@torch.inference_mode()  # type: ignore[untyped-decorator]
def run_generate(backend: TransformersBackend, requests: list[Request], new_tokens: int) -> list[str]:
    """The library's own loop."""
    tokenizer = backend.tokenizer
    inputs = tokenizer(
        [render(tokenizer, request.messages) for request in requests],
        add_special_tokens=False,
        padding=True,
        padding_side="left",
        return_tensors="pt",
    ).to(backend.device)
    config = GenerationConfig(
        do_sample=True,
        temperature=1.0,
        top_p=1.0,
        top_k=0,
        max_new_tokens=new_tokens,
        num_return_sequences=SAMPLES,
        pad_token_id=tokenizer.pad_token_id,
    )
    output = backend.model.generate(**inputs, generation_config=config)
    generated = output[:, inputs["input_ids"].shape[1] :]
    assert generated.shape == (len(requests) * SAMPLES, new_tokens)
    texts: list[str] = tokenizer.batch_decode(generated, skip_special_tokens=True)
    return texts


@click.command(help=__doc__)
@click.option("--model", default="smollm2-135m", show_default=True, help="Directory, Hub id or smollm2-135m.")
@click.option("--repeats", default=5, show_default=True, help="Timed pairs at each prompt length.")
@click.option("--quick", is_flag=True, help="A smoke run: one pair, one length, few tokens.")
def main(model: str, repeats: int, quick: bool) -> None:
    """Time both sides at each prompt length and print the table."""
    lengths = [90] if quick else [90, 214, 452]
    new_tokens = 8 if quick else 48
    repeats = 1 if quick else repeats
    backend = TransformersBackend(resolve(model).path, batch_size=PROMPTS * SAMPLES)
    backend.eos_token_ids.clear()
    backend.model.generation_config.eos_token_id = None

    progress = Console(stderr=True)
    table = Table(
        title=f"{model}, {PROMPTS} prompts × {SAMPLES} samples × {new_tokens} new tokens, "
        f"{backend.model.dtype} on {backend.device}, medians of {repeats}"
    )
    for column in ("prompt tokens", "generate, tokens/s", "backend, tokens/s", "ratio", "ratios"):
        table.add_column(column, justify="right")
    sides = {"generate": run_generate, "backend": run_backend}
    for length in lengths:
        requests = build_requests(backend.tokenizer, length)
        for run in sides.values():
            run(backend, requests, 2)
        speeds: dict[str, list[float]] = {side: [] for side in sides}
        for repeat in range(repeats):
            for side in sorted(sides, reverse=repeat % 2 == 1):
                start = time.perf_counter()
                texts = sides[side](backend, requests, new_tokens)
                speeds[side].append(len(texts) * new_tokens / (time.perf_counter() - start))
                progress.print(f"{length} prompt tokens, {side}: {speeds[side][-1]:.0f} tokens/s")
        ratios = [ours / theirs for ours, theirs in zip(speeds["backend"], speeds["generate"], strict=True)]
        table.add_row(
            str(length),
            f"{median(speeds['generate']):.0f}",
            f"{median(speeds['backend']):.0f}",
            f"{median(ratios):.2f}",
            " ".join(f"{ratio:.2f}" for ratio in sorted(ratios)),
        )
    Console().print(table)


if __name__ == "__main__":
    main()
