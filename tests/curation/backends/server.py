"""A chat-completions server on loopback that misbehaves as told."""

from __future__ import annotations

import json
import math
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Fault = Callable[["Handler"], None]


def split(text: str) -> list[str]:
    """Tokens of `text`: a word with the space before it."""
    return [word if number == 0 else f" {word}" for number, word in enumerate(text.split(" "))]


def listed(token: str) -> dict[str, Any]:
    """A token as the server lists it, and in its place the four digits, 1 the likeliest."""
    top = [{"token": digit, "logprob": -int(digit) / 2, "bytes": [ord(digit)]} for digit in "1234"]
    return {"token": token, "logprob": -1.5, "bytes": list(token.encode()), "top_logprobs": top}


def chat(
    texts: list[str | None],
    *,
    logprobs: bool = True,
    usage: bool = True,
    reason: str = "stop",
    prompt_tokens: int = 7,
) -> Any:
    """A chat completion with `texts` as its choices."""
    choices = [
        {
            "index": index,
            "message": {"role": "assistant", "content": text},
            "finish_reason": reason,
            "logprobs": {"content": [listed(token) for token in split(text or "")]} if logprobs else None,
        }
        for index, text in enumerate(texts)
    ]
    answer: dict[str, Any] = {"id": "1", "object": "chat.completion", "model": "m", "choices": choices}
    if usage:
        tokens = sum(len(split(text or "")) for text in texts)
        answer["usage"] = {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": tokens,
            "total_tokens": prompt_tokens + tokens,
        }
    return answer


def status(number: int, message: str = "no", headers: dict[str, str] | None = None, **fields: Any) -> Fault:
    """The HTTP status `number` with an error object."""
    body = json.dumps({"error": {"message": message, **fields}}).encode()
    return lambda handler: handler.send(number, body, headers or {})


def body(text: str, kind: str = "application/json") -> Fault:
    """A 200 whose body is `text`."""
    return lambda handler: handler.send(200, text.encode(), {"Content-Type": kind})


def cut(handler: Handler) -> None:
    """A connection closed in the middle of the body."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"id": "1", "choi')
    handler.close_connection = True


def slam(handler: Handler) -> None:
    """A connection closed without a word."""
    handler.close_connection = True


def drip(handler: Handler) -> None:
    """White space, byte by byte, until the server ends."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.end_headers()
    with suppress(OSError):
        while not handler.scripted.ended.wait(0.05):
            handler.wfile.write(b" ")
            handler.wfile.flush()
    handler.close_connection = True


def hang(handler: Handler) -> None:
    """Silence until the server ends."""
    handler.scripted.ended.wait()
    handler.close_connection = True


def reply(*texts: str | None, **settings: Any) -> Fault:
    """A good answer with these texts, whatever was asked."""
    return lambda handler: handler.answer(chat(list(texts), **settings))


def fewer(handler: Handler) -> None:
    """One choice less than asked, but one."""
    asked = handler.asked.get("n", 1)
    handler.answer(chat(handler.scripted.texts(handler.asked)[: max(asked - 1, 1)]))


@dataclass
class Scripted:
    """A running server.

    Attributes:
        url: Its base URL.
        rule: What befalls the request of this number (from 0) and body; ``None`` for a good answer.
        models: Names that it lists.
        listing: What befalls who asks for them.
        asked: Bodies of the requests, in order of arrival.
        served: Choices of good answers, by the prompt's text.
        most: Requests that it ever worked on at a time.
    """

    url: str = ""
    rule: Callable[[int, dict[str, Any]], Fault | None] = lambda number, asked: None
    models: list[str] = field(default_factory=lambda: ["tiny"])
    listing: Fault | None = None
    asked: list[dict[str, Any]] = field(default_factory=list)
    served: Counter[str] = field(default_factory=Counter)
    most: int = 0
    working: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    ended: threading.Event = field(default_factory=threading.Event)

    def script(self, *faults: Fault) -> None:
        """The first requests meet `faults`, one each in order of arrival."""
        first = len(self.asked)
        self.rule = lambda number, _: faults[number - first] if number - first < len(faults) else None

    @staticmethod
    def texts(asked: dict[str, Any]) -> list[str | None]:
        """The texts of a good answer, which name their prompt."""
        return [f"3 {asked['messages'][-1]['content']}"] * math.ceil(asked.get("n", 1))


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    scripted: Scripted
    asked: dict[str, Any]

    def do_GET(self) -> None:
        """List the models."""
        if self.scripted.listing is not None:
            self.scripted.listing(self)
            return
        self.send(200, json.dumps({"data": [{"id": name} for name in self.scripted.models]}).encode(), {})

    def do_POST(self) -> None:
        """Answer a chat."""
        server = self.scripted
        self.asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with server.lock:
            number = len(server.asked)
            server.asked.append(self.asked)
            server.working += 1
            server.most = max(server.most, server.working)
        fault = server.rule(number, self.asked)
        try:
            if fault is not None:
                fault(self)
            else:
                self.answer(chat(server.texts(self.asked), logprobs="logprobs" in self.asked))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with server.lock:
                server.working -= 1

    def answer(self, answer: Any) -> None:
        """A good answer."""
        with self.scripted.lock:
            self.scripted.served[self.asked["messages"][-1]["content"]] += len(answer["choices"])
        self.send(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def send(self, code: int, content: bytes, headers: dict[str, str]) -> None:
        """A whole response."""
        self.send_response(code)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """Say nothing."""


class Listening(ThreadingHTTPServer):
    """Takes as many connections at once as a real one."""

    request_queue_size = 1_024
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Say nothing of clients that have left."""


@contextmanager
def running(port: int = 0) -> Iterator[Scripted]:
    """A server on loopback, by default on a free port."""
    scripted = Scripted()
    handler = type("Bound", (Handler,), {"scripted": scripted})
    with Listening(("127.0.0.1", port), handler) as server:
        scripted.url = f"http://127.0.0.1:{server.server_port}/v1"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield scripted
        finally:
            scripted.ended.set()
            server.shutdown()
            thread.join()


def main(port: str, failing: str) -> None:
    """Serve on `port`, with errors while the file `failing` is there."""
    with running(int(port)) as scripted:

        def rule(_number: int, _asked: dict[str, Any]) -> Fault | None:
            time.sleep(0.02)
            return status(500) if Path(failing).exists() else None

        scripted.rule = rule
        threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
