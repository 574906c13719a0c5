"""Running what a plan says: children side by side, one loop that looks after them, a record for each that ends well.

The store is opened between children and beside them, for moments. What is recorded is a part first, so that it is kept
where the store cannot be had.
"""

from __future__ import annotations

import os
import shlex
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import click

from curation.recipe.children import Child, described, terminal_told_them
from curation.recipe.filling import fill
from curation.recipe.keys import inputs_of, key_of
from curation.recipe.plan import lock_of, out_of, recipes_folder, watch_rows
from curation.recipe.records import Entry, Record, finished, stage_id
from curation.recipe.words import OUT, File
from warehouse.console import printable
from warehouse.errors import TierwiseError
from warehouse.failpoints import failpoint
from warehouse.ledger import STAGE_VARIABLE, Run, utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from curation.recipe.fingerprints import Fingerprints
    from curation.recipe.plan import Planned
    from curation.recipe.reading import Recipe, Stage
    from warehouse.store import LongRun, Store

_PAUSE = 0.05
_STORE_VARIABLE = "TIERWISE_DB"
_USUAL_STORE = "tierwise.duckdb"
_THREADS = "OMP_NUM_THREADS"


@dataclass(slots=True)
class Outcome:
    """What became of a stage: it was done before, ran, failed, or did not run."""

    state: Literal["done", "ran", "failed", "not run"]
    key: str | None = None
    seconds: float | None = None
    outputs: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Running:
    child: Child
    entry: Entry
    out: Path
    began: float
    lock: ExitStack


class Runner:
    """Runs a plan; `outcomes` says by stage how far it came.

    Args:
        store: The store, made where there is none.
        recipe: The recipe.
        plan: Of the recipe.
        prints: What the plan was made with.
        jobs: Stages at the same time, at most.
        tell: Shows a line.
    """

    def __init__(
        self,
        store: Store,
        recipe: Recipe,
        plan: Mapping[str, Planned],
        prints: Fingerprints,
        *,
        jobs: int,
        tell: Callable[[str], None],
    ) -> None:
        self._store = store
        self._recipe = recipe
        self._prints = prints
        self._jobs = jobs
        self._tell = tell
        self._waiting = [name for name, planned in plan.items() if planned.runs]
        self._running: dict[str, _Running] = {}
        self._failures: list[str] = []
        self.outcomes = {name: Outcome("not run", planned.key) for name, planned in plan.items()}
        for name, planned in plan.items():
            if planned.record is not None and not planned.runs:
                self._end(name, "done", planned.record)

    def run(self, parameters: dict[str, Any]) -> None:
        """Run what is to run, under one row of the ledger with `parameters`.

        Raises:
            TierwiseError: A stage failed or could not begin; those beside it were let finish.
            KeyboardInterrupt: Ctrl-C, once the children have ended.
        """
        if not self._store.exists:
            self._store.merge_waiting()
        with self._store.long_run(Run("recipe", parameters)) as long_run:
            try:
                while self._begin(long_run) or self._running:
                    self._collect(long_run)
            except KeyboardInterrupt:
                if not terminal_told_them():
                    for running in self._running.values():
                        running.child.interrupt()
                raise
            finally:
                while self._running:
                    self._collect(long_run)
                states = {name: outcome.state for name, outcome in self.outcomes.items()}
                long_run.run.summary = {"stages": states}
            if self._failures:
                raise TierwiseError(f"{'; '.join(self._failures)}; the same command goes on from there")

    def _begin(self, long_run: LongRun) -> bool:
        """Start what can start; say whether anything became of it."""
        begun = False
        while not self._failures and len(self._running) < self._jobs and (name := self._next()):
            self._waiting.remove(name)
            try:
                self._start(long_run, self._recipe.stages[name])
            except (TierwiseError, OSError) as error:
                self._failures.append(f"stage {name}: {error}")
            begun = True
        return begun

    def _next(self) -> str | None:
        ready = {name for name, outcome in self.outcomes.items() if outcome.state in ("done", "ran")}
        # An equal stage, by another name, is done once this one is.
        busy = {running.entry.key for running in self._running.values()}
        to_come = {*self._waiting, *self._running}
        return next(
            (
                name
                for name in self._waiting
                if ready.issuperset(self._recipe.stages[name].stands_on)
                and to_come.isdisjoint(self._recipe.stages[name].after)
                and self.outcomes[name].key not in busy
            ),
            None,
        )

    def _start(self, long_run: LongRun, stage: Stage) -> None:
        inputs, key = self._inputs(stage)
        out = out_of(self._store, stage.name, key)
        with ExitStack() as stack:
            stack.enter_context(self._store.exclusive(*lock_of(stage.name, key)))
            record = self._store.read_with_parts(
                lambda connection: finished(connection, self._store.runs, key)
            )
            if record is not None and (not stage.has_out or out_of(self._store, record.stage, key).exists()):
                self._end(stage.name, "done", record)
                self._tell(f"{stage.name}: done meanwhile")
                return
            outputs = {name: self.outcomes[name].outputs for name in stage.stands_on}
            words = fill(stage, self._recipe, out, outputs)
            (out if stage.fills_out else out.parent).mkdir(parents=True, exist_ok=True)
            command = shlex.join(["python", "-m", *words])
            entry = Entry(self._recipe.name, stage.name, key, command, inputs, utc_now(), long_run.run.run_id)
            # Whoever writes next, the child for one, brings it into the store.
            long_run.write_part("stages", [entry.row])
            self._tell(click.style(printable(f"$ {self._store_shown()}{command}"), bold=True))
            child = Child(words, self._environment(key), self._log(stage.name, key))
            self._running[stage.name] = _Running(child, entry, out, time.monotonic(), stack.pop_all())

    def _inputs(self, stage: Stage) -> tuple[dict[str, Any], str]:
        """What enters the key of a stage that begins, and the key: files and rows may be other than planned."""
        files = {name: self._prints.of(self._recipe.files[name]) for name in stage.named(File)}
        keys = {name: self.outcomes[name].key for name in stage.stands_on}
        watched = None
        if stage.watch is not None:
            watched = self._store.read_with_parts(
                lambda connection: watch_rows(connection, self._recipe, stage)
            )
        inputs = inputs_of(stage, self._recipe, files, keys, watched)
        key = key_of(stage, inputs)
        assert key is not None
        return inputs, key

    def _collect(self, long_run: LongRun) -> None:
        """Wait until a child has ended, and see to those that have."""
        ended: dict[str, int] = {}
        while self._running and not ended:
            codes = {name: running.child.poll() for name, running in self._running.items()}
            ended = {name: code for name, code in codes.items() if code is not None}
            if not ended:
                time.sleep(_PAUSE)
        for name, code in ended.items():
            running = self._running.pop(name)
            with running.lock:
                try:
                    self._finish(long_run, self._recipe.stages[name], running, code)
                except (TierwiseError, OSError) as error:
                    self.outcomes[name].state = "failed"
                    self._failures.append(f"stage {name}: {error}")
                finally:
                    running.child.close()

    def _finish(self, long_run: LongRun, stage: Stage, running: _Running, code: int) -> None:
        seconds = round(time.monotonic() - running.began, 3)
        self.outcomes[stage.name].seconds = seconds
        if code:
            said = running.child.last_words()
            log = f" ({log})" if (log := self._log(stage.name, running.entry.key)) else ""
            raise TierwiseError(
                f"{described(code)}: {said}{log}" if said else f"{described(code)}, as told above"
            )
        digest = None
        if stage.has_out:
            if not running.out.exists():
                raise TierwiseError(
                    f"ended without making {running.out}; put {{{OUT}}} where its command names what it makes"
                )
            digest = self._prints.of(running.out)
        for name, before in running.entry.inputs["files"].items():
            if self._prints.of(self._recipe.files[name]) != before:
                raise TierwiseError(
                    f"may have read two states of {self._recipe.files[name]}, which changed meanwhile"
                )
        failpoint("stage")
        entry = running.entry
        outputs = running.child.summary() | ({OUT: str(running.out)} if stage.has_out else {})
        long_run.write_part("stages", [entry.ended(outputs, digest)])
        self._end(stage.name, "ran", Record(stage.name, entry.key, entry.inputs, outputs, digest))
        long_run.checkpoint()
        self._tell(f"{stage.name}: {seconds:.1f} s")

    def _end(self, name: str, state: Literal["done", "ran"], record: Record) -> None:
        outcome = self.outcomes[name]
        outcome.state, outcome.key, outcome.outputs = state, record.key, dict(record.outputs)
        if self._recipe.stages[name].has_out:
            # As it is reached from here, which may be another working directory.
            outcome.outputs[OUT] = str(out_of(self._store, record.stage, record.key))

    def _environment(self, key: str) -> dict[str, str]:
        given = {_STORE_VARIABLE: self._store.place.name, STAGE_VARIABLE: str(stage_id(key))}
        if self._jobs > 1 and _THREADS not in os.environ:
            given[_THREADS] = str(max(1, _cores() // self._jobs))
        return given

    def _log(self, name: str, key: str) -> Path | None:
        """Where the errors of a stage go that runs beside others."""
        return recipes_folder(self._store) / f"{name}-{key[:8]}.log" if self._jobs > 1 else None

    def _store_shown(self) -> str:
        """What a command that is pasted needs before it, to work on the same store."""
        name = self._store.place.name
        usual = os.environ.get(_STORE_VARIABLE, _USUAL_STORE)
        return "" if name == usual else f"{_STORE_VARIABLE}={shlex.quote(name)} "


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
