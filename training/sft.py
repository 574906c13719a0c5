"""``python -m training.sft``: supervised fine-tuning on rationales.

The loss is on the completion, and on the prompt as far as ``--prompt-loss-weight`` says. A split froze one completion
for a prompt, what people accepted or corrected before what was only graded as correct, in the form that its prompt asks
for: answer-first or reason-first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from training.arguments import stage_command
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from training.arguments import Request
    from training.payload import Table

DEFAULTS = {
    # A text that is cut would teach to stop in mid-sentence.
    "max_length": None,
    "completion_only_loss": True,
}


@stage_command(
    "sft",
    click.option(
        "--label-only",
        is_flag=True,
        help="Train on every pair's gold tier alone, without reasoning: the discriminative baseline.",
    ),
    click.option(
        "--prompt-loss-weight",
        type=click.FloatRange(0, 1),
        default=0.0,
        show_default=True,
        help="Weight of a prompt's token in the loss, where an answer's weighs 1: lets a new model learn to read.",
    ),
)
def main(request: Request) -> dict[str, Any]:
    """Fine-tune a model on the rationales of a frozen split.

    Any field of TRL's SFTConfig and ModelConfig is an option too, by its name there: --learning_rate 1e-5,
    --max_steps 100, --use_peft for LoRA. The same command again goes on where a killed one stood.
    """
    from trl import SFTConfig

    from training.prompt_loss import PromptLossTrainer
    from training.run import train
    from training.stage import prepare

    label_only = request.options["label_only"]
    table: Table = "grpo" if label_only else "sft"
    stage = prepare("sft", request, SFTConfig, DEFAULTS, table=table, reference=lambda _: False)
    weight = request.options["prompt_loss_weight"]
    if weight and not stage.config.completion_only_loss:
        raise TierwiseError(
            "--prompt-loss-weight does nothing with --completion_only_loss false; leave one out"
        )
    if request.dry_run:
        return stage.plan()
    rows = list(map(_label_alone, stage.payload.rows)) if label_only else stage.payload.rows
    return train(
        stage,
        lambda _: PromptLossTrainer(
            prompt_loss_weight=weight,
            model=stage.load_model(),
            args=stage.config,
            train_dataset=stage.dataset(rows),
            processing_class=stage.tokenizer,
            peft_config=stage.peft_config,
        ),
    )


def _label_alone(row: dict[str, Any]) -> dict[str, Any]:
    """A pair's prompt with its gold tier as the whole answer, as its format states it."""
    verdict = str(row["tier"]) if row["format"] == "answer-first" else f"Tier: {row['tier']}"
    return {
        "pair_id": row["pair_id"],
        "prompt": row["prompt"],
        "completion": [{"role": "assistant", "content": verdict}],
    }


if __name__ == "__main__":
    main(prog_name="python -m training.sft")
