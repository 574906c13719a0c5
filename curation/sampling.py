"""pass@N sampling: makes sure that N samples exist for each pair under a configuration.

A sample's key is (pair, configuration, hash of the rendered prompt, index), so nothing is drawn twice:
N = 16 after N = 8 buys eight more, and a killed run goes on where its last batch ended. The store is read
once, for a plan; from then on finished batches become parts, merged at checkpoints when the store is free.
"""

from __future__ import annotations

import itertools
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curation.backends import Failure, Request
from curation.sampling_plan import Work, save_plan
from curation.selection import selected_pairs, split_pairs
from warehouse.errors import TierwiseError
from warehouse.failpoints import failpoint
from warehouse.ledger import Run

if TYPE_CHECKING:
    from collections.abc import Callable

    import duckdb

    from curation.backends import Backend, Completion
    from curation.configurations import Configuration
    from warehouse.store import LongRun, Store

_WINDOW = 1_024
_CHECKPOINT_SECONDS = 30.0


@dataclass(slots=True)
class Progress:
    """What a sampling run has done so far."""

    wanted: int
    samples: int = 0
    failures: int = 0
    unparsable: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0

    @property
    def tokens_per_second(self) -> float:
        """Generated tokens per second since the model was loaded."""
        return self.completion_tokens / self.seconds if self.seconds else 0.0

    def add(self, completion: Completion, tier: int | None) -> None:
        """Count one completion."""
        self.samples += 1
        self.unparsable += tier is None
        self.prompt_tokens += completion.prompt_tokens
        self.completion_tokens += completion.completion_tokens

    def summary(self) -> dict[str, Any]:
        """Counts for the ledger."""
        return {
            "drawn": self.samples,
            "failures": self.failures,
            "unparsable": self.unparsable,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "tokens_per_second": round(self.tokens_per_second, 1),
        }


def sample(
    store: Store,
    configuration: Configuration,
    load: Callable[[], Backend],
    *,
    n: int,
    where: str | None = None,
    limit: int | None = None,
    split: str | None = None,
    kind: str = "sample",
    seed: int = 0,
    retry_failed: bool = False,
    dry_run: bool = False,
    report: Callable[[Progress], None] = lambda _: None,
) -> dict[str, Any]:
    """Draw what is missing of `n` samples for each selected pair; return the counts.

    Args:
        store: The store; read once, then only for checkpoints.
        configuration: Model, template, decoding.
        load: Makes the backend; called only if something is missing.
        n: Samples wanted for each pair.
        where: SQL condition over ``pair_overview``.
        limit: At most so many pairs, the same ones each time.
        split: In place of both: the pairs of this split, with the item texts that it froze.
        kind: Of the run in the ledger. What commands take for the newest configuration is that of a ``sample``.
        seed: Moves every random stream.
        retry_failed: Try again what failed before.
        dry_run: Only count what is missing.
        report: Called after each finished batch.

    Raises:
        TierwiseError: No such pairs, or another process is sampling this configuration.
    """
    configuration_id = configuration.configuration_id
    parameters = {
        "n": n,
        "where": where,
        "limit": limit,
        "split": split,
        "seed": seed,
        "model": configuration.model.name,
        "prompt": configuration.template.name,
        **asdict(configuration.decoding),
    }
    run = Run(kind, parameters, model_id=configuration.model_id, configuration_id=configuration_id)
    with (
        store.exclusive(f"sample-{configuration_id}", "sampling this configuration"),
        tempfile.TemporaryDirectory(prefix="tierwise-plan-") as directory,
    ):
        plan = Path(directory) / "plan.parquet"

        def plan_work(connection: duckdb.DuckDBPyConnection) -> int:
            pairs = _select(connection, where, limit) if split is None else split_pairs(connection, split)
            save_plan(connection, store.runs, plan, configuration_id)
            return pairs

        pairs = store.read_with_parts(plan_work)
        work = Work(plan, configuration_id, configuration.template, n, seed, retry_failed)
        progress = Progress(wanted=sum(len(task.indices) for task in work.tasks()))
        found = {"configuration": str(configuration_id), "pairs": pairs, "already_there": work.there}
        if work.failed:
            found["failed_before"] = work.failed
        if dry_run:
            return {**found, "to_draw": progress.wanted}
        with store.long_run(run) as long_run:
            for table, row in configuration.rows(run.run_id):
                long_run.write_part(table, [row])
            report(progress)
            if progress.wanted:
                _draw(long_run, configuration, load(), work, progress, report)
            run.summary = {**found, **progress.summary()}
    return {**run.summary, **long_run.waiting}


def _select(connection: duckdb.DuckDBPyConnection, where: str | None, limit: int | None) -> int:
    pairs = selected_pairs(connection, where, limit)
    if not pairs:
        raise TierwiseError(
            "no pair with a tier "
            + (f"matches {where!r}" if where else "in this store; `python -m curation ingest` first")
        )
    return pairs


def _draw(
    long_run: LongRun,
    configuration: Configuration,
    backend: Backend,
    work: Work,
    progress: Progress,
    report: Callable[[Progress], None],
) -> None:
    started = checkpoint = time.monotonic()
    tasks = work.tasks()
    while window := {task.pair_id: task for task in itertools.islice(tasks, _WINDOW)}:
        requests = [Request(task.pair_id, task.messages, tuple(task.indices)) for task in window.values()]
        rendered: set[str] = set()
        for batch in backend.generate(requests, configuration.decoding):
            run_id = str(long_run.run.run_id)
            fresh = {answer.key for answer in batch} - rendered
            rendered |= fresh
            long_run.write_part(
                "rendered_prompts", [window[k].prompt_row(configuration, run_id) for k in sorted(fresh)]
            )
            rows = []
            failures = []
            for answer in batch:
                if isinstance(answer, Failure):
                    failures.append(window[answer.key].failure_row(answer, configuration, run_id))
                else:
                    rows.append(window[answer.key].sample_row(answer, configuration, run_id))
                    progress.add(answer, rows[-1]["tier"])
            long_run.write_part("sample_failures", failures)
            long_run.write_part("samples", rows)
            failpoint("part")
            progress.failures += len(failures)
            progress.seconds = time.monotonic() - started
            report(progress)
            if time.monotonic() - checkpoint > _CHECKPOINT_SECONDS:
                long_run.checkpoint()
                checkpoint = time.monotonic()
