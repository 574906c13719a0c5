"""Several servers of one model: real processes that hang, fail, are killed and come back."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest

pytest.importorskip("openai")

from curation.backends import Completion, Decoding, Failure, Message, Request
from curation.backends.openai import OpenAIBackend, fleet
from curation.backends.openai.server import Server
from tests.curation.backends import server as faults
from tests.curation.backends.server import running
from tests.curation.backends.serving import free_port
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.curation.backends.server import Fault, Scripted

CHECK = 0.3
WINDOW = 3 * CHECK


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "BACKOFF_SECONDS", 0.01)
    monkeypatch.setattr(fleet, "CHECK_SECONDS", CHECK)
    monkeypatch.setattr(fleet, "PATIENCE_SECONDS", 3.0)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, float]]:
    """Every request that is sent, by server and time."""
    log: list[tuple[str, float]] = []
    once = Server.once

    async def spied(self: Server, *arguments: Any) -> Any:
        log.append((self.address.url, time.monotonic()))
        return await once(self, *arguments)

    monkeypatch.setattr(Server, "once", spied)
    return log


@pytest.fixture
def three() -> Iterator[list[Scripted]]:
    with ExitStack() as stack:
        yield [stack.enter_context(running()) for _ in range(3)]


def ask(count: int, n: int = 2) -> list[Request]:
    return [
        Request(f"key{index}", (Message("user", f"prompt {index}"),), tuple(range(100, 100 + n)))
        for index in range(count)
    ]


def backend(servers: list[Scripted], **settings: Any) -> OpenAIBackend:
    return OpenAIBackend([server.url for server in servers], "tiny", **{"retries": 3, **settings})


def answered(found: list[Completion | Failure]) -> Counter[tuple[str, int]]:
    assert not [answer for answer in found if isinstance(answer, Failure)]
    return Counter((answer.key, answer.stream) for answer in found if isinstance(answer, Completion))


def generate(of: OpenAIBackend, requests: list[Request]) -> list[Completion | Failure]:
    return [answer for batch in of.generate(requests, Decoding()) for answer in batch]


def once_each(requests: list[Request]) -> Counter[tuple[str, int]]:
    return Counter((request.key, stream) for request in requests for stream in request.streams)


def slowly(seconds: float) -> Fault:
    def answer(handler: faults.Handler) -> None:
        time.sleep(seconds)
        handler.answer(faults.chat(handler.scripted.texts(handler.asked)))

    return answer


def test_servers_share_the_prompts_by_how_fast_they_answer(three: list[Scripted]) -> None:
    for server in three[:2]:
        server.rule = lambda _number, _asked: slowly(0.02)
    three[2].rule = lambda _number, _asked: slowly(0.2)
    requests = ask(300, 1)
    assert answered(generate(backend(three, concurrency=8), requests)) == once_each(requests)
    fast, also_fast, slow = (len(server.asked) for server in three)
    assert min(fast, also_fast) > 2 * slow > 0


def test_a_server_that_is_named_twice_is_one(three: list[Scripted]) -> None:
    one = OpenAIBackend([three[0].url, three[0].url], "tiny", concurrency=4)
    requests = ask(20)
    assert answered(generate(one, requests)) == once_each(requests)
    assert three[0].most <= 4


def test_a_prompt_that_one_server_fails_is_answered_by_another_at_once(
    three: list[Scripted], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "BACKOFF_SECONDS", 60.0)
    three[0].script(faults.status(503), faults.slam)
    requests = ask(30)
    started = time.monotonic()
    assert answered(generate(backend(three), requests)) == once_each(requests)
    assert time.monotonic() - started < 30
    assert sum(len(server.asked) for server in three) == 32


def test_a_server_that_asks_for_quiet_is_left_alone_while_the_others_work(
    three: list[Scripted], sent: list[tuple[str, float]]
) -> None:
    three[0].script(faults.status(429, headers={"Retry-After": "1"}))
    for server in three[1:]:
        server.rule = lambda _number, _asked: slowly(0.02)
    requests = ask(400)
    assert answered(generate(backend(three, concurrency=4), requests)) == once_each(requests)
    times = [when for url, when in sent if url == three[0].url]
    asked_before_it_said_so = [when for when in times if when < times[0] + 0.5]
    assert len(asked_before_it_said_so) <= 4
    assert len(sent) == 401


def test_a_server_that_fails_is_left_out_and_tried_one_by_one(
    three: list[Scripted], sent: list[tuple[str, float]]
) -> None:
    three[0].script(*[faults.status(500)] * 5)
    for server in three[1:]:
        server.rule = lambda _number, _asked: slowly(0.02)
    requests = ask(500, 1)
    assert answered(generate(backend(three, concurrency=1), requests)) == once_each(requests)
    times = [when for url, when in sent if url == three[0].url]
    # Three failures, and a trial that fails; one that fails after twice the time; one that does not.
    assert times[3] - times[2] >= CHECK
    assert times[4] - times[3] >= 2 * CHECK
    assert times[5] - times[4] >= 4 * CHECK
    assert len(three[0].asked) - sum(three[0].served.values()) == 5


def test_what_a_hanging_server_holds_is_answered_by_the_others_and_costs_no_try(
    three: list[Scripted], sent: list[tuple[str, float]]
) -> None:
    three[0].rule = lambda _number, _asked: faults.hang
    three[0].listing = faults.hang
    requests = ask(200)
    found = generate(backend(three, concurrency=8, retries=0, timeout=60.0), requests)
    assert answered(found) == once_each(requests)
    assert sum(url == three[0].url for url, _ in sent) == 8


def test_where_all_are_gone_the_run_ends_and_says_of_which_servers(three: list[Scripted]) -> None:
    def rule(server: Scripted, number: int) -> Fault | None:
        if number < 5:
            return None
        server.listing = faults.slam
        return faults.slam

    for server in three:
        server.rule = lambda number, _asked, server=server: rule(server, number)  # type: ignore[misc]
    found: list[Completion | Failure] = []
    batches = backend(three, concurrency=4).generate(ask(200), Decoding())
    with pytest.raises(TierwiseError) as caught:
        found.extend(answer for batch in batches for answer in batch)
    assert len([answer for answer in found if isinstance(answer, Completion)]) == 3 * 5 * 2
    for server in three:
        assert server.url in str(caught.value)
    assert "none of 3 servers answers" in str(caught.value)


def test_a_model_that_one_server_does_not_have_is_told_of_that_server(three: list[Scripted]) -> None:
    three[1].rule = lambda _number, _asked: faults.status(404, "no model 'tiny' here", code="model_not_found")
    three[1].models = ["other"]
    with pytest.raises(TierwiseError, match="serves no model 'tiny'; it serves: other") as caught:
        generate(backend(three), ask(200))
    assert three[1].url in str(caught.value)


class Process:
    """A server of its own process on a fixed port."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self.failing = folder / f"failing-{self.port}"
        self.process: subprocess.Popen[bytes]

    def start(self) -> None:
        command = [sys.executable, "-m", "tests.curation.backends.server", str(self.port), str(self.failing)]
        self.process = subprocess.Popen(command)
        while True:
            try:
                urlopen(f"{self.url}/models").close()
            except URLError:
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()


@contextmanager
def processes(folder: Path) -> Iterator[list[Process]]:
    servers = [Process(folder) for _ in range(3)]
    try:
        for server in servers:
            server.start()
        yield servers
    finally:
        for server in servers:
            server.stop()


def test_chaos(tmp_path: Path, sent: list[tuple[str, float]]) -> None:
    """One server hangs, one answers 500 for a while, one is killed and comes back."""
    requests = ask(2_000)
    dead: dict[str, tuple[float, float]] = {}
    with processes(tmp_path) as (hanging, failing, killed):

        def upset() -> None:
            time.sleep(0.5)
            hanging.process.send_signal(signal.SIGSTOP)
            hung_at = time.monotonic()
            time.sleep(0.3)
            failing.failing.touch()
            failing_at = time.monotonic()
            killed.process.kill()
            killed.process.wait()
            killed_at = time.monotonic()
            time.sleep(WINDOW + CHECK + 1.0)
            dead[killed.url] = killed_at, time.monotonic()
            killed.start()
            dead[failing.url] = failing_at, time.monotonic()
            failing.failing.unlink()
            time.sleep(1.0)
            dead[hanging.url] = hung_at, time.monotonic()
            hanging.process.send_signal(signal.SIGCONT)

        trouble = threading.Thread(target=upset)
        trouble.start()
        of = OpenAIBackend([hanging.url, failing.url, killed.url], "tiny", timeout=60.0, concurrency=16)
        found: list[Completion | Failure] = []
        for batch in of.generate(iter(requests), Decoding()):
            found += batch
        trouble.join()
    assert answered(found) == once_each(requests)
    assert max(when for _, when in sent) > max(back for _, back in dead.values())
    for server in (hanging, failing, killed):
        since, until = dead[server.url]
        # The looks are those of an event loop that has other things to do.
        late = [
            when - since for url, when in sent if url == server.url and since + WINDOW + CHECK < when < until
        ]
        # One that says that it is well may be tried: after once, twice and four times `CHECK`.
        assert len(late) <= (3 if server is failing else 0), (server.url, late)
        back = [when for url, when in sent if url == server.url and when > until]
        assert back or server is hanging
