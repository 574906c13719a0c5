"""Completions from a causal language model in this process, by 🤗 transformers and PyTorch.

The decode loop is `curation.backends.decoding`'s, so that a prompt is read once for its n samples, a sample's random
numbers follow from its stream alone, and the tier digits' log-probabilities cost next to nothing.

Shapes in this module: P prompts, R rows (completions in flight), L positions, V vocabulary size.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
import torch
from transformers import AutoModelForCausalLM
from transformers.utils import logging

from curation.backends import Completion, Failure, Request, Score, Usage, never
from curation.backends.decoding import decode, draw_uniforms, prefill
from curation.backends.tokens import Prompt, completion, digit_families, load_tokenizer, tokenize
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from curation.backends import Decoding, DigitLogprobs, Enough

T = TypeVar("T")
A = TypeVar("A")

BATCHES_PER_WINDOW = 16
"""How many full batches of prompts are tokenized and sorted by length at a time."""


@dataclass(slots=True, eq=False)
class _Row:
    """One completion in flight."""

    prompt: Prompt
    stream: int
    first: DigitLogprobs = (0.0, 0.0, 0.0, 0.0)
    tokens: list[int] = field(default_factory=list)
    digits: list[tuple[int, DigitLogprobs]] = field(default_factory=list)
    """Position among ``tokens`` and log-probabilities of every tier digit emitted."""
    finish_reason: Literal["stop", "length"] = "length"


class TransformersBackend:
    """A causal language model with its tokenizer, ready to generate.

    Attributes:
        model: The loaded ``PreTrainedModel``, in evaluation mode.
        tokenizer: Its tokenizer, which has a chat template.
        batch_size: Completions in flight. Halved, and left so, when the GPU runs out of memory.
        context: The longest sequence the model takes, in tokens; ``None`` when its configuration sets none.
        eos_token_ids: Tokens that end a completion.
    """

    def __init__(
        self,
        model: str | Path,
        *,
        adapter: Path | None = None,
        batch_size: int | None = None,
        dtype: Literal["bfloat16", "float32"] | None = None,
        device: str | None = None,
    ) -> None:
        """Load ``model`` from a directory or the Hub, as safetensors and without remote code.

        Args:
            model: A model directory or a Hub id.
            adapter: A LoRA adapter's directory, if any; it is merged into the weights.
            batch_size: Completions in flight; by default 32 on a CPU and 256 elsewhere.
            dtype: What weights and activations are held in; by default bfloat16, but float32 on a CPU that
                cannot multiply bfloat16 (five times slower without AVX-512). Sampling is in float32 always.
            device: A PyTorch device; by default CUDA when there is one, else the CPU.

        Raises:
            TierwiseError: The model cannot be loaded, its tokenizer has no chat template, or a tier digit
                is not one token.
        """
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        on_cpu = self.device.type == "cpu"
        self.batch_size = batch_size or (32 if on_cpu else 256)
        slow_bfloat16 = on_cpu and torch.backends.cpu.get_cpu_capability() != "AVX512"
        logging.disable_progress_bar()
        self.tokenizer = load_tokenizer(model)
        try:
            self.model = AutoModelForCausalLM.from_pretrained(
                model,
                dtype=getattr(torch, dtype or ("float32" if slow_bfloat16 else "bfloat16")),
                attn_implementation="sdpa",
                use_safetensors=True,
                trust_remote_code=False,
            )
            if adapter is not None:
                from peft import PeftModel

                self.model = PeftModel.from_pretrained(self.model, adapter).merge_and_unload()
            self.model.to(self.device)
        except Exception as error:
            # Configuration and weights each fail with exceptions of their own libraries.
            raise TierwiseError(
                f"cannot load the model {str(adapter or model)!r}, name another with --model: "
                f"{str(error).splitlines()[0]}"
            ) from error
        self.model.eval()
        self.context: int | None = getattr(
            self.model.config.get_text_config(decoder=True), "max_position_embeddings", None
        )
        eos = self.model.generation_config.eos_token_id
        eos = [*(eos if isinstance(eos, list) else [eos]), self.tokenizer.eos_token_id]
        self.eos_token_ids = {token for token in eos if token is not None}
        self._bare, self._families = digit_families(self.tokenizer)
        self._line_break = self.tokenizer.encode("\n", add_special_tokens=False)[-1]

    def generate(
        self, requests: Iterable[Request], decoding: Decoding, enough: Enough = never
    ) -> Iterator[list[Completion | Failure]]:
        """Answer every request; see ``Backend.generate``.

        Prompts are sorted by length within a window, longest first, so that a batch pads little and memory
        stays flat however many requests there are. A prompt that is too long for the model, or that its
        chat template refuses, is a ``Failure``.
        """
        todo = iter(requests)
        while not enough(Usage()) and (window := self._window(todo)):
            prompts, failures = tokenize(self.tokenizer, window, self.context, decoding.max_tokens)
            if failures:
                yield list(failures)
            prompts.sort(key=lambda prompt: -len(prompt.ids))
            drawn = [(prompt, stream) for prompt in prompts for stream in prompt.request.streams]
            yield from self._in_batches(
                drawn,
                lambda batch: self._decode([_Row(*of) for of in batch], decoding),
                lambda of: f"{len(of[0].ids)} tokens and {decoding.max_tokens} new ones",
                enough,
            )

    def score(self, requests: Iterable[Request]) -> Iterator[list[Score | Failure]]:
        """Read each prompt once, sorted by length as in `generate`; see ``Backend.score``."""
        todo = iter(requests)
        while window := list(islice(todo, BATCHES_PER_WINDOW * self.batch_size)):
            prompts, failures = tokenize(self.tokenizer, window, self.context, 1)
            if failures:
                yield list(failures)
            prompts.sort(key=lambda prompt: -len(prompt.ids))
            yield from self._in_batches(
                prompts, self._read, lambda prompt: f"{len(prompt.ids)} tokens", never
            )

    def _window(self, requests: Iterator[Request]) -> list[Request]:
        """The next requests, of as many completions as some batches have."""
        window: list[Request] = []
        rows = 0
        while rows < BATCHES_PER_WINDOW * self.batch_size and (request := next(requests, None)) is not None:
            window.append(request)
            rows += len(request.streams)
        return window

    def _in_batches(
        self,
        todo: list[T],
        answer: Callable[[list[T]], list[A]],
        size: Callable[[T], str],
        enough: Enough,
    ) -> Iterator[list[A | Failure]]:
        """Answer `todo` batch by batch, in smaller ones from where the GPU's memory has run out, till `enough`."""
        while todo and not enough(Usage()):
            batch = todo[: self.batch_size]
            try:
                answers = answer(batch)
            except torch.cuda.OutOfMemoryError as error:
                if len(batch) == 1:
                    raise TierwiseError(
                        f"a prompt of {size(batch[0])} does not fit the GPU even alone: "
                        "lower --max-tokens or name a smaller --model."
                    ) from error
                self.batch_size = len(batch) // 2
            else:
                yield list(answers)
                del todo[: len(batch)]

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def _read(self, prompts: list[Prompt]) -> list[Score]:
        """Score a batch of prompts."""
        logits = prefill(self.model, *self._padded(prompts), None)
        return [
            Score(prompt.request.key, len(prompt.ids), first)
            for prompt, first in zip(
                prompts, self._digit_logprobs(logits, [self._bare] * len(prompts)), strict=True
            )
        ]

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def _decode(self, rows: list[_Row], decoding: Decoding) -> list[Completion]:
        """Generate every row to its end; rows of one prompt are adjacent."""
        prompts = [prompt for prompt, _ in groupby(rows, key=lambda row: row.prompt)]
        number = {id(prompt): index for index, prompt in enumerate(prompts)}
        of_prompt = [number[id(row.prompt)] for row in rows]
        leaders = [of_prompt.index(prompt) for prompt in range(len(prompts))]

        def take(live: list[int], tokens: list[int], logits: Any) -> list[bool]:
            taken = [rows[index] for index in live]
            if not taken[0].tokens:
                # Rows of a prompt have the same.
                firsts = self._digit_logprobs(logits[self._tensor(leaders)], [self._bare] * len(prompts))
                for row, prompt in zip(rows, of_prompt, strict=True):
                    row.first = firsts[prompt]
            self._record(taken, tokens, logits)
            return [row.finish_reason == "stop" for row in taken]

        def restrict(logits: Any, step: int) -> Any:
            return self._guide(logits, step) if decoding.guided and step < 2 else logits

        decode(
            self.model,
            *self._padded(prompts),
            self._tensor(of_prompt),
            self._tensor(np.stack([draw_uniforms(row.stream, decoding.max_tokens) for row in rows])),
            decoding,
            take,
            restrict,
        )
        return [self._completion(row, leads=index in leaders) for index, row in enumerate(rows)]

    def _padded(self, prompts: list[Prompt]) -> tuple[Any, Any]:
        """Token ids of `prompts`, padded on the left, and the mask that hides the padding: [P, L] each."""
        length = max(len(prompt.ids) for prompt in prompts)
        padding = [length - len(prompt.ids) for prompt in prompts]
        # The mask hides the padding, so that any token id will do.
        ids = self._tensor([[0] * pad + p.ids for pad, p in zip(padding, prompts, strict=True)])
        return ids, self._tensor([[0] * pad + [1] * (length - pad) for pad in padding])

    def _guide(self, logits: Any, step: int) -> Any:
        """``logits`` [R, V] with only the bare digits left at step 0 and only the line break at step 1."""
        allowed = self._tensor(self._bare if step == 0 else [self._line_break])
        return torch.full_like(logits, -torch.inf).index_copy(1, allowed, logits[:, allowed])

    def _record(self, rows: list[_Row], tokens: list[int], logits: Any) -> None:
        """Append to every unfinished row the token drawn from its ``logits`` [R, V]."""
        digits = []
        for index, (row, token) in enumerate(zip(rows, tokens, strict=True)):
            if row.finish_reason == "stop":
                continue
            row.tokens.append(token)
            if token in self.eos_token_ids:
                row.finish_reason = "stop"
            elif token in self._families:
                digits.append(index)
        if digits:
            families = [self._families[tokens[index]] for index in digits]
            logprobs = self._digit_logprobs(logits[self._tensor(digits)], families)
            for index, values in zip(digits, logprobs, strict=True):
                rows[index].digits.append((len(rows[index].tokens) - 1, values))

    def _digit_logprobs(self, logits: Any, families: list[list[int]]) -> list[DigitLogprobs]:
        """Natural-log probabilities of each row's four token ids, over its whole vocabulary [R, V]."""
        logprobs = logits.gather(-1, self._tensor(families)) - logits.logsumexp(-1, keepdim=True)
        return [(one, two, three, four) for one, two, three, four in logprobs.tolist()]

    def _completion(self, row: _Row, *, leads: bool) -> Completion:
        sent_tokens = len(row.prompt.ids) if leads else 0
        return completion(
            *(self.tokenizer, row.prompt, row.stream, row.tokens, row.finish_reason, row.first, row.digits),
            sent_tokens=sent_tokens,
        )

    def _tensor(self, values: Any) -> Any:
        return torch.as_tensor(values, device=self.device)
