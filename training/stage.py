"""What the three stages share: a verified split, a model that fits, a run in the ledger, a registered checkpoint."""

from __future__ import annotations

import importlib.metadata
import os
import sys
import warnings
from contextlib import ExitStack, contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass, fields
from statistics import fmean
from typing import TYPE_CHECKING, Any

import yaml

from curation.configurations import model_id, model_row
from curation.models import ModelReference, resolve
from training.arguments import parse_fields
from training.folder import Folder, open_folder
from training.memory import available_memory, estimate_memory, require_memory
from training.payload import Payload, Table, read_payload
from training.processes import is_main, on_main, state
from warehouse.errors import TierwiseError
from warehouse.failpoints import failpoint
from warehouse.ids import content_id
from warehouse.ledger import Run
from warehouse.parts import with_waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    import duckdb
    from peft import PeftConfig
    from transformers import PreTrainedModel, Trainer
    from trl import ModelConfig
    from trl.trainer.base_config import _BaseConfig

    from training.arguments import Request
    from training.journal import Journal
    from training.memory import MemoryEstimate
    from warehouse.store import LongRun

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

    def train(self, make_trainer: Callable[[Journal], Trainer]) -> dict[str, Any]:
        """Train to the end, from the last checkpoint if there is one; register the model; return the counts.

        Args:
            make_trainer: Makes TRL's trainer; it may keep rows in the journal.

        Raises:
            TierwiseError: The folder holds another run, another process trains into it, or memory ran out.
        """
        from training.journal import Journal

        with ExitStack() as stack, _reported(self.name, self.memory) as report:
            on_main(lambda: stack.enter_context(self._alone()))
            run = Run(self.name, self._parameters, model_id=model_id(self.reference), parents=self._parents())
            folder = on_main(lambda: open_folder(self.request.out, run, self._identity, self._resolved))
            if folder.model_id is not None:
                on_main(lambda: self._require_registered(folder))
                return {"state": "was trained before", "model_id": folder.model_id, "out": str(folder.path)}
            journal = Journal(folder.run.run_id, report)
            journal.add("models", [model_row(self.reference)])
            trainer = _made(make_trainer, journal)
            checkpoint = on_main(folder.last_checkpoint)
            if checkpoint is not None:
                journal.go_on(checkpoint)
            long_run = stack.enter_context(self._running(folder)) if is_main() else None
            if long_run is not None:
                journal.begin(long_run)
            _run(trainer, checkpoint)
            failpoint("trained")
            summary = {
                "rows": len(self.payload.rows),
                "steps": trainer.state.global_step,
                **_numbers(trainer.state.log_history),
            }
            self._save(trainer, folder)
            if long_run is not None:
                trained = self._trained(folder)
                journal.add("models", [{**model_row(trained), **self._descent}])
                journal.commit()
                folder.model_id = str(model_id(trained))
                long_run.run.summary = {**summary, "model_id": folder.model_id}
        return {
            "out": str(folder.path),
            "model_id": folder.model_id,
            **summary,
            **(long_run.waiting if long_run is not None else {}),
            "next": [
                f"python -m warehouse lineage {folder.model_id}",
                *(
                    f"python -m eval predict --split {split} --model {folder.path}"
                    for split in self._judges()
                ),
            ],
        }

    def _trained(self, folder: Folder) -> ModelReference:
        """The model in the folder.

        Raises:
            TierwiseError: It is the one that training started from.
        """
        trained = resolve(str(folder.path))
        if trained.digest == self.reference.digest:
            raise TierwiseError(
                f"training changed nothing: {folder.path} holds the weights of {self.reference.name}; raise the "
                "learning rate, or look in training_metrics whether anything was learned from"
            )
        return trained

    def _save(self, trainer: Trainer, folder: Folder) -> None:
        """Write the trained model to the folder, adapters merged; each process takes part, as it may hold a share."""
        from peft import PeftModel

        from curation.backends.tokens import load_tokenizer

        adapter = folder.path / "adapter" if self.peft_config is not None else None
        trainer.save_model(str(adapter or folder.path))
        if not is_main():
            return
        ((adapter or folder.path) / "training_args.bin").unlink()
        if adapter is not None:
            merged: Any = PeftModel.from_pretrained(self.load_model(), str(adapter)).merge_and_unload()
            merged.save_pretrained(folder.path)
        # As the model came with it: the trainer's may have been changed for training.
        load_tokenizer(self.reference.path).save_pretrained(folder.path)

    def _require_registered(self, folder: Folder) -> None:
        store = self.request.store

        def registered(connection: duckdb.DuckDBPyConnection) -> bool:
            models = with_waiting(store.runs, "models", ("model_id",))
            found = connection.execute(
                f"SELECT 1 FROM ({models}) WHERE model_id = ?::UUID", [folder.model_id]
            ).fetchall()
            return bool(found)

        if not store.read_with_parts(registered):
            raise TierwiseError(
                f"{folder.path} was trained with another store, {store.place.name} does not know its "
                "model; name a new folder with --out, or remove that one"
            )

    def _alone(self) -> AbstractContextManager[None]:
        """Keep other processes from training into the same folder."""
        out = self.request.out.absolute()
        return self.request.store.exclusive(f"train-{content_id('folder', str(out))}", f"training into {out}")

    @contextmanager
    def _running(self, folder: Folder) -> Iterator[LongRun]:
        """The run in the ledger, and in its folder; whole once it ends."""
        if folder.is_begun:
            folder.run.resume()
        folder.save()
        (folder.path / "training.yaml").write_text(self._asked(), encoding="utf-8")
        with self.request.store.long_run(folder.run) as long_run:
            yield long_run
        folder.save()

    @property
    def _descent(self) -> dict[str, str]:
        """Where a trained model comes from, for its row of ``models``."""
        return {
            "parent_id": str(model_id(self.reference)),
            "split": self.payload.split,
            "split_hash": self.payload.content_hash,
        }

    @property
    def _parameters(self) -> dict[str, Any]:
        given = {name: words and " ".join(words) for name, words in self.request.fields.items()}
        return {"split": self.payload.split, "model": self.reference.name, **self.request.options, **given}

    @property
    def _identity(self) -> dict[str, Any]:
        return {
            "stage": self.name,
            **self._parameters,
            "split_hash": self.payload.content_hash,
            "model": self.reference.digest,
            "processes": state().num_processes,
        }

    @property
    def _resolved(self) -> dict[str, Any]:
        given = {field.name: getattr(self.config, field.name) for field in fields(self.config) if field.init}
        adapters = {field.name: getattr(self.model_config, field.name) for field in fields(self.model_config)}
        return {
            **given,
            **adapters,
            "versions": {name: importlib.metadata.version(name) for name in _LIBRARIES},
        }

    def _asked(self) -> str:
        own = {name: value for name, value in self.request.options.items() if value not in (None, (), False)}
        given = {
            name: words[0] if words and len(words) == 1 else words or (True if words == [] else None)
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

    def _judges(self) -> list[str]:
        """The newest eval split, if there is one."""
        if not is_main():
            return []
        with self.request.store.read(copy_if_held=True) as connection:
            found = connection.execute(
                "SELECT split FROM splits WHERE role = 'eval' ORDER BY created_at DESC LIMIT 1"
            ).fetchall()
        return [row[0] for row in found]

    def _parents(self) -> tuple[Any, ...]:
        if not is_main():
            return ()
        with self.request.store.read() as connection:
            found = connection.execute(
                "SELECT run_id FROM splits WHERE split = $split UNION ALL SELECT run_id FROM models "
                "WHERE model_id = $model::UUID AND parent_id IS NOT NULL",
                {"split": self.payload.split, "model": model_id(self.reference)},
            ).fetchall()
        return tuple(row[0] for row in found)


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


def _made(make_trainer: Callable[[Journal], Trainer], journal: Journal) -> Trainer:
    from transformers import PrinterCallback

    try:
        trainer = make_trainer(journal)
    except TierwiseError:
        raise
    except Exception as error:
        # What does not go together, or is not installed, fails with exceptions of many libraries.
        raise TierwiseError(f"TRL refuses this configuration: {' '.join(str(error).split())}") from error
    # It prints to stdout, which is for summaries.
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(journal)
    return trainer


def _run(trainer: Trainer, checkpoint: Path | None) -> None:
    import torch
    from transformers import TrainerState

    if checkpoint is not None:
        reached = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
        if reached.global_step >= reached.max_steps:
            # Asked to go on, the trainer would take another step.
            trainer._load_from_checkpoint(str(checkpoint))
            trainer.state = reached
            return
        # TRL's own count of tokens would begin anew.
        counted = [entry["num_tokens"] for entry in reached.log_history if "num_tokens" in entry]
        trainer._total_train_tokens = max(counted, default=0)
    try:
        # TRL prints completions to stdout, which is for the summary.
        with redirect_stdout(sys.stderr):
            trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    except torch.OutOfMemoryError as error:
        raise TierwiseError(
            "the GPU ran out of memory: lower --per_device_train_batch_size and raise --gradient_accumulation_steps, "
            "train adapters with --use_peft, or hold weights in --dtype bfloat16"
        ) from error
    except (ValueError, ImportError) as error:
        if trainer.state.global_step:
            raise
        raise TierwiseError(f"TRL refuses this configuration: {' '.join(str(error).split())}") from error


def _numbers(logs: list[dict[str, float]]) -> dict[str, Any]:
    """The few metrics that a summary shows, from all that a run logged."""
    found: dict[str, Any] = {
        name: values[-1]
        for name in ("loss", "reward")
        if (values := [entry[name] for entry in logs if name in entry])
    }
    shares = {
        label: [entry[name] for entry in logs if (name := f"dynamic/zero_variance_{moment}") in entry]
        for label, moment in (("before refill", "before"), ("after", "after"))
    }
    if all(shares.values()):
        found["zero_variance"] = {label: fmean(values) for label, values in shares.items()}
    return found


@contextmanager
def _reported(name: str, memory: MemoryEstimate) -> Iterator[Callable[[int, int, Mapping[str, float]], None]]:
    """Progress on a terminal, by the main process."""
    from warehouse.console import progress

    with progress("{task.fields[metrics]}") if is_main() else nullcontext() as shown:
        if shown is None:
            yield lambda _done, _total, _metrics: None
            return
        task = shown.add_task(name, total=None, metrics=f"loading the model, takes {memory}")

        def report(done: int, total: int, metrics: Mapping[str, float]) -> None:
            words = [f"{key} {metrics[key]:.3g}" for key in ("loss", "reward") if key in metrics]
            shown.update(task, total=total, completed=done, metrics=", ".join(words))

        yield report
