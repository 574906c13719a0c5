"""Near-copies: what is found of planted ones, what is found where none was planted, and how long it takes.

``python -m benchmarks.duplicates [--crowdflower PATH] [--planted N] [--quick]``

Recall: copies of drawn pairs, changed in query, title and description, stand on one side, their originals on the
other. Of the copies, so many are near-copies when all is compared with all, and so many are found with LSH.

False alarms: whole queries are dealt at random to two roles, half to each, and nothing is planted. What is found then
counts as a false alarm, though some of it are copies that the data came with.

Seconds: copies of the pairs with their letters rotated, which keeps all lengths and makes them strangers to each
other. Half of the queries are on each side, or, for ``curation duplicates``, all pairs are compared with all.
"""

from __future__ import annotations

import csv
import random
import re
import string
import time
from itertools import combinations_with_replacement
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import click
import duckdb
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from benchmarks import CROWDFLOWER
from curation.duplicates.search import SAME_TITLE, TITLE, near_copies
from curation.ingest.cleaning import clean_description
from curation.shop import generate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

DEALS = 5
EXAMPLES = 6
COLOURS = (
    "black",
    "white",
    "red",
    "blue",
    "green",
    "yellow",
    "pink",
    "purple",
    "brown",
    "grey",
    "silver",
    "navy",
)

_COLOUR = re.compile(rf"\b(?:{'|'.join(COLOURS)})\b", re.IGNORECASE)
_LENGTH = re.compile(r"(?<![\d.,/])(\d+(?:\.\d+)?)[ -]?(?:inches\b|inch\b|in\.|\")", re.IGNORECASE)
_MEASURE = re.compile(
    r"(?<![\d.,/])(\d+(?:\.\d+)?)([ -]?)(inches|inch|\"|ft|feet|foot|gb|tb|cm|mm|oz|lbs|ml|kg)(?!\w)",
    re.IGNORECASE,
)
_RESPELT = {
    "inches": '"', "inch": '"', '"': " inches", "ft": " feet", "feet": "ft", "foot": "ft", "oz": " ounces",
    "lbs": " pounds",
}  # fmt: skip


class Pair(NamedTuple):
    """What is compared of a pair."""

    query: str
    title: str
    description: str


def edit(pair: Pair, rng: random.Random) -> Pair:
    """A typo in the query; two typos or another word in the title; another word in the description."""
    title = typo(typo(pair.title, rng), rng) if rng.random() < 0.5 else replace_word(pair.title, rng)
    return Pair(typo(pair.query, rng), title, replace_word(pair.description, rng))


def reorder(pair: Pair, rng: random.Random) -> Pair:
    """The words of query and title in another order."""
    return Pair(shuffled(pair.query, rng), shuffled(pair.title, rng), pair.description)


def respell_units(pair: Pair, _rng: random.Random) -> Pair:
    """Every measure spelt otherwise: 12 inches and 12", 16GB and 16 GB."""

    def respelt(found: re.Match[str]) -> str:
        number, space, unit = found.groups()
        other = _RESPELT.get(unit.lower())
        return number + other if other else number + ("" if space else " ") + unit

    return Pair(*(_MEASURE.sub(respelt, text) for text in pair))


def convert_units(pair: Pair, _rng: random.Random) -> Pair:
    """Inches in whole centimetres."""
    return Pair(*(_LENGTH.sub(lambda found: f"{float(found[1]) * 2.54:.0f} cm", text) for text in pair))


def recolour(pair: Pair, rng: random.Random) -> Pair:
    """One colour of the title gives way to another, in all three texts."""
    old = rng.choice(_COLOUR.findall(pair.title) or [""])
    new = rng.choice([colour for colour in COLOURS if colour != old.lower()])
    return Pair(*(re.sub(rf"\b{old}\b", new, text, flags=re.IGNORECASE) if old else text for text in pair))


def mix(pair: Pair, rng: random.Random) -> Pair:
    """All of it, where there is something to respell or to recolour."""
    return recolour(respell_units(reorder(edit(pair, rng), rng), rng), rng)


KINDS: dict[str, Callable[[Pair, random.Random], Pair]] = {
    "edit": edit,
    "word order": reorder,
    "unit respelt": respell_units,
    "unit converted": convert_units,
    "colour": recolour,
    "all of these": mix,
}


def typo(text: str, rng: random.Random) -> str:
    """A letter of a word of at least four dropped, doubled, replaced, or swapped with the next."""
    places = [found.start() for found in re.finditer(r"(?<=[a-z])[a-z](?=[a-z][a-z])", text, re.IGNORECASE)]
    if not places:
        return text
    at = rng.choice(places)
    letter, following = text[at], text[at + 1]
    put = rng.choice(["", letter + letter, rng.choice(string.ascii_lowercase)])
    return text[:at] + (put + following if rng.random() < 0.75 else following + letter) + text[at + 2 :]


def replace_word(text: str, rng: random.Random) -> str:
    """One word replaced by a made-up one."""
    words = text.split(" ")
    at = rng.randrange(len(words))
    if words[at].isalpha():
        words[at] = "".join(rng.choices(string.ascii_lowercase, k=len(words[at])))
    return " ".join(words)


def shuffled(text: str, rng: random.Random) -> str:
    """The words in another order."""
    words = text.split()
    return " ".join(rng.sample(words, len(words)))


def load(connection: duckdb.DuckDBPyConnection, rows: Iterable[tuple[str, str, Pair]]) -> None:
    """Put rows of id, side and pair into the table ``compared``."""
    ids, sides, pairs = zip(*rows, strict=True)
    columns = {name: [getattr(pair, name) for pair in pairs] for name in Pair._fields}
    connection.register("rows", pa.table({"pair_id": ids, "side": sides, **columns}))
    connection.execute("CREATE OR REPLACE TABLE compared AS FROM rows")
    connection.unregister("rows")


def every_two(texts: Sequence[frozenset[str]]) -> Iterable[tuple[int, int]]:
    """What LSH spares us: all positions with all."""
    return combinations_with_replacement(range(len(texts)), 2)


def measure_recall(pairs: Sequence[Pair], planted: int, table: Table, source: str) -> None:
    """A row for each kind of change."""
    for kind, change in KINDS.items():
        rng = random.Random(kind)
        copies: dict[str, Pair] = {}
        for number in rng.sample(range(len(pairs)), len(pairs)):
            copy = change(pairs[number], rng)
            if len(copies) < planted and copy != pairs[number]:
                copies[f"{number}"] = copy
        originals = [(number, "original", pairs[int(number)]) for number in copies]
        with duckdb.connect() as connection:
            load(connection, [*originals, *((f"{n} copy", "copy", copy) for n, copy in copies.items())])
            near = planted_in(near_copies(connection, "compared", propose=every_two))
            found = planted_in(near_copies(connection, "compared"))
        count = len(copies)
        recall = f"{found / count:.3f}" if count else "–"
        table.add_row(source, kind, f"{count:,}", f"{near:,}", f"{found:,}", recall)


def planted_in(found: Iterable[tuple[str, str]]) -> int:
    """How many are an original and its copy."""
    return sum(copy == f"{original} copy" for copy, original in found)


def measure_false_alarms(pairs: Sequence[Pair], table: Table, source: str, console: Console) -> None:
    """Deal the queries to two sides, a few times; a row for the source, and some of what was found."""
    queries = sorted({pair.query for pair in pairs})
    shares, seen = [], set[tuple[str, str]]()
    for deal in range(DEALS):
        held = set(random.Random(deal).sample(queries, len(queries) // 2))
        with duckdb.connect() as connection:
            load(
                connection, [(f"{n}", "eval" if p.query in held else "train", p) for n, p in enumerate(pairs)]
            )
            found = near_copies(connection, "compared")
        lost = {n for two in found for n in map(int, two) if pairs[n].query in held}
        shares.append(len(lost) / sum(pair.query in held for pair in pairs))
        seen.update((min(two), max(two)) for two in found)
    table.add_row(
        source, f"{len(pairs):,}", f"{len(queries):,}", f"{median(shares):.3%}", f"{max(shares):.3%}"
    )
    shown = random.Random(0).sample(sorted(seen), min(EXAMPLES, len(seen)))
    for a, b in ((pairs[int(a)], pairs[int(b)]) for a, b in shown):
        console.print(f"  {a.query} × {a.title[:70]}\n    {b.query} × {b.title[:70]}", markup=False)


def measure_seconds(pairs: Sequence[Pair], sizes: Sequence[int], table: Table, source: str) -> None:
    """A row for each size and use."""
    for size in sizes:
        rows = [rotated(pairs[n % len(pairs)], n // len(pairs)) for n in range(size)]
        role = {
            query: "eval" if n % 2 else "train" for n, query in enumerate(sorted({row.query for row in rows}))
        }
        sides = {
            "split create": [role[row.query] for row in rows],
            "duplicates": [f"{n}" for n in range(size)],
        }
        for use, side in sides.items():
            with duckdb.connect() as connection:
                load(connection, [(f"{n}", side[n], row) for n, row in enumerate(rows)])
                start = time.perf_counter()
                found = near_copies(
                    connection, "compared", title=TITLE if use == "split create" else SAME_TITLE
                )
                seconds = time.perf_counter() - start
            table.add_row(source, use, f"{size:,}", f"{len(role):,}", f"{len(found):,}", f"{seconds:.1f}")


def rotated(pair: Pair, by: int) -> Pair:
    """The pair with its letters moved along the alphabet."""
    letters = string.ascii_lowercase
    moved = letters[by:] + letters[:by]
    table = str.maketrans(letters + letters.upper(), moved + moved.upper())
    return Pair(*(text.translate(table) for text in pair))


def read_crowdflower(path: Path) -> list[Pair]:
    """Its distinct pairs, descriptions without markup as the store has them."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = [
            Pair(row["query"], row["product_title"], clean_description(row["product_description"]))
            for row in csv.DictReader(file)
        ]
    return list(dict.fromkeys(rows))


@click.command(help=__doc__)
@click.option(
    "--crowdflower", type=click.Path(path_type=Path), default=CROWDFLOWER, help="Left out where absent."
)
@click.option("--planted", default=1_000, show_default=True, help="Copies of each kind, at most.")
@click.option("--quick", is_flag=True, help="A smoke run: fewer pairs, fewer copies.")
def main(crowdflower: Path, planted: int, quick: bool) -> None:
    """Print the three tables."""
    console = Console()
    size = 1_000 if quick else 5_000
    sources = {
        "shop": [Pair(row.query, row.title, clean_description(row.description)) for row in generate(size, 0)]
    }
    if crowdflower.exists():
        sources["CrowdFlower"] = read_crowdflower(crowdflower)[:size]
    recall = Table("pairs of", "planted", "copies", "near by exact comparison", "found", "recall")
    alarms = Table("pairs of", "pairs", "queries", "flagged of a role, median", f"highest of {DEALS}")
    seconds = Table("pairs of", "for", "pairs", "queries", "near-copies", "seconds")
    for source, pairs in sources.items():
        measure_recall(pairs, min(planted, 100) if quick else planted, recall, source)
    console.print(recall)
    for source, pairs in sources.items():
        measure_false_alarms(pairs, alarms, source, console)
    console.print(alarms)
    for source, pairs in sources.items():
        measure_seconds(pairs, [1_000] if quick else [10_000, 100_000], seconds, source)
    console.print(seconds)


if __name__ == "__main__":
    main()
