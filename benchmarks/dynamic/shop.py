"""The made-up shop as a task for a small model: its pairs, its tokenizer, the base that all sides start from."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, Qwen2Config, get_linear_schedule_with_warmup

from curation.shop import generate
from tests.tiny_model import build_tokenizer
from training.rewards import DEFAULT_WEIGHTS, score

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from curation.shop import ShopRow

    Row = dict[str, Any]
    Floats = np.ndarray[Any, np.dtype[np.float64]]

TIERS = (1, 2, 3, 4)
GROUP = 8
TEMPLATE = (
    "{% for message in messages %}<|im_start|> {{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>{% endif %}"
)

_LABELS = {"Excellent": 4, "Related": 3, "Mismatch": 2, "Irrelevant": 1}
_KINDS = ("plain", "question", "negation")
_CATEGORIES = (
    "running socks", "hiking socks", "beanie", "headband", "desk lamp", "clip-on lamp",
    "laptop sleeve", "laptop hard case", "sleeping bag", "camping quilt", "foam camping mat", "inflatable camping mat",
)  # fmt: skip
_PAIRS = 40_000
_SFT = 2_500
_POOL = 1_536
_UNSHOWN = ("category", "line", "see_also")


@dataclass(frozen=True, slots=True)
class Shop:
    """Rows as TRL takes them, disjoint by intent, as splits are."""

    sft: list[Row]
    pool: list[Row]
    held_out: list[Row]

    @classmethod
    def make(cls, pairs: int = _PAIRS) -> Shop:
        """A tenth of the intents is held out, 0.35 are for the pools, and SFT has the rest."""
        shop = [row for row in generate(pairs, seed=7) if row.kind in _KINDS and _asked(row) in _CATEGORIES]
        intents = list(dict.fromkeys(row.intent for row in shop))
        Random(0).shuffle(intents)
        held_out = set(intents[: len(intents) // 10])
        pool = set(intents[len(intents) // 10 : len(intents) * 45 // 100])
        parts: tuple[list[Row], list[Row], list[Row]] = ([], [], [])
        for number, row in enumerate(shop):
            part = 2 if row.intent in held_out else 1 if row.intent in pool else 0
            parts[part].append(
                {
                    "prompt": [{"role": "user", "content": _content(row)}],
                    "answer": f"{_LABELS[row.label]}\n{_reason(row)}",
                    "tier": _LABELS[row.label],
                    "format": "answer-first",
                    "pair_id": str(number),
                }
            )
        for rows in parts:
            Random(0).shuffle(rows)
        return cls(parts[0][:_SFT], parts[1], parts[2])


def _asked(row: ShopRow) -> str:
    """The category that the query asks for."""
    return row.derivation.partition("category = ")[2].partition(":")[0]


def _content(row: ShopRow) -> str:
    """Query and item in some forty tokens: what the tier follows from, without the other goods that a title names."""
    values = [value for name, value in row.attributes.items() if name not in _UNSHOWN]
    return f"{row.query} | {row.attributes['category']} | {row.brand} | {', '.join(values)}".lower()


def _reason(row: ShopRow) -> str:
    """The derivation in a few words: how the categories stand, and the first constraint that decides."""
    category, *constraints = row.derivation.partition(" => ")[0].split("; ")
    relation = f"category {category.partition(': ')[2].partition(' (')[0]}"
    missed = [clause.split()[:2] for clause in constraints if ": missed" in clause]
    if missed:
        return f"{relation}, misses {min(missed)[1]}"
    return f"{relation}, all met" if constraints else relation


def make_tokenizer(rows: Sequence[Row]) -> Any:
    """Most words of the shop are one token each, and so are the digits."""
    texts = [text for row in rows[:6_000] for text in (f" {row['prompt'][0]['content']}\n", row["answer"])]
    return build_tokenizer(texts, 2_500, TEMPLATE, "<|im_end|>")


def _encoded(tokenizer: Any, rows: Sequence[Row]) -> list[list[int]]:
    texts = [
        tokenizer.apply_chat_template(row["prompt"], tokenize=False, add_generation_prompt=True)
        for row in rows
    ]
    ids: list[list[int]] = tokenizer(texts, add_special_tokens=False)["input_ids"]
    return ids


def make_base(rows: Sequence[Row], tokenizer: Any, steps: int) -> Any:
    """A model of 2 million parameters after SFT, loss on the answer alone."""
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=192,
        intermediate_size=512,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=256,
        initializer_range=0.06,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=False,
    )
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=0.01)
    schedule = get_linear_schedule_with_warmup(optimizer, 50, steps)
    prompts = _encoded(tokenizer, rows)
    answers = _answers(tokenizer, rows)
    examples = list(zip(prompts, answers, strict=True))
    batches = _batches([len(ids) for ids in prompts])
    for _ in range(steps):
        batch = [examples[example] for example in next(batches)]
        width = max(len(prompt) + len(completion) for prompt, completion in batch)
        ids = torch.full((len(batch), width), tokenizer.pad_token_id)
        labels = torch.full((len(batch), width), -100)
        for row, (prompt, completion) in enumerate(batch):
            ids[row, : len(prompt) + len(completion)] = torch.tensor(prompt + completion)
            labels[row, len(prompt) : len(prompt) + len(completion)] = torch.tensor(completion)
        learned = labels[:, 1:] != -100
        hidden = model.model(input_ids=ids).last_hidden_state[:, :-1][learned]
        cross_entropy(model.lm_head(hidden), labels[:, 1:][learned]).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    return model


def _answers(tokenizer: Any, rows: Sequence[Row]) -> list[list[int]]:
    ids: list[list[int]] = tokenizer([f"{row['answer']}<|im_end|>" for row in rows])["input_ids"]
    return ids


def _batches(lengths: Sequence[int], size: int = 32) -> Iterator[list[int]]:
    """Epochs of batches whose rows have similar lengths, as padding costs time."""
    rng = np.random.default_rng(0)
    while True:
        order = np.lexsort((rng.random(len(lengths)), np.array(lengths)))
        batches = [order[start : start + size].tolist() for start in range(0, len(order) - size + 1, size)]
        yield from (batches[batch] for batch in rng.permutation(len(batches)))


def tier_probabilities(model: Any, tokenizer: Any, rows: Sequence[Row]) -> Floats:
    """Of the digits as the first token, shape [rows, 4]."""
    digits = tokenizer.convert_tokens_to_ids([str(tier) for tier in TIERS])
    prompts = _encoded(tokenizer, rows)
    by_length = sorted(range(len(rows)), key=lambda row: len(prompts[row]))
    probabilities = np.empty((len(rows), len(TIERS)))
    for start in range(0, len(rows), 128):
        chosen = by_length[start : start + 128]
        batch = tokenizer.pad(
            {"input_ids": [prompts[row] for row in chosen]}, padding_side="left", return_tensors="pt"
        )
        with torch.no_grad():
            logits = model(**batch, logits_to_keep=1).logits[:, -1]
        probabilities[chosen] = logits.softmax(dim=-1)[:, digits].double().numpy()
    return probabilities


def payoffs(rows: Sequence[Row]) -> Floats:
    """The weighted reward of answering each tier, shape [rows, 4]."""
    of_tier = {
        judged: [
            sum(
                DEFAULT_WEIGHTS[name] * value
                for name, value in score(f"{tier}\ncategory match", "answer-first", judged).components.items()
            )
            for tier in TIERS
        ]
        for judged in TIERS
    }
    return np.array([of_tier[row["tier"]] for row in rows])


@dataclass(frozen=True, slots=True)
class Pool:
    """Prompts of GRPO with what is known of the base on them.

    Attributes:
        name: For the tables.
        rows: As TRL takes them.
        solve_rates: Of the base, exact.
        varying: Probability that the rewards of a group of the base are not all equal.
        tokens_each: Mean length of the right answers.
    """

    name: str
    rows: list[Row]
    solve_rates: Floats
    varying: Floats
    tokens_each: float


def make_pools(model: Any, tokenizer: Any, rows: Sequence[Row]) -> list[Pool]:
    """Pairs as they come, and as many of which most give the same reward whatever is sampled."""
    probabilities = tier_probabilities(model, tokenizer, rows)
    solve_rates = probabilities[range(len(rows)), [row["tier"] - 1 for row in rows]]
    varying = _varying(probabilities, payoffs(rows))
    lengths = np.array([len(ids) for ids in _answers(tokenizer, rows)])
    settled, mixed = np.flatnonzero(varying < 0.1), np.flatnonzero(varying >= 0.5)
    few = len(settled[: _POOL * 7 // 8]) // 7
    mostly = np.sort(np.append(settled[: few * 7], mixed[:few]))
    chosen = {"as it comes": np.arange(_POOL), "mostly settled": mostly}
    return [
        Pool(
            name,
            [rows[row] for row in which.tolist()],
            solve_rates[which],
            varying[which],
            float(lengths[which].mean()),
        )
        for name, which in chosen.items()
    ]


def _varying(probabilities: Floats, rewards: Floats) -> Floats:
    """Probability that a group gets more than one reward; tiers that pay the same count as one answer."""
    same = rewards[:, :, None] == rewards[:, None, :]
    mass = (same * probabilities[:, None, :]).sum(axis=2)
    varying: Floats = 1 - (mass**GROUP / same.sum(axis=2)).sum(axis=1)
    return varying
