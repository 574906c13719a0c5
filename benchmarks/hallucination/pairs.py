"""Pairs of the shop as a check sees them, with what is true of them, in two parts that share no intent."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import cache, cached_property
from random import Random
from typing import TYPE_CHECKING, TypeVar

import duckdb

from curation.ingest.cleaning import clean_description
from curation.kinds import sql_query_kind
from curation.rulebook.retrieval import Retriever, Subject
from curation.shop import KINDS, LABELS, generate
from curation.shop.derivations import categories, parse_derivation, used_rules
from curation.shop.load import shop_data
from curation.shop.rulebook import shop_rulebook
from curation.shop.values import forms, in_list

if TYPE_CHECKING:
    from collections.abc import Callable

    from curation.shop import ShopRow
    from curation.shop.derivations import Derivation
    from curation.shop.schema import Family

Made = TypeVar("Made")

_LOCALE = "en"
_ECHO = re.compile(r"\b(?:see also:?|also in this shop:|others bought) .*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the benchmark.

    Attributes:
        name: Name of its table in `wordings.toml`.
        seed: Seed of its shop and of what is planted.
        held_out: Whether its rationales are in the shop's held-out wordings.
    """

    name: str
    seed: int
    held_out: bool

    def has(self, combination: str) -> bool:
        """Whether a combination of category and constraints is of this part: its hash says of which of the two."""
        return bool(hashlib.sha256(combination.encode()).digest()[0] % 2) == self.held_out


DEVELOPMENT = Part("development", seed=271, held_out=False)
REPORTED = Part("reported", seed=828, held_out=True)


@dataclass(frozen=True)
class Pair:
    """A query and an item.

    A check sees query, kind, locale, title, description, brand, price and rules; `row` and what follows from it is the
    truth, which it must not see.

    Attributes:
        query: Text of the query.
        kind: Its kind as ingest finds it.
        locale: Its locale.
        title: Title of the item.
        description: Its description as plain text.
        brand: Its brand.
        price: Its price in euros.
        rules: Names of the rules shown for the pair, in the order of the rulebook.
        row: The shop's row.
    """

    query: str
    kind: str
    locale: str
    title: str
    description: str
    brand: str
    price: float
    rules: tuple[str, ...]
    row: ShopRow = field(repr=False)

    @cached_property
    def derivation(self) -> Derivation:
        """How the true tier follows."""
        return parse_derivation(self.row.intent, self.row.derivation)

    @property
    def item_text(self) -> str:
        """Title and description."""
        return f"{self.title}\n{self.description}"

    @cached_property
    def own_text(self) -> str:
        """Title and description without the other goods named there."""
        return _ECHO.sub("", self.item_text)

    @cached_property
    def text(self) -> str:
        """All that the pair says."""
        return f"{self.query}\n{self.item_text}\n{self.brand}\n{self.price:.2f} €"

    @cached_property
    def family(self) -> Family:
        """The item's family."""
        return shop_data().family(categories()[self.derivation.item].family)

    def value(self, slot: str) -> str:
        """The item's true value of a slot of its family, of `brand` or of `price`."""
        special = {"brand": self.row.brand, "price": f"{self.row.price:.2f}"}
        return special.get(slot) or self.row.attributes[slot]

    def form(self, slot: str, value: str) -> str:
        """A value of a slot of the item's family as the item has it, else as it is usually said."""
        known = forms(self.family, slot)
        return known.said(value, self.own_text) or known.usual(value)

    def listed(self, slot: str, value: str, form: str) -> str:
        """A form of a value as lists have it."""
        if slot in {"brand", "price"}:
            return form
        return in_list(self.family.slot(slot).lookup(value), form)

    def names(self, slot: str, value: str) -> bool:
        """Whether a form of the value stands anywhere in the pair, be it denied or said of other goods."""
        return value in forms(self.family, slot).named(self.text)


@cache
def retriever() -> Retriever:
    """The retriever of the shop's rules."""
    return Retriever(shop_rulebook().rules)


class Pool:
    """Pairs of a part, one of each intent, drawn so that kinds and tiers are in balance.

    Args:
        part: The part.
        seed: Seed of the shop and of the order.
        rows: Rows of the shop to choose from.
    """

    def __init__(self, part: Part, seed: int, rows: int) -> None:
        self._rng = rng = Random(f"pool {seed}")
        by_combination: dict[str, list[ShopRow]] = defaultdict(list)
        for row in generate(rows, seed):
            combination = row.intent.partition(": ")[2]
            if part.has(combination):
                by_combination[combination].append(row)
        chosen = [rng.choice(found) for found in by_combination.values()]
        kinds = _kinds([row.query for row in chosen])
        self._waiting: dict[tuple[str, str], list[tuple[ShopRow, str]]] = {
            (kind, label): [] for kind in KINDS for label in LABELS
        }
        for row in chosen:
            self._waiting[row.kind, row.label].append((row, kinds[row.query]))
        for waiting in self._waiting.values():
            rng.shuffle(waiting)
        self._drawn: Counter[tuple[str | None, tuple[str, str]]] = Counter()
        self._pairs: dict[str, Pair | None] = {}

    def draw(self, purpose: str, make: Callable[[Pair], Made | None]) -> Made:
        """What `make` makes of a pair of which it makes something; the pair is not drawn again.

        Kinds and tiers of which least was drawn for the purpose so far come first, then those of which least was drawn.

        Raises:
            LookupError: It makes something of no pair that is left.
        """
        cells = self._rng.sample(list(self._waiting), len(self._waiting))
        for cell in sorted(cells, key=lambda cell: (self._drawn[purpose, cell], self._drawn[None, cell])):
            waiting = self._waiting[cell]
            for place, (row, kind) in enumerate(waiting):
                if row.query not in self._pairs:
                    self._pairs[row.query] = _pair(row, kind)
                pair = self._pairs[row.query]
                if pair and (made := make(pair)) is not None:
                    del waiting[place]
                    self._drawn.update([(purpose, cell), (None, cell)])
                    return made
        raise LookupError(f"no pair is left for {purpose}")


def _pair(row: ShopRow, kind: str) -> Pair | None:
    """The pair of a row; None where a rule that its truth needs is not shown."""
    description = clean_description(row.description)
    subject = Subject(row.query, row.title, description, row.attributes["category"], kind, _LOCALE)
    shown = tuple(rule.name for rule in retriever().retrieve(subject))
    pair = Pair(row.query, kind, _LOCALE, row.title, description, row.brand, row.price, shown, row)
    return pair if set(used_rules(pair.derivation)) <= set(shown) else None


def _kinds(queries: list[str]) -> dict[str, str]:
    """The kinds that ingest finds."""
    kind = sql_query_kind("query", f"'{_LOCALE}'")
    with duckdb.connect() as connection:
        found = connection.execute(f"SELECT query, {kind} FROM (SELECT unnest(?) AS query)", [queries])
        return dict(found.fetchall())
