"""Guided replay: prompts that the policy never solves are shown one answer that does (arXiv 2510.08048).

Where a prompt's groups had no right sample two times in a row, the last sample of its next group is replaced by a gold
or teacher rationale that the split holds. It is graded like any other sample, and its reward shifts the group's
baseline: one right answer among wrong ones is what the group learns from. It says nothing of the policy, so that it
does not count in the group's n and c, nor in the posterior.

Its tokens are not the policy's. The importance ratio's denominator, the probability under the policy that wrote them,
is unknown and taken as 1, as LUFFY does (arXiv 2504.14945, section 3; without its policy shaping): log-probability 0,
so that a token's ratio is π(token) itself. Below 1 − ε the clipped objective then moves it only towards the rationale,
never away, by a gradient that is small where the token is improbable. The other rows keep their true ratio.

A prompt that is never solved also rests in the curriculum: guidance comes when it is next drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from training.dynamic import DynamicGRPOTrainer
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from training.dynamic import Batch, Group

UNSOLVED_GROUPS = 2
"""Groups in a row without a right sample after which a prompt is guided."""

_CLIPPED = ("grpo", "bnpo", "dr_grpo", "dapo", "luspo", "cispo")


class GuidedGRPOTrainer(DynamicGRPOTrainer):
    """Dynamic sampling with guided replay.

    Args:
        model: As the base class takes it.
        args: TRL's configuration.
        rewards: The reward functions.
        train_dataset: As the base class takes it, with the column `completion`: a rationale in the prompt's format,
            or None. One that is longer than `max_completion_length` with its end-of-sequence token is not used.
        curriculum: Draws the prompts.
        options: What else the base class takes.

    Raises:
        TierwiseError: The column is missing or empty, samples come from vLLM, or the loss has no clipped ratio.
    """

    def __init__(
        self, model: Any, args: Any, rewards: Any, train_dataset: Any, curriculum: Any, **options: Any
    ) -> None:
        if "completion" not in train_dataset.column_names or not any(train_dataset["completion"]):
            raise TierwiseError(
                "guided replay: the split holds no rationale; freeze one that does, or leave replay off"
            )
        if args.use_vllm:
            raise TierwiseError(
                "guided replay does not work with vLLM's samples; set use_vllm to false or leave replay off"
            )
        if args.loss_type not in _CLIPPED:
            raise TierwiseError(
                f"guided replay needs a clipped ratio, which loss_type={args.loss_type!r} has not; "
                f"take one of {', '.join(_CLIPPED)}"
            )
        super().__init__(model, args, rewards, train_dataset, curriculum, **options)
        self._unsolved: dict[int, int] = {}
        self._guides: dict[int, list[int]] = {}
        self._replaced: dict[int, int] = {}

    def sampling_state(self) -> dict[str, Any]:
        """The base class's, with each prompt's groups in a row without a right sample."""
        return {**super().sampling_state(), "unsolved": list(self._unsolved.items())}

    def load_sampling_state(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint's sampling state."""
        super().load_sampling_state(state)
        self._unsolved = dict(state["unsolved"])

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> Batch:
        batch = super()._generate_and_score_completions(inputs)
        guided = batch.pop("guided", None)
        # All processes compute the old log-probabilities or none does: the forward pass may be a collective one.
        if guided is not None and self.accelerator.gather(guided.any()).any():
            if "old_per_token_logps" not in batch:
                batch["old_per_token_logps"] = self._current_logps(batch)
            batch["old_per_token_logps"][guided] = 0.0
        return batch

    def _generate_round(self, prompts: list[int], round_: int) -> tuple[Batch, list[Group]]:
        guides = {prompt: guide for prompt in prompts if (guide := self._guide(prompt))}
        local = list(enumerate(self._local_rows(len(prompts))))
        self._guides = {
            position: guides[prompt]
            for position, row in local
            if (row + 1) % self.num_generations == 0
            and (prompt := prompts[row // self.num_generations]) in guides
        }
        output, groups = super()._generate_round(prompts, round_)
        guided = torch.zeros(len(local), dtype=torch.bool, device=self.accelerator.device)
        guided[list(self._guides)] = True
        output["guided"] = guided
        for group in groups:
            self._unsolved[group.prompt] = 0 if group.c else self._unsolved.get(group.prompt, 0) + 1
        return output, groups

    def _guide(self, prompt: int) -> list[int] | None:
        """Tokens of the rationale that takes a sample's place, where there is one and the prompt needs it."""
        rationale = self.train_dataset[prompt]["completion"]
        if self._unsolved.get(prompt, 0) < UNSOLVED_GROUPS or not rationale:
            return None
        text: list[int] = self._tokenizer(rationale, add_special_tokens=False)["input_ids"]
        ids = [*text, self._tokenizer.eos_token_id]
        return ids if len(ids) <= self.max_completion_length else None

    def _generate_single_turn(
        self, prompt_ids: list[list[int]], *options: Any
    ) -> tuple[list[list[int]], Any]:
        completion_ids, logprobs = super()._generate_single_turn(prompt_ids, *options)
        if self.model.training:
            self._replaced = {row: len(completion_ids[row]) for row in self._guides}
            for row, guide in self._guides.items():
                completion_ids[row] = guide
        return completion_ids, logprobs

    def _count(
        self, inputs: list[dict[str, Any]], completions: list[Any], completion_ids: list[list[int]]
    ) -> list[tuple[int, int, int, int]]:
        counts = super()._count(inputs, completions, completion_ids)
        for row, generated in self._replaced.items():
            counts[row] = (0, 0, 0, generated)
        return counts

    def _current_logps(self, batch: Batch) -> torch.Tensor:
        """Log-probabilities of the completions under the policy as it is, shape [rows, tokens]."""
        with torch.no_grad():
            logps, _, _ = self._get_per_token_logps_and_entropies(
                self.model,
                torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1),
                torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1),
                batch["completion_ids"].size(1),
                batch_size=self.args.per_device_train_batch_size,
            )
        return logps
