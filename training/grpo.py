"""``python -m training.grpo``: GRPO on a split's prompts, sampled by how hard they are for the model as it learns.

The reward is the project's one grader and its checks, by weighted components (`training.rewards`). Prompts are drawn
from a curriculum of solve rates that starts at the split's bands (`training.curriculum`); groups that teach nothing are
refilled (`training.dynamic`). Every group's outcome becomes a row of ``difficulty`` with its training step.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from training.arguments import stage_command
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from curation.configurations import Configuration
    from training.arguments import Request
    from training.dynamic import DynamicGRPOTrainer, Window
    from training.journal import Journal
    from training.stage import Stage

_STATE = "sampling.json"
_WINDOWS = 10
"""Windows between checkpoints where one serves several steps."""


@stage_command(
    "grpo",
    click.option(
        "--reward",
        "reward",
        multiple=True,
        metavar="NAME=WEIGHT",
        help="Weight of a reward component: correct, ordinal, format, consistent, grounded, cited, formed. Repeat it; "
        "those not named stay as they are.  [default: correct=1, ordinal=0.5, format=0.25, consistent=0.25, no others]",
    ),
    click.option(
        "--generation-budget",
        type=click.FloatRange(1),
        default=1.5,
        show_default=True,
        help="Generate at most so many times a batch's completions to fill it with groups that teach; 1 never refills.",
    ),
    click.option(
        "--half-life",
        type=click.FloatRange(0, min_open=True),
        default=32.0,
        show_default=True,
        help="Batches in which what is known of a prompt's solve rate loses half its weight.",
    ),
    click.option(
        "--uniform",
        is_flag=True,
        help="Draw all prompts equally often, not by difficulty; with --generation-budget 1, GRPO as TRL has it.",
    ),
    click.option(
        "--guided-replay",
        is_flag=True,
        help="Where a prompt stays unsolved, put the rationale that the split has for it in place of one sample.",
    ),
)
def main(request: Request) -> dict[str, Any]:
    """Train a model by GRPO on the prompts of a frozen split, with difficulty-based dynamic sampling.

    Any field of TRL's GRPOConfig and ModelConfig is an option too, by its name there: --num_generations 8,
    --max_completion_length 128, --use_peft for LoRA. The same command again goes on where a killed one stood.
    """
    from trl import GRPOConfig

    from training.run import train
    from training.stage import prepare

    weights = _weights(request.options["reward"])
    stage = prepare("grpo", request, GRPOConfig, {}, table="grpo", reference=lambda config: config.beta != 0)
    _hold_to_windows(stage.config, asked="save_steps" in request.fields)
    if request.dry_run:
        return stage.plan()
    return train(stage, lambda journal: _trainer(stage, weights, journal))


def _trainer(stage: Stage, weights: Mapping[str, float], journal: Journal) -> DynamicGRPOTrainer:
    from training.checker import read_checker
    from training.curriculum import Curriculum
    from training.dynamic import DynamicGRPOTrainer
    from training.processes import on_main
    from training.replay import GuidedGRPOTrainer
    from training.rewards import Rewards, need_checks

    guided: bool = stage.request.options["guided_replay"]
    rows = stage.payload.rows
    checker = (
        on_main(lambda: read_checker(stage.request.store, stage.payload.split))
        if need_checks(weights)
        else None
    )
    configuration = _configuration(stage)
    for table, row in configuration.rows(journal.run_id):
        journal.add(table, [row])
    trainer = (GuidedGRPOTrainer if guided else DynamicGRPOTrainer)(
        stage.load_model(),
        stage.config,
        Rewards(weights, checker),
        stage.dataset(rows),
        Curriculum(
            [row["pair_id"] for row in rows],
            [row["n"] or 0 for row in rows],
            [row["c"] or 0 for row in rows],
            group_size=stage.config.num_generations,
            half_life=stage.request.options["half_life"],
            uniform=stage.request.options["uniform"],
            seed=stage.config.seed,
        ),
        generation_budget=stage.request.options["generation_budget"],
        on_window=_observed(rows, configuration, journal),
        processing_class=stage.tokenizer,
        peft_config=stage.peft_config,
    )

    def save(checkpoint: Path) -> None:
        (checkpoint / _STATE).write_text(json.dumps(trainer.sampling_state()), encoding="utf-8")

    def load(checkpoint: Path) -> None:
        trainer.load_sampling_state(json.loads((checkpoint / _STATE).read_text(encoding="utf-8")))

    journal.save_beside, journal.load_beside = save, load
    return trainer


def _hold_to_windows(config: Any, *, asked: bool) -> None:
    """Let checkpoints come between windows: what was generated for several steps is in none of them.

    Raises:
        TierwiseError: `asked` for other ones.
    """
    window = config.steps_per_generation * config.num_iterations // config.gradient_accumulation_steps
    whole = config.save_strategy == "steps" and config.save_steps >= 1 and config.save_steps % window == 0
    if window <= 1 or whole or config.save_strategy == "no":
        return
    if config.save_strategy != "steps":
        raise TierwiseError(
            f"--save_strategy {config.save_strategy.value}: what is generated serves {window} steps, and a checkpoint "
            "between them could not be resumed from; use steps"
        )
    if asked:
        raise TierwiseError(
            f"--save_steps {config.save_steps:g}: what is generated serves {window} steps, and a checkpoint between "
            f"them could not be resumed from; give a multiple of {window}"
        )
    config.save_steps = _WINDOWS * window


def _observed(
    rows: Sequence[dict[str, Any]], configuration: Configuration, journal: Journal
) -> Callable[[Window], None]:
    """Keeps a window's groups as rows of ``difficulty``."""
    from curation.difficulty import difficulty_at_step

    def observe(window: Window) -> None:
        journal.add(
            "difficulty",
            [
                difficulty_at_step(
                    rows[group.prompt]["pair_id"],
                    configuration.configuration_id,
                    run_id=journal.run_id,
                    step=window.step,
                    n=group.n,
                    c=group.c,
                    unparsable=group.unparsable,
                    gold_tier=rows[group.prompt]["tier"],
                )
                for group in window.groups
            ],
        )

    return observe


def _configuration(stage: Stage) -> Configuration:
    """The model that training starts from, with how its groups are sampled.

    Raises:
        TierwiseError: They are sampled in a way that a configuration does not describe.
    """
    from curation.backends import Decoding
    from curation.configurations import Configuration

    config = stage.config
    for name, unused in (("top_k", 0), ("min_p", None), ("repetition_penalty", 1.0)):
        if getattr(config, name) != unused:
            raise TierwiseError(
                f"--{name}: difficulty is kept by a configuration of temperature and top_p; leave {name} out"
            )
    return Configuration(
        stage.reference,
        stage.payload.template,
        Decoding(config.temperature, config.top_p, config.max_completion_length, guided=False),
    )


def _weights(given: Sequence[str]) -> dict[str, float]:
    from training.rewards import DEFAULT_WEIGHTS, require_weights

    weights = dict(DEFAULT_WEIGHTS)
    for word in given:
        name, _, number = word.partition("=")
        try:
            weights[name] = float(number)
        except ValueError as error:
            raise TierwiseError(f"--reward {word}: needs a name and a number, such as correct=1") from error
    require_weights(weights)
    return weights


if __name__ == "__main__":
    main(prog_name="python -m training.grpo")
