"""What one worker does: blocks of a plan, one after another, with one backend.

A worker writes parts of the run that its driver holds. Beside them it notes which samples of a block are in parts, so
that whoever takes a dead worker's block over draws the rest alone, even if another process has merged them by then.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from curation.adaptive.source import AdaptiveSource
from curation.backends.opening import open_backend
from curation.budget import UNLIMITED
from curation.drawing import Everything, Progress, draw
from curation.sampling_plan import Work
from warehouse.parts import write_part

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from curation.adaptive.designs import Design
    from curation.adaptive.policy import Policy, State
    from curation.backends.opening import Engine
    from curation.configurations import Configuration
    from curation.drawing import Source
    from curation.sampling_plan import Block, Render, Task


@dataclass(frozen=True)
class Errand:
    """What all workers of a run are told; it travels to them.

    Attributes:
        plan: What `save_plan` wrote, where every worker can read it.
        directory: Of the run, where every worker can write.
        run_id: Of the rows.
        configuration: What they are samples of.
        render: Makes the prompts of a row of the plan.
        n: Samples wanted for each prompt.
        seed: Moves every random stream.
        retry_failed: Take pairs that failed before.
        engine: How the model is run.
        pairs: Rows of the plan.
        design: What is asked for of an adaptive run, if it is one.
        policy: What follows from its pilot; None while that is drawn.
    """

    plan: Path
    directory: Path
    run_id: str
    configuration: Configuration
    render: Render
    n: int
    seed: int
    retry_failed: bool
    engine: Engine
    pairs: int
    design: Design | None = None
    policy: Policy | None = None

    @property
    def stop(self) -> Path:
        """A file that is made when nothing more is to be begun."""
        return self.directory / "stop"


class Worker:
    """Draws blocks with a backend of its own, which is opened with the first that lacks something."""

    def __init__(self, errand: Errand) -> None:
        self._errand = errand
        self._backend: Any = None
        # Two workers may write the same part numbers.
        self._name = uuid.uuid4().hex[:8]
        self._parts = 0

    def draw(self, block: Block) -> dict[str, Any]:
        """Draw what is missing of `block`; return the counts and what was used."""
        errand = self._errand
        work = Work(
            *(errand.plan, errand.configuration.configuration_id, errand.render, errand.n),
            each=None,
            seed=errand.seed,
            retry_failed=errand.retry_failed,
            block=block,
        )
        rest = _Rest(work, self._noted(block))
        progress = Progress(0)
        pilot: dict[State, int] = {}
        source: Source = Everything(rest.tasks())
        if errand.design is not None:

            def learn(counts: Mapping[State, int]) -> Policy | None:
                pilot.update(counts)
                return None

            source = AdaptiveSource(rest, errand.pairs, errand.design, errand.policy, learn, progress)
        rows: list[Mapping[str, Any]] = []

        def write(table: str, written: Sequence[Mapping[str, Any]]) -> None:
            if not written:
                return
            self._parts += 1
            write_part(errand.directory, f"{self._name}-{self._parts:06d}", table, written)
            if table == "samples":
                rows.extend(written)

        def after_batch() -> None:
            self._note(block, rows)
            rows.clear()

        if not errand.stop.exists() and any(True for _ in rest.tasks()):
            self._backend = self._backend or open_backend(errand.configuration.model, errand.engine)
            draw(
                source,
                errand.configuration,
                self._backend,
                progress,
                UNLIMITED,
                run_id=errand.run_id,
                write=write,
                after_batch=after_batch,
                stopped=errand.stop.exists,
            )
        return {
            "samples": progress.samples,
            "spared": progress.spared,
            "failures": progress.failures,
            "failed_samples": progress.failed_samples,
            "unanswered": progress.unanswered,
            "unparsable": progress.unparsable,
            "prompt_tokens": progress.usage.prompt_tokens,
            "cached_tokens": progress.usage.cached_tokens,
            "completion_tokens": progress.usage.completion_tokens,
            "seconds": progress.usage.seconds,
            # Of the pilot, so many pairs have each number of correct samples.
            "pilot": [pilot.get((errand.n, c), 0) for c in range(errand.n + 1)],
        }

    def _note(self, block: Block, rows: Sequence[Mapping[str, Any]]) -> None:
        """Note durably enough which samples are in parts: at worst a batch is drawn twice, and merged once."""
        noted = [[f"{row['pair_id']}:{row['prompt_hash']}", row["sample_index"], row["tier"]] for row in rows]
        name = f"drawn-{block.number:08d}-{self._name}-{self._parts:06d}.json"
        temporary = self._errand.directory / f".{name}"
        temporary.write_text(json.dumps(noted), encoding="utf-8")
        temporary.rename(self._errand.directory / name)

    def _noted(self, block: Block) -> dict[str, dict[int, int | None]]:
        """Tiers of the samples of `block` that are in parts, by key and index."""
        found: dict[str, dict[int, int | None]] = {}
        for file in self._errand.directory.glob(f"drawn-{block.number:08d}-*.json"):
            for key, index, tier in json.loads(file.read_text(encoding="utf-8")):
                found.setdefault(key, {})[index] = tier
        return found


class _Rest:
    """The tasks of a block without the samples that are in parts."""

    def __init__(self, work: Work, known: Mapping[str, Mapping[int, int | None]]) -> None:
        self._work = work
        self._known = known

    def tasks(self, *, complete: bool = False) -> Iterator[Task]:
        for task in self._work.tasks(complete=complete):
            rest = _without(task, self._known.get(task.key, {}))
            if rest.indices or complete:
                yield rest


def _without(task: Task, drawn: Mapping[int, int | None]) -> Task:
    return replace(
        task,
        indices={stream: index for stream, index in task.indices.items() if index not in drawn},
        outcomes={**task.outcomes, **{index: tier == task.gold for index, tier in drawn.items()}},
    )
