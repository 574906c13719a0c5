"""Models behind one small interface.

A backend turns prompts into completions and reports, for each, the text, why generation stopped, the
token counts, and the log-probabilities of the four tier digits wherever a digit was emitted. It knows
nothing of pairs, tiers' meaning or the store.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

TIER_DIGITS = ("1", "2", "3", "4")

DigitLogprobs = tuple[float, float, float, float]
"""Natural-log probabilities of the tokens ``1``, ``2``, ``3``, ``4``, over the whole vocabulary, before
temperature and top-p."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Decoding:
    """Decoding parameters, part of a sampling configuration's identity.

    ``temperature`` 0 is greedy. ``top_p`` keeps the smallest set of tokens whose probability reaches it.
    ``max_tokens`` bounds the generated tokens of one completion. ``guided`` makes every text open with a line
    that is a tier digit alone: the first token is drawn among the four digits, the second is the line break.
    Log-probabilities are those before this mask.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    max_tokens: int = 256
    guided: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """One prompt and the completions wanted of it.

    Attributes:
        key: The caller's name for this prompt; comes back with every completion.
        messages: The chat so far; the backend applies the model's own chat template. Where the last turn is the
            assistant's, its text is the beginning of the answer, and completions go on from there.
        streams: One 128-bit random stream per wanted completion. Equal streams draw equal random numbers
            whatever the batch; the text may still differ between batchings by floating-point rounding.
    """

    key: str
    messages: tuple[Message, ...]
    streams: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class EmittedDigit:
    """A tier digit that the model emitted as a token of its own, at character ``offset`` of the text."""

    offset: int
    logprobs: DigitLogprobs


@dataclass(frozen=True, slots=True)
class Completion:
    """One generated text.

    Attributes:
        key: The request's key.
        stream: Which of the request's streams drew it.
        text: Decoded without special tokens, not stripped.
        finish_reason: ``stop`` at an end-of-sequence token, ``length`` at ``max_tokens``.
        prompt_tokens: Length of the prompt after the chat template.
        completion_tokens: Generated tokens, the end-of-sequence token included.
        first: Log-probabilities of the tier digits at the first generated token; ``None`` where a server gives none.
        digits: Every tier digit emitted, in order.
        sent_tokens: Prompt tokens that the model was sent for it: 0 for one that shares them with another.
        cached_tokens: Of these, those that it had read before; 0 where an engine does not tell.
    """

    key: str
    stream: int
    text: str
    finish_reason: Literal["stop", "length"]
    prompt_tokens: int
    completion_tokens: int
    first: DigitLogprobs | None
    digits: tuple[EmittedDigit, ...]
    sent_tokens: int
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Score:
    """What a model would open its answer with.

    Attributes:
        key: The request's key.
        prompt_tokens: Length of the prompt after the chat template.
        first: Log-probabilities of the tier digits at the first token.
        cached_tokens: Tokens of the prompt that the model had read before; 0 where an engine does not tell.
    """

    key: str
    prompt_tokens: int
    first: DigitLogprobs
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Failure:
    """A prompt that was not completed.

    Attributes:
        key: The request's key.
        reason: Why, in a line.
        lasting: Whether the same prompt would fail again, as one that is too long does. A server that did not answer
            in time may do so tomorrow.
    """

    key: str
    reason: str
    lasting: bool = True


def begun_answer(messages: Sequence[Message]) -> tuple[Sequence[Message], str]:
    """The chat up to the answer that is asked for, and what is given of that answer."""
    if messages and messages[-1].role == "assistant":
        return messages[:-1], messages[-1].content
    return messages, ""


@dataclass(frozen=True, slots=True)
class Usage:
    """What was used of a model.

    Attributes:
        prompt_tokens: Sent to it; a prompt counts once for all the completions of a request.
        cached_tokens: Of these, those that it had read before.
        completion_tokens: Generated.
        seconds: That it worked.
    """

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0

    @property
    def tokens(self) -> int:
        """Of both kinds."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        """Both together."""
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.cached_tokens + other.cached_tokens,
            self.completion_tokens + other.completion_tokens,
            self.seconds + other.seconds,
        )

    @classmethod
    def of_summary(cls, summary: Mapping[str, Any]) -> Usage:
        """That of a run which said so in its summary."""
        return cls(
            summary["prompt_tokens"],
            summary.get("cached_tokens", 0),
            summary["completion_tokens"],
            summary["seconds"],
        )

    @classmethod
    def of(cls, completions: Iterable[Completion]) -> Usage:
        """That of `completions`, without the time."""
        whole = cls()
        for each in completions:
            whole += cls(each.sent_tokens, each.cached_tokens, each.completion_tokens)
        return whole


Enough = Callable[[Usage], bool]
"""Says whether enough was generated, by what its caller has seen and by what it has not seen yet."""


def never(unseen: Usage) -> bool:
    """No, there is not enough yet."""
    return False


class Backend(Protocol):
    """What sampling and prediction need of a model."""

    def generate(
        self, requests: Iterable[Request], decoding: Decoding, enough: Enough = never
    ) -> Iterator[list[Completion | Failure]]:
        """Yield finished batches, in whatever order suits the engine, until every request is answered.

        Requests are taken as the engine needs them, so that there may be any number; where there are no more, they are
        asked for again after each batch, until nothing is in flight. Every (key, stream) is answered exactly once by a
        ``Completion``, or every stream of a key that no ``Completion`` answered by one ``Failure``. `enough` is asked
        before anything is begun: once it says yes, what is in flight is still yielded, and the rest stays unanswered.
        """
        ...

    def score(self, requests: Iterable[Request]) -> Iterator[list[Score | Failure]]:
        """Yield batches as `generate` does, one answer a request; nothing is generated, streams are not read."""
        ...
