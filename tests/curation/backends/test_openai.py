"""The openai backend against a server that misbehaves as told, over real sockets."""

from __future__ import annotations

import gc
import logging
import math
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("openai")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curation.backends import Completion, Decoding, Failure, Message, Request, Score, Usage
from curation.backends.openai import OpenAIBackend, resolve_served
from curation.backends.openai import fleet as patience
from curation.backends.openai.server import Address
from tests.curation.backends import server as faults
from tests.curation.backends.server import running
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.curation.backends.server import Fault, Scripted

KEY = "sk-very-secret-0123456789"


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "BACKOFF_SECONDS", 0.001)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


@pytest.fixture
def server() -> Iterator[Scripted]:
    with running() as scripted:
        yield scripted


def ask(count: int, n: int = 2) -> list[Request]:
    return [
        Request(f"key{index}", (Message("user", f"prompt {index}"),), tuple(range(100, 100 + n)))
        for index in range(count)
    ]


def backend(server: Scripted, **settings: Any) -> OpenAIBackend:
    return OpenAIBackend([server.url], "tiny", **{"concurrency": 4, "retries": 3, **settings})


def answers(
    server: Scripted, requests: Sequence[Request], **settings: Any
) -> tuple[list[Completion], list[Failure]]:
    found = [
        answer for batch in backend(server, **settings).generate(requests, Decoding()) for answer in batch
    ]
    return (
        [answer for answer in found if isinstance(answer, Completion)],
        [answer for answer in found if isinstance(answer, Failure)],
    )


def only(server: Scripted, n: int = 1) -> list[Completion]:
    """The completions of one prompt, which must not fail."""
    completions, failures = answers(server, ask(1, n))
    assert failures == []
    assert [completion.stream for completion in completions] == list(range(100, 100 + n))
    return completions


def test_a_prompt_costs_one_request_and_every_stream_is_answered_once(server: Scripted) -> None:
    completions, failures = answers(server, ask(9, 3))
    assert failures == []
    assert Counter((c.key, c.stream) for c in completions) == Counter(
        (request.key, stream) for request in ask(9, 3) for stream in request.streams
    )
    assert {c.key: c.text for c in completions} == {f"key{i}": f"3 prompt {i}" for i in range(9)}
    assert len(server.asked) == 9


def test_the_request_holds_prompt_and_decoding_and_no_seed(server: Scripted) -> None:
    request = Request("k", (Message("system", "Judge."), Message("user", "shoes")), (5, 6))
    decoding = Decoding(temperature=0.7, top_p=0.9, max_tokens=11)
    list(backend(server).generate([request], decoding))
    assert server.asked == [
        {
            "model": "tiny",
            "messages": [{"role": "system", "content": "Judge."}, {"role": "user", "content": "shoes"}],
            "n": 2,
            "temperature": 0.7,
            "top_p": 0.9,
            "max_tokens": 11,
            "logprobs": True,
            "top_logprobs": 20,
        }
    ]


BEGUN = (Message("user", "shoes"), Message("assistant", "It is a shoe.\n"))


def test_an_answer_that_was_begun_is_continued(server: Scripted) -> None:
    # A turn that is ended, and a head for the next one, make a prompt longer.
    server.rule = lambda _, asked: faults.reply(
        "3", prompt_tokens=9 if "continue_final_message" in asked else 12
    )
    continuing = backend(server)
    for key in ("k", "l"):
        (batch,) = continuing.generate([Request(key, BEGUN, (5,))], Decoding())
        assert [answer.key for answer in batch] == [key]
    *probes, first, second = server.asked
    assert [(asked["max_tokens"], "continue_final_message" in asked) for asked in probes] == [
        (1, True),
        (1, False),
    ]
    for asked in (first, second):
        assert asked["messages"][-1] == {"role": "assistant", "content": "It is a shoe.\n"}
        assert (asked["continue_final_message"], asked["add_generation_prompt"]) == (True, False)


@pytest.mark.parametrize(
    "rule",
    [
        lambda _, asked: None,
        lambda _, asked: (
            faults.status(400, "Unrecognized request argument supplied: continue_final_message")
            if "continue_final_message" in asked
            else None
        ),
    ],
)
def test_a_server_that_would_begin_anew_is_refused_before_anything_is_paid(
    server: Scripted, rule: Any
) -> None:
    server.rule = rule
    with pytest.raises(TierwiseError, match="does not go on with an answer that was begun"):
        backend(server).generate([Request(f"k{n}", BEGUN, (5,)) for n in range(20)], Decoding())
    assert len(server.asked) <= 2


@pytest.mark.parametrize(
    "fault",
    [
        faults.status(500),
        faults.status(503, headers={"Retry-After": "0"}),
        faults.status(408),
        faults.status(409),
        faults.status(429, headers={"Retry-After": "soon"}),
        faults.cut,
        faults.slam,
        faults.hang,
        faults.drip,
        faults.body("<html>busy</html>", "text/html"),
        faults.body("<html>busy</html>"),
        faults.body('{"choices": [{"message": {"content": "3'),
        faults.body('{"choices": []}'),
        faults.body('{"error": {"message": "overloaded"}}'),
        faults.body('{"choices": [{"message": {"content": "\\ud83d"}}]}'),
    ],
)
def test_what_may_pass_is_tried_again(server: Scripted, fault: Fault) -> None:
    server.script(fault, fault)
    completions, failures = answers(server, ask(1), timeout=0.2)
    assert failures == []
    assert [c.text for c in completions] == ["3 prompt 0"] * 2
    assert len(server.asked) == 3


def test_a_prompt_that_is_never_answered_is_a_passing_failure(server: Scripted) -> None:
    server.rule = lambda _, asked: faults.status(500) if "prompt 1" in str(asked) else None
    completions, failures = answers(server, ask(5))
    assert {c.key for c in completions} == {"key0", "key2", "key3", "key4"}
    assert [(f.key, f.lasting) for f in failures] == [("key1", False)]
    assert sum("prompt 1" in str(asked) for asked in server.asked) == 4


@pytest.mark.parametrize("code", [400, 413, 422])
def test_a_prompt_that_is_refused_is_a_lasting_failure_in_one_line(server: Scripted, code: int) -> None:
    words = "the prompt is\ntoo long " + "x" * 1000
    server.rule = lambda _, asked: faults.status(code, words) if "prompt 1" in str(asked) else None
    completions, (failure,) = answers(server, ask(5))
    assert len(completions) == 8
    assert (failure.key, failure.lasting) == ("key1", True)
    assert "the prompt is too long" in failure.reason
    assert "\n" not in failure.reason
    assert len(failure.reason) < 300
    assert sum("prompt 1" in str(asked) for asked in server.asked) == 1


def test_a_refused_prompt_is_a_failure_where_it_is_the_only_one(server: Scripted) -> None:
    server.script(faults.status(400, "too long"))
    completions, failures = answers(server, ask(1))
    assert (completions, [failure.lasting for failure in failures]) == ([], [True])


def test_prompts_refused_for_different_reasons_are_failures(server: Scripted) -> None:
    server.rule = lambda number, _: faults.status(400, f"{number} tokens are too many")
    completions, failures = answers(server, ask(9))
    assert (completions, len(failures)) == ([], 9)


def test_a_server_that_refuses_every_prompt_in_the_same_words_ends_the_run(server: Scripted) -> None:
    server.rule = lambda *_: faults.status(400, "Server is pinned to 'other'")
    batches = backend(server).generate(ask(50), Decoding())
    with pytest.raises(TierwiseError, match=r"refuses every request .*pinned to 'other'"):
        next(batches)
    assert len(server.asked) < 10


@pytest.mark.parametrize("retry_after", ["1", "date"])
def test_while_the_server_asks_for_quiet_no_request_is_made(server: Scripted, retry_after: str) -> None:
    quiet_until = math.inf
    disturbed = 0

    def rule(number: int, asked: dict[str, Any]) -> Fault | None:
        nonlocal quiet_until, disturbed
        if number == 6:
            # A date has whole seconds: up to one of them is lost to rounding.
            header = retry_after
            if retry_after == "date":
                header = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
            quiet_until = time.monotonic() + 0.9
            return faults.status(429, headers={"Retry-After": header})
        # Those that were under way may still arrive.
        disturbed += quiet_until - 0.7 < time.monotonic() < quiet_until
        return None

    server.rule = rule
    completions, failures = answers(server, ask(40))
    assert (len(completions), failures, disturbed) == (80, [], 0)


def test_being_told_to_slow_down_while_others_are_answered_uses_up_no_try(server: Scripted) -> None:
    refused = 0

    def others() -> int:
        return sum("prompt 0" not in str(asked) for asked in list(server.asked))

    def rule(number: int, asked: dict[str, Any]) -> Fault | None:
        nonlocal refused
        came = others()
        if "prompt 0" not in str(asked) or came >= 18:
            return None
        # With two prompts in flight, another one is answered between two arrivals.
        while others() < came + 2:
            time.sleep(0.001)
        refused += 1
        return faults.status(429)

    server.rule = rule
    completions, failures = answers(server, ask(21), retries=1, concurrency=2)
    assert (len(completions), failures) == (42, [])
    assert refused > 3


def test_fewer_choices_than_asked_are_made_up_by_asking_again(server: Scripted) -> None:
    server.rule = lambda *_: faults.fewer
    only(server, 4)
    assert [asked.get("n", 1) for asked in server.asked] == [4, 1]


def test_more_choices_than_asked_are_dropped(server: Scripted) -> None:
    server.script(faults.reply("3 a", "2 b", "1 c"))
    assert [completion.text for completion in only(server, 2)] == ["3 a", "2 b"]


@pytest.mark.parametrize("text", [None, ""])
def test_no_content_is_an_empty_text(server: Scripted, text: str | None) -> None:
    server.script(faults.reply(text))
    (completion,) = only(server)
    assert (completion.text, completion.digits) == ("", ())


def test_a_long_content_is_whole(server: Scripted) -> None:
    text = "2 " + "long 👟 " * 12_500
    server.script(faults.reply(text))
    assert only(server)[0].text == text


def test_generation_ends_by_length_or_stops(server: Scripted) -> None:
    server.script(faults.reply("3", reason="length"), faults.reply("3", reason="content_filter"))
    assert [only(server)[0].finish_reason for _ in range(2)] == ["length", "stop"]


@pytest.mark.parametrize("logprobs", [True, False])
def test_the_tokens_of_all_choices_add_up_to_what_the_server_counted(
    server: Scripted, logprobs: bool
) -> None:
    texts = ("3", "2 for a longer one", "", "1 because of the very much longer text that it has")
    server.script(faults.reply(*texts, logprobs=logprobs))
    completions = only(server, 4)
    counts = [completion.completion_tokens for completion in completions]
    assert sum(counts) == sum(len(faults.split(text)) for text in texts)
    assert counts[3] > counts[1] > counts[0]
    assert {completion.prompt_tokens for completion in completions} == {7}
    if logprobs:
        assert counts == [1, 5, 1, 11]


def test_without_usage_tokens_are_counted_or_estimated(server: Scripted) -> None:
    server.script(
        faults.reply("3 as asked", usage=False), faults.reply("3 as asked", usage=False, logprobs=False)
    )
    listed, estimated = only(server)[0], only(server)[0]
    assert (listed.completion_tokens, estimated.completion_tokens) == (3, 3)
    assert estimated.prompt_tokens == math.ceil(len("prompt 0") / 4)


def test_without_logprobs_there_are_no_tier_probabilities(server: Scripted) -> None:
    server.script(faults.reply("3 fits", logprobs=False))
    (completion,) = only(server)
    assert (completion.text, completion.first, completion.digits) == ("3 fits", None, ())


def test_digits_are_found_behind_characters_that_tokens_share(server: Scripted) -> None:
    shoe = "👟".encode()
    tokens = [
        faults.listed("3"),
        {"token": " \\xf0", "bytes": list(b" " + shoe[:1]), "logprob": -1.0, "top_logprobs": []},
        {"token": "\\x9f", "bytes": list(shoe[1:]), "logprob": -1.0, "top_logprobs": None},
        faults.listed(" 4"),
        faults.listed("<|im_end|>"),
    ]
    answer = faults.chat(["3 👟 4"])
    answer["choices"][0]["logprobs"]["content"] = tokens
    server.script(lambda handler: handler.answer(answer))
    (completion,) = only(server)
    assert [(digit.offset, digit.logprobs) for digit in completion.digits] == [
        (0, (-0.5, -1.0, -1.5, -2.0)),
        # Of its family only the digit itself is known; the others are at most as likely as the last in the list.
        (4, (-2.0, -2.0, -2.0, -1.5)),
    ]


def test_a_digit_less_likely_than_what_is_listed_tells_nothing_of_the_others(server: Scripted) -> None:
    answer = faults.chat(["Tier: 4"])
    token = answer["choices"][0]["logprobs"]["content"][1]
    token["logprob"] = -9.0
    # Some servers add the token to the list.
    token["top_logprobs"].append({"token": " 4", "logprob": -9.0})
    server.script(lambda handler: handler.answer(answer))
    assert only(server)[0].digits == ()


def test_a_digit_that_is_not_listed_is_as_likely_as_the_least_likely_token(server: Scripted) -> None:
    answer = faults.chat(["3"])
    (token,) = answer["choices"][0]["logprobs"]["content"]
    token["logprob"] = -0.1
    token["top_logprobs"] = [
        {"token": "3", "logprob": -0.1},
        {"token": "The", "logprob": -3.0},
        {"token": "2", "logprob": -5.0},
        {"token": "4", "logprob": None},
    ]
    server.script(lambda handler: handler.answer(answer))
    assert only(server)[0].first == (-5.0, -5.0, -0.1, -5.0)


def test_a_list_without_a_digit_tells_nothing(server: Scripted) -> None:
    answer = faults.chat(["The"])
    answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"] = [{"token": "The", "logprob": -0.1}]
    server.script(lambda handler: handler.answer(answer))
    assert only(server)[0].first is None


def test_a_reasoning_that_the_server_took_out_shifts_no_digit(server: Scripted) -> None:
    answer = faults.chat(["Tier 4 fits"])
    tokens = answer["choices"][0]["logprobs"]["content"]
    answer["choices"][0]["logprobs"]["content"] = [faults.listed(t) for t in ("<think>", "2", "\n")] + tokens
    server.script(lambda handler: handler.answer(answer))
    assert [digit.offset for digit in only(server)[0].digits] == [5]


@pytest.mark.parametrize("piece", [[], [0xF0, 0x9F]])
def test_a_character_that_was_never_completed_shifts_no_digit(server: Scripted, piece: list[int]) -> None:
    answer = faults.chat(["so \ufffd 4"])
    answer["choices"][0]["logprobs"]["content"] = [
        faults.listed("so "),
        {"token": "", "bytes": piece, "logprob": -1.0},
        faults.listed(" 4"),
    ]
    server.script(lambda handler: handler.answer(answer))
    assert [digit.offset for digit in only(server)[0].digits] == [5]


def test_tokens_that_do_not_spell_the_text_tell_nothing(server: Scripted) -> None:
    answer = faults.chat(["4 fits"])
    answer["choices"][0]["logprobs"]["content"][1]["bytes"] = list(b" sits")
    server.script(lambda handler: handler.answer(answer))
    (completion,) = only(server)
    assert (completion.first, completion.digits) == (None, ())


@pytest.mark.parametrize(
    ("message", "fields", "field"),
    [
        (
            "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
            {"param": "max_tokens"},
            "max_tokens",
        ),
        ("You are not allowed to request logprobs", {}, "logprobs"),
        ("Only one completion choice is allowed", {}, "n"),
        ("number must be at most 1", {"param": "n"}, "n"),
    ],
)
def test_a_parameter_that_the_server_refuses_is_not_sent_again(
    server: Scripted, message: str, fields: dict[str, Any], field: str
) -> None:
    server.rule = lambda _, asked: faults.status(400, message, **fields) if field in asked else None
    chosen = backend(server)
    for _ in range(2):
        found = [answer for batch in chosen.generate(ask(8), Decoding(max_tokens=11)) for answer in batch]
        assert len(found) == 16
        assert {type(answer) for answer in found} == {Completion}
    # At most those that were in flight when the first was refused.
    assert 1 <= sum(field in asked for asked in server.asked) <= 4
    assert all(11 in (a.get("max_tokens"), a.get("max_completion_tokens")) for a in server.asked)


def test_a_refused_key_is_told_without_the_key(server: Scripted) -> None:
    for code in (401, 403):
        server.script(*[faults.status(code, f"Incorrect key: {KEY}")] * 2)
        with pytest.raises(TierwiseError, match="refuses the key in OPENAI_API_KEY") as caught:
            answers(server, ask(2))
        assert KEY not in str(caught.value)


def test_one_forbidden_prompt_is_a_failure_and_no_refused_key(server: Scripted) -> None:
    server.rule = lambda _, asked: faults.status(403, "flagged") if "prompt 0" in str(asked) else None
    completions, failures = answers(server, ask(3))
    assert (len(completions), [(f.key, f.lasting) for f in failures]) == (4, [("key0", False)])


def test_a_model_that_is_not_served_is_told_with_those_that_are(server: Scripted) -> None:
    server.models = [f"model{number:02}" for number in range(12)]
    server.rule = lambda *_: faults.status(404, "The model `tiny` does not exist.", code="model_not_found")
    with pytest.raises(TierwiseError, match=r"serves no model 'tiny'; it serves: model00, .*model09, …$"):
        answers(server, ask(2))


def test_an_address_without_chat_completions_is_told(server: Scripted) -> None:
    server.rule = lambda *_: faults.status(404, "Not Found")
    with pytest.raises(TierwiseError, match=r"refuses every request .*base URL"):
        answers(server, ask(2))


def test_a_server_gone_for_good_ends_the_run_after_what_it_answered(server: Scripted) -> None:
    server.rule = lambda number, _: faults.slam if number >= 10 else None
    batches = backend(server).generate(ask(100), Decoding())
    found: list[Any] = []
    with pytest.raises(TierwiseError, match=r"does not answer .* 10 of \d+ prompts .*same command") as caught:
        found.extend(answer for batch in batches for answer in batch)
    assert "\n" not in str(caught.value)
    assert len([answer for answer in found if isinstance(answer, Completion)]) == 20
    assert not any(answer.lasting for answer in found if isinstance(answer, Failure))
    assert len(server.asked) < 50


def test_once_there_is_enough_nothing_more_is_begun_and_all_begun_is_yielded(server: Scripted) -> None:
    seen = Usage()

    def enough(unseen: Usage) -> bool:
        return (seen + unseen).completion_tokens >= 6 * len(["3", "prompt", "0"]) * 2

    found: list[Completion | Failure] = []
    for batch in backend(server).generate(ask(20), Decoding(max_tokens=3), enough):
        found += batch
        seen += Usage.of(answer for answer in batch if isinstance(answer, Completion))
    assert {answer.key for answer in found} == {f"key{index}" for index in range(6)}
    assert len(found) == len(server.asked) * 2 == 12


@given(budget=st.integers(0, 400), concurrency=st.integers(1, 8), longest=st.integers(3, 60))
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_budget_is_exceeded_by_one_prompt_at_most(
    server: Scripted, budget: int, concurrency: int, longest: int
) -> None:
    server.rule = lambda *_: faults.reply("a b c", "a b c")
    of = backend(server, concurrency=concurrency)
    used = Usage()

    def enough(unseen: Usage) -> bool:
        return (used + unseen).tokens >= budget

    for batch in of.generate(ask(60), Decoding(max_tokens=longest), enough):
        used += Usage.of(answer for answer in batch if isinstance(answer, Completion))
    one = 7 + 2 * 3
    assert used.tokens < budget + one if budget else used.tokens == 0
    assert used.tokens >= min(budget, 60 * one)


def test_what_is_not_yielded_yet_counts_for_being_enough(server: Scripted) -> None:
    tokens = 2 * len(["3", "prompt", "0"])
    prompts = backend(server, concurrency=2).generate(
        ask(20), Decoding(max_tokens=3), lambda unseen: unseen.completion_tokens >= 3 * tokens
    )
    assert len(next(prompts)) == 6


class Endless(Sequence[Request]):
    """Requests made when they are asked for."""

    made = 0

    def __len__(self) -> int:
        return 1_000_000

    def __getitem__(self, index: Any) -> Any:
        self.made = max(self.made, index + 1)
        return Request(f"key{index}", (Message("user", f"prompt {index}"),), (0,))


def test_requests_are_taken_as_they_are_begun(server: Scripted) -> None:
    requests = Endless()
    batches = backend(server).generate(requests, Decoding())
    answered = len(next(batches))
    # Four in flight, and one that waits for its turn.
    assert answered < requests.made <= answered + 5
    assert server.most <= 4
    batches.close()  # type: ignore[attr-defined]


def test_closing_early_leaves_nothing_behind(
    server: Scripted, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    server.rule = lambda number, _: faults.hang if number >= 2 else None
    batches = backend(server).generate(ask(10), Decoding())
    assert len(next(batches)) == 4
    batches.close()  # type: ignore[attr-defined]
    del batches
    gc.collect()
    assert [record for record in caplog.records if record.name == "asyncio"] == []
    assert list(recwarn) == []


def test_an_interrupt_ends_the_process_without_noise(server: Scripted) -> None:
    server.rule = lambda *_: faults.hang
    program = (
        "import sys\n"
        "from curation.backends import Decoding, Message, Request\n"
        "from curation.backends.openai import OpenAIBackend\n"
        "requests = [Request(str(i), (Message('user', 'x'),), (0,)) for i in range(9)]\n"
        "try:\n"
        f"    list(OpenAIBackend([{server.url!r}], 'tiny').generate(requests, Decoding()))\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )
    with subprocess.Popen(
        [sys.executable, "-W", "always::ResourceWarning", "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while len(server.asked) < 9:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert (output, errors) == ("interrupted\n", "")


def test_an_interrupt_hands_over_what_was_answered(server: Scripted) -> None:
    server.rule = lambda _, asked: None if "prompt 0" in str(asked) else faults.hang
    program = (
        "from curation.backends import Decoding, Message, Request\n"
        "from curation.backends import pump\n"
        "from curation.backends.openai import OpenAIBackend\n"
        # Long enough that the answer is not handed over before the interrupt.
        "pump.BATCH_SECONDS = 1000\n"
        "requests = [Request(str(i), (Message('user', f'prompt {i}'),), (0,)) for i in range(3)]\n"
        "try:\n"
        f"    for batch in OpenAIBackend([{server.url!r}], 'tiny').generate(requests, Decoding()):\n"
        "        print([answer.text for answer in batch])\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        while len(server.asked) < 3:
            time.sleep(0.01)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert (output, errors) == ("['3 prompt 0']\ninterrupted\n", "")


def test_the_key_is_in_no_message_and_no_log(server: Scripted, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    told: list[str] = []
    for code in (400, 404, 429, 500):
        assert len(only(server)) == 1
        server.script(faults.status(code, f"no {KEY}", param=KEY))
        # One prompt alone that is refused would end the run; one that is told to slow down would be asked again.
        told += [failure.reason for failure in answers(server, ask(2 if code < 429 else 1), retries=0)[1]]
    server.rule = lambda *_: faults.body(f"<p>{KEY}</p>")
    told += [failure.reason for failure in answers(server, ask(1), retries=1)[1]]
    assert len(told) == 5
    assert all("…" in reason for reason in told)
    assert KEY not in "".join(told) + caplog.text


def test_a_key_that_no_header_can_hold_is_told_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}\r\nX-Other: 1")
    with pytest.raises(TierwiseError, match="OPENAI_API_KEY") as caught:
        OpenAIBackend(["http://127.0.0.1:9/v1"], "tiny")
    assert KEY not in str(caught.value)


def test_a_key_is_wanted_for_openai_alone(monkeypatch: pytest.MonkeyPatch, server: Scripted) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(TierwiseError, match="set OPENAI_API_KEY"):
        OpenAIBackend([], "gpt")
    assert len(only(server)) == 1


def test_the_url_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, server: Scripted) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    assert OpenAIBackend([], None).model == "tiny"


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8000",
        "ftp://host/v1",
        "http://",
        "http://host:abc/v1",
        "http://[::1/v1",
        "http://127.0.0.1:99999/v1",
    ],
)
def test_what_is_no_url_is_told(url: str) -> None:
    with pytest.raises(TierwiseError, match="no server's URL"):
        OpenAIBackend([url], "tiny")


def test_credentials_in_the_url_are_not_told() -> None:
    with pytest.raises(TierwiseError, match="does not say which models") as caught:
        resolve_served(Address("http://user:hidden@127.0.0.1:9/v1"))
    assert "hidden" not in str(caught.value)


def test_the_only_model_need_not_be_named(server: Scripted) -> None:
    assert resolve_served(Address(server.url)) == "tiny"
    server.models = ["b", "a"]
    with pytest.raises(TierwiseError, match=r"serves 2 models \(a, b\); name one.*openai:URL#MODEL"):
        resolve_served(Address(server.url))
    server.models = []
    with pytest.raises(TierwiseError, match="no model"):
        OpenAIBackend([server.url], None)


def test_guided_decoding_is_refused_at_once(server: Scripted) -> None:
    with pytest.raises(TierwiseError, match="--unguided"):
        backend(server).generate(ask(1), Decoding(guided=True))
    assert server.asked == []


def test_a_score_costs_one_token(server: Scripted) -> None:
    (found,) = backend(server).score(ask(3))
    assert sorted(found, key=lambda answer: answer.key) == [
        Score(f"key{index}", 7, (-0.5, -1.0, -1.5, -2.0)) for index in range(3)
    ]
    assert {(asked["max_tokens"], asked.get("n", 1)) for asked in server.asked} == {(1, 1)}


def test_a_score_without_logprobs_is_the_servers_failure_and_not_the_prompts(server: Scripted) -> None:
    server.script(faults.reply("3", logprobs=False))
    ((failure,),) = backend(server).score(ask(1))
    assert isinstance(failure, Failure)
    assert not failure.lasting
    assert "gives no log-probabilities" in failure.reason


FAULTS: list[Fault] = [
    faults.status(500),
    faults.status(503),
    faults.status(429),
    faults.status(429, headers={"Retry-After": "0"}),
    faults.status(400, "too long"),
    faults.status(403, "flagged"),
    faults.cut,
    faults.slam,
    faults.body("<html>"),
    faults.fewer,
]


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    script=st.lists(st.none() | st.sampled_from(FAULTS), max_size=30),
    sizes=st.lists(st.integers(1, 3), max_size=12),
    concurrency=st.integers(1, 5),
    retries=st.integers(0, 2),
)
def test_every_answer_is_yielded_once_whatever_befalls(
    script: list[Fault | None], sizes: list[int], concurrency: int, retries: int
) -> None:
    requests = [
        Request(f"key{index}", (Message("user", f"prompt {index}"),), tuple(range(n)))
        for index, n in enumerate(sizes)
    ]
    found: list[Any] = []
    given_up = False
    with running() as server:
        server.rule = lambda number, _: script[number] if number < len(script) else None
        model = backend(server, concurrency=concurrency, retries=retries)
        try:
            for batch in model.generate(requests, Decoding()):
                assert batch
                found += batch
        except TierwiseError:
            given_up = True
    completed = Counter((a.key, a.stream) for a in found if isinstance(a, Completion))
    failed = Counter(a.key for a in found if isinstance(a, Failure))
    assert set(completed.values()) | set(failed.values()) <= {1}
    # Whatever the server served was yielded.
    by_key = Counter(key for key, _ in completed)
    assert by_key == Counter({f"key{p.removeprefix('prompt ')}": n for p, n in server.served.items()})
    for request in requests:
        whole = by_key[request.key] == len(request.streams)
        assert whole != bool(failed[request.key]) or (given_up and not whole)
    assert server.most <= concurrency
