"""Answer-first prediction: ``TransformersBackend.score`` against bare forward passes.

``python -m benchmarks.predict [--model M] [--pairs N] [--repeats K]``

All sides use the same loaded model and read the same chats, of lengths as uneven as those of shop items, in batches
of the same size. The bare one is the least that anybody can do: the prompts come tokenized and sorted by length, and
each batch is padded and run once, for the last position's logits. Ours applies the chat template, tokenizes, sorts,
runs, and gives the four digits' log-probabilities. The plain one is what a first script does: it tokenizes, in the
order that the prompts come in, and takes all positions' logits.

The sides alternate within one run, which goes first alternates too, and ratios are medians of the pairwise ratios.
"""

from __future__ import annotations

import random
import time
from statistics import median
from typing import Any

import click
import torch
from rich.console import Console
from rich.table import Table

from curation.backends import Request, Score
from curation.backends.transformers import TransformersBackend
from curation.models import resolve
from curation.prompts import load_template

FILLER = (
    "lightweight waterproof trail shoe with reinforced toe breathable mesh and a cushioned sole for men in "
    "black steel glass lid set of four oven safe dishwasher replacement filter pack large size blue cotton"
)


def build_requests(pairs: int) -> list[Request]:
    """Prompts of invented items, from a title alone to a long description."""
    rng = random.Random(0)
    words = FILLER.split()
    template = load_template("answer-first")
    requests = []
    for number in range(pairs):
        title, description = (" ".join(rng.choices(words, k=k)) for k in (8, rng.choice([0, 10, 30, 60, 90])))
        messages = template.render(" ".join(rng.choices(words, k=3)), title, description=description)
        requests.append(Request(str(number), messages, ()))
    return requests


def texts_of(backend: TransformersBackend, requests: list[Request]) -> list[str]:
    """The chats as text, up to where the assistant speaks."""
    return [
        backend.tokenizer.apply_chat_template(
            [{"role": message.role, "content": message.content} for message in request.messages],
            add_generation_prompt=True,
            tokenize=False,
        )
        for request in requests
    ]


def score(backend: TransformersBackend, requests: list[Request]) -> int:
    """Ours."""
    answers = [answer for batch in backend.score(requests) for answer in batch]
    assert all(isinstance(answer, Score) for answer in answers)
    return len(answers)


@torch.inference_mode()  # type: ignore[untyped-decorator]
def forward(backend: TransformersBackend, batches: list[list[list[int]]]) -> int:
    """The least that anybody can do."""
    done = 0
    for batch in batches:
        longest = max(map(len, batch))
        ids = torch.tensor([[0] * (longest - len(row)) + row for row in batch])
        mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in batch])
        output = backend.model(
            input_ids=ids.to(backend.device),
            attention_mask=mask.to(backend.device),
            use_cache=False,
            logits_to_keep=1,
        )
        done += len(output.logits[:, -1].float().cpu())
    return done


@torch.inference_mode()  # type: ignore[untyped-decorator]
def plain(backend: TransformersBackend, requests: list[Request]) -> int:
    """What a first script does."""
    done = 0
    for start in range(0, len(requests), backend.batch_size):
        chats = texts_of(backend, requests[start : start + backend.batch_size])
        inputs = backend.tokenizer(
            chats, add_special_tokens=False, padding=True, padding_side="left", return_tensors="pt"
        )
        output = backend.model(**inputs.to(backend.device))
        done += len(output.logits[:, -1].float().log_softmax(-1).cpu())
    return done


@click.command(help=__doc__)
@click.option("--model", default="smollm2-135m", show_default=True, help="Directory, Hub id or smollm2-135m.")
@click.option("--pairs", default=64, show_default=True, help="Prompts.")
@click.option("--batch-size", type=int, help="Prompts at a time.  [default: the backend's]")
@click.option("--repeats", default=3, show_default=True, help="Timed rounds.")
def main(model: str, pairs: int, batch_size: int | None, repeats: int) -> None:
    """Time the three sides and print the table."""
    backend = TransformersBackend(resolve(model).path, batch_size=batch_size)
    requests = build_requests(pairs)
    encoded = backend.tokenizer(texts_of(backend, requests), add_special_tokens=False)["input_ids"]
    by_length = sorted(encoded, key=len, reverse=True)
    size = backend.batch_size
    batches = [by_length[start : start + size] for start in range(0, len(by_length), size)]
    sides: dict[str, Any] = {
        "bare forward, sorted": lambda: forward(backend, batches),
        "score (ours)": lambda: score(backend, requests),
        "a first script": lambda: plain(backend, requests),
    }
    progress = Console(stderr=True)
    for run in sides.values():
        run()
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    for repeat in range(repeats):
        for side in sorted(sides, reverse=repeat % 2 == 1):
            start = time.perf_counter()
            assert sides[side]() == pairs
            seconds[side].append(time.perf_counter() - start)
            progress.print(f"{side}: {seconds[side][-1]:.2f} s")
    tokens = sum(map(len, encoded))
    table = Table(
        title=f"{model}, {pairs} prompts of {min(map(len, encoded))} to {max(map(len, encoded))} tokens, "
        f"{size} at a time, {backend.model.dtype} on {backend.device}, medians of {repeats}"
    )
    for column in ("", "pairs/s", "tokens/s", "time, bare = 1", "ratios"):
        table.add_column(column, justify="left" if not column else "right")
    bare = seconds["bare forward, sorted"]
    for side, taken in seconds.items():
        ratios = sorted(ours / theirs for ours, theirs in zip(taken, bare, strict=True))
        table.add_row(
            side,
            f"{pairs / median(taken):.1f}",
            f"{tokens / median(taken):,.0f}",
            f"{median(ratios):.2f}",
            " ".join(f"{ratio:.2f}" for ratio in ratios),
        )
    Console().print(table)


if __name__ == "__main__":
    main()
