"""All situations that the rules with a tier tell apart, each with the rules that apply there, and their words.

A situation is a cell with the pair around it: relation, strength, outcome and attribute, then category, kind, locale
and day. Of attributes, categories and locales there are those that rules name and "any other"; a pair is taken to have
one category. Situations in which the same rules apply come together in boxes. What a rule overrides through others it
overrides on every day, whether those hold or not.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from curation.kinds import KINDS
from curation.rationales.rationale import OUTCOMES, RELATIONS, STRENGTHS
from curation.rulebook.logic import overridden

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from curation.rulebook.rule import Rule

Value: TypeAlias = "str | date | None"
"""A value of a side of a box; None is any other than the rules name."""

_RELATIONS = {
    "match": "a match",
    "substitute": "a substitute",
    "complement": "a complement",
    "other": "an item of another kind",
}
_STRENGTHS = {"must": "must", "not": '"not"', "wish": "wish"}
_SHOWN = 3


class Box(NamedTuple):
    """Situations: every combination of these values. A category step has no strength, outcome and attribute."""

    relation: frozenset[Value]
    strength: frozenset[Value]
    outcome: frozenset[Value]
    attribute: frozenset[Value]
    category: frozenset[Value]
    kind: frozenset[Value]
    locale: frozenset[Value]
    day: frozenset[Value]


_NAMED: dict[str, Callable[[Rule], tuple[str, ...]]] = {
    "relation": lambda rule: rule.when.relation,
    "strength": lambda rule: rule.when.strength,
    "outcome": lambda rule: rule.when.outcome,
    "attribute": lambda rule: rule.scope.attribute,
    "category": lambda rule: rule.scope.category,
    "kind": lambda rule: rule.scope.kind,
    "locale": lambda rule: rule.scope.locale,
}
_CLOSED = {"relation": RELATIONS, "strength": STRENGTHS, "outcome": OUTCOMES, "kind": KINDS}
_OF_REQUIREMENTS = ("strength", "outcome", "attribute")


class Space:
    """The situations of one or more rulebooks together. Sets of rules are bit masks over `rules`.

    Args:
        books: The rules of each.
        first: Earlier days do not count.
    """

    def __init__(self, books: Sequence[Sequence[Rule]], first: date = date.min) -> None:
        self.rules: list[Rule] = []
        self._books: list[int] = []
        self._over: list[int] = []
        for book in books:
            tiered = [rule for rule in book if rule.tier is not None]
            bits = {rule.name: 1 << n for n, rule in enumerate(tiered, len(self.rules))}
            over = {rule.name: rule.over for rule in book}
            self.rules += tiered
            self._books.append(sum(bits.values()))
            self._over += [sum(bits.get(each, 0) for each in overridden(rule.name, over)) for rule in tiered]
        self._first = first
        self._spelled: dict[str, str] = {}
        self._values: dict[str, list[Value]] = {side: self._values_of(side) for side in Box._fields}
        self.survivors = cache(self._survivors)

    def boxes(self) -> Iterator[tuple[Box, int]]:
        """Every situation once, with the rules that apply there."""
        for of_requirements in (False, True):
            rules = sum(
                1 << n
                for n, rule in enumerate(self.rules)
                if rule.when.of_requirements == of_requirements
                and (of_requirements or not rule.scope.attribute)
            )
            sides: list[list[tuple[int, Value]]] = [
                [(self._fitting(side, value), value) for value in self._values[side]]
                if of_requirements or side not in _OF_REQUIREMENTS
                else []
                for side in Box._fields
            ]
            for values, mask in _boxes(sides, rules):
                yield Box._make(values), mask

    def tier(self, mask: int, book: int = 0) -> int | None:
        """The cap that the rules of a book among `mask` give."""
        return min(self.tiers(mask & self._books[book]), default=None)

    def tiers(self, mask: int) -> frozenset[int]:
        """The tiers of the rules in `mask` that none of them overrides."""
        return frozenset(rule.tier for rule in self.chosen(self.survivors(mask)) if rule.tier is not None)

    def chosen(self, mask: int) -> list[Rule]:
        """The rules of a mask."""
        return [rule for n, rule in enumerate(self.rules) if mask >> n & 1]

    def example(self, box: Box) -> Box:
        """One situation of a box, as general as the box in every side that is full."""
        return Box(
            *(
                chosen
                if len(chosen) == len(self._values[side])
                else frozenset(self._sorted(side, chosen)[:1])
                for side, chosen in zip(Box._fields, box, strict=True)
            )
        )

    def words(self, box: Box) -> str:
        """A box in words, such as "a missed wish for colour on a substitute"."""
        limited = {
            side: self._sorted(side, chosen)
            for side, chosen in zip(Box._fields, box, strict=True)
            if len(chosen) < len(self._values[side])
        }
        relations = _or(_RELATIONS[str(each)] for each in limited.get("relation", ())) or "any item"
        if box.strength:
            outcomes = _or(map(str, limited.get("outcome", ())))
            strengths = _or(_STRENGTHS[str(each)] for each in limited.get("strength", ())) or "requirement"
            article = "an" if outcomes.startswith("unknown") else "a"
            words = f"{article} {outcomes} {strengths}" if outcomes else f"any {strengths}"
            words += self._names("for", "attribute", limited)
            words += f" on {relations}" if "relation" in limited else ""
        else:
            words = relations
        words += self._names("in", "category", limited)
        words += f" in {_or(map(str, limited['kind']))} queries" if "kind" in limited else ""
        words += self._names("in", "locale", limited)
        return words + (f" {self._period(limited['day'])}" if "day" in limited else "")

    def _mask(self, fits: Callable[[Rule], bool]) -> int:
        return sum(1 << n for n, rule in enumerate(self.rules) if fits(rule))

    def _survivors(self, mask: int) -> int:
        beaten = 0
        for n, over in enumerate(self._over):
            if mask >> n & 1:
                beaten |= over
        return mask & ~beaten

    def _values_of(self, side: str) -> list[Value]:
        if side == "day":
            starts = {rule.valid_from for rule in self.rules if rule.valid_from}
            starts |= {
                rule.valid_to + timedelta(1)
                for rule in self.rules
                if rule.valid_to and rule.valid_to < date.max
            }
            return [self._first, *sorted(day for day in starts if day > self._first)]
        if side in _CLOSED:
            return list(_CLOSED[side])
        for rule in self.rules:
            for name in _NAMED[side](rule):
                self._spelled.setdefault(name.casefold(), name)
        names = {name.casefold() for rule in self.rules for name in _NAMED[side](rule)}
        return [*sorted(names), None]

    def _fitting(self, side: str, value: Value) -> int:
        """The rules that a value fits."""
        if isinstance(value, date):
            return self._mask(lambda rule: rule.is_valid(value))
        named = _NAMED[side]
        return self._mask(lambda rule: not named(rule) or value in {name.casefold() for name in named(rule)})

    def _sorted(self, side: str, chosen: frozenset[Value]) -> list[Value]:
        return [value for value in self._values[side] if value in chosen]

    def _names(self, preposition: str, side: str, limited: dict[str, list[Value]]) -> str:
        """The names chosen, or those left out where "any other" is chosen; empty where all are chosen."""
        if side not in limited:
            return ""
        chosen = limited[side]
        if None not in chosen:
            names = _or(self._spelled[str(each)] for each in chosen)
            return f" {preposition} {names}" if side == "attribute" else f" {preposition} the {side} {names}"
        left_out = [self._spelled[str(each)] for each in self._values[side] if each not in chosen]
        more = f" and {len(left_out) - _SHOWN} more" if len(left_out) > _SHOWN else ""
        return f" {preposition} any {side} but {', '.join(left_out[:_SHOWN])}{more}"

    def _period(self, days: list[Value]) -> str:
        """Runs of neighbouring days as "from … to …"; the first day and the end of time go unsaid."""
        starts = self._values["day"]
        runs = []
        for n, start in enumerate(starts):
            if start in days and (n == 0 or starts[n - 1] not in days):
                following = next((each for each in starts[n:] if each not in days), None)
                opening = f"from {start}" if n else ""
                ending = f"to {following - timedelta(1)}" if isinstance(following, date) else ""
                runs.append(f"{opening} {ending}".strip())
        return " and ".join(runs)


def merged(boxes: Iterable[Box]) -> list[Box]:
    """Fewer boxes of the same situations: those that differ in one side come together."""
    found = list(dict.fromkeys(boxes))
    for side in reversed(range(len(Box._fields))):
        groups: dict[tuple[frozenset[Value], ...], frozenset[Value]] = {}
        for box in found:
            others = (*box[:side], *box[side + 1 :])
            groups[others] = groups.get(others, frozenset()) | box[side]
        found = [Box._make((*others[:side], values, *others[side:])) for others, values in groups.items()]
    return found


def _boxes(
    sides: Sequence[Sequence[tuple[int, Value]]], rules: int
) -> Iterator[tuple[tuple[frozenset[Value], ...], int]]:
    """Values by side with the rules that fit them all; values that the rules so far do not tell apart come together."""
    if not sides:
        yield (), rules
        return
    groups: dict[int, list[Value]] = {} if sides[0] else {rules: []}
    for fitting, value in sides[0]:
        groups.setdefault(fitting & rules, []).append(value)
    for left, values in groups.items():
        for others, mask in _boxes(sides[1:], left):
            yield (frozenset(values), *others), mask


def _or(words: Iterable[str]) -> str:
    return " or ".join(words)
