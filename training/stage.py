"""What the three stages share before they run: a verified split, a model that fits, a configuration."""

from __future__ import annotations

import importlib.metadata
import os
import warnings
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import yaml

from curation.models import ModelReference, resolve
from training.arguments import parse_fields
from training.memory import available_memory, estimate_memory, require_memory
from training.payload import Payload, Table, read_payload
from training.processes import on_main, state
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from peft import PeftConfig
    from transformers import PreTrainedModel
    from trl import ModelConfig
    from trl.trainer.base_config import _BaseConfig

    from training.arguments import Request
    from training.memory import MemoryEstimate

DEFAULTS: Mapping[str, Any] = {
    # Ten checkpoints a run; the one before is kept, as a kill may come while one is written.
    "save_steps": 0.1,
    "save_total_limit": 2,
    "logging_steps": 1,
    "report_to": ["none"],
    "disable_tqdm": True,
}
"""What stands in place of TRL's defaults in every stage."""

_LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets")


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage that can begin: everything was verified, nothing was loaded or written yet.

    Attributes:
        name: sft, dpo or grpo.
        request: What was asked for.
        payload: Rows of the split.
        reference: Model to start from.
        model_config: TRL's ``ModelConfig``.
        config: TRL's configuration of the stage.
        tokenizer: The model's.
        peft_config: Adapters to train, if any.
        memory: What a process takes.
    """

    name: str
    request: Request
    payload: Payload
    reference: ModelReference
    model_config: ModelConfig
    config: Any
    tokenizer: Any
    peft_config: PeftConfig | None
    memory: MemoryEstimate

    def plan(self) -> dict[str, Any]:
        """What would be trained, for ``--dry-run``."""
        return {
            "stage": self.name,
            "split": self.payload.split,
            "rows": len(self.payload.rows),
            "model": self.reference.name,
            "memory": str(self.memory),
            "out": str(self.request.out),
        }

    def load_model(self) -> PreTrainedModel:
        """A fresh copy of the model to start from.

        Raises:
            TierwiseError: It cannot be loaded.
        """
        import torch
        from transformers import AutoModelForCausalLM

        dtype = self.model_config.dtype
        try:
            model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
                self.reference.path,
                dtype=dtype if dtype == "auto" else getattr(torch, str(dtype)),
                attn_implementation=self.model_config.attn_implementation,
                use_safetensors=True,
                trust_remote_code=False,
            )
        except Exception as error:
            # Configuration and weights each fail with exceptions of their own libraries.
            raise TierwiseError(
                f"cannot load the model {self.reference.name!r}, name another with --model: "
                f"{str(error).splitlines()[0]}"
            ) from error
        return model

    def dataset(self, rows: list[dict[str, Any]]) -> Any:
        """`rows` as a 🤗 dataset."""
        import datasets

        datasets.disable_progress_bars()
        return datasets.Dataset.from_list(rows)

    @property
    def parameters(self) -> dict[str, Any]:
        """What was asked for, fields by the values that they have."""
        given = {
            name: getattr(self.config if hasattr(self.config, name) else self.model_config, name)
            for name in self.request.fields
        }
        return {"split": self.payload.split, "model": self.reference.name, **self.request.options, **given}

    @property
    def identity(self) -> dict[str, Any]:
        """What makes a run this one: the same command on the same data and model has the same."""
        return {
            "stage": self.name,
            **self.parameters,
            "split_hash": self.payload.content_hash,
            "model": self.reference.digest,
            "processes": state().num_processes,
        }

    @property
    def resolved(self) -> dict[str, Any]:
        """Every field of TRL's configurations, and the versions of the libraries."""
        given = {field.name: getattr(self.config, field.name) for field in fields(self.config) if field.init}
        adapters = {field.name: getattr(self.model_config, field.name) for field in fields(self.model_config)}
        return {
            **given,
            **adapters,
            "versions": {name: importlib.metadata.version(name) for name in _LIBRARIES},
        }

    def asked(self) -> str:
        """YAML of what was asked for, as ``--config`` reads it."""
        own = {name: value for name, value in self.request.options.items() if value not in (None, (), False)}
        given = {
            name: words[0] if words and len(words) == 1 else words
            for name, words in self.request.fields.items()
        }
        asked = {
            "split": self.payload.split,
            "model": self.request.model,
            "out": str(self.request.out),
            **{name: list(value) if isinstance(value, tuple) else value for name, value in own.items()},
            **given,
        }
        text: str = yaml.safe_dump(asked, sort_keys=False, allow_unicode=True)
        return text


def prepare(
    name: str,
    request: Request,
    config_class: type[_BaseConfig],
    defaults: Mapping[str, Any],
    *,
    table: Table,
    reference: Callable[[Any], bool],
) -> Stage:
    """Verify what `request` asks for.

    Args:
        name: The stage.
        request: What the command line says.
        config_class: TRL's configuration of the stage.
        defaults: Of the stage, over `DEFAULTS`.
        table: Of the split, to train on.
        reference: Whether, under a configuration, a second copy of the model is held.

    Raises:
        TierwiseError: The split, the model or a field is not what training needs, or memory would not do.
    """
    import torch
    from transformers.utils import logging
    from trl import get_peft_config

    from curation.backends.tokens import load_tokenizer

    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    payload = on_main(lambda: read_payload(request.store, request.split, table))
    model = on_main(lambda: resolve(request.model))
    on_cpu = {} if torch.cuda.is_available() else {"use_cpu": True, "bf16": False}
    model_config, config = parse_fields(
        config_class,
        request.out / "checkpoints",
        request.fields,
        {**DEFAULTS, **on_cpu, **defaults},
    )
    tokenizer = load_tokenizer(model.path)
    peft_config = get_peft_config(model_config)
    tokens = _longest(payload.rows, tokenizer) + getattr(config, "max_completion_length", 0)
    if model.context is not None and tokens > model.context:
        raise TierwiseError(
            f"the longest row of {payload.split} takes {tokens:,} tokens, {model.name} takes {model.context:,}; freeze "
            "a split without its longest texts, or name another --model"
        )
    memory = estimate_memory(
        model.path,
        dtype=str(model_config.dtype),
        optimizer=str(config.optim.value if hasattr(config.optim, "value") else config.optim),
        peft_config=peft_config,
        reference=peft_config is None and reference(config),
        batch_size=config.per_device_train_batch_size * (2 if table == "dpo" else 1),
        tokens=tokens,
    )
    if not any(os.environ.get(f"ACCELERATE_USE_{shared}") == "true" for shared in ("FSDP", "DEEPSPEED")):
        require_memory(memory, available_memory())
    if config.save_total_limit == 1:
        raise TierwiseError(
            "--save_total_limit 1: a kill while a checkpoint is written would leave none; give 2 or more"
        )
    return Stage(name, request, payload, model, model_config, config, tokenizer, peft_config, memory)


def _longest(rows: list[dict[str, Any]], tokenizer: Any) -> int:
    """Tokens of the longest row, prompt and answer."""
    chats = [
        row["prompt"] + answer
        for row in rows
        for answer in (
            [row[side] for side in ("completion", "chosen", "rejected") if _is_chat(row.get(side))] or [[]]
        )
    ]
    texts = [
        tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True) for chat in chats
    ]
    return max(map(len, tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]))


def _is_chat(value: Any) -> bool:
    return isinstance(value, list)
