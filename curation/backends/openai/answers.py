"""What is read of a chat completion that a server answered with, and what of it becomes a ``Completion``."""

from __future__ import annotations

import codecs
import math
from itertools import pairwise
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from curation.backends import TIER_DIGITS, Completion, EmittedDigit, Score, Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curation.backends import Decoding, DigitLogprobs, Request

CHARACTERS_PER_TOKEN = 4
"""For servers that count nothing."""

_LOST = "\ufffd"


class ListedToken(BaseModel):
    """A token that could have been emitted. Some servers write minus infinity as null."""

    token: str
    logprob: float | None = None


class EmittedToken(ListedToken):
    """A token that was emitted, the bytes it adds, and the likeliest tokens in its place."""

    bytes: list[int] | None = None
    top_logprobs: list[ListedToken] | None = None


class TokenList(BaseModel):
    """The emitted tokens in order."""

    content: list[EmittedToken] | None = None


class Message(BaseModel):
    """The assistant's turn."""

    content: str | None = None


class Choice(BaseModel):
    """One completion."""

    message: Message
    finish_reason: str | None = None
    logprobs: TokenList | None = None

    @property
    def text(self) -> str:
        """The assistant's words."""
        return self.message.content or ""

    @property
    def tokens(self) -> list[EmittedToken]:
        """The emitted tokens; none where the server does not list them."""
        return (self.logprobs.content if self.logprobs else None) or []


class PromptDetails(BaseModel):
    """What became of the prompt."""

    cached_tokens: int | None = Field(None, ge=0)


class TokenCounts(BaseModel):
    """Token counts of a whole answer."""

    prompt_tokens: int | None = Field(None, ge=0)
    completion_tokens: int | None = Field(None, ge=0)
    prompt_tokens_details: PromptDetails | None = None


class Answer(BaseModel):
    """A chat completion."""

    choices: list[Choice] = Field(min_length=1)
    usage: TokenCounts | None = None


def completions(answer: Answer, request: Request, streams: Sequence[int]) -> list[Completion]:
    """The choices of `answer` as completions of the first of `streams`; choices beyond them are dropped."""
    found: list[Completion] = []
    prompt_tokens = _prompt_tokens(answer, request)
    cached_tokens = _cached_tokens(answer, prompt_tokens)
    for stream, choice, count in zip(streams, answer.choices, _token_counts(answer), strict=False):
        first, digits = _digits(choice)
        found.append(
            Completion(
                key=request.key,
                stream=stream,
                text=choice.text,
                finish_reason="length" if choice.finish_reason == "length" else "stop",
                prompt_tokens=prompt_tokens,
                completion_tokens=count,
                first=first,
                digits=digits,
                sent_tokens=0 if found else prompt_tokens,
                cached_tokens=0 if found else cached_tokens,
            )
        )
    return found


def gives_logprobs(answer: Answer) -> bool:
    """Whether the server says how probable what it emitted was."""
    listed = answer.choices[0].logprobs
    return listed is not None and bool(listed.content)


def score(answer: Answer, request: Request) -> Score | None:
    """The tier digits at the first token of `answer`; ``None`` where the server lists none of them."""
    first, _ = _digits(answer.choices[0])
    if first is None:
        return None
    prompt_tokens = _prompt_tokens(answer, request)
    return Score(request.key, prompt_tokens, first, _cached_tokens(answer, prompt_tokens))


def most_used(request: Request, decoding: Decoding) -> Usage:
    """What the answers to `request` use, about, if each of them goes on to its limit."""
    prompt = _estimate("".join(turn.content for turn in request.messages))
    return Usage(prompt, 0, len(request.streams) * decoding.max_tokens)


def _prompt_tokens(answer: Answer, request: Request) -> int:
    counted = answer.usage.prompt_tokens if answer.usage else None
    return _estimate("".join(turn.content for turn in request.messages)) if counted is None else counted


def _cached_tokens(answer: Answer, prompt_tokens: int) -> int:
    details = answer.usage.prompt_tokens_details if answer.usage else None
    # Some servers add up what they found for each choice.
    return min((details.cached_tokens if details else None) or 0, prompt_tokens)


def _token_counts(answer: Answer) -> list[int]:
    """Generated tokens of each choice. Servers count them for all choices together."""
    counts = [len(choice.tokens) for choice in answer.choices]
    if not all(counts):
        counts = [_estimate(choice.text) for choice in answer.choices]
    total = answer.usage.completion_tokens if answer.usage else None
    return counts if total is None else _shares(total, counts)


def _estimate(text: str) -> int:
    return math.ceil(len(text) / CHARACTERS_PER_TOKEN)


def _shares(total: int, weights: list[int]) -> list[int]:
    """`total` split in proportion to `weights`, rounded so that the parts add up to it."""
    weights = weights if any(weights) else [1] * len(weights)
    steps = [sum(weights[:end]) * total // sum(weights) for end in range(len(weights) + 1)]
    return [end - start for start, end in pairwise(steps)]


def _digits(choice: Choice) -> tuple[DigitLogprobs | None, tuple[EmittedDigit, ...]]:
    """Log-probabilities at the first token of the text, and at every tier digit emitted."""
    placed = _placed(choice)
    first = None
    if placed:
        # As from a model in this process: the bare digits, unless only their spaced siblings are listed.
        first = _family(placed[0][0], "{}") or _family(placed[0][0], " {}")
    digits = []
    for token, offset in placed:
        digit = token.token.strip()
        if digit in TIER_DIGITS:
            found = _family(token, token.token.replace(digit, "{}"))
            if found is not None:
                digits.append(EmittedDigit(offset + token.token.index(digit), found))
    return first, tuple(digits)


def _placed(choice: Choice) -> list[tuple[EmittedToken, int]]:
    """The tokens that spell the text, each with its offset there in characters.

    A token may hold a part of a character, and servers disagree on what stands for one that was never completed, so
    that this character is not compared. All tokens together may spell more than the text: a reasoning that the server
    took out before it, white space that it stripped, an end-of-sequence token. Where they do not spell the text at
    all, nothing is placed.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    pieces = [
        decoder.decode(token.token.encode() if token.bytes is None else bytes(token.bytes)).replace(_LOST, "")
        for token in choice.tokens
    ]
    whole = [offset for offset, character in enumerate(choice.text) if character != _LOST]
    skipped = "".join(pieces).find(choice.text.replace(_LOST, ""))
    if skipped < 0:
        return []
    offsets = [*range(-skipped, 0), *whole, len(choice.text)]
    placed = []
    start = 0
    for token, piece in zip(choice.tokens, pieces, strict=True):
        end = start + len(piece)
        if (start >= skipped or end > skipped) and start < max(len(whole), 1) + skipped:
            placed.append((token, offsets[start]))
        start = end
    return placed


def _family(token: EmittedToken, form: str) -> DigitLogprobs | None:
    """Log-probabilities of the tier digits written as `form`, in place of `token`.

    A digit that the server does not list is at most as likely as the least likely token listed, and is given that
    bound. ``None`` where no digit is known, or none that is at least as likely as the bound.
    """
    listed = {
        other.token: other.logprob
        for other in reversed(token.top_logprobs or [])
        if other.logprob is not None and math.isfinite(other.logprob)
    }
    # Some servers list the emitted token among the likeliest, however unlikely it was.
    bound = min((value for text, value in listed.items() if text != token.token), default=None)
    if token.logprob is not None and math.isfinite(token.logprob):
        listed.setdefault(token.token, token.logprob)
    forms = [form.format(digit) for digit in TIER_DIGITS]
    known = [listed[text] for text in forms if text in listed]
    if len(known) < len(forms):
        if not known or bound is None or max(known) < bound:
            return None
        listed = dict.fromkeys(forms, bound) | listed
    one, two, three, four = (listed[text] for text in forms)
    return one, two, three, four
