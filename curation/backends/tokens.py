"""What is asked of a model's tokenizer: a chat template, and tier digits of one token each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import jinja2
from transformers import AutoTokenizer

from curation.backends import TIER_DIGITS, Completion, EmittedDigit, Failure, begun_answer
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from curation.backends import DigitLogprobs, Request


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    """A request after the chat template: its token ids."""

    request: Request
    ids: list[int]


def load_tokenizer(model: str | Path) -> Any:
    """The tokenizer of `model`, a directory or a Hub id, without remote code.

    Raises:
        TierwiseError: It cannot be loaded, has no chat template, or a tier digit is not one token.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(model, trust_remote_code=False)
    except Exception as error:
        # Configuration and vocabulary each fail with exceptions of their own libraries.
        raise TierwiseError(
            f"cannot load the tokenizer of {str(model)!r}, name another model with --model: "
            f"{str(error).splitlines()[0]}"
        ) from error
    if tokenizer.chat_template is None:
        raise TierwiseError(
            f"the tokenizer of {str(model)!r} has no chat template: "
            "name an instruction-tuned model with --model, or add chat_template.jinja to its directory."
        )
    encoded = [tokenizer.encode(digit, add_special_tokens=False) for digit in TIER_DIGITS]
    if [text_of(tokenizer, ids).strip() for ids in encoded if len(ids) == 1] != list(TIER_DIGITS):
        raise TierwiseError(
            f"the tokenizer of {str(model)!r} does not encode each tier digit as one token, so that tier "
            "probabilities cannot be read: name another model with --model."
        )
    return tokenizer


def digit_families(tokenizer: Any) -> tuple[list[int], dict[int, list[int]]]:
    """The ids of ``1`` … ``4``, and for every id that spells a tier digit the four ids of its family."""
    bare = [tokenizer.encode(digit, add_special_tokens=False)[0] for digit in TIER_DIGITS]
    vocabulary = tokenizer.get_vocab()
    families = [bare]
    # How byte-level BPE and SentencePiece write the space that a token begins with.
    for space in ("Ġ", "▁"):
        family = [vocabulary[space + digit] for digit in TIER_DIGITS if space + digit in vocabulary]
        if len(family) == len(TIER_DIGITS):
            families.append(family)
    return bare, {token: family for family in families for token in family}


def text_of(tokenizer: Any, tokens: list[int]) -> str:
    """Text of `tokens` without the special ones."""
    text: str = tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return text


def tokenize(
    tokenizer: Any, requests: Sequence[Request], context: int | None, max_tokens: int
) -> tuple[list[Prompt], list[Failure]]:
    """Apply the chat template.

    Args:
        tokenizer: As `load_tokenizer` gives it.
        requests: What to read.
        context: Tokens that the model takes; None is without limit.
        max_tokens: Of these, those that are left for an answer.

    Returns:
        Prompts in the order of `requests`, and those that leave no room or that the template refuses as failures.
    """
    texts: dict[int, str] = {}
    failures = []
    for index, request in enumerate(requests):
        turns, begun = begun_answer(request.messages)
        chat = [{"role": turn.role, "content": turn.content} for turn in turns]
        try:
            # Not by continue_final_message: templates trim turns, and an answer goes on where it stood.
            prompt = tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
            texts[index] = prompt + begun
        except jinja2.TemplateError as error:
            failures.append(Failure(request.key, f"the chat template refuses this prompt: {error}"))
    prompts = []
    if texts:
        # The template has written the special tokens already.
        encoded = tokenizer(list(texts.values()), add_special_tokens=False, verbose=False)
        for index, ids in zip(texts, encoded["input_ids"], strict=True):
            if context is not None and len(ids) + max_tokens > context:
                reason = (
                    f"the prompt has {len(ids)} tokens, the model takes {context - max_tokens} "
                    f"(its context of {context} less {max_tokens} new ones)"
                )
                failures.append(Failure(requests[index].key, reason))
            else:
                prompts.append(Prompt(requests[index], ids))
    return prompts, failures


def completion(
    tokenizer: Any,
    prompt: Prompt,
    stream: int,
    tokens: list[int],
    finish_reason: Literal["stop", "length"],
    first: DigitLogprobs,
    digits: Iterable[tuple[int, DigitLogprobs]],
    *,
    sent_tokens: int,
    cached_tokens: int = 0,
) -> Completion:
    """The completion that `tokens` spell.

    Args:
        tokenizer: The model's.
        prompt: What was completed.
        stream: Of it.
        tokens: Generated, the end-of-sequence token included.
        finish_reason: ``stop`` where they end with that.
        first: Log-probabilities of the tier digits at the first.
        digits: Position among `tokens` and log-probabilities of every tier digit emitted.
        sent_tokens: Of the prompt, for this completion.
        cached_tokens: Of these, those that were read before.
    """
    spoken = tokens[:-1] if finish_reason == "stop" else tokens
    return Completion(
        key=prompt.request.key,
        stream=stream,
        text=text_of(tokenizer, spoken),
        finish_reason=finish_reason,
        prompt_tokens=len(prompt.ids),
        completion_tokens=len(tokens),
        first=first,
        # A text that ends with the digit is a prefix of the whole: its bytes before an ASCII character cannot be part
        # of a character that is still incomplete.
        digits=tuple(
            EmittedDigit(len(text_of(tokenizer, spoken[: at + 1])) - 1, logprobs) for at, logprobs in digits
        ),
        sent_tokens=sent_tokens,
        cached_tokens=cached_tokens,
    )
