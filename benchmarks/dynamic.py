"""GRPO with dynamic sampling against TRL's own trainer, by the reward that generated tokens buy.

``python -m benchmarks.dynamic [--seeds 3] [--steps 40]``

The task has the form of the project's: a query, an item, four tiers, answers that open with the digit. Which kind of
item answers which kind of query is a table of arbitrary knowledge, as substitutes and accessories are; the words around
the kinds mean nothing. A Qwen2 of 2 million parameters first learns to answer from pairs whose kinds are as unequally
frequent as a shop's (Zipf): it then knows the frequent ones and guesses at the rest. Both sides go on from there, on
the same prompts, one for each pair of kinds, with the same settings, and stop after as many optimizer steps. The
curriculum starts with counts of 8 samples of each prompt, as `curation difficulty` gives them; these are not part of
the tokens.

The curve is the expected reward on prompts with other words around the kinds, exact from the probabilities of the digit
that comes first. It is looked at every few steps and averaged over three looks. The aim: dynamic sampling has reached
the reward that TRL ends with when it has generated 0.6 of TRL's tokens, completions that were dropped included.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import click
import numpy as np
import torch
from datasets import Dataset
from rich.console import Console
from rich.table import Table
from transformers import (
    AutoModelForCausalLM,
    PreTrainedTokenizerBase,
    PrinterCallback,
    Qwen2Config,
    TrainerCallback,
    set_seed,
)
from transformers.utils.logging import disable_progress_bar
from trl import GRPOConfig, GRPOTrainer

from tests.tiny_model import build_tokenizer
from training.curriculum import Curriculum
from training.dynamic import DynamicGRPOTrainer, Window
from training.rewards import Rewards, score

AIM = 0.6
KINDS = 16
WORDS_AROUND = 30
GROUP = 8
PROMPTS = 16
LOOK_EVERY = 4
OFFLINE_SAMPLES = 8
TIERS = (1, 2, 3, 4)
REASONS = {
    4: "it is what the query asks for",
    3: "it can stand in for that",
    2: "it goes with that",
    1: "it is another kind of item",
}
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>{% endif %}"
)


@dataclass
class Task:
    """The made-up knowledge, and prompts that ask for it."""

    asked: list[str]
    sold: list[str]
    around: list[str]
    tiers: np.ndarray[Any, Any]

    @classmethod
    def make(cls) -> Task:
        """The same table and words each time."""
        rng = np.random.default_rng(0)
        syllables = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]
        words: dict[str, None] = {}
        while len(words) < 2 * KINDS + WORDS_AROUND:
            words["".join(rng.choice(syllables, 3))] = None
        made = list(words)
        return cls(
            made[:KINDS], made[KINDS : 2 * KINDS], made[2 * KINDS :], rng.integers(1, 5, (KINDS, KINDS))
        )

    def prompt(self, asked: int, sold: int, rng: np.random.Generator) -> str:
        """One wording of a pair of kinds."""
        first, second = rng.choice(self.around, 2)
        return f"{first} {self.asked[asked]} | {second} {self.sold[sold]}"

    def rows(self, seed: int) -> list[dict[str, Any]]:
        """One prompt for each pair of kinds."""
        rng = np.random.default_rng(seed)
        return [
            {
                "prompt": [{"role": "user", "content": self.prompt(asked, sold, rng)}],
                "tier": int(self.tiers[asked, sold]),
                "format": "answer-first",
                "pair_id": f"{asked}-{sold}",
            }
            for asked in range(KINDS)
            for sold in range(KINDS)
        ]

    def tokenizer(self) -> PreTrainedTokenizerBase:
        """One token for each word."""
        corpus = [f"{a} {b}" for a in (self.asked + self.sold + self.around) for b in self.around]
        corpus += [f" {word}" for word in self.asked + self.sold] * 30
        corpus += [answer(tier) for tier in TIERS] * 100
        return build_tokenizer(corpus, 900, TEMPLATE, pad_token="<|im_end|>")


def answer(tier: int) -> str:
    """What a model that is sure of a tier writes."""
    return f"{tier}\n{REASONS[tier]}"


def rendered(tokenizer: Any, rows: list[dict[str, Any]]) -> list[str]:
    """The prompts as the model reads them."""
    return [
        tokenizer.apply_chat_template(row["prompt"], tokenize=False, add_generation_prompt=True)
        for row in rows
    ]


def pretrain(task: Task, tokenizer: Any, steps: int) -> Any:
    """A model that answers in the format and knows the frequent kinds."""
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=192,
        intermediate_size=640,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=64,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
    )
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3)
    rng = np.random.default_rng(1)
    frequency = 1 / np.arange(1, KINDS + 1)
    frequency /= frequency.sum()
    for _ in range(steps):
        pairs = rng.choice(KINDS, (64, 2), p=frequency)
        rows = [{"prompt": [{"role": "user", "content": task.prompt(a, b, rng)}]} for a, b in pairs]
        texts = [
            f"{prompt}{answer(task.tiers[a, b])}<|im_end|>"
            for prompt, (a, b) in zip(rendered(tokenizer, rows), pairs, strict=True)
        ]
        batch = tokenizer(texts, return_tensors="pt", padding=True, padding_side="right")
        labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
        model(**batch, labels=labels).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    return model


def tier_probabilities(model: Any, tokenizer: Any, rows: list[dict[str, Any]]) -> np.ndarray[Any, Any]:
    """Of the digits as the first token, shape [rows, 4]."""
    digits = tokenizer.convert_tokens_to_ids([str(tier) for tier in TIERS])
    batch = tokenizer(rendered(tokenizer, rows), return_tensors="pt", padding=True, padding_side="left")
    with torch.no_grad():
        logits = model(**batch).logits[:, -1]
    return logits.softmax(dim=-1)[:, digits].double().numpy()  # type: ignore[no-any-return]


def reward_of(rewards: Rewards, tier: int, judged: int) -> float:
    """The weighted reward of answering `tier`."""
    components = score(answer(tier), "answer-first", judged).components
    return sum(
        weight * components[function.__name__]
        for weight, function in zip(rewards.weights, rewards.functions, strict=True)
    )


@dataclass
class Curve(TrainerCallback):
    """Expected reward on the held-out prompts against generated tokens."""

    tokenizer: Any
    rows: list[dict[str, Any]]
    payoffs: np.ndarray[Any, Any]
    tokens: list[int] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)
    generated: int = 0

    def count(self, window: Window) -> None:
        """Add what a window generated."""
        self.generated += sum(group.tokens for group in window.groups)

    def look(self, model: Any) -> None:
        """Add a point."""
        expected = (tier_probabilities(model, self.tokenizer, self.rows) * self.payoffs).sum(axis=1)
        self.tokens.append(self.generated)
        self.rewards.append(float(expected.mean()))

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Look at the model that both sides start from."""
        self.look(kwargs["model"])

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Look every few steps."""
        if state.global_step % LOOK_EVERY == 0:
            self.look(kwargs["model"])

    def smooth(self) -> np.ndarray[Any, Any]:
        """Means of three looks, the last of which each stands for."""
        return np.convolve(self.rewards, np.ones(3) / 3, mode="valid")

    def first_reaching(self, reward: float) -> int | None:
        """Tokens after which the smoothed curve has the reward."""
        reached = np.flatnonzero(self.smooth() >= reward)
        return self.tokens[reached[0] + 2] if len(reached) else None


def settings(out: Path, seed: int, steps: int, weights: list[float]) -> GRPOConfig:
    """The same for both sides."""
    return GRPOConfig(
        output_dir=str(out),
        seed=seed,
        max_steps=steps,
        per_device_train_batch_size=GROUP * PROMPTS,
        num_generations=GROUP,
        max_completion_length=12,
        learning_rate=3e-4,
        lr_scheduler_type="constant",
        beta=0.0,
        reward_weights=weights,
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        report_to="none",
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
    )


def run(base: Path, task: Task, tokenizer: Any, out: Path, seed: int, steps: int, *, dynamic: bool) -> Curve:
    """Train one side and return its curve."""
    rewards = Rewards()
    held_out, rows = task.rows(seed=1_000), task.rows(seed=2_000)
    payoffs = np.array([[reward_of(rewards, tier, row["tier"]) for tier in TIERS] for row in held_out])
    curve = Curve(tokenizer, held_out, payoffs)
    model = AutoModelForCausalLM.from_pretrained(base)
    options = {"processing_class": tokenizer, "callbacks": [curve]}
    if dynamic:
        solved = tier_probabilities(model, tokenizer, rows)[
            range(len(rows)), [row["tier"] - 1 for row in rows]
        ]
        trainer = DynamicGRPOTrainer(
            model,
            settings(out, seed, steps, rewards.weights),
            rewards,
            Dataset.from_list(rows),
            Curriculum(
                [row["pair_id"] for row in rows],
                [OFFLINE_SAMPLES] * len(rows),
                np.random.default_rng(seed).binomial(OFFLINE_SAMPLES, solved).tolist(),
                group_size=GROUP,
                seed=seed,
            ),
            on_window=curve.count,
            **options,
        )
    else:

        def generated(completion_ids: list[list[int]], **_: Any) -> list[float]:
            curve.generated += sum(map(len, completion_ids))
            return [0.0] * len(completion_ids)

        trainer = GRPOTrainer(
            model=model,
            args=settings(out, seed, steps, [*rewards.weights, 0.0]),
            reward_funcs=[*rewards.functions, generated],
            train_dataset=Dataset.from_list(rows),
            **options,
        )
    trainer.remove_callback(PrinterCallback)
    set_seed(seed)
    trainer.train()
    return curve


def ratios_table(curves: list[tuple[Curve, Curve]]) -> tuple[Table, float]:
    """For each seed what either side came to, and the median of the ratios; a side that never reaches is infinite."""
    table = Table(
        "seed",
        "reward before",
        "TRL's final",
        "with tokens",
        "dynamic has it at",
        "of TRL's tokens",
        "dynamic's final",
        "with tokens",
        title=f"Expected reward on {KINDS**2} held-out prompts",
    )
    found = []
    for seed, (static, dynamic) in enumerate(curves):
        target = static.smooth()[-1]
        reached = dynamic.first_reaching(target)
        found.append(reached / static.tokens[-1] if reached is not None else float("inf"))
        table.add_row(
            str(seed),
            f"{static.rewards[0]:.3f}",
            f"{target:.3f}",
            f"{static.tokens[-1]:,}",
            "never" if reached is None else f"{reached:,}",
            f"{found[-1]:.2f}",
            f"{dynamic.smooth()[-1]:.3f}",
            f"{dynamic.tokens[-1]:,}",
        )
    return table, median(found)


def curves_table(curves: list[tuple[Curve, Curve]]) -> Table:
    """The rewards of both sides after the same tokens, medians over seeds."""
    table = Table("of TRL's tokens", "TRL", "dynamic", title="Learning curves")
    for share in np.linspace(0, 1, 9):
        at = [
            [np.interp(share * static.tokens[-1], side.tokens, side.rewards) for side in (static, dynamic)]
            for static, dynamic in curves
        ]
        table.add_row(f"{share:.3f}", *(f"{value:.3f}" for value in np.median(at, axis=0)))
    return table


@click.command(help=__doc__)
@click.option("--seeds", default=3, show_default=True, help="Runs of both sides.")
@click.option("--steps", default=40, show_default=True, help="Optimizer steps of each.")
@click.option("--sft-steps", default=700, show_default=True, help="Steps of the SFT before.")
def main(seeds: int, steps: int, sft_steps: int) -> None:
    """Train both sides from the same model and print the tables."""
    logging.disable(logging.WARNING)
    warnings.filterwarnings("ignore")
    disable_progress_bar()
    console = Console(width=120)
    task = Task.make()
    tokenizer = task.tokenizer()
    start = perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "base"
        model = pretrain(task, tokenizer, sft_steps)
        model.save_pretrained(base)
        rows = task.rows(seed=2_000)
        solved = tier_probabilities(model, tokenizer, rows)[
            range(len(rows)), [row["tier"] - 1 for row in rows]
        ]
        mixing = 1 - solved**GROUP - (1 - solved) ** GROUP
        console.print(
            f"After SFT: {sum(weights.numel() for weights in model.parameters()):,} parameters, a right answer with "
            f"probability {solved.mean():.2f}, {np.mean(solved > 0.95):.0%} of prompts nearly always and "
            f"{np.mean(solved < 0.05):.0%} nearly never solved; a group of {GROUP} mixes with {mixing.mean():.2f}."
        )
        curves = []
        for seed in range(seeds):
            static, dynamic = (
                run(base, task, tokenizer, Path(folder), seed, steps, dynamic=side) for side in (False, True)
            )
            curves.append((static, dynamic))
            console.print(
                f"seed {seed}: TRL {static.smooth()[-1]:.3f} with {static.tokens[-1]:,} tokens, "
                f"dynamic {dynamic.smooth()[-1]:.3f} with {dynamic.tokens[-1]:,}"
            )
    table, ratio = ratios_table(curves)
    console.print(table)
    console.print(curves_table(curves))
    verdict = "reached" if ratio <= AIM else "MISSED"
    console.print(
        f"Median of the ratios {ratio:.2f}, aim {AIM:g}: {verdict}. {perf_counter() - start:,.0f} seconds in all."
    )


if __name__ == "__main__":
    main()
