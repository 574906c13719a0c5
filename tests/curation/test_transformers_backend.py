"""The transformers backend, on tiny randomly initialised models with a real byte-level tokenizer."""

# ruff: noqa: E402
from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models
from transformers import (
    AutoModelForCausalLM,
    MistralConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
)

from curation.backends import TIER_DIGITS, Completion, Decoding, Failure, Message, Request
from curation.backends.decoding import NUCLEUS_CANDIDATES, sample_tokens
from curation.backends.transformers import TransformersBackend
from curation.models import resolve
from tests.tiny_model import build_tokenizer
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ raise_exception('no system turns') }}{% endif %}"
    "<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
CORPUS = [
    "tier 1 tier 2 tier 3 tier 4",
    "a café 鞋 👟 for Ünal",
    "the item answers the query: 3",
    "no match 1",
] * 20
QUERIES = (
    "shoes",
    "a café 鞋 for the item that answers the query",
    "no",
    "tier 3 tier 4 👟",
    "match the query",
)
CONTEXT = 160
GREEDY = 0.0


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """A model this small only loses by a second thread, and much when the cores are busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def digit_token(tokenizer: Any, space: str, digit: str) -> int:
    token: int = tokenizer.get_vocab()[space.replace(" ", "Ġ") + digit]
    return token


def save_model(directory: Path, config_class: Any, **settings: Any) -> Path:
    """A random model that likes to emit digits, of either family, and now and then to stop."""
    # ``3`` and `` 3`` are tokens, and no token holds two digits.
    tokenizer = build_tokenizer(CORPUS, 340, TEMPLATE)
    torch.manual_seed(0)
    config = config_class(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
        pad_token_id=None,
        initializer_range=0.2,
        tie_word_embeddings=False,
        **settings,
    )
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    liked = [digit_token(tokenizer, space, digit) for space in ("", " ") for digit in TIER_DIGITS]
    model.lm_head.weight.data[[*liked, tokenizer.eos_token_id]] *= 2.5
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


@pytest.fixture(scope="module")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("qwen"), Qwen2Config)


@pytest.fixture(scope="module")
def mistral(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every layer attends to the last eight positions only."""
    return save_model(tmp_path_factory.mktemp("mistral"), MistralConfig, sliding_window=8)


@pytest.fixture(scope="module")
def backend(qwen: Path) -> TransformersBackend:
    return TransformersBackend(qwen, batch_size=7, dtype="float32", device="cpu")


def ask(key: str, text: str, streams: Sequence[int] = (0,)) -> Request:
    return Request(key, (Message("user", text),), tuple(streams))


def complete(
    backend: TransformersBackend, requests: Sequence[Request], decoding: Decoding
) -> dict[tuple[str, int], Completion]:
    """Every completion by key and stream; fails on a ``Failure`` and on a repeated answer."""
    answers: dict[tuple[str, int], Completion] = {}
    for batch in backend.generate(requests, decoding):
        for answer in batch:
            assert isinstance(answer, Completion), answer
            assert (answer.key, answer.stream) not in answers
            answers[answer.key, answer.stream] = answer
    return answers


def prompt_ids(backend: TransformersBackend, text: str) -> Any:
    chat = [{"role": "user", "content": text}]
    rendered = backend.tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
    return backend.tokenizer(rendered, add_special_tokens=False, return_tensors="pt")["input_ids"]


def generate_greedily(backend: TransformersBackend, text: str, max_tokens: int) -> list[int]:
    """What the library's own loop generates for this prompt alone, unpadded."""
    ids = prompt_ids(backend, text)
    output = backend.model.generate(
        ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=max_tokens, pad_token_id=0
    )
    generated: list[int] = output[0, ids.shape[1] :].tolist()
    return generated


def digit_logprobs(backend: TransformersBackend, ids: Any, space: str) -> list[float]:
    """Of the four digits after ``ids``, by a bare forward pass."""
    with torch.inference_mode():
        logprobs = backend.model(ids).logits[0, -1].log_softmax(-1)
    tokens = [digit_token(backend.tokenizer, space, digit) for digit in TIER_DIGITS]
    values: list[float] = logprobs[tokens].tolist()
    return values


@pytest.mark.parametrize("architecture", ["qwen", "mistral"])
def test_greedy_text_equals_generate_for_prompts_of_unequal_length(
    architecture: str, request: pytest.FixtureRequest
) -> None:
    backend = TransformersBackend(
        request.getfixturevalue(architecture), batch_size=16, dtype="float32", device="cpu"
    )
    requests = [ask(text, text, (1, 2, 3)) for text in QUERIES]
    # 80 tokens are more than a cache block, so that the cache has to grow.
    answers = complete(backend, requests, Decoding(GREEDY, 1.0, 80))
    for text in QUERIES:
        expected = generate_greedily(backend, text, 80)
        for stream in (1, 2, 3):
            answer = answers[text, stream]
            assert answer.text == backend.tokenizer.decode(expected, skip_special_tokens=True)
            assert answer.completion_tokens == len(expected)
            assert answer.prompt_tokens == prompt_ids(backend, text).shape[1]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(counts=st.lists(st.integers(0, 17), max_size=12))
def test_every_stream_of_every_request_is_answered_once(
    backend: TransformersBackend, counts: list[int]
) -> None:
    requests = [
        ask(f"key-{number}", QUERIES[number % len(QUERIES)], range(count))
        for number, count in enumerate(counts)
    ]
    answers = complete(backend, requests, Decoding(max_tokens=3))
    assert set(answers) == {(asked.key, stream) for asked in requests for stream in asked.streams}


def test_windows_cover_all_requests(backend: TransformersBackend) -> None:
    requests = [ask(str(number), QUERIES[number % len(QUERIES)]) for number in range(300)]
    assert len(complete(backend, requests, Decoding(max_tokens=1))) == 300


def test_first_equals_the_log_softmax_of_a_bare_forward_pass(backend: TransformersBackend) -> None:
    requests = [ask(text, text, (1, 2)) for text in QUERIES]
    answers = complete(backend, requests, Decoding(temperature=0.3, top_p=0.5, max_tokens=4))
    for (text, _), answer in answers.items():
        expected = digit_logprobs(backend, prompt_ids(backend, text), "")
        assert answer.first == pytest.approx(expected, abs=1e-4)


def test_digits_carry_offset_and_logprobs_of_the_emitted_family(backend: TransformersBackend) -> None:
    tokenizer = backend.tokenizer
    answers = complete(backend, [ask(text, text) for text in QUERIES], Decoding(GREEDY, 1.0, 60))
    families = set()
    for text in QUERIES:
        tokens = generate_greedily(backend, text, 60)
        spelled = [tokenizer.decode([token]) for token in tokens]
        positions = [at for at, piece in enumerate(spelled) if piece.strip() in TIER_DIGITS]
        digits = answers[text, 0].digits
        assert len(digits) == len(positions)
        for at, digit in zip(positions, digits, strict=True):
            space = spelled[at][:-1]
            families.add(space)
            ids = torch.cat(
                [prompt_ids(backend, text), torch.tensor([tokens[:at]], dtype=torch.long)], dim=-1
            )
            assert digit.logprobs == pytest.approx(digit_logprobs(backend, ids, space), abs=1e-4)
            assert answers[text, 0].text[digit.offset] == spelled[at].strip()
    assert families == {"", " "}


def test_digit_offsets_are_characters_in_multi_byte_text(backend: TransformersBackend) -> None:
    answers = complete(
        backend, [ask(text, text, range(14)) for text in QUERIES], Decoding(temperature=1.6, max_tokens=30)
    )
    multi_byte = 0
    for answer in answers.values():
        # No token of this tokenizer but the digits themselves holds one of these characters.
        expected = [at for at, character in enumerate(answer.text) if character in TIER_DIGITS]
        assert [digit.offset for digit in answer.digits] == expected
        multi_byte += bool(answer.digits) and not answer.text.isascii()
    assert multi_byte > 20


def test_finish_reasons_and_token_counts(backend: TransformersBackend) -> None:
    answers = complete(
        backend, [ask(text, text, range(14)) for text in QUERIES], Decoding(temperature=1.0, max_tokens=12)
    )
    reasons = Counter(answer.finish_reason for answer in answers.values())
    assert min(reasons["stop"], reasons["length"]) > 5
    for answer in answers.values():
        assert "<|im_end|>" not in answer.text
        if answer.finish_reason == "length":
            assert answer.completion_tokens == 12
        else:
            assert 1 <= answer.completion_tokens <= 12
        if answer.completion_tokens == 1 and answer.finish_reason == "stop":
            assert answer.text == ""


def test_one_stream_draws_the_same_numbers_in_any_batch(qwen: Path) -> None:
    streams = (0, 1, 2**64, 2**128 - 1)
    decoding = Decoding(temperature=1.0, top_p=0.9, max_tokens=20)
    alone: dict[tuple[str, int], str] = {}
    backend = TransformersBackend(qwen, batch_size=1, dtype="float32", device="cpu")
    for text in QUERIES:
        answers = complete(backend, [ask(text, text, streams)], decoding)
        alone.update({name: answer.text for name, answer in answers.items()})
    assert len({alone[QUERIES[0], stream] for stream in streams}) == len(streams)
    backend = TransformersBackend(qwen, batch_size=13, dtype="float32", device="cpu")
    together = complete(
        backend, [ask(text, text, (*reversed(streams), 77)) for text in reversed(QUERIES)], decoding
    )
    assert {name: together[name].text for name in alone} == alone


def test_fewer_tokens_are_a_prefix_of_more(backend: TransformersBackend) -> None:
    asked = [ask(text, text, range(3)) for text in QUERIES]
    short = complete(backend, asked, Decoding(max_tokens=5))
    long = complete(backend, asked, Decoding(max_tokens=15))
    for name, answer in short.items():
        assert long[name].text.startswith(answer.text.rstrip("\ufffd"))


@pytest.mark.parametrize("vocabulary", [12, 3 * NUCLEUS_CANDIDATES])
@pytest.mark.parametrize(
    ("temperature", "top_p"), [(1.0, 1.0), (0.6, 1.0), (1.0, 0.8), (1.5, 0.35), (1.0, 1e-9)]
)
def test_sampled_tokens_follow_the_nucleus_distribution(
    vocabulary: int, temperature: float, top_p: float
) -> None:
    generator = np.random.default_rng(5)
    logits = generator.normal(size=vocabulary).astype(np.float32)
    # The distribution, worked out without the code under test.
    weights = np.exp(logits.astype(np.float64) / temperature)
    probabilities = weights / weights.sum()
    order = np.argsort(-probabilities)
    kept = order[: int(np.searchsorted(np.cumsum(probabilities[order]), min(top_p, 1 - 1e-12))) + 1]
    expected = np.zeros(vocabulary)
    expected[kept] = probabilities[kept] / probabilities[kept].sum()

    draws = 20_000
    counts = np.zeros(vocabulary)
    for uniforms in np.split(1 - generator.random(draws, dtype=np.float32), 20):
        tokens = sample_tokens(
            torch.from_numpy(logits).expand(len(uniforms), -1),
            torch.from_numpy(uniforms),
            Decoding(temperature, top_p),
        )
        counts += np.bincount(tokens.numpy(), minlength=vocabulary)
    assert counts[expected == 0].sum() == 0
    if vocabulary > NUCLEUS_CANDIDATES:
        # Groups of tokens, so that every expected count is large enough for the statistic.
        counts, expected = (values[order].reshape(12, -1).sum(-1) for values in (counts, expected))
    cells = expected * draws >= 5
    statistic = ((counts[cells] - expected[cells] * draws) ** 2 / (expected[cells] * draws)).sum()
    freedom = max(1, int(cells.sum()) - 1)
    # Five standard deviations of the chi-square distribution above its mean.
    assert statistic < freedom + 5 * math.sqrt(2 * freedom)


def test_extreme_uniforms_never_draw_an_impossible_token() -> None:
    logits = torch.tensor([[-torch.inf, 0.0, 1.0, -torch.inf]]).expand(2, -1)
    uniforms = torch.tensor([2.0**-53, 1.0])
    for top_p in (1.0, 0.9999999):
        assert sample_tokens(logits, uniforms, Decoding(1.0, top_p)).tolist() in ([1, 2], [2, 1])


def test_temperature_zero_is_greedy_whatever_the_stream(backend: TransformersBackend) -> None:
    answers = complete(backend, [ask("a", "shoes", range(9))], Decoding(GREEDY, 0.3, 10))
    assert len({answer.text for answer in answers.values()}) == 1


def test_guided_texts_open_with_a_digit_line_and_report_unguided_logprobs(
    backend: TransformersBackend,
) -> None:
    requests = [ask(text, text, range(6)) for text in QUERIES]
    guided = complete(backend, requests, Decoding(top_p=0.9, max_tokens=6, guided=True))
    free = complete(backend, requests, Decoding(max_tokens=1))
    for name, answer in guided.items():
        assert answer.text[0] in TIER_DIGITS
        assert answer.text[1] == "\n"
        assert answer.digits[0].offset == 0
        assert answer.digits[0].logprobs == pytest.approx(answer.first, abs=1e-5)
        assert answer.first == pytest.approx(free[name].first, abs=1e-5)


def test_a_prompt_that_is_too_long_fails_alone(backend: TransformersBackend) -> None:
    fitting = CONTEXT - 4
    long = "shoes " * CONTEXT
    requests = [ask("a", "shoes", (0, 1)), ask("long", long, (0, 1)), ask("b", "no match")]
    answers = [answer for batch in backend.generate(requests, Decoding(max_tokens=4)) for answer in batch]
    failures = [answer for answer in answers if isinstance(answer, Failure)]
    assert [failure.key for failure in failures] == ["long"]
    assert str(prompt_ids(backend, long).shape[1]) in failures[0].reason
    assert str(fitting) in failures[0].reason
    assert Counter(answer.key for answer in answers) == {"a": 2, "b": 1, "long": 1}


def test_a_prompt_may_fill_the_context_exactly(backend: TransformersBackend) -> None:
    length = prompt_ids(backend, "shoes").shape[1]
    exact, over = (Decoding(GREEDY, 1.0, CONTEXT - length + extra) for extra in (0, 1))
    assert len(complete(backend, [ask("a", "shoes")], exact)) == 1
    assert isinstance(next(backend.generate([ask("a", "shoes")], over))[0], Failure)


def test_a_prompt_that_the_template_refuses_fails_alone(backend: TransformersBackend) -> None:
    refused = Request("refused", (Message("system", "be brief"), Message("user", "shoes")), (0, 1))
    answers = [
        answer
        for batch in backend.generate([refused, ask("a", "shoes")], Decoding(max_tokens=2))
        for answer in batch
    ]
    assert {type(answer).__name__ + " " + answer.key for answer in answers} == {
        "Failure refused",
        "Completion a",
    }
    assert any("no system turns" in answer.reason for answer in answers if isinstance(answer, Failure))


def test_running_out_of_memory_halves_the_batch(qwen: Path) -> None:
    backend = TransformersBackend(qwen, batch_size=16, dtype="float32", device="cpu")

    def fail_above_five_rows(_: Any, __: Any, settings: dict[str, Any]) -> None:
        if len(settings["input_ids"]) > 5:
            raise torch.cuda.OutOfMemoryError("out of memory")

    asked = [ask(text, text, range(5)) for text in QUERIES]
    expected = complete(backend, asked, Decoding(max_tokens=6))
    handle = backend.model.register_forward_pre_hook(fail_above_five_rows, with_kwargs=True)
    assert complete(backend, asked, Decoding(max_tokens=6)).keys() == expected.keys()
    assert backend.batch_size == 4
    handle.remove()
    backend.model.register_forward_pre_hook(
        lambda *_: (_ for _ in ()).throw(torch.cuda.OutOfMemoryError("out of memory"))
    )
    with pytest.raises(TierwiseError, match="max-tokens"):
        complete(backend, asked, Decoding(max_tokens=6))


def test_a_tokenizer_without_chat_template_is_refused(qwen: Path, tmp_path: Path) -> None:
    AutoModelForCausalLM.from_pretrained(qwen).save_pretrained(tmp_path)
    tokenizer = build_tokenizer(CORPUS, 340, TEMPLATE)
    tokenizer.chat_template = None
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(TierwiseError, match="no chat template"):
        TransformersBackend(tmp_path, device="cpu")


def test_a_tokenizer_without_tier_digits_is_refused(qwen: Path, tmp_path: Path) -> None:
    AutoModelForCausalLM.from_pretrained(qwen).save_pretrained(tmp_path)
    words = Tokenizer(models.WordLevel({"<unk>": 0, "1": 1, "2": 2, "3": 3}, unk_token="<unk>"))
    PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token="<unk>", chat_template=TEMPLATE
    ).save_pretrained(tmp_path)
    with pytest.raises(TierwiseError, match="tier digit"):
        TransformersBackend(tmp_path, device="cpu")


@pytest.mark.parametrize("name", ["no/such-model", "a model"])
def test_a_model_that_cannot_be_loaded_is_one_line(name: str, tmp_path: Path) -> None:
    with pytest.raises(TierwiseError) as error:
        TransformersBackend(tmp_path / name, device="cpu")
    assert "\n" not in str(error.value)


@pytest.mark.model
def test_smollm2_answers_as_generate_does() -> None:
    try:
        model = resolve("smollm2-135m")
    except TierwiseError as error:
        pytest.skip(str(error))
    backend = TransformersBackend(model.path, batch_size=4, dtype="float32", device="cpu")
    texts = (
        "Is a red shoe a shoe? Answer 1 to 4.",
        "Count to four in digits, then say why a café has no 鞋.",
    )
    answers = complete(backend, [ask(text, text, (1, 2)) for text in texts], Decoding(GREEDY, 1.0, 24))
    for text in texts:
        expected = backend.tokenizer.decode(generate_greedily(backend, text, 24), skip_special_tokens=True)
        assert [answers[text, stream].text for stream in (1, 2)] == [expected, expected]
        assert answers[text, 1].first == pytest.approx(
            digit_logprobs(backend, prompt_ids(backend, text), ""), abs=1e-3
        )


def test_an_answer_that_was_begun_goes_on_where_it_stood(backend: TransformersBackend) -> None:
    begun = " tier 3 \n"
    request = Request("k", (Message("user", "shoes"), Message("assistant", begun)), (0,))
    found = complete(backend, [request], Decoding(GREEDY, max_tokens=12))["k", 0]
    chat = [{"role": "user", "content": "shoes"}]
    rendered = backend.tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False) + begun
    ids = backend.tokenizer(rendered, add_special_tokens=False, return_tensors="pt")["input_ids"]
    settings = {"attention_mask": torch.ones_like(ids), "pad_token_id": 0, "do_sample": False}
    settings = {"attention_mask": torch.ones_like(ids), "pad_token_id": 0, "do_sample": False}
    expected = backend.model.generate(ids, max_new_tokens=12, **settings)[0, ids.shape[1] :]
    assert found.prompt_tokens == ids.shape[1]
    assert found.text == backend.tokenizer.decode(expected, skip_special_tokens=True)
