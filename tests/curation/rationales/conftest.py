"""Teachers that say what a test tells them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from curation.backends import Completion, Failure, Usage, never
from curation.models import ModelReference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from typing import NoReturn

    from curation.backends import Decoding, Enough, Request


@dataclass
class Scripted:
    """A teacher that answers by the function `says` from the user's message and its number of the try."""

    says: Callable[[str, int], str | Failure]
    asked: list[str] = field(default_factory=list)

    def generate(
        self, requests: Iterable[Request], decoding: Decoding, enough: Enough = never
    ) -> Iterator[list[Completion | Failure]]:
        for request in requests:
            if enough(Usage()):
                return
            answers: list[Completion | Failure] = []
            for stream in request.streams:
                self.asked.append(request.key)
                said = self.says(request.messages[-1].content, self.asked.count(request.key))
                if isinstance(said, Failure):
                    answers = [Failure(request.key, said.reason, said.lasting)]
                    break
                sent = 0 if answers else 100
                answers.append(Completion(request.key, stream, said, "stop", 100, 50, None, (), sent))
            yield answers

    def score(self, requests: Iterable[Request]) -> NoReturn:
        raise NotImplementedError


def model(name: str, folder: Path) -> ModelReference:
    """What stands for the scripted teacher in the store."""
    return ModelReference(name, folder, f"digest of {name}", None)


def rationale_of(tier: str, about: str = "an item") -> str:
    """A short rationale that leads to a tier, as a teacher answers it."""
    digit = {"Excellent": 4, "Related": 3, "Mismatch": 2, "Irrelevant": 1}[tier]
    return (
        f"Query: something\nmust colour: red\nItem: {about}\nCategory: match, as asked\ncheck colour: red, met\n"
        f"Rules: none\nVerdict: {tier}, so it is\nTier: {digit}"
    )
