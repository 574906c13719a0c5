"""Requests kept in flight on an event loop, and their answers collected batch by batch."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from curation.backends import Completion, Usage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from curation.backends import Enough

R = TypeVar("R")

_Outcome: TypeAlias = "tuple[R, list[Any], Exception | None]"

BATCH_SECONDS = 0.5
"""How long a batch is filled after its first answer."""


class Pump(Generic[R]):
    """One task a request, as many of them alive as there is room for. They run only while `batch` is awaited.

    Attributes:
        begun: Requests begun.
        answered: Those that were answered.
    """

    def __init__(
        self,
        requests: Iterator[R],
        answer: Callable[[R, list[Any]], Awaitable[None]],
        *,
        room: Callable[[], int],
        enough: Enough,
        most: Callable[[R], Usage],
        passing: tuple[type[Exception], ...] = (),
    ) -> None:
        """Take `answer`, which appends to its list and may raise one of `passing` half-way.

        `room` says how many requests there is room for now, and `most` what the answers to one may use at most: until
        one is answered, those in flight are taken to use that, and from then on as much as one did on average, so that
        what is enough is not exceeded by more than the last request. Where `requests` has no more, it is asked again
        after each batch.
        """
        self.begun = 0
        self.answered = 0
        self._requests = requests
        self._answer = answer
        self._room = room
        self._enough = enough
        self._most = most
        self._passing = passing
        self._tasks: set[asyncio.Task[_Outcome[R]]] = set()
        self._ready: list[Any] = []
        self._next: R | None = None
        self._used = self._unseen = Usage()

    async def batch(self) -> list[Any]:
        """Answers that came within half a second of the first; empty only when there is nothing left to do."""
        deadline: float | None = None
        while self._begin():
            seconds = None if deadline is None else deadline - time.monotonic()
            if seconds is not None and seconds <= 0:
                break
            ended, self._tasks = await asyncio.wait(
                self._tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
            for task in ended:
                request, answers, trouble = task.result()
                used = Usage.of(answer for answer in answers if isinstance(answer, Completion))
                self._used += used
                self._unseen += used
                self._ready += answers
                self.count(request, answers, trouble)
            if self._ready and deadline is None:
                deadline = time.monotonic() + BATCH_SECONDS
        if not self._tasks:
            self.end()
        return self.take()

    def take(self) -> list[Any]:
        """What was answered and not handed over yet."""
        ready, self._ready, self._unseen = self._ready, [], Usage()
        return ready

    async def dismiss(self) -> None:
        """Give up what is in flight."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def tell(self, answers: list[Any]) -> None:
        """Hand over `answers` with the next batch."""
        self._ready += answers

    def may_begin(self) -> bool:
        """Whether anything is to be begun at all."""
        return True

    def count(self, request: R, answers: list[Any], trouble: Exception | None) -> None:
        """Look at what came of `request`."""
        self.answered += 1

    def end(self) -> None:
        """Nothing is in flight any more."""

    def _begin(self) -> bool:
        """Begin what may be begun; whether anything is in flight."""
        while self.may_begin():
            self._next = self._next if self._next is not None else next(self._requests, None)
            if self._next is None:
                break
            # One at least is in flight while there is anything left.
            if self._enough(self._unseen) or (
                self._tasks
                and (
                    len(self._tasks) >= self._room()
                    or self._enough(self._unseen + self._expected(self._next))
                )
            ):
                break
            self.begun += 1
            self._tasks.add(asyncio.create_task(self._attend(self._next)))
            self._next = None
        return bool(self._tasks)

    def _expected(self, request: R) -> Usage:
        """What comes of the requests in flight, if they are as those that were answered, or else like `request`."""
        many = len(self._tasks)
        if not self.answered:
            most = self._most(request)
            return Usage(many * most.prompt_tokens, 0, many * most.completion_tokens)
        share = many / self.answered
        return Usage(int(share * self._used.prompt_tokens), 0, int(share * self._used.completion_tokens))

    async def _attend(self, request: R) -> _Outcome[R]:
        answers: list[Any] = []
        try:
            await self._answer(request, answers)
        except self._passing as trouble:
            return request, answers, trouble
        return request, answers, None
