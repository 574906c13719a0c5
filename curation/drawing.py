"""Drawing what is missing: requests to a backend, and its answers as rows, batch by batch.

Whoever draws says where rows go: a long run's parts in one process, a worker's in several.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from curation.backends import Completion, Failure, Request, Usage
from warehouse.failpoints import failpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from curation.backends import Backend
    from curation.budget import Budget, Price
    from curation.configurations import Configuration
    from curation.sampling_plan import Task


@dataclass(slots=True)
class Progress:
    """What a sampling run has done so far."""

    wanted: int
    samples: int = 0
    failures: int = 0
    failed_samples: int = 0
    unanswered: int = 0
    unparsable: int = 0
    spared: int = 0
    usage: Usage = field(default_factory=Usage)
    price: Price | None = None

    @property
    def tokens_per_second(self) -> float:
        """Generated tokens per second since the model was loaded."""
        return self.usage.completion_tokens / self.usage.seconds if self.usage.seconds else 0.0

    @property
    def pace(self) -> str:
        """Speed, and cost so far, for a line of progress."""
        if not self.samples:
            return ""
        cost = f", ${self.price.usd(self.usage):,.2f}" if self.price else ""
        return f"{self.tokens_per_second:,.0f} tokens/s{cost}"

    def summary(self) -> dict[str, Any]:
        """Counts for the ledger."""
        left = self.wanted - self.samples - self.failed_samples - self.spared
        return {
            "drawn": self.samples,
            "failures": self.failures,
            **({"unanswered": self.unanswered} if self.unanswered else {}),
            **({"spared": self.spared} if self.spared else {}),
            **({"left": left} if left else {}),
            "unparsable": self.unparsable,
            "prompt_tokens": self.usage.prompt_tokens,
            **({"cached_tokens": self.usage.cached_tokens} if self.usage.cached_tokens else {}),
            "completion_tokens": self.usage.completion_tokens,
            "seconds": round(self.usage.seconds, 3),
            "tokens_per_second": round(self.tokens_per_second, 1),
            **({"usd": round(self.price.usd(self.usage), 4)} if self.price else {}),
        }


class Source(Protocol):
    """Tasks, which may depend on what has been answered."""

    def __iter__(self) -> Iterator[Task]:
        """Itself."""
        ...

    def __next__(self) -> Task:
        """The next task; where there is none, there may be one after an answer."""
        ...

    def answered(self, task: Task, tiers: Sequence[tuple[int, int | None]], *, failed: bool) -> None:
        """Learn that nothing more comes of `task`, and the tiers of its samples, by index."""
        ...


class Everything:
    """Tasks as they come, whatever is answered."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._tasks = iter(tasks)

    def __iter__(self) -> Iterator[Task]:
        return self

    def __next__(self) -> Task:
        return next(self._tasks)

    def answered(self, task: Task, tiers: Sequence[tuple[int, int | None]], *, failed: bool) -> None:
        """Nothing follows from it."""


def draw(
    source: Source,
    configuration: Configuration,
    backend: Backend,
    progress: Progress,
    budget: Budget,
    *,
    run_id: str,
    write: Callable[[str, Sequence[Mapping[str, Any]]], None],
    after_batch: Callable[[], None],
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Have `backend` answer tasks, in the order that suits it, until all are or the budget is spent.

    Args:
        source: Where they are taken from, as the backend needs them.
        configuration: What they are samples of.
        backend: The model.
        progress: Counts up.
        budget: Of this call.
        run_id: Of the rows.
        write: Takes rows of a table; what it was given is kept, whatever happens next.
        after_batch: Called when the rows of a batch are written.
        stopped: Whether nothing more is to be begun, whatever the budget.
    """
    started = time.monotonic()
    asked: dict[str, _Asked] = {}

    def enough(unseen: Usage) -> bool:
        waited = Usage(seconds=time.monotonic() - started - progress.usage.seconds)
        return stopped() or budget.is_spent(progress.usage + unseen + waited)

    def request(task: Task) -> Request:
        asked[task.key] = _Asked(task, len(task.indices))
        return Request(task.key, task.messages, tuple(task.indices))

    # A generator would be at its end where the source has nothing for now.
    for batch in backend.generate(map(request, source), configuration.decoding, enough):
        completions = [answer for answer in batch if isinstance(answer, Completion)]
        spent = Usage.of(completions)
        seconds = time.monotonic() - started - progress.usage.seconds
        progress.usage += Usage(spent.prompt_tokens, spent.cached_tokens, spent.completion_tokens, seconds)
        each = seconds / max(1, spent.completion_tokens)
        prompts, rows, failures = [], [], []
        closed: list[tuple[_Asked, bool]] = []
        for answer in batch:
            of = asked[answer.key]
            if isinstance(answer, Failure):
                del asked[answer.key]
                closed.append((of, True))
                if _is_passing(answer):
                    progress.unanswered += 1
                    continue
                progress.failures += 1
                progress.failed_samples += of.left
                failures.append(of.task.failure_row(answer, configuration, run_id))
            else:
                of.left -= 1
                rows.append(of.task.sample_row(answer, configuration, run_id))
                rows[-1]["seconds"] = each * answer.completion_tokens
                of.tiers.append((rows[-1]["sample_index"], rows[-1]["tier"]))
                if not of.left:
                    del asked[answer.key]
                    closed.append((of, False))
                progress.samples += 1
                progress.unparsable += rows[-1]["tier"] is None
            if not of.is_kept:
                of.is_kept = True
                prompts.append(of.task.prompt_row(configuration, run_id))
        write("rendered_prompts", prompts)
        write("sample_failures", failures)
        write("samples", rows)
        failpoint("part")
        for of, failed in closed:
            source.answered(of.task, of.tiers, failed=failed)
        after_batch()


@dataclass(slots=True)
class _Asked:
    """A task that the backend has: how many of its samples are to come, and whether its prompt is kept."""

    task: Task
    left: int
    is_kept: bool = False
    tiers: list[tuple[int, int | None]] = field(default_factory=list)


def _is_passing(answer: Completion | Failure) -> bool:
    """Whether it is a failure that says nothing of the prompt: the next run asks again."""
    return isinstance(answer, Failure) and not answer.lasting
