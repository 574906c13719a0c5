"""``python -m training.dpo``: direct preference optimisation on frozen preferences.

The loss is DPO's sigmoid with a share of SFT on the chosen side, which keeps its probability from falling with the
rejected one's. The reference is the model that training starts from, always: with adapters the same weights without
them, else a second copy, loaded here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from training.arguments import stage_command

if TYPE_CHECKING:
    from training.arguments import Request

DEFAULTS = {
    # A text that is cut would teach to stop in mid-sentence.
    "max_length": None,
    "loss_type": ["sigmoid", "sft"],
    "loss_weights": [1.0, 0.2],
}


@stage_command("dpo")
def main(request: Request) -> dict[str, Any]:
    """Train a model on the preferences of a frozen split.

    Any field of TRL's DPOConfig and ModelConfig is an option too, by its name there: --beta 0.1, --loss_type sigmoid
    sft, --loss_weights 1 0.2, --use_peft for LoRA. The same command again goes on where a killed one stood.
    """
    from trl import DPOConfig, DPOTrainer

    from training.run import train
    from training.stage import prepare

    # The weights are those of our losses.
    defaults = {name: DEFAULTS[name] for name in DEFAULTS.keys() - _replaced(request)}
    stage = prepare("dpo", request, DPOConfig, defaults, table="dpo", reference=lambda _: True)
    if request.dry_run:
        return stage.plan()
    return train(
        stage,
        lambda _: DPOTrainer(
            stage.load_model(),
            # Without one, TRL would load it from the path that the model came from.
            ref_model=None if stage.peft_config else stage.load_model(),
            args=stage.config,
            train_dataset=stage.dataset(stage.payload.rows),
            processing_class=stage.tokenizer,
            peft_config=stage.peft_config,
        ),
    )


def _replaced(request: Request) -> set[str]:
    return {"loss_weights"} if "loss_type" in request.fields else set()


if __name__ == "__main__":
    main(prog_name="python -m training.dpo")
