"""Finding near-copies among many pairs: near queries first, then near titles under near queries alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, product
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING

from curation.duplicates.texts import jaccard, numbers, shingles

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class Nearness:
    """When two texts are near: Jaccard similarity from `threshold` on, over shingles of `size` characters."""

    size: int
    threshold: float


# Bigrams for queries: a typo in a word of four letters changes most of its trigrams.
QUERY = Nearness(size=2, threshold=0.5)
QUERY_CHANGES = 12
"""Bigrams that only one of two near queries has, at most: two typos, or one short word for another."""
TITLE = Nearness(size=3, threshold=0.55)
SAME_TITLE = Nearness(size=3, threshold=0.8)
"""For lists that a person reads: at `TITLE`, other products of the same maker come along."""
DESCRIPTION = Nearness(size=3, threshold=0.5)
DESCRIPTION_HEAD = 300
"""Characters of a description that are compared."""

SLOTS = 135
BANDS = 45
"""MinHash slots and LSH bands: texts of similarity J share a band of three slots with probability
1 − (1 − J³)^45, which is 0.9975 at J = 0.5 and 0.9997 at 0.55."""

_SEED = 1
_FETCHED = 10_000

Propose = Callable[[Sequence[frozenset[str]]], Iterable[tuple[int, int]]]
Near = set[tuple[int, int]]
"""Positions of each two near queries, both ways round."""


@dataclass(frozen=True, slots=True)
class _Row:
    pair_id: str
    side: str
    query: int
    title: str
    description: str


def candidates(texts: Sequence[frozenset[str]]) -> Iterator[tuple[int, int]]:
    """Positions of texts that share a band of their MinHash signatures, each two once, a text with itself too."""
    from rensa import RMinHash, RMinHashLSH

    signatures = RMinHash.from_token_sets(texts, SLOTS, _SEED)
    # The threshold is for the library's own estimate, which nothing here asks for.
    index = RMinHashLSH(threshold=0.0, num_perm=SLOTS, num_bands=BANDS)
    index.insert_many(signatures)
    for i, others in enumerate(index.query_all(signatures)):
        for j in others:
            if i <= j:
                yield i, j


def near_copies(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    *,
    title: Nearness = TITLE,
    propose: Propose = candidates,
    report: Callable[[int], None] = lambda _done: None,
) -> list[tuple[str, str]]:
    """Find the near-copies among the rows of `table`: the ids of each two pairs, in the order of their sides.

    Args:
        connection: Where `table` is.
        table: Has the columns pair_id, side, query, title, description. Rows of the same side are not compared.
        title: When two titles are near.
        propose: What to compare: every two positions it leaves out count as not near.
        report: Called with the rows compared so far.

    All distinct queries are held in memory, items only of one neighbourhood of near queries at a time.
    """
    queries = connection.execute(
        f"SELECT query, min(side), max(side) FROM {table} GROUP BY query ORDER BY query"
    ).fetchall()
    near = _near_queries(queries, propose)
    named = [numbers(text) for text, _, _ in queries]
    found: set[tuple[str, str]] = set()
    done = 0
    for rows in _neighbourhoods(connection, table, queries, near):
        found.update(_near_in(rows, near, named, title, propose))
        done += len(rows)
        report(done)
    return sorted(found)


def _near_queries(queries: Sequence[tuple[str, str, str]], propose: Propose) -> Near:
    """Near queries that hold rows of different sides; such a query is near itself."""
    texts = [shingles(text, QUERY.size) for text, _, _ in queries]
    named = [numbers(text) for text, _, _ in queries]
    near: Near = set()
    for i, j in propose(texts):
        sides = {*queries[i][1:], *queries[j][1:]}
        if len(sides) > 1 and named[i] == named[j]:
            changes = len(texts[i] ^ texts[j])
            if changes <= QUERY_CHANGES and jaccard(texts[i], texts[j]) >= QUERY.threshold:
                near |= {(i, j), (j, i)}
    return near


def _neighbourhoods(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    queries: Sequence[tuple[str, str, str]],
    near: Near,
) -> Iterator[list[_Row]]:
    """Rows of each connected component of near queries."""
    import pyarrow as pa

    involved = sorted({i for i, _ in near})
    if not involved:
        return
    components = connected_components(len(queries), near)
    connection.register(
        "near_queries",
        pa.table(
            {
                "query": [queries[i][0] for i in involved],
                "position": involved,
                "neighbourhood": [components[i] for i in involved],
            }
        ),
    )
    rows = connection.execute(
        "SELECT neighbourhood, CAST(pair_id AS VARCHAR), CAST(side AS VARCHAR), position, title, "
        f"left(coalesce(description, ''), {DESCRIPTION_HEAD}) FROM {table} JOIN near_queries USING (query) "
        "ORDER BY neighbourhood, pair_id, side"
    )

    def fetched() -> Iterator[tuple[int, str, str, int, str, str]]:
        while some := rows.fetchmany(_FETCHED):
            yield from some

    for _, members in groupby(fetched(), key=itemgetter(0)):
        yield [_Row(*member[1:]) for member in members]
    connection.unregister("near_queries")


def _near_in(
    rows: Sequence[_Row],
    near: Near,
    named: Sequence[frozenset[str]],
    nearness: Nearness,
    propose: Propose,
) -> Iterator[tuple[str, str]]:
    by_title: defaultdict[str, list[_Row]] = defaultdict(list)
    for row in rows:
        by_title[row.title].append(row)
    titles = list(by_title)
    texts = [shingles(title, nearness.size) for title in titles]
    descriptions: dict[str, frozenset[str]] = {}

    def same_of_named(a: _Row, b: _Row) -> bool:
        asked = named[a.query]
        return not asked or asked & numbers(a.title) == asked & numbers(b.title)

    def described_alike(a: str, b: str) -> bool:
        if not a or not b or a == b:
            return True
        for text in (a, b):
            if text not in descriptions:
                descriptions[text] = shingles(text, DESCRIPTION.size)
        return jaccard(descriptions[a], descriptions[b]) >= DESCRIPTION.threshold

    for i, j in propose(texts):
        if jaccard(texts[i], texts[j]) < nearness.threshold:
            continue
        for a, b in product(by_title[titles[i]], by_title[titles[j]]):
            if (
                (i != j or a.pair_id < b.pair_id)
                and a.side != b.side
                and (a.query, b.query) in near
                # A size, capacity or model that the query asks for tells items apart.
                and same_of_named(a, b)
                and described_alike(a.description, b.description)
            ):
                first, second = sorted((a, b), key=attrgetter("side", "pair_id"))
                yield first.pair_id, second.pair_id


def connected_components(size: int, edges: Iterable[tuple[int, int]]) -> list[int]:
    """Number of the component that each of `size` nodes belongs to."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components as components

    ends = list(edges)
    graph = coo_array(([1] * len(ends), ([a for a, _ in ends], [b for _, b in ends])), shape=(size, size))
    return [int(label) for label in components(graph, directed=False)[1]]
