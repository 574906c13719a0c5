"""A rationale of the made-up shop with all that its writer was given."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from curation.checks.checked_text import CheckedText
from curation.shop.rulebook import shop_rulebook

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = """\
Query: beanies without a certain thing
must colour: red
not fibre: wool
Item: Vidda beanie (navy, cotton)
Category: match, beanie
check colour: states navy, missed
check fibre: says cotton, met
Rules: negation, missed-must
Verdict: Mismatch, wrong colour
Tier: 2"""

SOUND = CheckedText(
    text=TEXT,
    form="reason-first",
    tier=2,
    query="red beanies, not wool",
    title="Vidda Stride Beanie, navy",
    description="Cotton, unlined.",
    brand="Vidda",
    kind="negation",
    steps_asked=True,
    rulebook=shop_rulebook(),
    shown=frozenset({"negation", "missed-must", "violated-not", "exact-category", "wishes"}),
)


@pytest.fixture
def written() -> Callable[..., CheckedText]:
    """`SOUND` with what a test changes: pieces of its text first, then fields."""

    def change(*pieces: tuple[str, str], **fields: Any) -> CheckedText:
        text = fields.pop("text", SOUND.text)
        for old, new in pieces:
            assert old in text
            text = text.replace(old, new)
        return replace(SOUND, text=text, **fields)

    return change
