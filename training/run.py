"""A run of a stage: from the folder and the ledger through TRL's trainer to a registered model."""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager, nullcontext, redirect_stdout
from statistics import fmean
from typing import TYPE_CHECKING, Any

from curation.configurations import model_id, model_row
from curation.models import resolve
from training.folder import Folder, open_folder
from training.processes import is_main, on_main
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
    from transformers import Trainer

    from training.arguments import Request
    from training.journal import Journal
    from training.memory import MemoryEstimate
    from training.stage import Stage
    from warehouse.store import LongRun, Store


def train(stage: Stage, make_trainer: Callable[[Journal], Trainer]) -> dict[str, Any]:
    """Train to the end, from the last checkpoint if there is one; register the model; return the counts.

    Args:
        stage: What to train.
        make_trainer: Makes TRL's trainer; it may keep rows in the journal.

    Raises:
        TierwiseError: The folder holds another run, another process trains into it, or memory ran out.
    """
    from training.journal import Journal

    with ExitStack() as stack, _reported(stage.name, stage.memory) as report:
        on_main(lambda: stack.enter_context(_alone(stage.request)))
        run = Run(stage.name, stage.parameters, model_id=model_id(stage.reference), parents=_parents(stage))
        folder = on_main(lambda: open_folder(stage.request.out, run, stage.identity, stage.resolved))
        if folder.model_id is not None:
            on_main(lambda: _require_registered(stage.request.store, folder))
            return {"state": "was trained before", "model_id": folder.model_id, "out": str(folder.path)}
        journal = Journal(folder.run.run_id, report)
        journal.add("models", [model_row(stage.reference)])
        trainer = _made(make_trainer, journal)
        checkpoint = on_main(folder.last_checkpoint)
        if checkpoint is not None:
            journal.go_on(checkpoint)
        long_run = stack.enter_context(_running(stage, folder)) if is_main() else None
        if long_run is not None:
            journal.begin(long_run)
        _run(trainer, checkpoint)
        failpoint("trained")
        summary = {
            "rows": len(stage.payload.rows),
            "steps": trainer.state.global_step,
            **_numbers(trainer.state.log_history),
        }
        _save(stage, trainer, folder)
        if long_run is not None:
            trained = resolve(str(folder.path))
            if trained.digest == stage.reference.digest:
                summary["note"] = (
                    f"nothing was learned: the weights are those of {stage.reference.name}; raise the learning "
                    "rate, or see in training_metrics whether the rewards of any group differed"
                )
            else:
                journal.add("models", [{**model_row(trained), **_descent(stage)}])
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
                for split in _judges(stage.request.store)
            ),
        ],
    }


@contextmanager
def _running(stage: Stage, folder: Folder) -> Iterator[LongRun]:
    """The run in the ledger, and in its folder; whole once it ends."""
    if folder.is_begun:
        folder.run.resume()
    folder.save()
    (folder.path / "training.yaml").write_text(stage.asked(), encoding="utf-8")
    with stage.request.store.long_run(folder.run) as long_run:
        yield long_run
    folder.save()


def _alone(request: Request) -> AbstractContextManager[None]:
    """Keep other processes from training into the same folder."""
    out = request.out.absolute()
    return request.store.exclusive(f"train-{content_id('folder', str(out))}", f"training into {out}")


def _save(stage: Stage, trainer: Trainer, folder: Folder) -> None:
    """Write the trained model to the folder, adapters merged; each process takes part, as it may hold a share."""
    from peft import PeftModel

    from curation.backends.tokens import load_tokenizer

    adapter = folder.path / "adapter" if stage.peft_config is not None else None
    trainer.save_model(str(adapter or folder.path))
    if not is_main():
        return
    ((adapter or folder.path) / "training_args.bin").unlink()
    if adapter is not None:
        merged: Any = PeftModel.from_pretrained(stage.load_model(), str(adapter)).merge_and_unload()
        merged.save_pretrained(folder.path)
    # As the model came with it: the trainer's may have been changed for training.
    load_tokenizer(stage.reference.path).save_pretrained(folder.path)


def _descent(stage: Stage) -> dict[str, str]:
    """Where a trained model comes from, for its row of ``models``."""
    return {
        "parent_id": str(model_id(stage.reference)),
        "split": stage.payload.split,
        "split_hash": stage.payload.content_hash,
    }


def _require_registered(store: Store, folder: Folder) -> None:
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


def _judges(store: Store) -> list[str]:
    """The newest eval split, if there is one."""
    if not is_main():
        return []
    with store.read(copy_if_held=True) as connection:
        found = connection.execute(
            "SELECT split FROM splits WHERE role = 'eval' ORDER BY created_at DESC LIMIT 1"
        ).fetchall()
    return [row[0] for row in found]


def _parents(stage: Stage) -> tuple[Any, ...]:
    if not is_main():
        return ()
    with stage.request.store.read() as connection:
        found = connection.execute(
            "SELECT run_id FROM splits WHERE split = $split UNION ALL SELECT run_id FROM models "
            "WHERE model_id = $model::UUID AND parent_id IS NOT NULL",
            {"split": stage.payload.split, "model": model_id(stage.reference)},
        ).fetchall()
    return tuple(row[0] for row in found)


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
