"""Prompts asked of a server many at a time, collected batch by batch, until it stops answering."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, TypeAlias

from curation.backends import Completion, Failure, Usage
from curation.backends.openai.server import RefusedError, UnansweredError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from curation.backends import Enough, Request

_Outcome: TypeAlias = "tuple[Request, list[Any], UnansweredError | RefusedError | None]"

BATCH_SECONDS = 0.5
"""How long a batch is filled after its first answer."""
FEWEST_IN_A_ROW = 3


class Crew:
    """One task a prompt, as many of them alive as there is room for. They run only while `batch` is awaited.

    Attributes:
        begun: Prompts asked.
        answered: Those that the server answered, be it by refusing the prompt.
        trouble: Why the crew has given the server up, where it has.
    """

    def __init__(
        self,
        requests: Iterable[Request],
        answer: Callable[[Request, list[Any]], Awaitable[None]],
        room: Callable[[], int],
        enough: Enough,
        most: Callable[[Request], Usage],
        stopping: asyncio.Event,
    ) -> None:
        """Take `answer`, which appends to its list and may raise ``UnansweredError`` or ``RefusedError`` half-way.

        `room` says how many prompts there is room for now, and `most` what the answers to one may use at most: until a
        prompt is answered, those in flight are taken to use that, and from then on as much as one did on average, so
        that what is enough is not exceeded by more than the last prompt. `stopping` is set when the server is given up:
        what is in flight may still be answered.
        """
        self.begun = 0
        self.answered = 0
        self.trouble: UnansweredError | RefusedError | None = None
        self._requests = iter(requests)
        self._answer = answer
        self._room = room
        self._enough = enough
        self._most = most
        self._stopping = stopping
        self._next: Request | None = None
        self._used = Usage()
        self._tasks: set[asyncio.Task[_Outcome]] = set()
        self._ready: list[Any] = []
        self._heard = False
        self._in_a_row = 0
        self._refused: list[tuple[Request, RefusedError]] = []
        """Not yet told: where nothing else is ever heard, it is not a prompt that is refused, but key or model."""

    async def batch(self) -> list[Any]:
        """Answers that came within half a second of the first; empty only when there is nothing left to do."""
        deadline: float | None = None
        while self._hire():
            seconds = None if deadline is None else deadline - time.monotonic()
            if seconds is not None and seconds <= 0:
                break
            ended, self._tasks = await asyncio.wait(
                self._tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
            for task in ended:
                self._count(*task.result())
            if self._ready and deadline is None:
                deadline = time.monotonic() + BATCH_SECONDS
        if self._refused and not self._tasks and self.trouble is None:
            beyond = [why for _, why in self._refused if not why.of_prompt]
            if beyond:
                self._give_up(beyond[0])
            else:
                self._tell_refused()
        return self.take()

    def take(self) -> list[Any]:
        """What was answered and not handed over yet."""
        ready, self._ready = self._ready, []
        return ready

    async def dismiss(self) -> None:
        """Give up what is in flight."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _hire(self) -> bool:
        """Begin what may be begun; whether anything is in flight."""
        while self.trouble is None and len(self._tasks) < self._room():
            unseen = Usage.of(answer for answer in self._ready if isinstance(answer, Completion))
            self._next = self._next or next(self._requests, None)
            if self._next is None or self._enough(unseen):
                break
            # One at least is in flight while there is anything left.
            if self._tasks and self._enough(unseen + self._expected(self._next)):
                break
            self.begun += 1
            self._tasks.add(asyncio.create_task(self._attend(self._next)))
            self._next = None
        return bool(self._tasks)

    def _expected(self, request: Request) -> Usage:
        """What comes of the prompts in flight, if they are as those that were answered, or else like `request`."""
        many = len(self._tasks)
        if not self.answered:
            most = self._most(request)
            return Usage(many * most.prompt_tokens, 0, many * most.completion_tokens)
        share = many / self.answered
        return Usage(int(share * self._used.prompt_tokens), 0, int(share * self._used.completion_tokens))

    async def _attend(self, request: Request) -> _Outcome:
        answers: list[Any] = []
        try:
            await self._answer(request, answers)
        except (UnansweredError, RefusedError) as trouble:
            return request, answers, trouble
        return request, answers, None

    def _count(
        self, request: Request, answers: list[Any], trouble: UnansweredError | RefusedError | None
    ) -> None:
        """Make ready what is known of `request`; give the server up where too many in a row had no answer."""
        through = trouble is None or (isinstance(trouble, RefusedError) and trouble.of_prompt)
        self.answered += through
        self._in_a_row = 0 if through else self._in_a_row + 1
        self._ready += answers
        self._used += Usage.of(answer for answer in answers if isinstance(answer, Completion))
        if isinstance(trouble, RefusedError):
            self._refused.append((request, trouble))
        elif trouble is not None:
            self._ready.append(Failure(request.key, f"the server does not answer: {trouble}", lasting=False))
        # Two prompts refused in different words: it has read them.
        words = {str(why) for _, why in self._refused if why.of_prompt}
        self._heard = self._heard or bool(answers) or len(words) > 1
        if self._heard:
            self._tell_refused()
        many = max(self._room(), FEWEST_IN_A_ROW)
        is_final = isinstance(trouble, RefusedError) and trouble.is_final
        if trouble is not None and (is_final or max(self._in_a_row, len(self._refused)) >= many):
            self._give_up(trouble)

    def _tell_refused(self) -> None:
        self._ready += [
            Failure(request.key, f"the server refuses this prompt: {why}", lasting=why.of_prompt)
            for request, why in self._refused
        ]
        self._refused.clear()

    def _give_up(self, trouble: UnansweredError | RefusedError) -> None:
        self.trouble = self.trouble or trouble
        self._stopping.set()
