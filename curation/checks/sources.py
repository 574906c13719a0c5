"""What query, item and rules say: what the claims of a text are held against."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from rapidfuzz import process
from rapidfuzz.distance import OSA

from curation.checks.quantities import Quantity, comparable, same
from curation.checks.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Iterable

    from curation.checks.chain import Chain
    from curation.checks.checked_text import CheckedText
    from curation.checks.statements import Stance, Statements

_PRICE = re.compile(r"price|cost|preis|prix|precio", re.IGNORECASE)
_OPPOSITE: dict[Stance, Stance] = {
    "own": "denied",
    "for": "denied",
    "unclear": "unclear",
    "denied": "own",
    "other": "other",
}
_FEWEST_LETTERS = 5
_LETTERS_AN_ERROR = 5
_MOST_ERRORS = 2
_MOST_COMPARED = 2_000


@dataclass(frozen=True)
class Source:
    """Texts that claims may rest on.

    Attributes:
        name: What they are called in a sentence.
        texts: What each of them says.
        prices: Prices without a currency.
    """

    name: str
    texts: tuple[Statements, ...]
    prices: tuple[Quantity, ...] = ()

    def of_word(self, stem: str) -> frozenset[Stance]:
        """How they speak of a word, its opposite (``unlined``, ``lined``) being its denial; empty if not at all."""
        found = frozenset(stance for text in self.texts for stance in text.of_word(stem))
        if found:
            return found
        return frozenset(
            _turned(stance)
            for each in _opposites(stem)
            for text in self.texts
            for stance in text.of_word(each)
        )

    def misspelt(self, stem: str) -> str | None:
        """The word of theirs of which `stem` may be a misspelling."""
        if len(stem) < _FEWEST_LETTERS or not stem.isalpha():
            return None
        errors = min(_MOST_ERRORS, len(stem) // _LETTERS_AN_ERROR)
        found = process.extractOne(stem, self._long_stems, scorer=OSA.distance, score_cutoff=errors)
        return found[0] if found else None

    def of_quantity(self, claimed: Quantity) -> frozenset[Stance]:
        """How they speak of an amount, in whatever unit; empty if not at all."""
        readings = [claimed, replace(claimed, unit="")] if claimed.is_doubtful else [claimed]
        found: set[Stance] = set()
        for text in self.texts:
            found.update(
                stance for stated, stance in text.quantities if any(_agree(each, stated) for each in readings)
            )
            if not claimed.unit and claimed.number.is_integer():
                found |= text.words.get(f"{claimed.number:.0f}", frozenset())
        if any(
            same(each, price) for each in readings for price in self.prices if not each.unit or each.is_price
        ):
            found.add("own")
        return frozenset(found)

    def joined_by(self, other: Source) -> Source:
        """These sources and others."""
        return Source(
            f"{self.name} with {other.name}" if other.texts else self.name,
            (*self.texts, *other.texts),
            self.prices,
        )

    def has_joined(self, stem: str) -> bool:
        """Whether a stem stands there as one word, or as two in a row."""
        return any(stem in text.joined or stem in text.words for text in self.texts)

    def measures_like(self, claimed: Quantity) -> bool:
        """Whether they state an amount of the dimension of one that is claimed."""
        return any(
            bool(stated.unit) and comparable(stated, claimed)
            for text in self.texts
            for stated, _ in text.quantities
        )

    def after(self, stem: str) -> frozenset[str]:
        """Words that stand behind another one."""
        return frozenset(each for text in self.texts for each in text.after.get(stem, ()))

    def currencies(self) -> frozenset[str]:
        """Currencies that are named."""
        return frozenset(
            stated.unit for text in self.texts for stated, _ in text.quantities if stated.is_price
        )

    @cached_property
    def _long_stems(self) -> list[str]:
        found = [stem for text in self.texts for stem in text.words if len(stem) >= _FEWEST_LETTERS - 1]
        return found[:_MOST_COMPARED]


@dataclass(frozen=True)
class Sources:
    """What a text may rest on, by what it speaks of.

    Attributes:
        query: The query.
        item: Title, description, brand and attributes.
        cited: Rules that were shown and are cited.
        shown: All rules that were shown; where none were, those that are cited.
        everything: All of it.
        currencies: Currencies that query or item name.
    """

    query: Source
    item: Source
    cited: Source
    shown: Source
    everything: Source
    currencies: frozenset[str]


def read_sources(checked: CheckedText, chain: Chain) -> Sources:
    """The sources of a text."""
    query = Source("the query", (read_statements(checked.query),))
    attributes = {name: str(value) for name, value in checked.attributes.items()}
    texts = (checked.title, checked.description, checked.brand, *attributes.values(), "\n".join(attributes))
    prices = [
        stated
        for name, value in attributes.items()
        if _PRICE.search(name)
        for stated, _ in read_statements(value).quantities
        if not stated.unit
    ]
    item = Source("the item", tuple(read_statements(each) for each in texts if each), tuple(prices))
    named = {name.strip(" []`.*").lower() for line in chain.having("rules") for name in line.text.split(",")}
    # Of rules that it only learnt, a text was given those that it recalls.
    rules = {name: read_statements(text) for name, text in _rules(checked) if checked.shown or name in named}
    cited = Source("a rule", tuple(read for name, read in rules.items() if name in named))
    shown = Source("a rule", tuple(rules.values()))
    return Sources(
        query,
        item,
        cited,
        shown,
        Source("the pair", (*query.texts, *item.texts, *shown.texts), item.prices),
        query.currencies() | item.currencies(),
    )


def _rules(checked: CheckedText) -> list[tuple[str, str]]:
    """Names and texts of the rules that may be cited."""
    if checked.rulebook is None:
        return []
    by_name = checked.rulebook.by_name
    return [(name, by_name[name].text) for name in sorted(checked.shown or by_name) if name in by_name]


def _agree(claimed: Quantity, stated: Quantity) -> bool:
    """Whether two amounts may be the same; what may have no unit is compared with what has none."""
    if stated.is_doubtful and not claimed.unit and same(claimed, replace(stated, unit="")):
        return True
    if claimed.is_doubtful and not claimed.unit and stated.unit:
        return False
    return same(claimed, stated)


def _opposites(stem: str) -> Iterable[str]:
    for prefix in ("un", "non"):
        if stem.startswith(prefix):
            yield stem.removeprefix(prefix)
    if stem.endswith("less"):
        yield stem.removesuffix("less")
    yield f"un{stem}"


def _turned(stance: Stance) -> Stance:
    return _OPPOSITE[stance]
