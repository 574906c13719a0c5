"""Dynamic sampling against TRL itself: what it must not change, what it drops and refills, and several processes."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

import pytest
import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, set_seed
from trl import GRPOConfig, GRPOTrainer

from tests.tiny_model import save_tiny_model
from training.curriculum import Curriculum
from training.dynamic import DynamicGRPOTrainer, Window
from training.generation import replace_generate
from training.replay import GuidedGRPOTrainer
from training.rewards import Rewards
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from pathlib import Path

GROUP = 8
REASON = "the item is another kind of item"
RATIONALE = f"4\n{REASON}"
KINDS = ("mixed", "solved", "unsolved")


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model"))


def save_model(directory: Path) -> Path:
    """A tiny model taught to state each of the four tiers equally often."""
    save_tiny_model(directory)
    tokenizer = AutoTokenizer.from_pretrained(directory)
    model = AutoModelForCausalLM.from_pretrained(directory)
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    prompts = [tokenizer.apply_chat_template(row["prompt"], tokenize=False, add_generation_prompt=True)
               for row in dataset(["mixed"] * 8)]  # fmt: skip
    for step in range(60):
        texts = [f"{prompt}{1 + (i + step) % 4}\n{REASON}<|im_end|>" for i, prompt in enumerate(prompts)]
        batch = tokenizer(texts, return_tensors="pt", padding=True)
        labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
        model(**batch, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(directory)
    return directory


def dataset(kinds: list[str]) -> Dataset:
    """Prompts of different lengths, whose text tells the scripted trainer what comes of them."""
    return Dataset.from_list(
        [
            {
                "prompt": [{"role": "user", "content": f"pair {i} {'long ' * (i % 3)}{kind}"}],
                "tier": 4,
                "format": "answer-first",
                "pair_id": f"pair {i}",
                "completion": RATIONALE,
            }
            for i, kind in enumerate(kinds)
        ]
    )


def curriculum(rows: int, **options: Any) -> Curriculum:
    return Curriculum(
        [f"pair {i}" for i in range(rows)], [0] * rows, [0] * rows, group_size=GROUP, seed=7, **options
    )


def config(out: Path, **options: Any) -> GRPOConfig:
    defaults: dict[str, Any] = {
        "output_dir": str(out),
        "per_device_train_batch_size": 4 * GROUP,
        "num_generations": GROUP,
        "max_completion_length": 24,
        "max_steps": 3,
        "learning_rate": 0.003,
        "lr_scheduler_type": "constant",
        "optim": "sgd",
        "use_cpu": True,
        "bf16": False,
        "report_to": "none",
        "disable_tqdm": True,
        "save_strategy": "no",
        "logging_steps": 1,
    }
    return GRPOConfig(**{**defaults, **options})


class ScriptedStatic(GRPOTrainer):
    """Completions that follow from the prompt and the index within the group alone, whatever the process."""

    def _generate_single_turn(
        self: Any, prompt_ids: list[list[int]], *_: Any
    ) -> tuple[list[list[int]], None]:
        first = self.accelerator.process_index * len(prompt_ids)
        completions = []
        for row, ids in enumerate(prompt_ids, start=first):
            text = self._tokenizer.decode(ids)
            index = row % GROUP
            kind = next(kind for kind in reversed(KINDS) if f" {kind}<" in text)
            tier = {"unsolved": 1, "solved": 4, "mixed": 4 if index % 2 else 1 + index // 4}[kind]
            answer = f"{tier}\n" + " ".join([REASON] * (1 + (len(ids) + index) % 2))
            answer_ids = self._tokenizer(answer, add_special_tokens=False)["input_ids"]
            completions.append([*answer_ids[:23], self._tokenizer.eos_token_id])
        return completions, None


class ScriptedDynamic(DynamicGRPOTrainer, ScriptedStatic):
    pass


class ScriptedGuided(GuidedGRPOTrainer, ScriptedStatic):
    pass


def train_dynamic(
    trainer_class: type[DynamicGRPOTrainer], model: Path, out: Path, kinds: list[str], **options: Any
) -> tuple[DynamicGRPOTrainer, list[Window], list[dict[str, torch.Tensor]]]:
    """Train, and return the trainer, its windows and the batches that it handed to TRL."""
    windows: list[Window] = []
    budget = options.pop("generation_budget", 3.0)
    set_seed(0)
    trainer = trainer_class(
        AutoModelForCausalLM.from_pretrained(model),
        config(out, **options),
        Rewards(),
        dataset(kinds),
        curriculum(len(kinds)),
        generation_budget=budget,
        on_window=windows.append,
        processing_class=AutoTokenizer.from_pretrained(model),
    )
    batches = keep_batches(trainer)
    trainer.train()
    return trainer, windows, batches


def keep_batches(trainer: Any) -> list[dict[str, torch.Tensor]]:
    """The batches that TRL's training loop is handed, from now on."""
    batches = []
    generate = trainer._generate_and_score_completions

    def keep(inputs: Any) -> Any:
        batch = generate(inputs)
        batches.append({name: value.clone() for name, value in batch.items()})
        return batch

    trainer._generate_and_score_completions = keep
    return batches


def train_static(
    trainer_class: Any, model: Path, out: Path, rows: Dataset, **options: Any
) -> tuple[Any, list[dict[str, torch.Tensor]]]:
    """Train TRL's own trainer on the rows as they stand."""
    rewards = Rewards()
    set_seed(0)
    trainer = trainer_class(
        model=AutoModelForCausalLM.from_pretrained(model),
        args=config(out, shuffle_dataset=False, reward_weights=rewards.weights, **options),
        reward_funcs=rewards.functions,
        train_dataset=rows,
        processing_class=AutoTokenizer.from_pretrained(model),
    )
    batches = keep_batches(trainer)
    trainer.train()
    return trainer, batches


class ScriptedCut(ScriptedDynamic):
    """Every other completion runs to its token limit."""

    def _generate_single_turn(
        self: Any, prompt_ids: list[list[int]], *options: Any
    ) -> tuple[list[list[int]], None]:
        completions, _ = super()._generate_single_turn(prompt_ids, *options)
        return [ids[:-1] if row % 2 else ids for row, ids in enumerate(completions)], None


def test_reward_functions_are_told_which_completions_are_finished(tiny_model: Path, tmp_path: Path) -> None:
    told: list[tuple[list[bool], list[str]]] = []

    class Listening(Rewards):
        def scores(self, completions: Any, rows: Any) -> Any:
            told.append(([row["finished"] for row in rows], [row["pair_id"] for row in rows]))
            return super().scores(completions, rows)

    trainer = ScriptedCut(
        AutoModelForCausalLM.from_pretrained(tiny_model),
        config(tmp_path, max_steps=1),
        Listening(),
        dataset(["mixed"] * 4),
        curriculum(4),
        generation_budget=1,
        processing_class=AutoTokenizer.from_pretrained(tiny_model),
    )
    trainer.train()
    # Once for each component, and once to count outcomes.
    assert len(told) == 5
    assert all(each == told[0] for each in told)
    finished, pairs = told[0]
    assert finished == [True, False] * (2 * GROUP)
    assert len(set(pairs)) == 4


def trained_prompts(windows: list[Window]) -> list[int]:
    return [window.groups[group].prompt for window in windows for group in window.trained]


def assert_equal_weights(one: Any, other: Any) -> None:
    for (name, ours), (_, theirs) in zip(
        one.model.named_parameters(), other.model.named_parameters(), strict=True
    ):
        assert torch.equal(ours, theirs), name


def assert_equal_batches(
    ours: list[dict[str, torch.Tensor]], theirs: list[dict[str, torch.Tensor]], *, exact: bool = True
) -> None:
    """Unless `exact`, log-probabilities may differ in the last bits: they were computed in other batches."""
    assert len(ours) == len(theirs) > 0
    for one, other in zip(ours, theirs, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            if name.endswith("logps") and not exact:
                torch.testing.assert_close(one[name], other[name])
            else:
                assert torch.equal(one[name], other[name]), name


WINDOWS = {
    "one step a window": {},
    "two steps of two batches a window, reference model": {
        "per_device_train_batch_size": GROUP,
        "steps_per_generation": 4,
        "gradient_accumulation_steps": 2,
        "beta": 0.1,
    },
}


class StaticGRPOTrainer(GRPOTrainer):
    """TRL's trainer, with the random numbers of our generation."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        replace_generate(self.model, self.args, sharded=False)


@pytest.mark.parametrize("options", WINDOWS.values(), ids=WINDOWS)
def test_without_zero_variance_groups_it_computes_what_trl_computes(
    tiny_model: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    options = {**options, "max_steps": 4}
    kinds = ["mixed"] * 20
    dynamic, windows, ours = train_dynamic(DynamicGRPOTrainer, tiny_model, tmp_path, kinds, **options)
    assert not any(group.zero_variance for window in windows for group in window.groups)
    rows = dataset(kinds).select(trained_prompts(windows))
    static, theirs = train_static(StaticGRPOTrainer, tiny_model, tmp_path, rows, **options)
    assert_equal_batches(ours, theirs)
    assert_equal_weights(dynamic, static)
    start = AutoModelForCausalLM.from_pretrained(tiny_model)
    assert not torch.equal(start.lm_head.weight, static.model.lm_head.weight)


@pytest.mark.parametrize("beta", [0.0, 0.1])
def test_zero_variance_groups_are_refilled_while_the_budget_lasts(
    tiny_model: Path, tmp_path: Path, beta: float
) -> None:
    kinds = list(KINDS) * 8
    trainer, windows, ours = train_dynamic(ScriptedDynamic, tiny_model, tmp_path, kinds, beta=beta)
    for window in windows:
        prompts = [group.prompt for group in window.groups]
        assert len(set(prompts)) == len(prompts) <= 3 * 4
        assert all(group.zero_variance == (kinds[group.prompt] != "mixed") for group in window.groups)
        assert all(kinds[window.groups[group].prompt] == "mixed" for group in window.trained)
        assert len(window.trained) == 4
    assert any(len(window.groups) > 4 for window in windows)
    assert [window.step for window in windows] == [0, 1, 2]
    counted = {"mixed": (GROUP // 2), "solved": GROUP, "unsolved": 0}
    assert all(
        (group.n, group.c, group.unparsable) == (GROUP, counted[kinds[group.prompt]], 0)
        for window in windows
        for group in window.groups
    )
    rows = dataset(kinds).select(trained_prompts(windows))
    static, theirs = train_static(ScriptedStatic, tiny_model, tmp_path, rows, beta=beta)
    assert_equal_batches(ours, theirs, exact=False)
    if not beta:
        assert_equal_weights(trainer, static)


def test_metrics_count_whole_windows_and_trl_describes_round_0(tiny_model: Path, tmp_path: Path) -> None:
    kinds = list(KINDS) * 8
    trainer, windows, _ = train_dynamic(ScriptedDynamic, tiny_model, tmp_path, kinds)
    logs = [entry for entry in trainer.state.log_history if "reward" in entry]
    tokens = 0
    for window, log in zip(windows, logs, strict=True):
        tokens += sum(group.tokens for group in window.groups)
        first = [kinds[group.prompt] for group in window.groups[:4]]
        assert log["dynamic/generated_tokens"] == tokens
        assert log["dynamic/zero_variance_before"] == log["frac_reward_zero_std"]
        assert log["dynamic/zero_variance_before"] == pytest.approx(1 - first.count("mixed") / 4)
        assert log["dynamic/zero_variance_after"] == 0
        assert log["dynamic/completions"] == GROUP * len(window.groups)
        right = sum({"mixed": 0.5, "solved": 1, "unsolved": 0}[kind] for kind in first)
        assert log["rewards/correct/mean"] == pytest.approx(right / 4)


def test_when_the_budget_is_spent_the_rest_is_what_trl_would_have(tiny_model: Path, tmp_path: Path) -> None:
    kinds = ["solved", "unsolved"] * 10 + ["mixed"] * 4
    options: dict[str, Any] = {"max_steps": 4, "generation_budget": 1.5}
    trainer, windows, ours = train_dynamic(ScriptedDynamic, tiny_model, tmp_path, kinds, **options)
    filled = 0
    for window in windows:
        assert len(window.groups) <= 6
        mixed = [i for i, group in enumerate(window.groups) if not group.zero_variance]
        others = [i for i, group in enumerate(window.groups) if group.zero_variance]
        assert window.trained == tuple(sorted((mixed + others)[:4]))
        filled += len(mixed) < 4
    assert filled
    del options["generation_budget"]
    rows = dataset(kinds).select(trained_prompts(windows))
    static, theirs = train_static(ScriptedStatic, tiny_model, tmp_path, rows, **options)
    assert_equal_batches(ours, theirs)
    assert_equal_weights(trainer, static)


def test_an_exhausted_pool_ends_the_refills(tiny_model: Path, tmp_path: Path) -> None:
    kinds = ["unsolved"] * 5
    _, windows, _ = train_dynamic(ScriptedDynamic, tiny_model, tmp_path, kinds, max_steps=1)
    assert sorted(group.prompt for group in windows[0].groups) == [0, 1, 2, 3, 4]
    assert windows[0].trained == (0, 1, 2, 3)


class CutDynamic(ScriptedDynamic):
    """None of its completions ends."""

    def _generate_single_turn(
        self, prompt_ids: list[list[int]], *options: Any
    ) -> tuple[list[list[int]], None]:
        completions, logprobs = super()._generate_single_turn(prompt_ids, *options)
        return [ids[:-1] for ids in completions], logprobs


@pytest.mark.parametrize("masked", [False, True])
def test_a_group_whose_completions_are_all_masked_teaches_nothing(
    tiny_model: Path, tmp_path: Path, masked: bool
) -> None:
    _, windows, _ = train_dynamic(
        CutDynamic, tiny_model, tmp_path, ["mixed"] * 12, max_steps=1, mask_truncated_completions=masked
    )
    assert {group.zero_variance for group in windows[0].groups} == {masked}
    assert len(windows[0].groups) == (12 if masked else 4)


def test_evaluation_is_trls_own(tiny_model: Path, tmp_path: Path) -> None:
    trainer, windows, _ = train_dynamic(ScriptedDynamic, tiny_model, tmp_path, ["mixed"] * 8, max_steps=1)
    before = trainer.sampling_state()
    metrics = trainer.evaluate(dataset(["solved", "solved"]))
    assert metrics["eval_rewards/correct/mean"] == 1
    assert trainer.sampling_state() == before
    assert len(windows) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale_rewards": "batch"}, "scale_rewards='batch'"),
        ({"multi_objective_aggregation": "normalize_then_sum"}, "normalize_then_sum"),
        ({"gradient_accumulation_steps": 2, "steps_per_generation": 1}, "window of 1 batches"),
        ({"gradient_accumulation_steps": 2, "steps_per_generation": 3}, "window of 3 batches"),
        ({"generation_budget": 0.5}, "budget 0.5"),
        ({"per_device_train_batch_size": 20 * GROUP}, "a window needs 20"),
    ],
)
def test_refused_in_one_line(tiny_model: Path, tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(TierwiseError, match=message) as refusal:
        train_dynamic(DynamicGRPOTrainer, tiny_model, tmp_path, ["mixed"] * 10, **options)
    assert "\n" not in str(refusal.value)


def test_images_and_tools_are_refused(tiny_model: Path, tmp_path: Path) -> None:
    rows = dataset(["mixed"] * 4)
    cases: list[tuple[dict[str, Any], Dataset]] = [
        ({"tools": [print]}, rows),
        ({}, rows.add_column("image", [None] * 4)),
    ]
    for extra, columns in cases:
        with pytest.raises(TierwiseError, match="for text alone"):
            DynamicGRPOTrainer(
                str(tiny_model),
                config(tmp_path),
                Rewards(),
                columns,
                curriculum(4),
                generation_budget=1,
                **extra,
            )


LAYOUTS: dict[str, dict[str, Any]] = {
    "whole groups on each process": {"groups": 4, "num_iterations": 2, "beta": 0.1},
    "groups that span processes, two batches a step": {"groups": 3, "gradient_accumulation_steps": 2},
    "guided groups that span processes": {
        "groups": 3,
        "trainer_class": ScriptedGuided,
        "kinds": ["unsolved"] * 3 + ["mixed"] * 2,
    },
}


def run_layouts(process: int, processes: int, port: int, model: Path, out: Path) -> None:
    """Train each layout on one of several processes and save what this process ends with."""
    if processes > 1:
        os.environ |= {
            "RANK": str(process),
            "LOCAL_RANK": str(process),
            "WORLD_SIZE": str(processes),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
        }
    for name, layout in LAYOUTS.items():
        options = dict(layout)
        trainer_class = options.pop("trainer_class", ScriptedDynamic)
        kinds = options.pop("kinds", list(KINDS) * 3)
        rows = options.pop("groups") * GROUP // options.get("gradient_accumulation_steps", 1)
        options["per_device_train_batch_size"] = rows // processes
        trainer, windows, _ = train_dynamic(trainer_class, model, out, kinds, max_steps=4, **options)
        state = trainer.accelerator.unwrap_model(trainer.model).state_dict()
        saved = {"weights": state, "sampling": trainer.sampling_state(), "windows": windows}
        torch.save(saved, out / f"{name} {process} of {processes}.pt")
    if processes > 1:
        # One that leaves while the other still talks to it would abort that one.
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()


def test_two_processes_compute_what_one_computes(tiny_model: Path, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(run_layouts, (2, port, tiny_model, tmp_path), nprocs=2)
    run_layouts(0, 1, port, tiny_model, tmp_path)
    for name in LAYOUTS:
        alone, first, second = (
            torch.load(tmp_path / f"{name} {process}.pt", weights_only=False)
            for process in ("0 of 1", "0 of 2", "1 of 2")
        )
        assert first["windows"] == alone["windows"]
        assert second["windows"] == []
        assert first["sampling"] == second["sampling"] == alone["sampling"]
        for window in alone["windows"]:
            assert len({group.prompt for group in window.groups}) == len(window.groups)
        groups = [group for window in alone["windows"] for group in window.groups]
        assert len(groups) > sum(len(window.trained) for window in alone["windows"])
        assert any(group.n < GROUP for group in groups) == name.startswith("guided")
        for weight, value in alone["weights"].items():
            assert torch.equal(first["weights"][weight], second["weights"][weight])
            torch.testing.assert_close(first["weights"][weight], value, rtol=1e-4, atol=1e-6)
