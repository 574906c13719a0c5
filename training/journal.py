"""What a training run says of itself, kept back until a checkpoint holds the steps that it is of.

So a killed run that goes on from its last checkpoint says nothing twice, and the store never tells of steps that the
weights do not have.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from training import processes
from training.folder import complete
from training.processes import is_main
from warehouse.failpoints import failpoint
from warehouse.ledger import utc_now

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from transformers import TrainerControl, TrainerState, TrainingArguments

    from warehouse.store import LongRun


class Journal(TrainerCallback):
    """Keeps metrics and other rows of a run, marks its checkpoints, and reports progress.

    Every process has one; the main process alone writes rows.
    """

    def __init__(
        self, long_run: LongRun | None, report: Callable[[int, int, Mapping[str, float]], None]
    ) -> None:
        self._long_run = long_run
        self._report = report
        self._rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.last: dict[str, float] = {}
        self.save_beside: Callable[[Path], None] = lambda _: None
        """Called with each checkpoint's folder by the main process, before the checkpoint counts as whole."""
        self.load_beside: Callable[[Path], None] = lambda _: None
        """Called by every process with the checkpoint that training goes on from."""

    @property
    def run_id(self) -> uuid.UUID:
        """Of the run, in the main process."""
        assert self._long_run is not None
        return self._long_run.run.run_id

    def add(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Keep `rows` of `table`, without their run."""
        if self._long_run is not None:
            run_id = str(self.run_id)
            self._rows[table] += [{**row, "run_id": run_id} for row in rows]

    def commit(self) -> None:
        """Write what was kept back to the run's parts, and merge them if the store is free."""
        if self._long_run is not None:
            for table, rows in self._rows.items():
                self._long_run.write_part(table, rows)
            self._rows.clear()
            self._long_run.checkpoint()

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Report where the run stands."""
        self._report(state.global_step, state.max_steps, {})

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float],
        **_: Any,
    ) -> None:
        """Keep the trainer's metrics."""
        numbers = {name: float(value) for name, value in logs.items() if isinstance(value, int | float)}
        self.last |= numbers
        now = utc_now()
        self.add(
            "training_metrics",
            [
                {
                    "step": state.global_step,
                    "metric": name,
                    "value": value if math.isfinite(value) else None,
                    "logged_at": now,
                }
                for name, value in numbers.items()
            ],
        )

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Report progress."""
        failpoint(f"step {state.global_step}")
        self._report(state.global_step, state.max_steps, self.last)

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Commit what the checkpoint holds, then mark it as whole."""
        from pathlib import Path

        checkpoint = Path(str(args.output_dir)) / f"checkpoint-{state.global_step}"
        if is_main():
            self.save_beside(checkpoint)
        # Every process writes a part of its own.
        processes.state().wait_for_everyone()
        if is_main():
            self.commit()
            failpoint("checkpoint")
            complete(checkpoint)
