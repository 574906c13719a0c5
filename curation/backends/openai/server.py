"""One OpenAI-compatible server as a client meets it: its address, its key, and what it answers."""

from __future__ import annotations

import asyncio
import os
import re
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import openai
from pydantic import BaseModel, ValidationError

from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

M = TypeVar("M", bound=BaseModel)

OPENAI_URL = "https://api.openai.com/v1"
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
        fault: Whether the request was the cause, or might have been: it has used up a try.
        server: Which one, where one was asked.
    """

    server: Server | None = None

    def __init__(
        self, reason: str, retry_after: float = 0.0, *, too_fast: bool = False, fault: bool = True
    ) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.too_fast = too_fast
        self.fault = fault


class RefusedError(Exception):
    """The server answered that it will not do this.

    Attributes:
        status: HTTP status.
        message: The server's words, in a line, without the key.
        parameter: The parameter that the server names as the cause, if it does.
        no_model: Whether the cause is that it serves no such model.
        server: Which one.
        is_final: Whether this server refuses whatever it is asked, while others may not.
    """

    server: Server | None = None
    is_final = False

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


class Server:
    """One server on one event loop, asked once at a time and left alone when it says so.

    Attributes:
        address: Where it is.
        client: The SDK's client.
    """

    def __init__(self, address: Address, *, timeout: float) -> None:
        self.address = address
        self.client = address.client(timeout)
        self._timeout = timeout
        self._quiet_until = 0.0

    @property
    def quiet_seconds(self) -> float:
        """How long it is still to be left alone, in seconds."""
        return max(0.0, self._quiet_until - time.monotonic())

    def keep_quiet(self, seconds: float) -> None:
        """Leave it alone for so long."""
        self._quiet_until = max(self._quiet_until, time.monotonic() + seconds)

    async def once(self, send: Callable[[openai.AsyncOpenAI], Awaitable[Any]], kind: type[M]) -> M:
        """The answer to `send`, which makes one request by the SDK's raw interface, read as `kind`.

        Raises:
            UnansweredError: There is none, or none that can be read.
            RefusedError: Trying again would not help.
        """
        try:
            # The SDK's own timeout starts anew with every byte.
            async with asyncio.timeout(self._timeout):
                raw = await send(self.client)
            return kind.model_validate_json(raw.content)
        except ValidationError as error:
            raise UnansweredError(f"an unreadable answer: {self.address.one_line(raw.text)!r}") from error
        except openai.APIStatusError as error:
            raise self._told(error) from None
        except (openai.APITimeoutError, TimeoutError):
            raise UnansweredError("no answer in time") from None
        except openai.APIConnectionError as error:
            # The cause may quote the header that holds the key, so that only its kind is told.
            raise UnansweredError(f"no connection ({type(error.__cause__ or error).__name__})") from None

    async def is_alive(self, seconds: float) -> bool:
        """Whether it answers at all within so many seconds, be it with a refusal."""
        try:
            await self.client.with_options(timeout=seconds).models.with_raw_response.list()
        except openai.APIStatusError as error:
            return error.status_code < 500
        except openai.APIError:
            return False
        return True

    def _told(self, error: openai.APIStatusError) -> UnansweredError | RefusedError:
        body = error.body.get("error", error.body) if isinstance(error.body, dict) else error.body
        words = body
        if isinstance(body, dict):
            words = body.get("message") or body.get("detail") or body
        message = self.address.one_line(str(words or ""))
        status = error.status_code
        if status in _AGAIN or status >= 500:
            after = _seconds(error.response.headers.get("retry-after"))
            return UnansweredError(f"{status} {message}".strip(), after, too_fast=status == _TOO_FAST)
        fields = body if isinstance(body, dict) else {}
        return RefusedError(status, message, fields.get("param"), fields.get("code"))


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
