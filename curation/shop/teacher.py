"""The derivations as a teacher: a backend that words what the shop knows, where a model would generate."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from itertools import islice
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, NoReturn

from curation.backends import Completion, Failure, Usage, never
from curation.models import ModelReference
from curation.shop.derivations import parse_derivation
from curation.shop.wordings import word
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from curation.backends import Decoding, Enough, Request

_BATCH = 256
_VERSION = 1
"""Counts the changes in what is made of the same wordings."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the store knows of a pair.

    Attributes:
        query: The query's text.
        title: The item's title.
        intent: Intent of the query, if it has one.
        derivation: Reason of the judgment, if it has one.
        description: The item's description as plain text, if it has one; quoted like the title.
    """

    query: str
    title: str
    intent: str | None
    derivation: str | None
    description: str | None = None


class DerivationBackend:
    """Answers every prompt with the derivation of its pair, reason-first, whatever the prompt says.

    Args:
        facts: What is known of pairs, by the keys of requests.
        held_out: Use the held-out wordings.
    """

    def __init__(self, facts: Callable[[Sequence[str]], dict[str, Facts]], *, held_out: bool) -> None:
        self._facts = facts
        self._held_out = held_out

    def generate(
        self, requests: Iterable[Request], decoding: Decoding, enough: Enough = never
    ) -> Iterator[list[Completion | Failure]]:
        """Answer every request; see ``Backend.generate``. A pair without a derivation is a ``Failure``."""
        todo = iter(requests)
        while not enough(Usage()) and (batch := list(islice(todo, _BATCH))):
            facts = self._facts([request.key for request in batch])
            yield [answer for request in batch for answer in self._answers(request, facts.get(request.key))]

    def score(self, requests: Iterable[Request]) -> NoReturn:
        """Refuse: derivations have no probabilities.

        Raises:
            TierwiseError: Always.
        """
        raise TierwiseError(
            "the shop's derivations have no probabilities to score with: name a model with --model."
        )

    def _answers(self, request: Request, facts: Facts | None) -> list[Completion | Failure]:
        if not facts or not facts.intent or not facts.derivation:
            return [Failure(request.key, "no derivation: the pair has none in the store")]
        try:
            derivation = parse_derivation(facts.intent, facts.derivation)
        except ValueError as error:
            return [Failure(request.key, f"no derivation: {error}")]
        item_text = f"{facts.title}\n{facts.description or ''}"
        answers: list[Completion | Failure] = []
        for stream in request.streams:
            rng = Random(stream)  # noqa: S311 - reproducible wordings, not a secret
            rationale = word(derivation, facts.query, item_text, rng, self._held_out)
            text = f"{rationale.render()}\nTier: {rationale.tier}"
            answers.append(Completion(request.key, stream, text, "stop", 0, 0, None, (), 0))
        return answers


def derivation_model(held_out: bool) -> ModelReference:
    """The derivations in the place of a model; its digest is that of its name and the wordings."""
    folder = Path(str(files("curation.shop").joinpath("data")))
    name = "shop-held-out" if held_out else "shop"
    digest = hashlib.sha256(f"{name}\0{_VERSION}\0".encode() + (folder / "wordings.toml").read_bytes())
    return ModelReference(name, folder, digest.hexdigest(), None)
