"""What is compared: trainers that start from one base, with the same settings, and stop after the same tokens."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from datasets import Dataset
from transformers import (
    AutoModelForCausalLM,
    PreTrainedTokenizerFast,
    PrinterCallback,
    TrainerCallback,
    set_seed,
)
from transformers.utils.logging import disable_progress_bar
from trl import GRPOConfig, GRPOTrainer

from benchmarks.dynamic.shop import GROUP, payoffs, tier_probabilities
from training.curriculum import Curriculum
from training.dynamic import DynamicGRPOTrainer, all_equal
from training.rewards import Rewards

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.dynamic.shop import Pool, Row

OFFLINE_SAMPLES = 8
LOOKS = 16

_LOOKED_AT = 320

MEASURES = ("held-out pairs", "pool")
STATIC = "TRL"
BUDGETS = {"curriculum alone": 1.0, "budget 1.5": 1.5, "budget 3": 3.0}
"""Sides of dynamic sampling by their generation budget; with 1 nothing is refilled."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The same for all sides.

    Attributes:
        tokens: A run ends with the step in which it has generated so many.
        prompts: Groups in a batch.
        learning_rate: Constant.
    """

    tokens: int
    prompts: int
    learning_rate: float

    def config(self, out: str, seed: int, weights: list[float]) -> GRPOConfig:
        """As TRL takes them."""
        return GRPOConfig(
            output_dir=out,
            seed=seed,
            max_steps=self.tokens,
            per_device_train_batch_size=GROUP * self.prompts,
            num_generations=GROUP,
            max_completion_length=12,
            learning_rate=self.learning_rate,
            lr_scheduler_type="constant",
            beta=0.0,
            reward_weights=weights,
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            report_to="none",
            save_strategy="no",
            logging_steps=1,
            disable_tqdm=True,
        )


@dataclass
class Curve:
    """What a run came to; a point for the base and for every sixteenth of the tokens.

    Attributes:
        tokens: Generated before each point, refills included.
        rewards: Expected at each point, on each of `MEASURES`.
        steps: Optimizer steps.
        varying: Share of a step's first groups whose rewards were not all equal, for each step.
        trained: The same for the groups that were trained on.
    """

    tokens: list[int] = field(default_factory=list)
    rewards: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in MEASURES})
    steps: int = 0
    varying: list[float] = field(default_factory=list)
    trained: list[float] = field(default_factory=list)

    def smooth(self, measure: str) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Means of three points; each stands for the last of its three."""
        return np.convolve(self.rewards[measure], np.ones(3) / 3, mode="valid")

    def first_reaching(self, measure: str, reward: float) -> float:
        """Tokens after which the smoothed curve has the reward; infinite where it never does."""
        smooth, tokens = self.smooth(measure), self.tokens[2:]
        reached = np.flatnonzero(smooth >= reward)
        if not len(reached):
            return float("inf")
        last = int(reached[0]) + 1
        return float(np.interp(reward, smooth[:last][-2:], tokens[:last][-2:]))


class _StaticTrainer(GRPOTrainer):  # type: ignore[misc]
    """TRL's own. Its metric counts rounding errors of equal rewards as variance, so that groups are counted here."""

    def _calculate_rewards(self, *args: Any) -> torch.Tensor:
        rewards: torch.Tensor = super()._calculate_rewards(*args)
        share = all_equal((rewards * self.reward_weights).sum(dim=1).view(-1, GROUP)).float().mean().item()
        for name in ("before", "after"):
            self._metrics["train"][f"dynamic/zero_variance_{name}"].append(share)
        return rewards


class _Looks(TrainerCallback):  # type: ignore[misc]
    """Draws the curve from what the trainer logs, and ends the run when its tokens are used up."""

    def __init__(self, settings: Settings, tokenizer: Any, held_out: list[Row], pool: list[Row]) -> None:
        self.curve = Curve()
        self._settings = settings
        self._tokenizer = tokenizer
        self._rows = held_out + pool
        self._held_out = len(held_out)
        self._payoffs = payoffs(self._rows)
        self._generated = 0

    def _look(self, model: Any) -> None:
        expected = (tier_probabilities(model, self._tokenizer, self._rows) * self._payoffs).sum(axis=1)
        self.curve.tokens.append(self._generated)
        for name, part in zip(MEASURES, np.split(expected, [self._held_out]), strict=True):
            self.curve.rewards[name].append(float(part.mean()))

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Look at the base."""
        self._look(kwargs["model"])

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """After each step: count, and look where it is time."""
        logs = kwargs["logs"]
        if "reward" not in logs:
            return
        self.curve.steps += 1
        self.curve.varying.append(1 - logs["dynamic/zero_variance_before"])
        self.curve.trained.append(1 - logs["dynamic/zero_variance_after"])
        completions = GROUP * self._settings.prompts
        first = round(logs["completions/mean_length"] * completions)
        self._generated = int(logs.get("dynamic/generated_tokens", self._generated + first))
        if self._generated >= len(self.curve.tokens) * self._settings.tokens / LOOKS:
            self._look(kwargs["model"])
        control.should_training_stop = self._generated >= self._settings.tokens


def start_process() -> None:
    """Let no library print between the tables, and take one thread, as sides run beside each other."""
    quiet()
    torch.set_num_threads(1)


def quiet() -> None:
    """Let no library print between the tables."""
    logging.disable(logging.WARNING)
    warnings.filterwarnings("ignore")
    disable_progress_bar()


def train(job: tuple[Pool, str, int], base: Path, held_out: list[Row], settings: Settings) -> Curve:
    """Train one side on a pool with a seed; the curriculum's offline counts are draws from the base's solve rates."""
    pool, side, seed = job
    model = AutoModelForCausalLM.from_pretrained(base)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(base)
    rewards = Rewards()
    looks = _Looks(settings, tokenizer, held_out[:_LOOKED_AT], pool.rows[: _LOOKED_AT // 2])
    data = Dataset.from_list(pool.rows)
    options: dict[str, Any] = {"processing_class": tokenizer, "callbacks": [looks]}
    with TemporaryDirectory() as out:
        args = settings.config(out, seed, rewards.weights)
        trainer: GRPOTrainer
        if side == STATIC:
            trainer = _StaticTrainer(model, rewards.functions, args, data, **options)
        else:
            curriculum = Curriculum(
                [row["pair_id"] for row in pool.rows],
                [OFFLINE_SAMPLES] * len(pool.rows),
                np.random.default_rng(seed).binomial(OFFLINE_SAMPLES, pool.solve_rates).tolist(),
                group_size=GROUP,
                seed=seed,
            )
            trainer = DynamicGRPOTrainer(
                model, args, rewards, data, curriculum, generation_budget=BUDGETS[side], **options
            )
        trainer.remove_callback(PrinterCallback)
        set_seed(seed)
        trainer.train()
    return looks.curve
