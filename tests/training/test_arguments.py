"""Options of ours and of TRL's, from the command line and from files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest
from click.testing import CliRunner

from training.arguments import Request, parse_fields, stage_command
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def asked() -> Callable[..., Request]:
    """What a stage is asked by a command line."""

    def ask(*arguments: object) -> Request:
        heard: list[Request] = []

        @stage_command("play", click.option("--weight", multiple=True))
        def main(request: Request) -> dict[str, Any]:
            heard.append(request)
            return {}

        result = CliRunner().invoke(main, list(map(str, arguments)))
        assert result.exit_code == 0, result.output
        return heard[0]

    return ask


def test_fields_and_options_stand_in_any_order(asked: Callable[..., Request]) -> None:
    request = asked(
        "--learning-rate",
        "1e-4",
        "--split",
        "a_v1",
        "--loss_type",
        "sigmoid",
        "sft",
        "--use_peft",
        "--seed=7",
        "--dry-run",
    )
    assert request.fields == {
        "learning_rate": ["1e-4"],
        "loss_type": ["sigmoid", "sft"],
        "use_peft": ["true"],
        "seed": ["7"],
    }
    assert (request.split, request.out, request.dry_run) == ("a_v1", Path("play-a_v1"), True)


@pytest.mark.parametrize("suffix", ["toml", "yaml"])
def test_the_command_line_comes_before_the_file(
    asked: Callable[..., Request], tmp_path: Path, suffix: str
) -> None:
    values = {
        "split": "a_v1",
        "learning-rate": 1e-4,
        "max_steps": 5,
        "use_peft": True,
        "weight": ["correct=1", "format=0"],
        "model": "there",
        "loss_type": ["sigmoid", "sft"],
    }
    written = {
        "toml": "\n".join(f"{name} = {json.dumps(value)}" for name, value in values.items()),
        # JSON is YAML; a number without a point, as people write it, is text to YAML 1.1.
        "yaml": json.dumps(values).replace("0.0001", "1e-4"),
    }
    file = tmp_path / f"play.{suffix}"
    file.write_text(written[suffix])
    request = asked("--config", file, "--max_steps", "9", "--model", "here")
    fields = request.fields
    rate = fields.pop("learning_rate")
    assert rate is not None
    assert float(rate[0]) == 1e-4
    assert fields == {"max_steps": ["9"], "use_peft": ["true"], "loss_type": ["sigmoid", "sft"]}
    assert (request.split, request.model) == ("a_v1", "here")
    assert request.options == {"weight": ("correct=1", "format=0")}


def test_fields_become_trls_configuration(tmp_path: Path) -> None:
    from trl import DPOConfig

    fields = {
        "learning_rate": ["1e-4"],
        "loss_type": ["sigmoid", "sft"],
        "use_peft": ["true"],
        "lora_r": ["4"],
    }
    defaults = {
        "use_cpu": True,
        "bf16": False,
        "max_steps": 3,
        "report_to": ["none"],
        "loss_weights": [1.0, 0.5],
    }
    model_config, config = parse_fields(DPOConfig, tmp_path, fields, defaults)
    assert (model_config.use_peft, model_config.lora_r) == (True, 4)
    assert isinstance(config, DPOConfig)
    assert (config.learning_rate, config.loss_type, config.loss_weights) == (
        1e-4,
        ["sigmoid", "sft"],
        [1.0, 0.5],
    )
    assert (config.max_steps, config.output_dir) == (3, str(tmp_path))


def test_values_that_do_not_go_together_are_told_in_a_line(tmp_path: Path) -> None:
    from trl import GRPOConfig

    defaults = {"use_cpu": True, "bf16": False, "report_to": ["none"]}
    with pytest.raises(TierwiseError, match="GRPOConfig: ") as refused:
        parse_fields(GRPOConfig, tmp_path, {"num_generations": ["7"]}, defaults)
    assert "\n" not in str(refused.value)
