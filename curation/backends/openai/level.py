"""How many requests a server is given at a time, found by measuring what it answers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST = 16
GAIN = 1.15
"""Twice as many requests have to be answered so many times as fast, else they only wait in the server's queue."""
TURNS = 4
"""How many answers to each open request a measurement takes; they may come in bursts."""
ROUNDS = 10
"""How many measurements a level is kept for once it was found, before a higher one is tried again."""


class Level:
    """The most requests that are open to a server at once.

    It doubles as long as that makes the server answer more of them a second, goes back a step where it does not, and
    halves where the server says that it is too much. A level is measured once it has settled, and only while as many
    requests are open.

    Attributes:
        limit: The level now.
    """

    def __init__(self, most: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin at `FIRST`, or at `most` if that is less; never exceed `most`."""
        self.limit = min(FIRST, most)
        self._most = most
        self._clock = clock
        self._lower: tuple[int, float] | None = None
        self._rounds = 0
        self._halved = float("-inf")
        self._begin()

    def answered(self, open_before: int) -> None:
        """Count an answer that came while `open_before` requests were open, itself among them."""
        if open_before < self.limit:
            # What a level is worth does not show while there is less to do.
            self._begin()
            return
        self._answers += 1
        if self._answers == self.limit:
            self._since = self._clock()
        elif self._answers == (1 + TURNS) * self.limit:
            seconds = self._clock() - self._since
            self._judge(TURNS * self.limit / seconds if seconds > 0 else float("inf"))
            self._begin()

    def too_much(self, begun: float) -> None:
        """Halve: the server has asked for less, in answer to a request of time `begun` on the clock.

        Those that were open when it last said so say nothing new. One prompt that a server will not have is not to
        keep all others waiting, so that there are two at least.
        """
        if begun < self._halved:
            return
        self._halved = self._clock()
        self.limit = max(min(2, self._most), self.limit // 2)
        self._lower, self._rounds = None, ROUNDS
        self._begin()

    def restart(self) -> None:
        """Begin anew with a server that was away."""
        self.limit = min(FIRST, self._most)
        self._lower, self._rounds = None, 0
        self._begin()

    def _begin(self) -> None:
        self._answers = 0
        self._since = 0.0

    def _judge(self, rate: float) -> None:
        if self._lower is not None and rate < GAIN * self._lower[1]:
            self.limit, self._lower, self._rounds = self._lower[0], None, ROUNDS
        elif self._rounds:
            self._rounds -= 1
        elif self.limit < self._most:
            self._lower = self.limit, rate
            self.limit = min(self._most, 2 * self.limit)
