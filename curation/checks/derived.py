"""The tier that a model derives from reasoning alone, held against the one that the text gives.

Source: TaoSR1 (arXiv 2508.12365, section 1): reasoning that supports one tier, and a label that is another.
"""

from __future__ import annotations

import importlib.resources
import string
import tomllib
from functools import cache
from typing import TYPE_CHECKING

from curation.backends import Message
from curation.checks.finding import Finding
from curation.prompts import neutralise
from curation.rationales.rationale import TIER_NAMES
from warehouse.ids import content_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curation.models import ModelReference, ServedModel

_SURE = 0.9
_UNLIKELY = 0.05


def derivation_prompt(reasoning: str) -> tuple[Message, Message]:
    """Ask which tier `reasoning` leads to; it stands between tags that it cannot close."""
    system, user = _turns()
    filled = string.Template(user).substitute(reasoning=neutralise(reasoning))
    return Message("system", system), Message("user", filled)


def derivation_version(model: ModelReference | ServedModel) -> str:
    """Version of the checker that `model` is: another one where the model or the prompt changes."""
    return content_id("derived verdicts by", model.digest, _template()).hex[:12]


def derived_finding(
    model: str, tier: int, probabilities: Sequence[float], span: tuple[int, int] | None
) -> Finding | None:
    """What it says of a text that a model derives another tier from its reasoning; None where it does not.

    Args:
        model: The model's name.
        tier: The tier that the text gives, 1 to 4.
        probabilities: What the model gives tiers 1 to 4.
        span: Where the text gives its tier.
    """
    derived = most_probable(probabilities)
    if derived == tier:
        return None
    surely, hardly = probabilities[derived - 1], probabilities[tier - 1]
    return Finding(
        "verdict",
        "derived verdict differs",
        "verdict",
        f"from the reasoning alone {model} derives {derived} {TIER_NAMES[derived]} ({surely:.2f}); "
        f"the tier is {tier} {TIER_NAMES[tier]} ({hardly:.2f})",
        span,
        "error" if surely >= _SURE and hardly < _UNLIKELY else "warning",
        surely,
    )


def most_probable(probabilities: Sequence[float]) -> int:
    """The most probable of tiers 1 to 4; of equals the lowest."""
    return 1 + max(range(4), key=lambda index: probabilities[index])


@cache
def _turns() -> tuple[str, str]:
    """Texts of system and user."""
    template = tomllib.loads(_template())
    return template["system"].strip(), template["user"].strip()


@cache
def _template() -> str:
    return (importlib.resources.files("curation.checks") / "data" / "derive.toml").read_text(encoding="utf-8")
