"""The openai backend against a real server, ``transformers serve``: one choice an answer, no log-probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("openai")
pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("torch")

from curation.backends import Completion, Decoding, Message, Request
from curation.backends.openai import OpenAIBackend
from curation.backends.transformers import TransformersBackend
from tests.curation.backends.serving import free_port, serving
from tests.tiny_model import save_tiny_model

if TYPE_CHECKING:
    from pathlib import Path

GREEDY = Decoding(temperature=0.0, max_tokens=12)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def port() -> int:
    return free_port()


def ask(count: int) -> list[Request]:
    return [
        Request(f"key{index}", (Message("user", f"item {index} of that kind"),), (1, 2, 3))
        for index in range(count)
    ]


def test_a_server_says_what_the_same_model_says_in_this_process(model: Path, port: int) -> None:
    local = TransformersBackend(model, dtype="float32", device="cpu")
    expected = {
        (answer.key, answer.stream): answer
        for batch in local.generate(ask(4), GREEDY)
        for answer in batch
        if isinstance(answer, Completion)
    }
    with serving(model, port):
        backend = OpenAIBackend([f"http://127.0.0.1:{port}/v1"], str(model), concurrency=2)
        found = [answer for batch in backend.generate(ask(4), GREEDY) for answer in batch]
    assert len(found) == len(expected) == 12
    for answer in found:
        assert isinstance(answer, Completion)
        twin = expected[answer.key, answer.stream]
        assert (answer.text, answer.finish_reason) == (twin.text, twin.finish_reason)
        assert (answer.prompt_tokens, answer.completion_tokens) == (
            twin.prompt_tokens,
            twin.completion_tokens,
        )
        assert (answer.first, answer.digits) == (None, ())


def test_a_server_that_dies_and_comes_back_costs_no_prompt(model: Path, port: int) -> None:
    requests = ask(30)
    backend = OpenAIBackend([f"http://127.0.0.1:{port}/v1"], str(model), concurrency=4, retries=20)
    with serving(model, port) as process:
        batches = backend.generate(requests, GREEDY)
        found = next(batches)
        process.kill()
    assert len(found) < 90
    with serving(model, port):
        found += [answer for batch in batches for answer in batch]
    assert {type(answer) for answer in found} == {Completion}
    assert sorted((a.key, a.stream) for a in found if isinstance(a, Completion)) == sorted(
        (request.key, stream) for request in requests for stream in request.streams
    )
