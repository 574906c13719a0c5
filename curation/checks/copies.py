"""Reasoning that repeats another pair's: near-copies by MinHash that say more of the other pair than of their own."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from curation.checks.finding import Finding
from curation.duplicates.search import candidates
from curation.duplicates.texts import jaccard, words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NEAR = 0.85
"""Jaccard similarity of two texts' runs of three words from which on one repeats the other."""
_MORE = 3
"""Words that the other pair has and the own pair lacks, less those the other way round, at least."""
_RUN = 3
_WORDS = 400
_TIER_LINE = re.compile(r"^\W{0,4}(?:tier\W{0,4})?[1-4]\W{0,4}$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Written:
    """A text with its pair.

    Attributes:
        text: What was generated.
        pair_id: Its pair.
        about: Query, title and description.
    """

    text: str
    pair_id: str
    about: str


def copy_findings(texts: Sequence[Written]) -> Iterator[tuple[int, Finding]]:
    """Positions of texts that repeat another pair's, each once, with what was found.

    Of two near-copies it is the one of whose words its own query and item have fewer than those of the other pair;
    both, where the words are neither's.
    """
    by_words: dict[frozenset[str], list[int]] = defaultdict(list)
    for n, written in enumerate(texts):
        if runs := _runs(written.text):
            by_words[runs].append(n)
    groups = list(by_words)
    found: set[int] = set()
    for a, b in candidates(groups):
        if jaccard(groups[a], groups[b]) < _NEAR:
            continue
        for one in by_words[groups[a]]:
            for other in by_words[groups[b]]:
                if texts[one].pair_id == texts[other].pair_id:
                    continue
                for n, m in ((one, other), (other, one)):
                    if n not in found and (finding := _held_against(texts[n], texts[m])):
                        found.add(n)
                        yield n, finding


def _held_against(own: Written, other: Written) -> Finding | None:
    said = set(words(own.text)[:_WORDS])
    here, there = said & set(words(own.about)), said & set(words(other.about))
    start, stop = _body(own.text)
    if len(there) >= len(here) + _MORE:
        named = ", ".join(sorted(there - here, key=lambda word: (-len(word), word))[:4])
        evidence = f"the reasoning on pair {other.pair_id} in the same words, which has {named} where this pair has not"
        return Finding("copy", "another pair's reasoning", "whole", evidence, (start, stop))
    if not here and not there:
        evidence = f"the same words as on pair {other.pair_id}, and none of either pair's"
        return Finding("copy", "same words for any pair", "whole", evidence, (start, stop), "warning", 0.5)
    return None


def _runs(text: str) -> frozenset[str]:
    said = words(_TIER_LINE.sub("", text))[:_WORDS]
    if len(said) < _RUN:
        return frozenset()
    return frozenset(" ".join(said[n : n + _RUN]) for n in range(len(said) - _RUN + 1))


def _body(text: str) -> tuple[int, int]:
    """The text without the line of its tier."""
    start, stop = 0, len(text.rstrip())
    if (first := _TIER_LINE.match(text)) and first.end() < stop:
        start = first.end() + 1
    last = text.rfind("\n", start, stop)
    if last > start and _TIER_LINE.match(text[last + 1 : stop]):
        stop = last
    return start, stop
