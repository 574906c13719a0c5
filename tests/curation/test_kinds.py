from __future__ import annotations

import csv
from collections import Counter
from typing import TYPE_CHECKING

import duckdb
import pytest

from curation.kinds import KINDS, sql_query_kind
from curation.shop import generate

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def kinds(queries: Iterable[str], locale: str = "us") -> list[str]:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE q AS SELECT unnest($texts) AS text, $locale AS locale",
                           {"texts": list(queries), "locale": locale})  # fmt: skip
        return [
            row[0]
            for row in connection.execute(f"SELECT {sql_query_kind('text', 'locale')} FROM q").fetchall()
        ]


@pytest.mark.parametrize(
    ("kind", "queries"),
    [
        ("negation", "jacket without hood|shoes not leather|gluten-free bread|sulfate free shampoo|lamp, no plastic|"
                     "phone case other than black|anything but wool"),
        ("alternative", "dyson dupe|cheaper alternative to airpods|tote similar to longchamp|"
                        "boots like ugg but cheaper|headphones from another brand|airpods alternatives"),
        ("question", "what tv size for a small room|is this lamp dimmable|I have gas, which wok do I need|"
                     "can I use it outside? grey|what's the best drill|who makes quiet fans"),
        ("knowledge", "luggage for a week in Rome|lamp for reading in bed|looking for boots for a muddy festival|"
                      "socks for people who stand all day|tent for heavy rain|"
                      "shampoo for sensitive scalp|gifts for grandma|shoes for a marathon|pillow to relieve neck pain|"
                      "jacket for rainy autumn days|soap good for eczema|lamp that helps me sleep"),
        ("plain", "looking for camping chairs|sleeve for a 15 inch laptop|pan for induction|shoes for running|"
                  "chanel no 5|stainless steel wok|wireless mouse|seamless bra|non-stick pan|hands-free kit|can opener|"
                  "dr who lanyard|will smith dvd|bike for children|flea control for dogs|air filter"),
    ],
)  # fmt: skip
def test_queries_of_each_kind(kind: str, queries: str) -> None:
    texts = queries.split("|")
    assert dict(zip(texts, kinds(texts), strict=True)) == dict.fromkeys(texts, kind)


@pytest.mark.parametrize("locale", ["us", "UK", "en-US", "en_GB", "ca"])
def test_english_markets_share_the_rules(locale: str) -> None:
    assert kinds(["jacket without hood"], locale) == ["negation"]


@pytest.mark.parametrize("locale", ["de", "jp", "", "enx", "'"])
def test_other_locales_are_plain(locale: str) -> None:
    assert kinds(["jacket without hood"], locale) == ["plain"]


def test_keyword_queries_are_plain(crowdflower: Path) -> None:
    with crowdflower.open(encoding="utf-8", newline="") as file:
        queries = {row["query"] for row in csv.DictReader(file)}
    assert Counter(kinds(queries)) == {"plain": 128}


def test_most_queries_of_the_shop_get_their_kind() -> None:
    true: dict[str, str] = {row.query: row.kind for row in generate(4_000, seed=11)}
    found = Counter(zip(true.values(), kinds(true), strict=True))
    right = {kind: found[kind, kind] / sum(n for (k, _), n in found.items() if k == kind) for kind in KINDS}
    assert min(right[kind] for kind in ("negation", "alternative", "question")) > 0.95
    # Many needs are worded like plain queries; no rule of ours should know the shop's.
    assert right["plain"] > 0.98
    assert right["knowledge"] > 0.65
