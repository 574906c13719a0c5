"""A text with all that its writer was given: what the checks read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from curation.grading import Format
    from curation.rulebook.rule import Rulebook


@dataclass(frozen=True, slots=True)
class CheckedText:
    """A text, the pair that it is about, and the rules that its prompt showed.

    Attributes:
        text: What was generated, or what a person wrote.
        form: Where the tier stands in it; None where it holds the reasoning alone.
        tier: The tier that it gives; None if none.
        query: Text of the query.
        title: Title of the item.
        description: Its description as plain text; empty if it has none.
        brand: Its brand; empty if it has none.
        attributes: Its attributes by name, price among them.
        kind: Kind of the query.
        locale: Locale of the query.
        steps_asked: Whether the prompt asked for a rationale in lines (`Rationale`), rather than for a sentence or two.
        finished: Whether it came to an end, rather than to its token limit.
        rulebook: The version whose rules the prompt showed, or that its writer learnt from; None without one.
        shown: Names of the rules that the prompt showed. Where it showed none, any of the rulebook may be cited.
    """

    text: str
    form: Format | None
    tier: int | None
    query: str
    title: str
    description: str = ""
    brand: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    kind: str = "plain"
    locale: str = ""
    steps_asked: bool = False
    finished: bool = True
    rulebook: Rulebook | None = None
    shown: frozenset[str] = frozenset()
