"""Tasks handed out by an adaptive design, as answers come in."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, replace
from itertools import filterfalse
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from curation.adaptive.designs import Design
    from curation.adaptive.policy import Policy, State
    from curation.drawing import Progress
    from curation.sampling_plan import Task

PILOT = 200
"""Pairs of which all N samples are drawn, to learn how solve rates are spread; at most a tenth of all pairs."""
FEWEST = 20


class Tasks(Protocol):
    """What tasks are taken from, as often as asked."""

    def tasks(self, *, complete: bool = False) -> Iterator[Task]:
        """Every prompt of which something is missing; or, with `complete`, also those of which nothing is."""
        ...


@dataclass(slots=True)
class _Pair:
    """A pair whose band is not known yet: what is left to draw of it, and which samples were correct, by index."""

    task: Task
    outcomes: dict[int, bool]

    def state(self, n: int) -> State | None:
        """Its first `n` samples; None where they are not all there."""
        if not all(index in self.outcomes for index in range(n)):
            return None
        return n, sum(self.outcomes[index] for index in range(n))

    def up_to(self, n: int) -> Task:
        """What is missing of its first `n` samples."""
        indices = {
            stream: index
            for stream, index in self.task.indices.items()
            if index < n and index not in self.outcomes
        }
        return replace(self.task, indices=indices)


class AdaptiveSource:
    """Tasks for samples until each pair has those that its design asks for.

    Unless the policy is known, it is learned first: from all N samples of some pairs, which their ids choose. Where
    nothing can be handed out before an answer has come, the source has no more for now.
    """

    def __init__(
        self,
        work: Tasks,
        pairs: int,
        design: Design,
        policy: Policy | None,
        learn: Callable[[Mapping[State, int]], Policy | None],
        progress: Progress,
    ) -> None:
        """Take the tasks of `work`.

        Args:
            work: Its tasks have all that is missing of N samples of a pair.
            pairs: How many there are.
            design: What is asked for.
            policy: What to do in each state, if it is known.
            learn: Makes the policy of the pilot's counts; None ends with the pilot.
            progress: Is told how many samples are spared.
        """
        self._work = work
        self._design = design
        self._policy = policy
        self._learn = learn
        self._progress = progress
        self._open: dict[str, _Pair] = {}
        self._ready: deque[Task] = deque()
        self._counts: Counter[State] = Counter()
        self._is_pilot = pilot_of(pairs)
        self._tasks: Iterator[Task] = (
            filter(self._is_pilot, work.tasks(complete=True)) if policy is None else work.tasks()
        )

    def __iter__(self) -> Iterator[Task]:
        return self

    def __next__(self) -> Task:
        while not self._ready:
            task = next(self._tasks, None)
            if task is not None:
                self._open[task.key] = _Pair(task, dict(task.outcomes))
                self._go_on(self._open[task.key])
            elif self._policy is None and not self._open:
                self._policy = self._learn(self._counts)
                if self._policy is None:
                    raise StopIteration
                self._tasks = filterfalse(self._is_pilot, self._work.tasks())
            else:
                raise StopIteration
        return self._ready.popleft()

    def answered(self, task: Task, tiers: Sequence[tuple[int, int | None]], *, failed: bool) -> None:
        """Take the tiers of the samples of a task, by index; one that `failed` is not asked again."""
        pair = self._open[task.key]
        pair.outcomes |= {index: tier == task.gold for index, tier in tiers}
        if failed:
            del self._open[task.key]
        else:
            self._go_on(pair)

    def _go_on(self, pair: _Pair) -> None:
        """Draw what comes next of `pair`, or leave it."""
        n = self._design.n if self._policy is None else self._design.first
        while (state := pair.state(n)) is not None and (more := self._more(state)):
            n += more
        if state is None:
            self._ready.append(pair.up_to(n))
            return
        del self._open[pair.task.key]
        if self._policy is None:
            self._counts[state] += 1
        else:
            self._progress.spared += sum(i not in pair.outcomes for i in pair.task.indices.values())

    def _more(self, state: State) -> int:
        return 0 if self._policy is None else self._policy.more[state]


def pilot_of(pairs: int) -> Callable[[Task], bool]:
    """Whether a task is of the pilot of so many pairs."""
    # Ids are content hashes, so that their first digits choose at random, and always the same.
    below = pilot_share(pairs) * 16**8
    return lambda task: int(task.pair_id[:8], 16) < below


def pilot_share(pairs: int) -> float:
    """Share of so many pairs that teach how solve rates are spread."""
    return min(1.0, min(PILOT, max(FEWEST, pairs / 10)) / max(1, pairs))
