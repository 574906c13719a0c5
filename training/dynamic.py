"""GRPO whose batches hold groups that teach: prompts by difficulty, and zero-variance groups refilled (DAPO).

TRL's trainer takes the prompts of a *window*, the generation batch that several optimizer steps may share, from its
data loader, and trains on whatever groups come of them. Here the prompts come from a `Curriculum`, and groups whose
rewards are all equal, which give no gradient, are dropped and replaced by groups of fresh prompts, round after round,
until the batch is full or the generation budget is spent (DAPO, arXiv 2503.14476, section 3.2). What is then missing is
filled with the earliest of the dropped groups, so that TRL trains on what it would have trained on. (With a KL or an
entropy term a dropped group would have had that part of its gradient; DAPO has neither.)

Each round is one call of TRL's own `_generate_and_score_completions`: what it generates, scores and normalises is what
TRL computes. A batch without zero-variance groups is handed on untouched. All decisions are made on gathered values,
so that each process runs the same rounds and holds the same curriculum; nothing more is communicated than outcomes
and, after a refill, the rows themselves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import pad
from trl import GRPOTrainer

from training.generation import replace_generate
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from training.curriculum import Curriculum
    from training.rewards import Rewards

    Batch = dict[str, torch.Tensor]

_EQUAL = 1e-6  # float32 sums of a few components of order 1


@dataclass(frozen=True, slots=True)
class Group:
    """What became of the samples of one prompt.

    Attributes:
        prompt: Row of the training data.
        round: 0 for the window's first prompts, then that of the refill.
        n: Samples of the policy.
        c: How many were right.
        unparsable: How many stated no tier.
        zero_variance: All weighted rewards are equal, or all completions are masked as truncated, so that the reward
            gives no gradient.
        tokens: Generated for it.
    """

    prompt: int
    round: int
    n: int
    c: int
    unparsable: int
    zero_variance: bool
    tokens: int


@dataclass(frozen=True, slots=True)
class Window:
    """A generation batch with its refills.

    Attributes:
        step: Optimizer steps taken before: the policy that was sampled. No two windows of a run share it.
        groups: All that were generated, in the order in which they were drawn.
        trained: Which of them are trained on, in the order of the batch.
    """

    step: int
    groups: tuple[Group, ...]
    trained: tuple[int, ...]


def all_equal(rewards: torch.Tensor) -> torch.Tensor:
    """Which groups have one reward, up to rounding: of weighted rewards [groups, G], shape [groups]."""
    equal: torch.Tensor = rewards.amax(dim=1) - rewards.amin(dim=1) <= _EQUAL
    return equal


class DynamicGRPOTrainer(GRPOTrainer):
    """TRL's GRPO trainer with difficulty-based dynamic sampling; evaluation is TRL's own.

    Metrics under ``dynamic/`` count whole windows. TRL's own metrics of generation (`reward`, `completions/…`,
    `frac_reward_zero_std`) describe round 0 alone: refills are few, and a mean over calls would count each as much as
    the first. `num_tokens` has all rounds. Epochs are TRL's: passes over the data that a uniform sampler would make.

    Args:
        model: As TRL takes it.
        args: TRL's configuration; `reward_weights` is set to those of `rewards`.
        rewards: The reward functions, and the grades that outcomes are counted from.
        train_dataset: Rows with `prompt` (messages), `tier`, `format` and, where completions are checked, `pair_id`;
            one for each prompt of the curriculum.
        curriculum: Draws the prompts.
        generation_budget: At most so many times the batch's completions are generated in a window, round 0 included.
        on_window: Called with each window, on the main process alone.
        options: What else TRL's trainer takes.

    Raises:
        TierwiseError: Settings under which dropping groups is not what it seems, or too few prompts for a window.
    """

    def __init__(
        self,
        model: Any,
        args: Any,
        rewards: Rewards,
        train_dataset: Any,
        curriculum: Curriculum,
        *,
        generation_budget: float,
        on_window: Callable[[Window], None] | None = None,
        **options: Any,
    ) -> None:
        _refuse(args, options, train_dataset.column_names)
        if not generation_budget >= 1:
            raise TierwiseError(f"generation budget {generation_budget:g} is below one batch; give 1 or more")
        window: int = args.generation_batch_size // args.num_generations
        if len(curriculum) != len(train_dataset) or len(curriculum) < window:
            raise TierwiseError(
                f"{len(train_dataset)} prompts, {len(curriculum)} in the curriculum, and a window needs {window}; "
                "take a larger split, or a smaller generation_batch_size or larger num_generations"
            )
        args.reward_weights = rewards.weights
        super().__init__(
            model=model, args=args, reward_funcs=rewards.functions, train_dataset=train_dataset, **options
        )
        sharded = self.is_deepspeed_enabled or self.is_fsdp_enabled
        replace_generate(self.accelerator.unwrap_model(self.model), args, sharded=sharded)
        self.curriculum = curriculum
        self.generation_budget = generation_budget
        self.generated_tokens = 0
        self._rewards = rewards
        self._on_window = on_window
        self._window_groups = window
        processes: int = self.accelerator.num_processes
        self._round_unit = processes // math.gcd(processes, self.num_generations)

    def sampling_state(self) -> dict[str, Any]:
        """What a checkpoint between two windows must hold beside TRL's own, as JSON types."""
        return {"curriculum": self.curriculum.state_dict(), "generated_tokens": self.generated_tokens}

    def load_sampling_state(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint's sampling state; raises TierwiseError where it is of another curriculum."""
        self.curriculum.load_state_dict(state["curriculum"])
        self.generated_tokens = state["generated_tokens"]

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> Batch:
        if not self.model.training:
            scored: Batch = super()._generate_and_score_completions(inputs)
            return scored
        self.curriculum.begin_window()
        rounds: list[Batch] = []
        groups: list[Group] = []
        wanted = self._window_groups
        while wanted:
            metrics = {name: len(values) for name, values in self._metrics["train"].items()}
            prompts = self.curriculum.draw(wanted)
            output, sampled = self._generate_round(prompts, len(rounds))
            if rounds:
                for name, values in self._metrics["train"].items():
                    del values[metrics.get(name, 0) :]
            rounds.append(output)
            groups += sampled
            wanted = self._next_round(groups)
        for group in groups:
            self.curriculum.observe(group.prompt, group.n, group.c)
        trained = self._choose(groups)
        self._report(groups, trained)
        return self._assemble(rounds, trained)

    def _generate_round(self, prompts: list[int], round_: int) -> tuple[Batch, list[Group]]:
        """One call of TRL: each prompt repeated as TRL's sampler does, each process its slice of all rows."""
        rows = [
            self.train_dataset[prompts[row // self.num_generations]] for row in self._local_rows(len(prompts))
        ]
        output = super()._generate_and_score_completions(rows)
        rewards, counts = self._scored
        rewards = rewards.view(-1, self.num_generations)
        trained = self.accelerator.gather(output["completion_mask"].any(dim=1)).view(-1, self.num_generations)
        flat = (all_equal(rewards) | ~trained.any(dim=1)).tolist()
        sums = counts.view(-1, self.num_generations, counts.size(1)).sum(dim=1).tolist()
        groups = [
            Group(prompt, round_, n, c, unparsable, zero_variance, tokens)
            for prompt, zero_variance, (n, c, unparsable, tokens) in zip(prompts, flat, sums, strict=True)
        ]
        return output, groups

    def _calculate_rewards(
        self,
        inputs: list[dict[str, Any]],
        prompts: list[Any],
        completions: list[Any],
        completion_ids_list: list[list[int]],
    ) -> torch.Tensor:
        """TRL's, kept for all processes' rows together with what each completion counts for.

        The reward functions are told which completions are finished, by TRL's own test.
        """
        ends = {*self.eos_token_ids, self._tokenizer.pad_token_id}
        inputs = [
            {**row, "finished": ids[-1] in ends} for row, ids in zip(inputs, completion_ids_list, strict=True)
        ]
        rewards: torch.Tensor = super()._calculate_rewards(inputs, prompts, completions, completion_ids_list)
        if self.model.training:
            counts = torch.tensor(
                self._count(inputs, completions, completion_ids_list), device=self.accelerator.device
            )
            weighted = (rewards * self.reward_weights.to(rewards.device)).sum(dim=1)
            self._scored = weighted, self.accelerator.gather(counts)
        return rewards

    def _count(
        self, inputs: list[dict[str, Any]], completions: list[Any], completion_ids: list[list[int]]
    ) -> list[tuple[int, int, int, int]]:
        """Of each local completion: sampled, right, unparsable, generated tokens."""
        return [
            (1, int(score.outcome == "correct"), int(score.outcome == "unparsable"), len(ids))
            for score, ids in zip(self._rewards.scores(completions, inputs), completion_ids, strict=True)
        ]

    def _local_rows(self, groups: int) -> range:
        """Which rows of so many groups are this process's: an equal slice, whose ends may lie within a group."""
        share = groups * self.num_generations // self.accelerator.num_processes
        return range(share * self.accelerator.process_index, share * (self.accelerator.process_index + 1))

    def _next_round(self, groups: Sequence[Group]) -> int:
        """How many prompts to draw next; 0 when the batch is full, or the budget or the prompts are used up.

        As many as the missing groups take at the share of mixed groups that this window has seen, in whole rows for
        every process, and never more at once than the batch itself.
        """
        mixed = sum(not group.zero_variance for group in groups)
        missing = self._window_groups - mixed
        if missing <= 0:
            return 0
        expected = math.ceil(missing * len(groups) / max(mixed, 1) / self._round_unit) * self._round_unit
        left = int(self.generation_budget * self._window_groups) - len(groups)
        most = min(self._window_groups, left, self.curriculum.undrawn) // self._round_unit * self._round_unit
        return min(expected, most)

    def _choose(self, groups: Sequence[Group]) -> list[int]:
        """The groups of the batch: those that mix, then the earliest that do not, in the order they were drawn."""
        order = sorted(range(len(groups)), key=lambda group: groups[group].zero_variance)
        return sorted(order[: self._window_groups])

    def _assemble(self, rounds: list[Batch], trained: list[int]) -> Batch:
        """This process's slice of the chosen groups' rows, padded as TRL pads them."""
        if trained == list(range(self._window_groups)):
            return rounds[0]
        rows = [
            trained[row // self.num_generations] * self.num_generations + row % self.num_generations
            for row in self._local_rows(len(trained))
        ]
        batch = {name: self._merge(name, rounds)[rows] for name, value in rounds[0].items() if value.ndim}
        for side in ("prompt", "completion"):
            self._trim(batch, side)
        batch["num_items_in_batch"] = self.accelerator.gather(batch["completion_mask"].sum()).sum()
        return batch

    def _merge(self, name: str, rounds: list[Batch]) -> torch.Tensor:
        """A column of all rounds and processes, rows in the order in which their prompts were drawn."""
        if rounds[0][name].ndim == 1:
            return torch.cat([self.accelerator.gather(output[name]) for output in rounds])
        left = name.startswith("prompt")
        filler = self._tokenizer.pad_token_id if name.endswith("_ids") else 0
        columns = [
            self.accelerator.gather(
                self.accelerator.pad_across_processes(output[name], dim=1, pad_index=filler, pad_first=left)
            )
            for output in rounds
        ]
        width = max(column.size(1) for column in columns)
        return torch.cat(
            [
                pad(
                    column, (width - column.size(1), 0) if left else (0, width - column.size(1)), value=filler
                )
                for column in columns
            ]
        )

    def _trim(self, batch: Batch, side: str) -> None:
        """Cut the columns in which no row of this process has a token, as if TRL had padded these rows alone."""
        used = batch[f"{side}_mask"].any(dim=0)
        columns = torch.arange(len(used), device=used.device)
        width = int(torch.where(used, len(used) - columns if side == "prompt" else columns + 1, 1).max())
        multiple = self.pad_to_multiple_of or 1
        width = math.ceil(width / multiple) * multiple
        for name, value in batch.items():
            if (
                value.ndim == 2
                and value.size(1) == len(used)
                and name.startswith("prompt") == (side == "prompt")
            ):
                batch[name] = value[:, -width:] if side == "prompt" else value[:, :width]

    def _report(self, groups: list[Group], trained: list[int]) -> None:
        self.generated_tokens += sum(group.tokens for group in groups)
        first = groups[: self._window_groups]
        metrics = self._metrics["train"]
        for name, value in {
            "zero_variance_before": sum(group.zero_variance for group in first) / len(first),
            "zero_variance_after": sum(groups[group].zero_variance for group in trained) / len(trained),
            "rounds": groups[-1].round + 1,
            "completions": len(groups) * self.num_generations,
            "solve_rate": sum(group.c for group in groups) / sum(group.n for group in groups),
            "prompts_resting": self.curriculum.resting,
        }.items():
            metrics[f"dynamic/{name}"].append(float(value))
        metrics["dynamic/generated_tokens"] = [self.generated_tokens]
        if self._on_window and self.accelerator.is_main_process:
            self._on_window(Window(self.state.global_step, tuple(groups), tuple(trained)))


def _refuse(args: Any, options: dict[str, Any], columns: Sequence[str]) -> None:
    """Refuse settings under which a dropped group would still have mattered, or that the override cannot keep."""
    window = args.steps_per_generation * args.num_iterations
    refusals = {
        "scale_rewards='batch' normalises over groups that would be dropped; use 'group' or 'none'": (
            args.scale_rewards == "batch"
        ),
        "multi_objective_aggregation='normalize_then_sum' normalises over groups that would be dropped; "
        "use 'sum_then_normalize'": args.multi_objective_aggregation == "normalize_then_sum",
        f"a window of {window} batches (steps_per_generation × num_iterations) ends within an optimizer step of "
        f"{args.gradient_accumulation_steps} (gradient_accumulation_steps); make the first a multiple of the second": (
            window % args.gradient_accumulation_steps != 0
        ),
        "dynamic sampling is for text alone; leave out tools, environments, rollout functions and image columns": (
            any(options.get(name) for name in ("tools", "environment_factory", "rollout_func"))
            or not {"image", "images"}.isdisjoint(columns)
        ),
    }
    for reason, applies in refusals.items():
        if applies:
            raise TierwiseError(reason)
