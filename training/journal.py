"""What a training run says of itself, written with the checkpoint that holds the steps it is of.

A checkpoint counts once its rows lie beside it; then they go to the store, from there again if a kill came between. So
a run that goes on from its last checkpoint loses nothing, says nothing of steps that it takes anew, and nothing twice.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from datetime import datetime
from pathlib import Path
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

    from transformers import TrainerControl, TrainerState, TrainingArguments

    from warehouse.store import LongRun

_ROWS = "journal.json"


class Journal(TrainerCallback):
    """Keeps metrics and other rows of a run, marks its checkpoints, and reports progress.

    Every process has one; that of the main process writes.

    Attributes:
        run_id: Of the run.
        save_beside: Called with each checkpoint's folder by the main process, before the checkpoint counts as whole.
        load_beside: Called by every process with the checkpoint that training goes on from.
    """

    def __init__(self, run_id: uuid.UUID, report: Callable[[int, int, Mapping[str, float]], None]) -> None:
        self.run_id = run_id
        self.save_beside: Callable[[Path], None] = lambda _: None
        self.load_beside: Callable[[Path], None] = lambda _: None
        self._report = report
        self._rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._long_run: LongRun | None = None
        self._last: dict[str, float] = {}

    def begin(self, long_run: LongRun) -> None:
        """Write to `long_run` from now on."""
        self._long_run = long_run

    def go_on(self, checkpoint: Path) -> None:
        """Say anew what `checkpoint` holds: a kill may have come before the store had it, and twice does no harm."""
        self.load_beside(checkpoint)
        for table, rows in json.loads((checkpoint / _ROWS).read_text(encoding="utf-8")).items():
            self.add(table, [_revived(row) for row in rows])

    def add(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Keep `rows` of `table`, without their run."""
        self._rows[table] += [{**row, "run_id": str(self.run_id)} for row in rows]

    def commit(self) -> None:
        """Write what was kept to the run's parts, and merge them if the store is free."""
        if self._long_run is not None:
            for table, rows in self._rows.items():
                self._long_run.write_part(table, rows)
            self._long_run.checkpoint()
        self._rows.clear()

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
        self._last |= numbers
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
        self._report(state.global_step, state.max_steps, self._last)

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Lay what was kept beside the checkpoint, let it count, and commit."""
        checkpoint = Path(str(args.output_dir)) / f"checkpoint-{state.global_step}"
        if is_main():
            self.save_beside(checkpoint)
            (checkpoint / _ROWS).write_text(json.dumps(self._rows, default=str), encoding="utf-8")
        failpoint("checkpoint")
        # Every process writes a part of its own.
        processes.state().wait_for_everyone()
        if is_main():
            complete(checkpoint)
            failpoint("commit")
        self.commit()


def _revived(row: dict[str, Any]) -> dict[str, Any]:
    if "logged_at" in row:
        row["logged_at"] = datetime.fromisoformat(row["logged_at"])
    return row
