"""What a catalogue speaks of: words of its titles and queries, and its brands."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from curation.checks.words import words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import duckdb

    from curation.checks.words import Word

_TITLES = 200_000
_BATCH = 5_000
_MANY_TEXTS = 20_000
_LARGEST = 200_000
_LONGEST_TEXT = 2_000
_LONGEST_BRAND = 5

# Ids are hashes, so that the first by id are a sample, and the same one each time.
_ITEMS = """
    SELECT title, brand, CAST(attributes AS VARCHAR) FROM item_versions ORDER BY item_version_id LIMIT {limit}
"""
_QUERIES = "SELECT text FROM queries ORDER BY query_id LIMIT {limit}"


@dataclass(frozen=True)
class Vocabulary:
    """Words and brands of a catalogue.

    Attributes:
        words: Stems of its words.
        brands: Brands as stems, by their first stem; the longest first.
    """

    words: frozenset[str] = frozenset()
    brands: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, texts: Iterable[str], brands: Iterable[str]) -> Vocabulary:
        """The vocabulary of titles, queries and attribute values; of many, words that stand in one are left out."""
        counts: Counter[str] = Counter()
        read = 0
        for text in texts:
            read += 1
            counts.update({word.stem for word in words(text[:_LONGEST_TEXT])})
            if len(counts) > 4 * _LARGEST:
                counts = Counter(dict(counts.most_common(2 * _LARGEST)))
        least = 2 if read > _MANY_TEXTS else 1
        frequent = {each for each, count in counts.most_common(_LARGEST) if count >= least}
        return cls(frozenset(frequent), _by_first_stem(brands))

    def brands_in(self, found: Sequence[Word]) -> Iterator[tuple[int, int]]:
        """First word of each brand in a text, by its place among the words, and the one after its last.

        A brand is written with a capital.
        """
        place = 0
        while place < len(found):
            length = self._brand_at(found, place) if found[place].raw[0].isupper() else 0
            if length:
                yield place, place + length
            place += length or 1

    def _brand_at(self, found: Sequence[Word], place: int) -> int:
        for brand in self.brands.get(found[place].stem, ()):
            if tuple(word.stem for word in found[place : place + len(brand)]) == brand:
                return len(brand)
        return 0


def stored_vocabulary(connection: duckdb.DuckDBPyConnection) -> Vocabulary:
    """The vocabulary of a store: of its items, at most 200,000 of them, and as many queries."""
    brands: set[str] = set()

    def texts() -> Iterator[str]:
        for title, brand, attributes in _rows(connection, _ITEMS):
            if brand:
                brands.add(brand)
            yield title or ""
            yield from _values(attributes)
        for (text,) in _rows(connection, _QUERIES):
            yield text or ""

    read = Vocabulary.of(texts(), ())
    return Vocabulary(read.words, _by_first_stem(sorted(brands)))


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> Iterator[tuple[str | None, ...]]:
    # Not by a cursor of its own, which would not be in the lake.
    read = connection.execute(query.format(limit=_TITLES))
    while batch := read.fetchmany(_BATCH):
        yield from batch


def _values(attributes: str | None) -> list[str]:
    read = json.loads(attributes) if attributes else None
    return [str(each) for each in read.values()] if isinstance(read, dict) else []


def _by_first_stem(brands: Iterable[str]) -> dict[str, tuple[tuple[str, ...], ...]]:
    found: dict[str, set[tuple[str, ...]]] = {}
    for brand in brands:
        stems = tuple(word.stem for word in words(brand))
        if 0 < len(stems) <= _LONGEST_BRAND:
            found.setdefault(stems[0], set()).add(stems)
    return {
        first: tuple(sorted(each, key=lambda stems: (-len(stems), stems))) for first, each in found.items()
    }
