"""What a stage is asked to do: a few options of ours, and every field of TRL's configuration and `ModelConfig`.

Both come from the command line or from a YAML or TOML file, the command line first. Fields keep TRL's names:
``--learning_rate 1e-5`` or ``--learning-rate 1e-5``, ``--use_peft`` for LoRA.
"""

from __future__ import annotations

import difflib
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from warehouse.console import Command, db_option, json_option
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from trl import ModelConfig
    from trl.trainer.base_config import _BaseConfig

    from warehouse.store import Store

_REFUSED = {
    "model_name_or_path": "use --model",
    "output_dir": "use --out",
    "reward_weights": "use --reward",
    "resume_from_checkpoint": "the same command again goes on from the last checkpoint",
    "hub_token": "set HF_TOKEN in the environment: what is asked for is kept in the store",
    "push_to_hub_token": "set HF_TOKEN in the environment: what is asked for is kept in the store",
    "trust_remote_code": "models load without code of their own",
    "model_revision": "name the folder of that revision with --model",
    "model_init_kwargs": "use --dtype and --attn_implementation",
    "load_in_4bit": "quantised training is not supported; hold weights in --dtype bfloat16",
    "load_in_8bit": "quantised training is not supported; hold weights in --dtype bfloat16",
    "eos_token": "the tokenizer is saved as the model came with it; change it there",
    "pad_token": "the tokenizer is saved as the model came with it; change it there",
    "chat_template_path": "the tokenizer is saved as the model came with it; change it there",
    "save_only_model": "a checkpoint without its optimizer could not be resumed from",
    "db": "name the store with --db or TIERWISE_DB",
}
"""Fields that would do nothing here, or harm."""


Fields = dict[str, list[str] | None]


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line of a stage asks for.

    Attributes:
        store: Where the split lies, and where the run is kept.
        split: Name and version, such as ``hard_v3``.
        model: A folder, a hub id or ``smollm2-135m``.
        out: Folder of the trained model.
        options: The stage's own options, by name.
        fields: Fields of TRL's configurations as the file, then the command line gave them, as text; None for null.
        dry_run: Whether only to say what would be done.
    """

    store: Store
    split: str
    model: str
    out: Path
    options: dict[str, Any]
    fields: Fields
    dry_run: bool


def stage_command(
    name: str, *options: Callable[[Any], Any]
) -> Callable[[Callable[[Request], dict[str, Any]]], Command]:
    """Make a function of a `Request` that returns a summary the command ``python -m training.<name>``.

    Args:
        name: The stage.
        options: Click options of its own, besides those that every stage has.
    """

    def decorate(run: Callable[[Request], dict[str, Any]]) -> Command:
        def main(
            store: Store,
            split: str,
            model: str,
            out: Path | None,
            dry_run: bool,
            as_json: bool,
            **own: Any,
        ) -> None:
            from training.processes import is_main, leave
            from warehouse.console import print_summary

            context = click.get_current_context()
            given = {**context.meta.get(_FILE, {}), **_given(context.args)}
            request = Request(store, split, model, out or Path(f"{name}-{split}"), own, given, dry_run)
            try:
                summary = run(request)
            except TierwiseError:
                # Every process meets it; said once is enough.
                if is_main():
                    raise
                raise SystemExit(1) from None
            finally:
                leave()
            if is_main():
                next_steps = summary.pop("next", [])
                print_summary(summary, as_json)
                if next_steps and not as_json:
                    click.echo("\nNext:")
                    for step in next_steps:
                        click.echo(f"  {step}")

        main.__doc__ = run.__doc__
        for option in reversed((*_COMMON, *options, *_LAST)):
            main = option(main)
        settings = {
            "ignore_unknown_options": True,
            "allow_extra_args": True,
            "help_option_names": ["-h", "--help"],
        }
        return click.command(name=f"training.{name}", cls=Command, context_settings=settings)(main)

    return decorate


_FILE = "training.fields"


def _read_config(context: click.Context, _parameter: click.Parameter, path: Path | None) -> None:
    """Let the file at `path` give our options their defaults, and TRL's fields their values."""
    if path is None:
        return
    own = {parameter.name for parameter in context.command.params} - {"config", "as_json", "dry_run", "store"}
    values = read_config(path)
    context.default_map = {name: value for name, value in values.items() if name in own}
    context.meta[_FILE] = {name: _words(value) for name, value in values.items() if name not in own}


def read_config(path: Path) -> dict[str, Any]:
    """The names and values in a YAML or TOML file; ``-`` and ``_`` in names are the same.

    Raises:
        TierwiseError: It is neither, or no mapping of names to values.
    """
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text) if path.suffix == ".toml" else yaml.safe_load(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, yaml.YAMLError) as error:
        raise TierwiseError(
            f"{path}: {' '.join(str(error).split())}; mend it, or leave --config out"
        ) from error
    if not isinstance(values, dict):
        raise TierwiseError(f"{path}: holds no names with values, such as `learning_rate: 1e-5`")
    return {str(name).replace("-", "_"): value for name, value in values.items()}


def _words(value: Any) -> list[str] | None:
    """A value of a file as the command line would have it, which has no null."""
    if value is None:
        return None
    if isinstance(value, list):
        return [str(part) for part in value]
    return [json.dumps(value) if isinstance(value, dict | bool) else str(value)]


def _given(arguments: Sequence[str]) -> Fields:
    """Words of each ``--field`` on the command line."""
    found: Fields = {}
    words: list[str] | None = None
    for argument in arguments:
        if argument.startswith("--"):
            name, equals, value = argument[2:].partition("=")
            words = found[name.replace("-", "_")] = [value] if equals else []
        elif words is None:
            raise click.UsageError(f"{argument!r} belongs to no option; fields are --name value")
        else:
            words.append(argument)
    return {name: words or ["true"] for name, words in found.items()}


def parse_fields(
    config: type[_BaseConfig],
    out: Path,
    fields: Mapping[str, list[str] | None],
    defaults: Mapping[str, Any],
) -> tuple[ModelConfig, _BaseConfig]:
    """Fields as text to TRL's ``ModelConfig`` and the stage's configuration.

    Args:
        config: ``SFTConfig``, ``DPOConfig`` or ``GRPOConfig``.
        out: Folder of the trainer's checkpoints.
        fields: As in `Request`.
        defaults: What stands in place of TRL's defaults.

    Raises:
        TierwiseError: No such field, a value that it cannot have, or values that do not go together.
    """
    from transformers import HfArgumentParser
    from trl import ModelConfig

    for name in _REFUSED.keys() & fields.keys():
        raise TierwiseError(f"--{name} is not for this command: {_REFUSED[name]}")
    adapters = sorted(name for name in fields if name.startswith("lora_"))
    if adapters and "use_peft" not in fields:
        raise TierwiseError(f"--{adapters[0]} does nothing without --use_peft")

    class Parser(HfArgumentParser):
        def error(self, message: str) -> NoReturn:
            raise TierwiseError(f"{message}; see the fields of TRL's {config.__name__}")

    parser = Parser([ModelConfig, config], allow_abbrev=False)
    known = {action.dest for action in parser._actions}
    for name in fields:
        if name not in known:
            near = difflib.get_close_matches(name, known, 3)
            meant = f"did you mean --{', --'.join(near)}?" if near else "see --help"
            raise TierwiseError(f"no option --{name}, and no such field of TRL's {config.__name__}; {meant}")
    nulls = {name: None for name, values in fields.items() if values is None}
    parser.set_defaults(**{**defaults, **nulls, "output_dir": str(out)})
    words = [word for name, values in fields.items() if values is not None for word in (f"--{name}", *values)]
    try:
        model_config, parsed = parser.parse_args_into_dataclasses(words, look_for_args_file=False)
    except (ValueError, TypeError, ImportError) as error:
        raise TierwiseError(f"{config.__name__}: {' '.join(str(error).split())}") from error
    return model_config, parsed


_COMMON = (
    click.option("--split", required=True, metavar="NAME_vN", help="Frozen split to train on."),
    click.option(
        "--model",
        default="smollm2-135m",
        show_default=True,
        help="Model to start from: a folder, a hub id, or smollm2-135m.",
    ),
    click.option(
        "--out",
        type=click.Path(file_okay=False, path_type=Path),
        help="Folder of the trained model.  [default: STAGE-SPLIT]",
    ),
    click.option(
        "--config",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        is_eager=True,
        expose_value=False,
        callback=_read_config,
        help="YAML or TOML file with any of these options and of TRL's fields.",
    ),
)
_LAST = (
    click.option(
        "--dry-run", is_flag=True, help="Only say what would be trained, and how much memory it takes."
    ),
    db_option,
    json_option,
)
