"""What all lines of a text share when their claims are held against its sources, and what is found wrong with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from curation.checks.checked_text import CheckedText
    from curation.checks.finding import Severity
    from curation.checks.sources import Source, Sources
    from curation.checks.statements import Stance
    from curation.checks.vocabulary import Vocabulary

_MOST_GUESSES = 300


class Fault(NamedTuple):
    """Words of a line that its sources do not bear out.

    Attributes:
        name: What is wrong.
        start: Their first character in the line's text.
        stop: The one after the last.
        evidence: What they were held against.
        severity: How bad it is.
    """

    name: str
    start: int
    stop: int
    evidence: str
    severity: Severity = "error"


@dataclass
class Context:
    """What all lines of a text share.

    Attributes:
        checked: The text and its pair.
        sources: What its claims may rest on.
        vocabulary: What the catalogue speaks of.
        attributes: Stems of the attributes that its lines are about.
        guesses: Misspellings looked up so far.
    """

    checked: CheckedText
    sources: Sources
    vocabulary: Vocabulary
    attributes: frozenset[str]
    guesses: int = 0
    known: dict[tuple[str, str], frozenset[Stance]] = field(default_factory=dict)

    def stances(self, source: Source, stem: str) -> frozenset[Stance]:
        """How a source speaks of a word, be it misspelt in the text; empty if not at all."""
        key = source.name, stem
        if key not in self.known:
            found = source.of_word(stem)
            if not found and stem not in self.vocabulary.words and self.guesses < _MOST_GUESSES:
                self.guesses += 1
                likely = source.misspelt(stem)
                found = source.of_word(likely) if likely else found
            self.known[key] = found
        return self.known[key]
