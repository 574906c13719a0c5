"""Prompts asked of servers many at a time, until they stop answering."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from curation.backends import Failure, Request, Usage
from curation.backends.openai.server import RefusedError, UnansweredError
from curation.backends.pump import Pump

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from curation.backends import Enough
    from curation.backends.openai.fleet import Fleet

FEWEST_IN_A_ROW = 3


class Crew(Pump[Request]):
    """As many prompts in flight as a fleet of servers has room for.

    Attributes:
        answered: Prompts that were answered, be it by refusing them.
        trouble: Why the crew has given the servers up, where it has.
    """

    def __init__(
        self,
        requests: Iterator[Request],
        answer: Callable[[Request, list[Any]], Awaitable[None]],
        fleet: Fleet,
        enough: Enough,
        most: Callable[[Request], Usage],
    ) -> None:
        """Take `answer`, which appends to its list and may raise ``UnansweredError`` or ``RefusedError`` half-way.

        Once the servers are given up, what is in flight may still be answered.
        """
        super().__init__(
            requests,
            answer,
            room=lambda: fleet.room,
            enough=enough,
            most=most,
            passing=(UnansweredError, RefusedError),
        )
        self.trouble: UnansweredError | RefusedError | None = None
        self._fleet = fleet
        self._heard = False
        self._in_a_row = 0
        self._refused: list[tuple[Request, RefusedError]] = []
        """Not yet told: where nothing else is ever heard, it is not a prompt that is refused, but key or model."""

    def may_begin(self) -> bool:
        """Whether the servers are not given up."""
        return self.trouble is None

    def count(self, request: Request, answers: list[Any], trouble: Exception | None) -> None:
        """Make ready what is known of `request`; give the servers up where too many in a row had no answer."""
        through = trouble is None or (isinstance(trouble, RefusedError) and trouble.of_prompt)
        self.answered += through
        self._in_a_row = 0 if through else self._in_a_row + 1
        if isinstance(trouble, RefusedError):
            self._refused.append((request, trouble))
        elif trouble is not None:
            self.tell([Failure(request.key, f"the server does not answer: {trouble}", lasting=False)])
        # Two prompts refused in different words: it has read them.
        words = {str(why) for _, why in self._refused if why.of_prompt}
        self._heard = self._heard or bool(answers) or len(words) > 1
        if self._heard:
            self._tell_refused()
        many = max(self._fleet.room, FEWEST_IN_A_ROW)
        is_final = isinstance(trouble, RefusedError) and trouble.is_final
        if isinstance(trouble, UnansweredError | RefusedError) and (
            is_final or max(self._in_a_row, len(self._refused)) >= many
        ):
            self._give_up(trouble)

    def end(self) -> None:
        """Say of what was refused whether it was the prompts or the server."""
        if self._refused and self.trouble is None:
            beyond = [why for _, why in self._refused if not why.of_prompt]
            if beyond:
                self._give_up(beyond[0])
            else:
                self._tell_refused()

    def _tell_refused(self) -> None:
        self.tell(
            [
                Failure(request.key, f"the server refuses this prompt: {why}", lasting=why.of_prompt)
                for request, why in self._refused
            ]
        )
        self._refused.clear()

    def _give_up(self, trouble: UnansweredError | RefusedError) -> None:
        self.trouble = self.trouble or trouble
        self._fleet.stopping.set()
