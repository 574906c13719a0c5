"""Completions from servers that speak OpenAI's chat-completions API: vLLM's, a gateway's, OpenAI's own.

Several servers of one model share its prompts; see `curation.backends.openai.fleet`. One request asks for all
completions of a prompt. No seed is sent, since servers disagree on what one means and some die of it: the streams of a
request name its completions and draw nothing, and texts are not reproducible. Whether log-probabilities are those
before temperature is the server's affair.
"""

from __future__ import annotations

import asyncio
import re
import signal
import threading
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from curation.backends import Decoding, Failure, Usage, begun_answer, never
from curation.backends.openai.answers import Answer, completions, gives_logprobs, most_used, score
from curation.backends.openai.crew import Crew
from curation.backends.openai.fleet import Fleet
from curation.backends.openai.server import Address, RefusedError, UnansweredError
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

    from curation.backends import Completion, Enough, Request, Score

TOP_LOGPROBS = 20
_NAMES_TOLD = 10
_LISTING_SECONDS = 30.0
_LISTING_RETRIES = 2

# What vLLM's server takes, and llama.cpp's.
_CONTINUE = {"continue_final_message": True, "add_generation_prompt": False}

_ONE_CHOICE = re.compile(r"""["'`]n["'`]|\bn\s*[=<>]|\bone\b.*\bchoice\b""", re.IGNORECASE)


class _Model(BaseModel):
    id: str


class _Models(BaseModel):
    data: list[_Model]


@dataclass(frozen=True, slots=True)
class _Dialect:
    """What the server takes, as far as it has told by refusing."""

    limit: str = "max_tokens"
    logprobs: bool = True
    choices: bool = True

    def without(self, refused: RefusedError) -> _Dialect:
        """The same without what the server just refused."""
        words = f"{refused.parameter} {refused.message}"
        if self.limit == "max_tokens" and "max_completion_tokens" in words:
            return replace(self, limit="max_completion_tokens")
        if self.logprobs and "logprobs" in words:
            return replace(self, logprobs=False)
        if self.choices and (refused.parameter == "n" or _ONE_CHOICE.search(refused.message)):
            return replace(self, choices=False)
        return self


def resolve_served(address: Address) -> str:
    """The name of the only model that a server has.

    Raises:
        TierwiseError: The server cannot be asked, or has none or several.
    """
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        try:
            names = runner.run(_served(address))
        except (RefusedError, UnansweredError) as error:
            raise TierwiseError(
                f"{address.name}/models does not say which models there are ({error}): "
                "check URL and server, or name a model, as in openai:URL#MODEL"
            ) from error
    if len(names) != 1:
        found = f"{len(names)} models ({_listed(names)}); name one" if names else "no model; load one"
        raise TierwiseError(f"{address.name} serves {found}, as in openai:URL#MODEL")
    return names[0]


class OpenAIBackend:
    """A model behind OpenAI-compatible servers.

    Attributes:
        model: Its name there.
    """

    def __init__(
        self,
        urls: Sequence[str],
        model: str | None,
        *,
        concurrency: int = 512,
        timeout: float = 120.0,
        retries: int = 6,
    ) -> None:
        """Take the servers' base URLs, such as ``http://127.0.0.1:8000/v1``, and the key in ``OPENAI_API_KEY``.

        Args:
            urls: None is ``OPENAI_BASE_URL``, else OpenAI's own server.
            model: By default the only one that the first server has, which is asked for it.
            concurrency: Prompts in flight at a server, at most; how many are best is found out.
            timeout: Seconds after which a request without a whole answer is tried again.
            retries: How often one is, before its prompt is left unanswered.

        Raises:
            TierwiseError: There is no such URL, no key where one is needed, or no one model.
        """
        self._addresses = [Address(url) for url in dict.fromkeys(urls)] or [Address(None)]
        self.model = model or resolve_served(self._addresses[0])
        self._concurrency = concurrency
        self._timeout = timeout
        self._retries = retries
        self._dialect = _Dialect()
        self._continues = False

    def generate(
        self, requests: Iterable[Request], decoding: Decoding, enough: Enough = never
    ) -> Iterator[list[Completion | Failure]]:
        """Answer every request; see ``Backend.generate``.

        A prompt that the server refuses is a lasting ``Failure``; one that it does not answer, however often asked, a
        passing one.

        Raises:
            TierwiseError: Guided decoding is asked for; the server does not go on with an answer that was begun, where
                the first request has one; or, after all that was answered has been yielded, it refuses the key, has no
                such model, or does not answer any more.
        """
        if decoding.guided:
            raise TierwiseError(
                "a server cannot be held to the tier digits: sample with --unguided, or name a local model"
            )
        todo = iter(requests)
        first = next(todo, None)
        if first is None:
            return iter(())
        if begun_answer(first.messages)[1] and not self._continues:
            self._require_continuing(first)
        return self._answers(
            _Begun(first, todo),
            partial(self._complete, decoding),
            enough,
            lambda request: most_used(request, decoding),
        )

    def score(self, requests: Iterable[Request]) -> Iterator[list[Score | Failure]]:
        """Let the server generate one token and read what else it could have been; see ``Backend.score``.

        A prompt at whose first token the server lists no tier digit is a lasting ``Failure``.
        """
        return self._answers(requests, self._score, never, lambda _: Usage())

    def _require_continuing(self, begun: Request) -> None:
        """Raise where the server would begin `begun` anew: asked not to, it reads a prompt of the same length."""
        one = Decoding(max_tokens=1)
        with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
            fleet = self._fleet()
            try:
                counts = [
                    answer.usage and answer.usage.prompt_tokens
                    for answer in (
                        runner.run(self._ask(fleet, begun, one, 1, continuing=continuing))
                        for continuing in (True, False)
                    )
                ]
            except UnansweredError:
                # The run itself will say so.
                return
            except RefusedError as refused:
                if not any(word in str(refused) for word in _CONTINUE):
                    return
                counts = [None, None]
            finally:
                runner.run(fleet.close())
        if counts[0] == counts[1]:
            raise TierwiseError(
                f"{fleet.name} does not go on with an answer that was begun ({', '.join(_CONTINUE)}): name a "
                "local model, or serve this one by vLLM"
            )
        self._continues = True

    def _answers(
        self,
        requests: Iterable[Request],
        answer: Callable[[Fleet, Request, list[Any]], Awaitable[None]],
        enough: Enough,
        most: Callable[[Request], Usage],
    ) -> Iterator[list[Any]]:
        """Drive the event loop a step at a time, so that it runs only while a batch is waited for."""
        with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
            fleet = self._fleet()
            crew = Crew(iter(requests), partial(answer, fleet), fleet, enough, most)
            try:
                with _interruptible():
                    while batch := runner.run(crew.batch()):
                        yield batch
                if crew.trouble is not None:
                    raise TierwiseError(runner.run(self._verdict(crew, fleet))) from crew.trouble
            except KeyboardInterrupt:
                # What was answered is paid for.
                if batch := crew.take():
                    yield batch
                raise
            finally:
                runner.run(crew.dismiss())
                runner.run(fleet.close())

    def _fleet(self) -> Fleet:
        return Fleet(self._addresses, timeout=self._timeout, retries=self._retries, most=self._concurrency)

    async def _complete(
        self, decoding: Decoding, fleet: Fleet, request: Request, done: list[Completion]
    ) -> None:
        """Append to `done` a completion for every stream, in as many requests as the server needs."""
        while len(done) < len(request.streams):
            left = request.streams[len(done) :]
            done.extend(completions(await self._ask(fleet, request, decoding, len(left)), request, left))

    async def _score(self, fleet: Fleet, request: Request, done: list[Score | Failure]) -> None:
        answer = await self._ask(fleet, request, Decoding(max_tokens=1), 1)
        done.append(
            score(answer, request)
            or Failure(
                request.key,
                f"{fleet.name} gives no log-probabilities of a tier digit at the first token",
                # A server that gives none at all is one to be set up otherwise, whatever the prompt.
                lasting=gives_logprobs(answer),
            )
        )

    async def _ask(
        self,
        fleet: Fleet,
        request: Request,
        decoding: Decoding,
        n: int,
        *,
        continuing: bool = True,
    ) -> Answer:
        """Ask for `n` completions, in a way that the server does not refuse; `continuing` an answer that was begun."""
        while True:
            dialect = self._dialect
            body = {
                "model": self.model,
                "messages": [{"role": turn.role, "content": turn.content} for turn in request.messages],
                "temperature": decoding.temperature,
                "top_p": decoding.top_p,
                dialect.limit: decoding.max_tokens,
                **({"n": n} if dialect.choices and n > 1 else {}),
                **({"extra_body": _CONTINUE} if continuing and begun_answer(request.messages)[1] else {}),
                **({"logprobs": True, "top_logprobs": TOP_LOGPROBS} if dialect.logprobs else {}),
            }

            def send(client: Any, body: dict[str, Any] = body) -> Awaitable[Any]:
                answer: Awaitable[Any] = client.chat.completions.with_raw_response.create(**body)
                return answer

            try:
                return await fleet.ask(send, Answer)
            except RefusedError as refused:
                if not refused.of_prompt or dialect.without(refused) == dialect:
                    raise
                self._dialect = self._dialect.without(refused)

    async def _verdict(self, crew: Crew, fleet: Fleet) -> str:
        """Why the run stops, for its user."""
        trouble = crew.trouble
        asked = trouble.server.address if trouble and trouble.server else self._addresses[0]
        server = asked.name
        if isinstance(trouble, RefusedError):
            if trouble.status in {401, 403}:
                return f"{server} refuses the key in OPENAI_API_KEY ({trouble.status}): set another"
            if trouble.no_model:
                try:
                    names = await _served(asked)
                except (RefusedError, UnansweredError):
                    return f"{server} serves no model {self.model!r}: name another, as in openai:URL#MODEL"
                return f"{server} serves no model {self.model!r}; it serves: {_listed(names)}"
            return (
                f"{server} refuses every request ({trouble}): is it a base URL such as http://HOST:8000/v1?"
            )
        if trouble and not trouble.server:
            server = fleet.name
        return (
            f"{server} does not answer ({trouble}); {crew.answered} of {crew.begun} prompts asked were answered: "
            "run the same command again once it does"
        )


class _Begun:
    """`rest` after its first request, which was looked at. Where it has no more, it may have later."""

    def __init__(self, first: Request, rest: Iterator[Request]) -> None:
        self._first: Request | None = first
        self._rest = rest

    def __iter__(self) -> Iterator[Request]:
        return self

    def __next__(self) -> Request:
        first, self._first = self._first, None
        return next(self._rest) if first is None else first


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let the event loop take Ctrl-C as Python does, so that it ends the wait and not a task somewhere within it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


async def _served(address: Address) -> list[str]:
    """Names of the models that the server has."""
    fleet = Fleet([address], timeout=_LISTING_SECONDS, retries=_LISTING_RETRIES)
    try:
        models = await fleet.ask(lambda client: client.models.with_raw_response.list(), _Models)
    finally:
        await fleet.close()
    return sorted(model.id for model in models.data)


def _listed(names: list[str]) -> str:
    more = ["…"] if len(names) > _NAMES_TOLD else []
    return ", ".join([*names[:_NAMES_TOLD], *more]) or "none"
