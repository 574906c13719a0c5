"""One OpenAI-compatible server as a client meets it: its address, its key, its refusals, and patience with it."""

from __future__ import annotations

import asyncio
import os
import random
import re
import time
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import openai
from pydantic import BaseModel, ValidationError
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

M = TypeVar("M", bound=BaseModel)

OPENAI_URL = "https://api.openai.com/v1"
BACKOFF_SECONDS = 2.0
"""The first retry waits at most so long, each further one at most twice the last, up to a minute."""
LONGEST_BACKOFF_SECONDS = 60.0
LONGEST_RETRY_AFTER_SECONDS = 600.0
CONNECT_SECONDS = 10.0

_AGAIN = {408, 409, 429}
_TOO_FAST = 429
_LONGEST_MESSAGE = 200


class UnansweredError(Exception):
    """The server did not answer, and may do so later.

    Attributes:
        retry_after: Seconds that the server asks to be left alone.
        too_fast: Whether it asks all requests to wait, not this one alone.
    """

    def __init__(self, reason: str, retry_after: float = 0.0, too_fast: bool = False) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.too_fast = too_fast


class RefusedError(Exception):
    """The server answered that it will not do this.

    Attributes:
        status: HTTP status.
        message: The server's words, in a line, without the key.
        parameter: The parameter that the server names as the cause, if it does.
        no_model: Whether the cause is that it serves no such model.
    """

    def __init__(self, status: int, message: str, parameter: str | None, code: str | None) -> None:
        super().__init__(f"{status} {message}".strip())
        self.status = status
        self.message = message
        self.parameter = parameter
        self.no_model = code == "model_not_found" or (
            status == 404 and re.search(r"\bmodel\b", message, re.IGNORECASE) is not None
        )

    @property
    def of_prompt(self) -> bool:
        """Whether another prompt may fare better: nothing is wrong with key, account, address or model."""
        return self.status in {400, 413, 422} and not self.no_model


class Address:
    """Where a server is and what opens it.

    Attributes:
        url: Base URL, as given.
        name: The same without credentials, for messages.
    """

    def __init__(self, url: str | None) -> None:
        """Take `url`, else ``OPENAI_BASE_URL``, else OpenAI's own; the key is ``OPENAI_API_KEY``.

        Raises:
            TierwiseError: It is no HTTP URL, or there is no key for OpenAI's own server.
        """
        self.url = url or os.environ.get("OPENAI_BASE_URL") or OPENAI_URL
        try:
            parts = urlsplit(self.url)
            usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable or not parts.hostname:
            raise TierwiseError(
                f"{self.url.rpartition('@')[2]!r} is no server's URL: give one such as http://127.0.0.1:8000/v1"
            )
        self.name = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        self._key = os.environ.get("OPENAI_API_KEY", "").strip()
        if not self._key and parts.hostname.endswith("openai.com"):
            raise TierwiseError(f"{self.name} wants a key: set OPENAI_API_KEY")
        if not re.fullmatch(r"[!-~]*", self._key):
            raise TierwiseError("OPENAI_API_KEY holds a character that no key has: set it again")

    def client(self, timeout: float) -> openai.AsyncOpenAI:
        """A client that tries once; `timeout` seconds without a byte end a request."""
        return openai.AsyncOpenAI(
            api_key=self._key or "none",
            base_url=self.url,
            max_retries=0,
            timeout=openai.Timeout(timeout, connect=min(timeout, CONNECT_SECONDS), pool=None),
        )

    def one_line(self, text: str) -> str:
        """`text` cut to a line, and without the key, should a server repeat it."""
        if self._key:
            text = text.replace(self._key, "…")
        line = " ".join(text.split())
        return line if len(line) <= _LONGEST_MESSAGE else line[: _LONGEST_MESSAGE - 1] + "…"


class Connection:
    """Requests to one server on one event loop: retried with patience, paced together.

    Attributes:
        client: The SDK's client.
        stopping: Once set, what fails is not tried again.
    """

    def __init__(self, address: Address, *, timeout: float, retries: int) -> None:
        self.client = address.client(timeout)
        self.stopping = asyncio.Event()
        self._address = address
        self._timeout = timeout
        self._retries = retries
        self._backoff = wait_random_exponential(multiplier=BACKOFF_SECONDS, max=LONGEST_BACKOFF_SECONDS)
        self._quiet_until = 0.0
        self._answered = 0

    async def ask(self, send: Callable[[], Awaitable[Any]], kind: type[M]) -> M:
        """The answer to `send`, which makes one request by the SDK's raw interface, read as `kind`.

        A request that is told to slow down while others are answered has not used up a try.

        Raises:
            UnansweredError: Not even after so many retries.
            RefusedError: Trying again would not help.
        """
        spared = 0
        answered = self._answered

        def tried_enough(state: RetryCallState) -> bool:
            nonlocal spared, answered
            spared += _unanswered(state).too_fast and self._answered > answered
            answered = self._answered
            return self.stopping.is_set() or state.attempt_number - spared > self._retries

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

    def _wait(self, state: RetryCallState) -> float:
        trouble = _unanswered(state)
        seconds = max(self._backoff(state), trouble.retry_after)
        if trouble.too_fast:
            self._quiet_until = max(self._quiet_until, time.monotonic() + seconds)
        return seconds

    async def _sleep(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self.stopping.wait(), seconds)

    async def _once(self, send: Callable[[], Awaitable[Any]], kind: type[M]) -> M:
        while (seconds := self._quiet_until - time.monotonic()) > 0 and not self.stopping.is_set():
            # Those that wait together do not come back at the same moment.
            await self._sleep(seconds + random.uniform(0, BACKOFF_SECONDS / 2))  # noqa: S311
        if self.stopping.is_set():
            raise UnansweredError("it was given up")
        try:
            # The SDK's own timeout starts anew with every byte.
            async with asyncio.timeout(self._timeout):
                raw = await send()
            return kind.model_validate_json(raw.content)
        except ValidationError as error:
            raise UnansweredError(f"an unreadable answer: {self._address.one_line(raw.text)!r}") from error
        except openai.APIStatusError as error:
            raise self._told(error) from None
        except (openai.APITimeoutError, TimeoutError):
            raise UnansweredError("no answer in time") from None
        except openai.APIConnectionError as error:
            # The cause may quote the header that holds the key, so that only its kind is told.
            raise UnansweredError(f"no connection ({type(error.__cause__ or error).__name__})") from None

    def _told(self, error: openai.APIStatusError) -> UnansweredError | RefusedError:
        body = error.body.get("error", error.body) if isinstance(error.body, dict) else error.body
        words = body
        if isinstance(body, dict):
            words = body.get("message") or body.get("detail") or body
        message = self._address.one_line(str(words or ""))
        status = error.status_code
        if status in _AGAIN or status >= 500:
            after = _seconds(error.response.headers.get("retry-after"))
            return UnansweredError(f"{status} {message}".strip(), after, status == _TOO_FAST)
        fields = body if isinstance(body, dict) else {}
        return RefusedError(status, message, fields.get("param"), fields.get("code"))


def _unanswered(state: RetryCallState) -> UnansweredError:
    assert state.outcome is not None
    trouble = state.outcome.exception()
    assert isinstance(trouble, UnansweredError)
    return trouble


def _seconds(retry_after: str | None) -> float:
    """What a ``Retry-After`` header asks for, in seconds or until a date; 0 where it cannot be read."""
    if retry_after is None:
        return 0.0
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            date = parsedate_to_datetime(retry_after)
        except ValueError:
            return 0.0
        seconds = (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_SECONDS)
