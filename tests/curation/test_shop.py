import csv
import html
import json
import operator
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.shop import KINDS, LABELS, MAX_PAIRS, ShopRow, generate, write_csv
from curation.shop.data import FAMILIES
from curation.shop.schema import Family, Value
from curation.shop.wordings import BRANDS

# Written out once more, so that the tiers are recomputed without the code under test.
SUBSTITUTES = {
    frozenset({"running shoes", "walking shoes"}): "sports socks",
    frozenset({"hiking jacket", "parka"}): "beanie",
    frozenset({"frying pan", "wok"}): "glass lid",
    frozenset({"desk lamp", "clip-on lamp"}): "LED bulb",
    frozenset({"sleeping bag", "camping quilt"}): "sleeping mat",
    frozenset({"backpack", "messenger bag"}): "bottle holder",
    frozenset({"over-ear headphones", "in-ear headphones"}): "headphone case",
    frozenset({"liquid shampoo", "shampoo bar"}): "conditioner",
}
COMPARE = {"=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">=": operator.ge}
CLAUSE = re.compile(r"(must|prefer) (\w+) (=|!=|<|<=|>=) (.+): (met|missed) \((.+)\)")


@pytest.fixture(scope="module")
def rows() -> list[ShopRow]:
    return list(generate(2_000, seed=7))


def family_of(row: ShopRow) -> Family:
    name = row.attributes["category"]
    return next(f for f in FAMILIES if name in {c.name for c in (*f.categories, f.complement)})


def clauses(row: ShopRow) -> list[tuple[str, ...]]:
    reasons = row.derivation.rpartition(" => ")[0].split("; ")
    return [found.groups() for reason in reasons if (found := CLAUSE.fullmatch(reason))]


def wanted_category(row: ShopRow) -> str:
    found = re.search(r"category = (.+?): \w+ \(", row.derivation)
    assert found
    return found[1]


def implied_label(row: ShopRow) -> str:
    wanted, actual = wanted_category(row), row.attributes["category"]
    pair = next(pair for pair in SUBSTITUTES if wanted in pair)
    if actual not in pair:
        return "Mismatch" if actual == SUBSTITUTES[pair] else "Irrelevant"
    facts = row.attributes | {"brand": row.brand, "price": str(row.price)}
    missed = set()
    for strength, slot, sign, value, verdict, shown in clauses(row):
        held: str | float = facts[slot]
        asked: str | float = value
        if "<" in sign or ">" in sign:
            held, asked = float(facts[slot].split()[0]), float(value.split()[0])
        else:
            assert shown == held
        met = COMPARE[sign](held, asked)
        assert verdict == ("met" if met else "missed"), row
        missed |= set() if met else {strength}
    if "must" in missed:
        return "Mismatch"
    return "Excellent" if wanted == actual and not missed else "Related"


def plain_text(row: ShopRow) -> str:
    return html.unescape(re.sub(r"<[^>]+>", " ", f"{row.title} {row.description}"))


def value_of(family: Family, slot: str, name: str) -> Value:
    return family.slot(slot).lookup(name)


def test_derivation_implies_label(rows: list[ShopRow]) -> None:
    for row in rows:
        assert row.derivation.endswith(f" => {row.label}")
        assert implied_label(row) == row.label, row


def test_related_in_the_right_category_names_the_missed_preference(rows: list[ShopRow]) -> None:
    related = [r for r in rows if r.label == "Related" and wanted_category(r) == r.attributes["category"]]
    assert related
    assert all(("prefer", "missed") in {(c[0], c[4]) for c in clauses(r)} for r in related)


def test_query_has_one_meaning(rows: list[ShopRow]) -> None:
    meanings: dict[str, set[tuple[object, ...]]] = defaultdict(set)
    for row in rows:
        if row.label in {"Excellent", "Related"}:
            meanings[row.query].add((row.kind, wanted_category(row), *(c[:4] for c in clauses(row))))
    assert all(len(meaning) == 1 for meaning in meanings.values())


def test_query_words_carry_the_constraints(rows: list[ShopRow]) -> None:
    for row in rows:
        family = next(f for f in FAMILIES if wanted_category(row) in {c.name for c in f.categories})
        category = next(c for c in family.categories if c.name == wanted_category(row))
        assert category.plural in row.query
        for strength, slot, sign, name, *_ in clauses(row):
            wish = slot == family.taste and strength == "prefer"
            if wish or slot in {"brand", "price"}:
                assert name in row.query
            elif row.kind == "knowledge":
                assert name not in row.query or sign in {"<=", ">=", "<"}, row
            elif row.kind in {"plain", "negation", "alternative"}:
                asked = value_of(family, slot, name)
                assert (asked.absent if sign == "!=" else asked.adjective) in row.query, row


def test_text_states_every_attribute(rows: list[ShopRow]) -> None:
    for row in rows:
        text = plain_text(row).lower()
        assert row.brand.lower() in text
        for slot in family_of(row).slots:
            if slot.name in row.attributes:
                stated = value_of(family_of(row), slot.name, row.attributes[slot.name])
                assert any(each.lower() in text for each in (stated.name, *stated.says)), (slot.name, row)


def test_item_text_is_stable(rows: list[ShopRow]) -> None:
    texts = defaultdict(set)
    queries = defaultdict(set)
    for row in [*rows, *generate(2_000, seed=8)]:
        content = (row.title, row.description, row.brand, row.price, json.dumps(row.attributes))
        texts[row.item_id].add(content)
        queries[row.item_id].add(row.query)
    assert all(len(versions) == 1 for versions in texts.values())
    assert len({next(iter(t)) for t in texts.values()}) == len(texts)
    assert sum(len(asked) > 1 for asked in queries.values()) > 100


def test_no_item_twice_in_one_query(rows: list[ShopRow]) -> None:
    assert len({(row.query, row.item_id) for row in rows}) == len(rows)


def test_balance(rows: list[ShopRow]) -> None:
    labels, kinds = Counter(r.label for r in rows), Counter(r.kind for r in rows)
    assert set(labels.values()) == {500}
    assert all(kinds[kind] >= 0.15 * len(rows) for kind in KINDS)
    for kind in KINDS:
        within = Counter(r.label for r in rows if r.kind == kind)
        assert all(0.17 <= within[label] / kinds[kind] <= 0.33 for label in LABELS)
    per_query = Counter(r.query for r in rows)
    assert len(per_query) >= 200
    assert set(per_query.values()) <= {6, 7, 8, 9, 10}


def test_variety(rows: list[ShopRow]) -> None:
    assert len({r.attributes["category"] for r in rows}) == 24
    assert len({r.brand for r in rows}) == len(BRANDS) >= 40
    descriptions = [r.description for r in rows]
    assert 0.03 < descriptions.count("") / len(rows) < 0.15
    assert any("<ul><li>" in d for d in descriptions)
    assert any("&amp;" in d for d in descriptions)
    words = sorted(len(plain_text(r).split()) for r in rows)
    assert words[len(words) // 2] <= 60


def test_word_overlap_does_not_tell_violations(rows: list[ShopRow]) -> None:
    def overlap(row: ShopRow) -> float:
        asked = set(re.findall(r"\w+", row.query.lower()))
        return len(asked & set(re.findall(r"\w+", plain_text(row).lower()))) / len(asked)

    for kind in ("negation", "alternative", "question", "knowledge"):
        good, bad = (
            [overlap(r) for r in rows if r.kind == kind and r.label == label]
            for label in ("Excellent", "Mismatch")
        )
        wins = sum((g > b) + (g == b) / 2 for g in good for b in bad)
        assert wins / (len(good) * len(bad)) < 0.8, kind


def test_small_shop_covers_every_kind() -> None:
    few = list(generate(64, seed=0))
    assert len(few) == 64
    assert len({row.query for row in few}) >= 8
    assert {row.kind for row in few} == set(KINDS)


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 2**63), pairs=st.integers(0, 160))
def test_any_seed(seed: int, pairs: int) -> None:
    shop = list(generate(160, seed))
    assert list(generate(pairs, seed)) == shop[:pairs]
    assert set(Counter(row.label for row in shop).values()) == {40}
    assert len({row.query for row in shop}) == 20
    assert all(implied_label(row) == row.label for row in shop)


def test_seeds_differ() -> None:
    assert list(generate(40, seed=1)) != list(generate(40, seed=2))


def test_same_rows_in_every_process() -> None:
    script = "from curation.shop import generate; print(list(generate(80, 5)))"
    printed = {
        subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            encoding="utf-8",
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert printed == {f"{list(generate(80, 5))}\n"}


@pytest.mark.parametrize("pairs", [-1, MAX_PAIRS + 1])
def test_refuses_impossible_sizes(pairs: int) -> None:
    with pytest.raises(ValueError, match=f"between 0 and {MAX_PAIRS}"):
        generate(pairs, seed=0)


def test_csv_round_trip(tmp_path: Path) -> None:
    shop = list(generate(200, seed=3))
    path = tmp_path / "shop.csv"
    assert write_csv(iter(shop), path) == 200
    with path.open(encoding="utf-8", newline="") as file:
        records = list(csv.DictReader(file))
    assert list(records[0]) == [
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
    ]
    for row, record in zip(shop, records, strict=True):
        typed = {"price": float(record["price"]), "attributes": json.loads(record["attributes"])}
        assert vars(row) == record | typed
        assert not any(cell.startswith(("=", "+", "-", "@")) for cell in record.values())
    assert list(tmp_path.iterdir()) == [path]


def test_failed_csv_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    path.write_text("before")

    def broken() -> Iterator[ShopRow]:
        yield from generate(4, seed=0)
        raise RuntimeError("lost power")

    with pytest.raises(RuntimeError, match="lost power"):
        write_csv(broken(), path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
