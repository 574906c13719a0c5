"""Query–item rows of the shop, and the CSV file they are kept in."""

from __future__ import annotations

import csv
import json
import os
from dataclasses import dataclass
from itertools import islice, zip_longest
from random import Random
from typing import TYPE_CHECKING, get_args

from curation.shop.catalogue import build_catalogue
from curation.shop.queries import draw_query
from curation.shop.schema import Kind, Label

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from curation.shop.catalogue import Item
    from curation.shop.queries import Query

KINDS: tuple[Kind, ...] = get_args(Kind)
LABELS: tuple[Label, ...] = get_args(Label)
MAX_PAIRS = 20_000
"""Beyond this the wordings would run out of distinct queries."""

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
    "derivation",
)

_QUERY_SIZES = (6, 7, 8, 9, 10)
_MOST_OF_ONE_TIER = 4


@dataclass(frozen=True)
class ShopRow:
    """A query, an item and the tier that follows from their attributes; the price is in euros."""

    query: str
    kind: Kind
    item_id: str
    title: str
    description: str
    brand: str
    price: float
    attributes: dict[str, str]
    label: Label
    derivation: str


def generate(pairs: int, seed: int) -> Iterator[ShopRow]:
    """The first `pairs` rows of the shop of this seed: more pairs continue fewer.

    Rows of one query follow each other. Every 40 rows hold one query of each kind and ten rows of each tier.

    Raises:
        ValueError: `pairs` is negative or above `MAX_PAIRS`.
    """
    if not 0 <= pairs <= MAX_PAIRS:
        raise ValueError(f"pairs must be between 0 and {MAX_PAIRS}, not {pairs}")
    return islice(_rows(Random(seed)), pairs)  # noqa: S311 - a reproducible shop, not a secret


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
    attributes = json.dumps(row.attributes, ensure_ascii=False)
    cells = vars(row) | {"price": f"{row.price:.2f}", "attributes": attributes}
    return [cells[column] for column in COLUMNS]


def _rows(rng: Random) -> Iterator[ShopRow]:
    catalogue = build_catalogue(rng)
    asked: set[str] = set()
    while True:
        extra = [label for _ in _QUERY_SIZES for label in rng.sample(LABELS, len(LABELS))]
        kinds = rng.sample(KINDS, len(KINDS))
        for kind, size in zip(kinds, rng.sample(_QUERY_SIZES, len(_QUERY_SIZES)), strict=True):
            spare = size - len(LABELS)
            labels, extra = [*LABELS, *extra[:spare]], extra[spare:]
            query, shelf = _answerable(rng, kind, catalogue, asked)
            asked.add(query.text)
            items = [
                item for label in LABELS for item in _pick(rng, query, shelf[label], labels.count(label))
            ]
            rng.shuffle(items)
            for item in items:
                yield _row(query, item)


def _row(query: Query, item: Item) -> ShopRow:
    title, description = item.text()
    return ShopRow(
        query=query.text,
        kind=query.kind,
        item_id=item.item_id,
        title=title,
        description=description,
        brand=item.brand,
        price=item.price,
        attributes=dict(item.attributes),
        label=query.label(item),
        derivation=query.derivation(item),
    )


def _answerable(
    rng: Random, kind: Kind, catalogue: dict[str, list[Item]], asked: set[str]
) -> tuple[Query, dict[Label, list[Item]]]:
    """A new query for which every tier has items enough, and its items by tier."""
    while True:
        query = draw_query(rng, kind, catalogue)
        if query.text in asked:
            continue
        shelf: dict[Label, list[Item]] = {label: [] for label in LABELS}
        for items in catalogue.values():
            if query.relation(items[0]) == "other":
                shelf["Irrelevant"] += items
            else:
                for item in items:
                    shelf[query.label(item)].append(item)
        if all(len(items) >= _MOST_OF_ONE_TIER for items in shelf.values()):
            return query, shelf


def _pick(rng: Random, query: Query, items: list[Item], count: int) -> list[Item]:
    """Distinct items, the hard cases first.

    Half are of the category asked for, where the tier has such items. Items of other families are decoys that
    share a value or a brand with the query, where the shop has such items.
    """
    if query.relation(items[0]) == "other":
        decoys = [item for item in items if _echoes(query, item)]
        return rng.sample(decoys if len(decoys) >= count else items, count)
    same = [item for item in items if item.category is query.category]
    groups = [same, [item for item in items if item.category is not query.category]]
    for group in groups:
        rng.shuffle(group)
    rng.shuffle(groups)
    alternating = (item for pair in zip_longest(*groups) for item in pair if item is not None)
    return list(islice(alternating, count))


def _echoes(query: Query, item: Item) -> bool:
    values = {constraint.value for constraint in query.constraints}
    return item.brand in values or not values.isdisjoint(item.attributes.values())
