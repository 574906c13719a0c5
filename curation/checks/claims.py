"""The claims of a line, and those of them that its sources do not bear out."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from curation.checks.context import Context, Fault
from curation.checks.quantities import quantities, same
from curation.checks.statements import Scopes, excerpt
from curation.checks.words import is_attribute, is_function_word, is_joined, is_silent, stem, words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from curation.checks.chain import Line
    from curation.checks.finding import Severity
    from curation.checks.quantities import Quantity
    from curation.checks.sources import Source
    from curation.checks.statements import Stance
    from curation.checks.words import Word

_MAKER = re.compile(r"(?:\bby|\bfrom|\bof|\bbrands?|\bmaker|\bmanufacturer|\A)[\s:]*\Z", re.IGNORECASE)
# What stands before a word that a line holds against what the item has, as in "navy, not the red asked for".
_CONTRAST = re.compile(
    r"\b(?:than|under|over|below|above|exceed\w*|within|limit|ask\w*|want\w*|requir\w*|request\w*|instead|rather|not|no"
    r"|query|needs?|sought|mention\w*)\b[^,;.]{0,40}\Z",
    re.IGNORECASE,
)
_SEGMENT_END = re.compile(r"[,;:/()\[\]|]|\s[-–—=]\s|\band\b|\bwith\b", re.IGNORECASE)
_OF_ITEM = re.compile(r"\b(?:item|product|listing|title|description|it|this|seller)\b", re.IGNORECASE)
_NAME_START = re.compile(r"(?:\A|[.!?:]\s+|[(\"“*_])\Z")
_OF_ITSELF = frozenset({"own", "for", "unclear"})
_STATED = frozenset({"own", "for"})
_BEFORE = 50
_LONGEST = 20_000
_FEWEST_UNKNOWN = 2
_LAST_TIER = 4


class Claims:
    """The claims of a line.

    Args:
        line: The line.
        context: The text that it is of.
        asked: Of a check, what is required.
    """

    def __init__(self, line: Line, context: Context, asked: str) -> None:
        self._line = line
        self._text = line.text[:_LONGEST]
        self._context = context
        self._asked = asked
        self._words = words(self._text)
        self._quantities = quantities(self._text)
        self._covered = bytearray(len(self._text))
        for each in self._quantities:
            self._cover(each.start, each.stop)

    @cached_property
    def _scopes(self) -> Scopes:
        return Scopes(self._text)

    def of_item(self) -> Iterator[Fault]:
        """Faults of a line on the item: the item's own, or a check."""
        item = self._context.sources.item
        yield from self._brands(item)
        yield from self._amounts(item)
        for group in self._segments():
            yield from self._segment(item, group)

    def of_query(self, *, is_value: bool) -> Iterator[Fault]:
        """Faults of a line on the query: a requirement, whose words are all a value, or the query's own."""
        sources = self._context.sources
        ruled = sources.cited if is_value else sources.shown
        asked = sources.query.joined_by(ruled)
        # Without rules nothing says what a question or a situation asks for.
        kind, rulebook = self._context.checked.kind, self._context.checked.rulebook
        may_be_meant = kind == "knowledge" or (kind == "question" and rulebook is None)
        yield from self._brands(asked)
        for fault in self._amounts(asked):
            claimed = self._quantity_at(fault.start)
            is_shown = is_value and bool(sources.shown.of_quantity(claimed))
            # A need may imply an amount, but not another one than the query's.
            is_free = may_be_meant and not sources.query.measures_like(claimed)
            yield fault._replace(severity="warning") if is_shown or is_free else fault
        for word in self._claiming():
            stances = self._stances(asked, word)
            is_denied = self._scopes.at(word.start) == "denied"
            if stances:
                wrong = is_value and self._line.key != "not" and stances == {"denied"} and not is_denied
                if wrong:
                    yield self._fault("contradicted", word, f"the query rules out {word.raw}")
            elif is_value:
                is_shown = bool(self._stances(sources.shown, word))
                yield self._fault(
                    "not stated",
                    word,
                    f"the query does not state {word.raw}"
                    + (
                        ", and the rule that does is not cited"
                        if is_shown
                        else ", nor does a rule that was shown"
                    ),
                    "warning" if is_shown or may_be_meant else self._severity(word),
                )
            elif word.stem in self._context.vocabulary.words:
                yield self._fault("not stated", word, f"the query does not state {word.raw}", "warning")

    def of_both(self) -> Iterator[Fault]:
        """Faults of a line on how the two compare, or of a sentence."""
        sources = self._context.sources
        is_sentence = self._line.step == "whole"
        yield from self._brands(sources.everything)
        yield from self._amounts(sources.everything)
        speaks_of_item = is_sentence and bool(_OF_ITEM.search(self._text))
        for word in self._claiming():
            stances = self._stances(sources.everything, word)
            if not stances:
                if word.stem in self._context.vocabulary.words or self._is_name(word):
                    yield self._fault(
                        "not stated",
                        word,
                        f"neither query nor item has {word.raw}",
                        "error" if speaks_of_item or self._is_name(word) else "warning",
                    )
            elif speaks_of_item:
                own = self._stances(sources.item, word)
                if self._scopes.at(word.start) == "denied" and own and own <= _STATED:
                    yield self._contradicted(word, own)

    def _brands(self, source: Source) -> Iterator[Fault]:
        context = self._context
        own = {stem(each.raw) for each in words(context.checked.brand)}
        for first, stop in context.vocabulary.brands_in(self._words):
            named = self._words[first:stop]
            stems = {each.stem for each in named}
            start, end = named[0].start, named[-1].stop
            self._cover(start, end)
            of_item = source is context.sources.item
            if (
                stems <= own
                and source is not context.sources.query
                and (of_item or self._line.step != "query")
            ):
                continue
            name = self._text[start:end]
            stances = [self._stances(source, each) for each in named]
            if not all(stances):
                is_own = (
                    f"; the item's brand is {context.checked.brand}"
                    if of_item and context.checked.brand
                    else ""
                )
                yield Fault("brand not stated", start, end, f"{source.name} does not name {name}{is_own}")
            elif of_item and self._scopes.at(start) != "denied":
                yield from self._as_maker(first, stop, frozenset().union(*stances), own)

    def _as_maker(self, first: int, stop: int, stances: frozenset[Stance], own: set[str]) -> Iterator[Fault]:
        """A brand that the item's text names, said to be the item's."""
        named = self._words[first:stop]
        start, end = named[0].start, named[-1].stop
        if not stances & _OF_ITSELF:
            yield from self._unlike(named[-1], stances, start)
            return
        following = self._words[stop].stem if stop < len(self._words) else ""
        behind = self._context.sources.item.after(named[-1].stem)
        is_maker = bool(_MAKER.search(self._text[max(0, start - _BEFORE) : start]))
        is_model = following in behind and not self._text[end : self._words[stop].start].strip()
        if (
            own
            and is_maker
            and not is_model
            and behind
            and (self._line.key == "item" or "own" not in stances)
        ):
            yield Fault(
                "brand not stated",
                start,
                end,
                f"the item's brand is {self._context.checked.brand}; {self._text[start:end]} is part of another name",
            )

    def _amounts(self, source: Source) -> Iterator[Fault]:
        sources = self._context.sources
        of_item = source is sources.item
        asked = quantities(self._asked) if self._asked else ()
        wanted = {each.unit for each in asked if each.is_price}
        currencies = wanted or sources.currencies
        for each in self._quantities:
            said = self._text[each.start : each.stop]
            if each.is_price and currencies and each.unit not in currencies:
                yield Fault(
                    "number not stated",
                    each.start,
                    each.stop,
                    f"{said} is in a currency that the pair does not name",
                )
                continue
            stances = source.of_quantity(each)
            if stances & _OF_ITSELF or (stances and not of_item):
                continue
            if of_item and any(same(each, other) for other in asked) and self._is_contrast(each.start):
                continue
            if not of_item and not each.unit and each.number in range(_LAST_TIER + 1):
                continue
            if "other" in stances:
                yield Fault(
                    "of other goods", each.start, each.stop, f"{said} is said of other goods or versions"
                )
            elif stances:
                if self._scopes.at(each.start) != "denied":
                    yield Fault("contradicted", each.start, each.stop, f"the item is said not to be {said}")
            else:
                yield Fault(
                    "number not stated", each.start, each.stop, f"{source.name} does not state {said}"
                )

    def _segment(self, item: Source, group: list[Word]) -> Iterator[Fault]:
        """Faults of what stands between two commas; there, words of no catalogue report beside ones that hold."""
        unknown: list[Word] = []
        holds = any(self._covered[place] for place in range(group[0].start, group[-1].stop))
        for word in group:
            if self._covered[word.start]:
                continue
            stances = self._stances(item, word)
            is_denied = self._scopes.at(word.start) == "denied"
            if self._is_compound(word) and not item.has_joined(self._compound(word)):
                yield self._fault("not stated", word, self._absent(self._compound(word)))
            elif (
                is_silent(word) or is_joined(word) or (word.stem in self._context.attributes and not stances)
            ):
                continue
            elif stances:
                holds = True
                if not is_denied and not stances & _OF_ITSELF and not is_attribute(word):
                    yield from self._unlike(word, stances, word.start)
                elif is_denied and stances <= _STATED and not self._may_contrast(word):
                    yield self._contradicted(word, stances)
            elif self._may_contrast(word):
                holds = True
            elif not is_attribute(word) and (
                word.stem in self._context.vocabulary.words or self._is_name(word)
            ):
                yield self._fault("not stated", word, self._absent(word.raw), self._severity(word))
            else:
                unknown.append(word)
        if unknown and not holds and not self._text[group[-1].stop :].lstrip(" *").startswith(":"):
            severity: Severity = "error" if len(unknown) >= _FEWEST_UNKNOWN else "warning"
            first, last = unknown[0].start, unknown[-1].stop
            yield Fault("not stated", first, last, self._absent(self._text[first:last]), severity)

    def _unlike(self, word: Word, stances: frozenset[Stance], start: int) -> Iterator[Fault]:
        """Something that the item's text has, only not as said of the item."""
        quote = excerpt(self._context.checked.title, self._context.checked.description, word.stem)
        if "denied" in stances:
            yield Fault("contradicted", start, word.stop, f"the item is said not to have it: {quote}")
        else:
            yield Fault("of other goods", start, word.stop, f"it is said of other goods or versions: {quote}")

    def _contradicted(self, word: Word, stances: frozenset[Stance]) -> Fault:
        quote = excerpt(self._context.checked.title, self._context.checked.description, word.stem)
        return self._fault("contradicted", word, f"the item is said to have it: {quote}")

    def _absent(self, said: str) -> str:
        return f"neither title, description nor attributes of the item have {said!r}"

    def _claiming(self) -> Iterator[Word]:
        """Words that claim something and belong to no brand or quantity."""
        for word in self._words:
            if not self._covered[word.start] and not (
                is_silent(word) or is_joined(word) or word.stem in self._context.attributes
            ):
                yield word

    def _segments(self) -> Iterator[list[Word]]:
        """Words between two commas or the like."""
        ends = [match.start() for match in _SEGMENT_END.finditer(self._text)]
        group: list[Word] = []
        place = 0
        for word in self._words:
            while place < len(ends) and ends[place] < word.start:
                place += 1
                if group:
                    yield group
                    group = []
            group.append(word)
        if group:
            yield group

    def _stances(self, source: Source, word: Word) -> frozenset[Stance]:
        found = self._context.stances(source, word.stem)
        if found:
            return found
        place = self._place(word)
        if place + 1 < len(self._words) and self._words[place + 1].start - word.stop <= 1:
            found = source.of_word(word.stem + self._words[place + 1].stem)
        if not found and place and word.start - self._words[place - 1].stop <= 1:
            found = source.of_word(self._words[place - 1].stem + word.stem)
        return found

    def _place(self, word: Word) -> int:
        return self._places[word.start]

    @cached_property
    def _places(self) -> dict[int, int]:
        return {word.start: place for place, word in enumerate(self._words)}

    def _is_compound(self, word: Word) -> bool:
        """Whether it is joined to a function word, as in ``over-ear``, which tells goods apart."""
        if not word.hyphened or is_silent(word):
            return False
        before = self._words[self._place(word) - 1]
        return is_function_word(before) and before.stem not in {"no", "non", "not"}

    def _compound(self, word: Word) -> str:
        return self._words[self._place(word) - 1].stem + word.stem

    def _may_contrast(self, word: Word) -> bool:
        """Whether a check names what is required, rather than what the item has."""
        if not self._asked and self._line.outcome != "unknown":
            return False
        if not any(each.stem == word.stem for each in words(self._asked)):
            return False
        return self._line.outcome == "unknown" or self._is_contrast(word.start)

    def _is_contrast(self, place: int) -> bool:
        return bool(_CONTRAST.search(self._text[max(0, place - _BEFORE) : place]))

    def _is_name(self, word: Word) -> bool:
        """Whether it is written as a name is."""
        before = self._text[max(0, word.start - 3) : word.start]
        return word.raw[0].isupper() and not word.raw.isupper() and not _NAME_START.search(before)

    def _quantity_at(self, place: int) -> Quantity:
        return next(each for each in self._quantities if each.start == place)

    def _severity(self, word: Word) -> Severity:
        """A lack may be told in words that nothing was made of."""
        is_denied = self._scopes.at(word.start) == "denied" or word.stem.startswith(("un", "non"))
        return "warning" if is_denied else "error"

    def _fault(self, name: str, word: Word, evidence: str, severity: Severity = "error") -> Fault:
        return Fault(name, word.start, word.stop, evidence, severity)

    def _cover(self, start: int, stop: int) -> None:
        self._covered[start:stop] = b"\x01" * (stop - start)
