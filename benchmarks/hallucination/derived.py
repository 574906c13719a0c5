"""What a model that derives verdicts finds: `curation check --model`, without a store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from curation.backends import Failure, Request
from curation.backends.opening import Engine, find_model, open_backend
from curation.checks.derived import derivation_prompt, derived_finding
from curation.checks.unlabelled import unlabelled_reasoning
from curation.sampling_plan import tier_probabilities

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curation.checks.checked_text import CheckedText
    from curation.checks.finding import Severity


@dataclass(frozen=True, slots=True)
class Derived:
    """Whether a model was asked for the verdict of a text, and how severe its finding is; None without one."""

    asked: bool
    severity: Severity | None


def derive(texts: Sequence[CheckedText], name: str) -> list[Derived]:
    """What the model called `name` says of each text."""
    model = find_model(name)
    prompts = {
        str(number): derivation_prompt(reasoning)
        for number, text in enumerate(texts)
        if text.tier and (reasoning := unlabelled_reasoning(text))
    }
    derived = [Derived(asked=False, severity=None)] * len(texts)
    backend = open_backend(model, Engine())
    for batch in backend.score([Request(key, messages, ()) for key, messages in prompts.items()]):
        for answer in batch:
            if isinstance(answer, Failure):
                raise RuntimeError(answer.reason)
            tier = texts[int(answer.key)].tier
            assert tier is not None
            finding = derived_finding(model.name, tier, tier_probabilities(answer.first), None)
            derived[int(answer.key)] = Derived(asked=True, severity=finding.severity if finding else None)
    return derived
