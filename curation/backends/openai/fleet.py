"""The servers of one model: who is asked next, who is left out, and patience with all of them.

A request goes to the server with the fewest open requests for its level. One that fails goes to another server at
once, and waits only where there is none. A server that fails `FAILURES` times in a row, or does not say within
`CHECK_SECONDS` which models it has, twice running, is left out; in the latter case what it holds goes to the others.
It is looked at every `CHECK_SECONDS`, and once it says something it is tried with one request before it counts as
before. So a server that is dead, or hangs, is asked for nothing later than three times `CHECK_SECONDS` after it was
last well.
"""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import BaseModel
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from curation.backends.openai.level import Level
from curation.backends.openai.server import RefusedError, Server, UnansweredError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    import openai

    from curation.backends.openai.server import Address

M = TypeVar("M", bound=BaseModel)

BACKOFF_SECONDS = 2.0
"""The first retry waits at most so long, each further one at most twice the last, up to a minute."""
LONGEST_BACKOFF_SECONDS = 60.0
CHECK_SECONDS = 5.0
MISSES = 2
FAILURES = 3
LONGEST_EXILE_SECONDS = 60.0
PATIENCE_SECONDS = 180.0
"""How long a request waits where every server is left out."""


class Member:
    """A server of a fleet, and how it is doing."""

    def __init__(self, server: Server, most: int) -> None:
        self.server = server
        self.level = Level(most)
        self.open = 0
        self.state: Literal["in", "trial", "out"] = "in"
        self.era = 0
        """Counts changes of state: what was asked in an earlier one says nothing of this one."""
        self.failures = 0
        self.refusals = 0
        self.trouble = ""
        self.exile = CHECK_SECONDS
        self.back_at = 0.0
        self.hangs = asyncio.Event()

    @property
    def room(self) -> int:
        """The most requests that may be open."""
        return {"in": self.level.limit, "trial": 1, "out": 0}[self.state]

    def leave_out(self, why: str) -> None:
        """Ask it for nothing more."""
        # From within a trial: it has been well for too short a time.
        self.exile = min(2 * self.exile, LONGEST_EXILE_SECONDS) if self.state == "trial" else CHECK_SECONDS
        self.back_at = time.monotonic() + self.exile
        self.trouble = why
        self._become("out")

    def try_again(self) -> None:
        """Let it have a request."""
        self._become("trial")
        self.hangs = asyncio.Event()

    def answered(self, era: int) -> None:
        """Count an answer, of whatever kind, to what was asked in `era`."""
        if era != self.era:
            return
        self.failures = 0
        if self.state == "trial":
            self._become("in")
            self.level.restart()
        else:
            self.level.answered(self.open)

    def _become(self, state: Literal["in", "trial", "out"]) -> None:
        self.state = state
        self.era += 1
        self.failures = 0


class Fleet:
    """Requests to servers of one model, on one event loop.

    Attributes:
        members: The servers.
        stopping: Once set, what fails is not tried again.
    """

    def __init__(self, addresses: Sequence[Address], *, timeout: float, retries: int, most: int = 1) -> None:
        """Take the servers' addresses.

        Args:
            addresses: Of each, once.
            timeout: Seconds after which a request without a whole answer is tried again.
            retries: How often one is.
            most: Requests open to a server, at most.
        """
        self.members = [Member(Server(address, timeout=timeout), most) for address in addresses]
        self.stopping = asyncio.Event()
        self._retries = retries
        self._backoff = wait_random_exponential(multiplier=BACKOFF_SECONDS, max=LONGEST_BACKOFF_SECONDS)
        self._answered = 0
        self._changed = asyncio.Event()
        self._watches: list[asyncio.Task[None]] = []

    @property
    def name(self) -> str:
        """The servers, without credentials."""
        return ", ".join(member.server.address.name for member in self.members)

    @property
    def room(self) -> int:
        """Requests that may be open at all of them; where all are left out, as many as one may have."""
        return sum(member.room for member in self.members) or max(m.level.limit for m in self.members)

    async def ask(self, send: Callable[[openai.AsyncOpenAI], Awaitable[Any]], kind: type[M]) -> M:
        """The answer to `send`, which makes one request by the SDK's raw interface, read as `kind`.

        A request that is told to slow down while others are answered, or whose server was given up, has not used up a
        try.

        Raises:
            UnansweredError: Not even after so many retries.
            RefusedError: Trying again would not help.
        """
        if len(self.members) > 1 and not self._watches:
            self._watches = [asyncio.create_task(self._watch(member)) for member in self.members]
        spared = 0
        answered = self._answered

        def tried_enough(state: RetryCallState) -> bool:
            nonlocal spared, answered
            trouble = _unanswered(state)
            spared += not trouble.fault or (trouble.too_fast and self._answered > answered)
            answered = self._answered
            # No server was asked: none was to be had.
            is_vain = trouble.server is None or self.stopping.is_set()
            return is_vain or state.attempt_number - spared > self._retries

        retrying = AsyncRetrying(
            retry=retry_if_exception_type(UnansweredError),
            stop=tried_enough,
            wait=self._wait,
            sleep=self._sleep,
            reraise=True,
        )
        answer: M = await retrying(self._once, send, kind)
        self._answered += 1
        return answer

    async def close(self) -> None:
        """Let go of the servers."""
        await _cancelled(*self._watches)
        for member in self.members:
            await member.server.client.close()

    def _wait(self, state: RetryCallState) -> float:
        trouble = _unanswered(state)
        seconds = max(self._backoff(state), trouble.retry_after)
        if trouble.server and trouble.too_fast:
            trouble.server.keep_quiet(seconds)
        others = (member for member in self.members if member.server is not trouble.server)
        return 0.0 if any(other.room and not other.server.quiet_seconds for other in others) else seconds

    async def _sleep(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self.stopping.wait(), seconds)

    async def _once(self, send: Callable[[openai.AsyncOpenAI], Awaitable[Any]], kind: type[M]) -> M:
        member = await self._seat()
        era, begun = member.era, time.monotonic()
        member.open += 1
        request = asyncio.create_task(member.server.once(send, kind))
        hangs = asyncio.create_task(member.hangs.wait())
        try:
            await asyncio.wait({request, hangs}, return_when=asyncio.FIRST_COMPLETED)
            if not request.done():
                raise UnansweredError(member.trouble, fault=False)
            answer = request.result()
        except (UnansweredError, RefusedError) as trouble:
            trouble.server = member.server
            if isinstance(trouble, UnansweredError):
                self._failed(member, trouble, era, begun)
            else:
                member.answered(era)
                member.refusals += not trouble.of_prompt
                trouble.is_final = len(self.members) > 1 and member.refusals >= FAILURES
            raise
        else:
            member.answered(era)
            member.refusals = 0
            return answer
        finally:
            member.open -= 1
            await _cancelled(request, hangs)
            self._changed.set()

    async def _seat(self) -> Member:
        """The server to ask next, once there is one."""
        patience = time.monotonic() + PATIENCE_SECONDS
        while not self.stopping.is_set():
            free = [m for m in self.members if m.open < m.room and not m.server.quiet_seconds]
            if free:
                return min(free, key=lambda m: (m.open / m.room, m.failures, random.random()))  # noqa: S311
            taking = [m for m in self.members if m.room]
            left = patience - time.monotonic()
            if not taking and left <= 0:
                why = "; ".join(f"{m.server.address.name}: {m.trouble}" for m in self.members)
                raise UnansweredError(f"none of {len(self.members)} servers answers: {why}")
            # Those that wait together do not come back at the same moment.
            quiet = [m.server.quiet_seconds for m in taking if m.server.quiet_seconds]
            late = random.uniform(0, BACKOFF_SECONDS / 2)  # noqa: S311
            await self._until_changed(min(quiet) + late if quiet else left if not taking else None)
        raise UnansweredError("it was given up")

    async def _until_changed(self, seconds: float | None) -> None:
        self._changed.clear()
        waits = [asyncio.create_task(event.wait()) for event in (self._changed, self.stopping)]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _cancelled(*waits)

    def _failed(self, member: Member, trouble: UnansweredError, era: int, begun: float) -> None:
        if era != member.era or not trouble.fault:
            return
        if trouble.too_fast:
            member.level.too_much(begun)
            return
        member.failures += 1
        if len(self.members) > 1 and (member.failures >= FAILURES or member.state == "trial"):
            member.leave_out(str(trouble))

    async def _watch(self, member: Member) -> None:
        """Look at a server now and then; leave it out, or try it again."""
        misses = 0
        while True:
            if not 0 < misses < MISSES:
                await asyncio.sleep(CHECK_SECONDS)
            misses = 0 if await member.server.is_alive(CHECK_SECONDS) else misses + 1
            if member.state == "out" and not misses and time.monotonic() >= member.back_at:
                member.try_again()
                self._changed.set()
            elif member.state != "out" and misses >= MISSES:
                member.leave_out("it does not answer any more")
                member.hangs.set()
                self._changed.set()


async def _cancelled(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _unanswered(state: RetryCallState) -> UnansweredError:
    assert state.outcome is not None
    trouble = state.outcome.exception()
    assert isinstance(trouble, UnansweredError)
    return trouble
