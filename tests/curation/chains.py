"""Chains of one pair, and continuations of them, as a script has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from curation.backends import Decoding
from curation.configurations import Configuration
from curation.models import resolve
from curation.prompts import load_template
from curation.sampling import sample
from curation.step_values import continue_steps
from tests.curation.rationales.conftest import Scripted
from warehouse.store import Store

if TYPE_CHECKING:
    from pathlib import Path

TITLE = "Shelf item 0-0"


def sampled(
    store: Path,
    model: Path,
    texts: list[str],
    *,
    title: str = TITLE,
    prompt: str = "reason-first",
    decoding: Decoding | None = None,
) -> str:
    """Let the pairs of a title have these samples; their configuration."""
    configuration = Configuration(
        resolve(str(model)), load_template(prompt), decoding or Decoding(max_tokens=40)
    )
    teacher = Scripted(lambda _, tried: texts[tried - 1])
    sample(Store(store), configuration, lambda: teacher, n=len(texts), where=f"title = '{title}'")
    return str(configuration.configuration_id)


def continued(store: Path, teacher: Scripted, **more: Any) -> dict[str, Any]:
    """Continue them by `teacher`."""
    return continue_steps(Store(store), lambda _: teacher, **more)
