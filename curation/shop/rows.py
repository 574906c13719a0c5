"""Query–item rows of the shop, and the CSV file they are kept in."""

from __future__ import annotations

import csv
import difflib
import json
import os
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import TYPE_CHECKING, get_args

from curation.shop.catalogue import catalogue
from curation.shop.intents import draw_intent
from curation.shop.matching import LABELS, Matcher
from curation.shop.queries import Query, word_query
from curation.shop.schema import Kind, Label
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from curation.shop.catalogue import Item
    from curation.shop.intents import Intent

KINDS: tuple[Kind, ...] = get_args(Kind)
MAX_PAIRS = 1_000_000
"""Tried: new intents and wordings do not run out before."""

COLUMNS = (
    "query",
    "item_id",
    "title",
    "description",
    "brand",
    "price",
    "attributes",
    "label",
    "kind",
    "intent",
    "derivation",
)

_INGESTED = ("query", "title", "description", "label", "item_id", "brand", "price", "attributes", "intent")
INGEST_OPTIONS = (
    "--tiers",
    "Excellent=4,Related=3,Mismatch=2,Irrelevant=1",
    "--map",
    *(f"{name}={name}" for name in _INGESTED),
    "reason=derivation",
)
"""What ``curation ingest table`` is told of the file that `write_csv` writes."""

_WORDINGS = 3
_INTENTS_AT_A_TIME = 100
_DRAWS = 20_000
"""Intents drawn in a row without a new one among them, after which there are none left."""


@dataclass(frozen=True, slots=True)
class ShopRow:
    """A query, an item and the tier that follows from their attributes; the price is in euros."""

    query: str
    kind: Kind
    intent: str
    item_id: str
    title: str
    description: str
    brand: str
    price: float
    attributes: dict[str, str]
    label: Label
    derivation: str


def generate(
    pairs: int, seed: int, categories: Collection[str] = (), kinds: Sequence[Kind] = KINDS
) -> Iterator[ShopRow]:
    """The first `pairs` rows of the shop of this seed: more pairs continue fewer.

    Rows of one query follow each other, one of each tier. Every 40 rows hold two queries of each of the five kinds.
    About a hundred intents are asked in turn, then again in other words, three times over; then come as many new ones.

    Args:
        pairs: How many.
        seed: The same seed makes the same rows.
        categories: Those that queries ask for; all if empty. Items are of any.
        kinds: Of queries.

    Raises:
        ValueError: `pairs` is negative or above `MAX_PAIRS`.
        TierwiseError: No such category; or, as the rows are drawn, intents of these have run out.
    """
    if not 0 <= pairs <= MAX_PAIRS:
        raise ValueError(f"pairs must be between 0 and {MAX_PAIRS}, not {pairs}")
    known = [category.name for category in catalogue().shelves]
    for name in categories:
        if name not in known:
            near = difflib.get_close_matches(name, known, 3)
            meant = f"did you mean {', '.join(near)}?" if near else f"there are {', '.join(known)}"
            raise TierwiseError(f"the shop has no category {name!r}; {meant}")
    rows = _rows(Random(seed), frozenset(categories or known), kinds)  # noqa: S311 - a reproducible shop, not a secret
    return islice(rows, pairs)


def write_csv(rows: Iterable[ShopRow], path: Path) -> int:
    """Write the rows as UTF-8 CSV and return how many; `path` holds all of them or what it held before."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    count = 0
    try:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            for row in rows:
                writer.writerow(_cells(row))
                count += 1
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return count


def _cells(row: ShopRow) -> list[str]:
    special = {"price": f"{row.price:.2f}", "attributes": json.dumps(row.attributes, ensure_ascii=False)}
    return [special.get(column) or getattr(row, column) for column in COLUMNS]


def _rows(rng: Random, categories: Collection[str], kinds: Sequence[Kind]) -> Iterator[ShopRow]:
    matcher = Matcher(catalogue())
    combined: set[str] = set()
    asked: set[str] = set()
    while True:
        intents: list[Intent] = []
        for _ in range(_INTENTS_AT_A_TIME // len(kinds)):
            for kind in rng.sample(kinds, len(kinds)):
                intent, rows = _first_asked(rng, kind, categories, matcher, combined, asked)
                intents.append(intent)
                yield from rows
        for _ in range(_WORDINGS - 1):
            for intent in intents:
                yield from _asked(rng, intent, matcher, asked)


def _first_asked(
    rng: Random,
    kind: Kind,
    categories: Collection[str],
    matcher: Matcher,
    combined: set[str],
    asked: set[str],
) -> tuple[Intent, list[ShopRow]]:
    """An intent with a new combination, of any kind, for which every tier has an item, and its first rows."""
    for _ in range(_DRAWS):
        intent = draw_intent(rng, kind, matcher.goods)
        if intent.category.name not in categories or intent.combination in combined:
            continue
        if rows := _asked(rng, intent, matcher, asked):
            combined.add(intent.combination)
            return intent, rows
    raise TierwiseError(
        f"after {len(combined):,} intents these categories have no new one of kind {kind}; "
        "make fewer pairs, or name more"
    )


def _asked(rng: Random, intent: Intent, matcher: Matcher, asked: set[str]) -> list[ShopRow]:
    """The rows of `intent` in words not used before, in random order; none if some tier has no item."""
    query = word_query(rng, intent)
    while query.text in asked:
        query = word_query(rng, intent)
    asked.add(query.text)
    items = matcher.pick(rng, query)
    return [_row(query, items[label]) for label in rng.sample(LABELS, len(LABELS))] if items else []


def _row(query: Query, item: Item) -> ShopRow:
    title, description = item.text
    label, derivation = query.judge(item)
    return ShopRow(
        query=query.text,
        kind=query.intent.kind,
        intent=query.intent.name,
        item_id=item.item_id,
        title=title,
        description=description,
        brand=item.brand,
        price=item.price,
        attributes=item.attributes,
        label=label,
        derivation=derivation,
    )
