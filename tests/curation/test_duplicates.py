"""Near-copies: what reads almost the same is kept out of other roles, and listed."""

from __future__ import annotations

import csv
import json
import random
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.duplicates.search import QUERY, TITLE, candidates, connected_components, near_copies
from curation.duplicates.texts import jaccard, numbers, shingles, words
from tests.curation.conftest import RunCommand, rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

ORIGINAL = (
    "black wine rack 12 inch",
    'Spectrum Curve Wine Rack, Black, 12" high, holds 8 bottles',
    "An elegant black rack of welded steel for 8 bottles. It stands on its own and measures 12 inches.",
)
COPIES = {
    "a typo": (
        "black wine rakc 12 inch",
        'Spectrum Curve Wine Rck, Black, 12" high, holds 8 botles',
        "An elegant black rack of welded steel for 8 bottles. It stands on its own and measures 12 inches.",
    ),
    "another word": (
        "black wine racks 12 inch",
        'Spectrum Curve Wine Rack, Black, 12" tall, holds 8 bottles',
        "A handsome black rack of welded steel for 8 bottles. It stands on its own and measures 12 inches.",
    ),
    "word order": (
        "12 inch rack wine black",
        'Black Curve Wine Rack by Spectrum, holds 8 bottles, 12" high',
        "It stands on its own and measures 12 inches. An elegant black rack of welded steel for 8 bottles.",
    ),
    "a unit": (
        "black wine rack 30cm",
        "Spectrum Curve Wine Rack, Black, 30 cm high, holds 8 bottles",
        "An elegant black rack of welded steel for 8 bottles. It stands on its own and measures 30 centimetres.",
    ),
    "a colour": (
        "red wine rack 12 inch",
        'Spectrum Curve Wine Rack, Red, 12" high, holds 8 bottles',
        "An elegant red rack of welded steel for 8 bottles. It stands on its own and measures 12 inches.",
    ),
    "case and marks": (
        "BLACK WINE-RACK, 12″",
        "SPECTRUM Curve wine rack – black – 12-inch high – holds 8 bottles",
        "an elegant black rack of welded steel for 8 bottles; it stands on its own and measures 12 inches",
    ),
    "no description": (
        "black wine racks 12 inch",
        'Spectrum Curve Wine Rack, Black, 12" high, holds 8 bottles',
        "",
    ),
    "all of these": (
        "30cm red wine rakc",
        "Wine Rack by Spectrum, Red Curve, 30 cm tall, holds 8 botles",
        "It stands on its own and measures 30 centimetres. An elegant red rack of welded steel for 8 bottles.",
    ),
}
STRANGERS = {
    "the same item under another query": ("kitchen shelf", ORIGINAL[1], ORIGINAL[2]),
    "another item under almost the same query": (
        "black wine racks 12 inch",
        "Oenophilia Bali Tabletop Holder, Natural Bamboo, 6 slots",
        "Bamboo from managed forests, six slots, no tools needed.",
    ),
    "another size in the query": ("black wine rack 16 inch", ORIGINAL[1], ORIGINAL[2]),
    "another size in the item, which the query names": (
        "black wine racks 12 inch",
        'Spectrum Curve Wine Rack, Black, 16" high, holds 8 bottles',
        ORIGINAL[2],
    ),
    "an equal title with another description": (
        "black wine racks 12 inch",
        ORIGINAL[1],
        "Replacement screws and wall plugs, pack of four, zinc plated, for shelving systems by other makers.",
    ),
}
FILLERS = [(f"garden hose {n} metres", f"Hose reel number {n}", f"Green hose for lawn {n}") for n in range(3)]


@pytest.fixture
def planted(command: RunCommand, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A store that holds `ORIGINAL` with tier 4, the pair of the parameter with tier 2, and some fillers."""
    pairs = [(*ORIGINAL, 4), (*request.param, 2), *((*filler, 1) for filler in FILLERS)]
    return ingested(command, tmp_path, pairs)


def ingested(command: RunCommand, folder: Path, pairs: Iterable[Sequence[Any]]) -> Path:
    judged, store = folder / "judged.csv", folder / "tierwise.duckdb"
    with judged.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["query", "title", "description", "label"])
        writer.writerows(pairs)
    fields = [f"{name}={name}" for name in ("title", "description", "label")]
    command("curation", "ingest", "table", judged, "--map", "query=query", *fields, "--db", store)
    return store


def create(command: RunCommand, store: Path, *arguments: str, code: int = 0) -> str:
    done = command("curation", "split", "create", *arguments, "--db", store, code=code)
    return done.stderr if code else done.stdout


def duplicates(command: RunCommand, store: Path, *arguments: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(
        command("curation", "duplicates", "--json", *arguments, "--db", store).stdout
    )
    return told


@pytest.mark.parametrize("planted", COPIES.values(), ids=COPIES, indirect=True)
def test_a_near_copy_in_a_split_of_another_role_is_refused_or_dropped(
    command: RunCommand, planted: Path
) -> None:
    create(command, planted, "held", "--role", "eval", "--where", "tier = 4")
    before = planted.read_bytes()
    told = create(command, planted, "rest", "--where", "tier < 4", code=1)
    assert told.startswith(
        "Error: 1 of 4 pairs would be near-copies of what splits of another role hold, such as"
    )
    assert "--drop-near-copies" in told
    assert "in held_v1 (eval)" in told
    assert len(told.strip().splitlines()) == 1
    assert planted.read_bytes() == before

    made = json.loads(create(command, planted, "rest", "--where", "tier < 4", "--drop-near-copies", "--json"))
    assert (made["pairs"], made["near_copies_dropped"]) == (len(FILLERS), 1)
    recipe = json.loads(made["recipe"])
    assert recipe["drop_near_copies"] is True
    assert recipe["near_copies"]["dropped"] == 1
    assert {row["tier"] for row in rows(command, planted, "FROM split_members WHERE split = 'rest_v1'")} == {
        1
    }
    again = create(command, planted, "rest", "--where", "tier < 4", "--drop-near-copies")
    assert "already frozen" in again
    # Within one role they may stand together.
    create(command, planted, "both", "--role", "eval", "--where", "tier > 1")


@pytest.mark.parametrize("planted", STRANGERS.values(), ids=STRANGERS, indirect=True)
def test_what_only_resembles_is_no_near_copy(command: RunCommand, planted: Path) -> None:
    create(command, planted, "held", "--role", "eval", "--where", "tier = 4")
    create(command, planted, "rest", "--where", "tier < 4")
    assert duplicates(command, planted)["clusters"] == 0


def test_near_copies_are_found_whichever_split_came_first(command: RunCommand, tmp_path: Path) -> None:
    store = ingested(command, tmp_path, [(*ORIGINAL, 4), (*COPIES["a colour"], 2)])
    create(command, store, "train", "--where", "tier = 2")
    told = create(command, store, "held", "--role", "calibration", "--where", "tier = 4", code=1)
    assert "in train_v1 (train)" in told
    told = create(
        command, store, "held", "--role", "eval", "--where", "tier = 4", "--drop-near-copies", code=1
    )
    assert "nothing is left" in told


def test_the_card_says_what_was_looked_for(command: RunCommand, tmp_path: Path) -> None:
    store = ingested(command, tmp_path, [(*ORIGINAL, 4)])
    create(command, store, "all")
    command("curation", "export", "all_v1", "--out", tmp_path / "out", "--db", store)
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert f"at least 0.5 and {TITLE.threshold}" in card
    with duckdb.connect(str(store)) as connection:
        connection.execute("UPDATE splits SET recipe = json_merge_patch(recipe, '{\"near_copies\": null}')")
    command("curation", "export", "all_v1", "--out", tmp_path / "out", "--db", store)
    assert "Near-copies were not looked for" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")


def test_clusters_whose_tiers_differ_come_first(command: RunCommand, tmp_path: Path) -> None:
    query, title, description = ORIGINAL
    store = ingested(
        command,
        tmp_path,
        [
            (query, title, description, 4),
            (query, title.replace("Black", "Navy"), description, 4),
            *(
                ("steel kettle", f"Alba Steel Kettle Cordless 1.7 l {c}", "", t)
                for c, t in (("Red", 1), ("", 3))
            ),
            *((f"desk lamp{s}", "Brass Desk Lamp with Pull Chain", "", 2) for s in ("", "s", ", brass")),
            ("garden hose", "Hose reel", "", 1),
        ],
    )
    found = duplicates(command, store)
    counts = {name: found[name] for name in ("pairs", "clusters", "pairs_in_clusters")}
    assert counts == {"pairs": 8, "clusters": 3, "pairs_in_clusters": 7}
    assert found["clusters_with_different_tiers"] == 1
    assert [[pair["tier"] for pair in cluster] for cluster in found["listed"]] == [[3, 1], [2, 2, 2], [4, 4]]
    assert found["listed"][0][0].keys() == {"pair_id", "tier", "query", "title"}

    some = duplicates(command, store, "--where", "query LIKE 'desk%'", "--limit", "0")
    assert (some["pairs"], some["clusters"], some["listed"]) == (3, 1, [])
    shown = command("curation", "duplicates", "--limit", "1", "--db", store).stdout.splitlines()
    assert shown[-2].startswith("3  steel kettle × Alba Steel Kettle")
    assert shown[-1].startswith("1  steel kettle × Alba Steel Kettle")


def test_item_text_does_not_steer_the_terminal(command: RunCommand, tmp_path: Path) -> None:
    titles = ("Brass Desk Lamp with Pull Chain \x1b[31m", "Brass Desk Lamp with Pull Chain")
    store = ingested(command, tmp_path, [("desk lamp", title, "", 2) for title in titles])
    shown = command("curation", "duplicates", "--db", store).stdout
    assert "\\x1b[31m" in shown
    assert "\x1b" not in shown


def test_a_condition_that_is_none_is_told_in_one_line(command: RunCommand, tmp_path: Path) -> None:
    store = ingested(command, tmp_path, [(*ORIGINAL, 4)])
    told = command("curation", "duplicates", "--where", "nope = 1", "--db", store, code=1).stderr
    assert "nope" in told
    assert len(told.strip().splitlines()) == 1


texts = st.text(st.characters(codec="utf-8"), max_size=40)


@given(texts)
def test_words_of_words_are_the_same_words(text: str) -> None:
    assert words(" ".join(words(text))) == words(text)


@given(texts, texts)
def test_jaccard_is_symmetric_and_one_for_equals(a: str, b: str) -> None:
    first, second = shingles(a, 3), shingles(b, 3)
    assert 0 <= jaccard(first, second) == jaccard(second, first) <= 1
    assert jaccard(first, first) == 1


@given(st.lists(st.sampled_from(["wine", "rack", "12", "inch", "8", "oz", "XL"]), max_size=6), st.randoms())
def test_word_order_counts_for_nothing_where_no_unit_moves(found: list[str], rng: random.Random) -> None:
    plain = [word for word in found if not word.isdigit()]
    shuffled = rng.sample(plain, len(plain))
    assert shingles(" ".join(shuffled), 3) == shingles(" ".join(plain), 3)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('12" frame', "12 inches frame"),
        ("12-inch frame", "30 cm frame"),
        ("12 in. frame", "30cm frame"),
        ("6' rug", "183 cm rug"),
        ("16GB card", "16 gb card"),
        ("1,000 W heater", "1000w heater"),
        ("2,5 l jug", "2.50 litres jug"),
        ("ＷＩＮＥ rack", "wine RACK"),
        ("Maße", "MASSE"),
    ],
)
def test_spellings_of_one_measure_are_equal(one: str, other: str) -> None:
    assert words(one) == words(other)
    assert numbers(one) == numbers(other)


@pytest.mark.parametrize(("one", "other"), [("12 cm", "12 inch"), ("1.5 l", "15 l"), ("54 inch", "55 inch")])
def test_other_measures_stay_apart(one: str, other: str) -> None:
    assert words(one) != words(other)


@given(st.integers(1, 12), st.data())
def test_components_are_a_partition_that_edges_never_cross(size: int, data: st.DataObject) -> None:
    node = st.integers(0, size - 1)
    edges = data.draw(st.lists(st.tuples(node, node), max_size=15))
    found = connected_components(size, edges)
    assert len(found) == size
    assert all(found[a] == found[b] for a, b in edges)
    # Joined by nothing but edges: without any, each is alone.
    assert len(set(found)) >= size - len(edges)
    assert found == connected_components(size, edges[::-1])


def every_two(sets: Sequence[frozenset[str]]) -> Iterable[tuple[int, int]]:
    return combinations_with_replacement(range(len(sets)), 2)


vocabulary = st.sampled_from(["steel", "wine", "rack", "racks", "blue", "red", "12", "inch", "holder", "8"])
text_of_words = st.lists(vocabulary, min_size=1, max_size=6).map(" ".join)
compared = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c"]), text_of_words, text_of_words, st.just("") | text_of_words),
    max_size=12,
)


def search(pairs: Sequence[tuple[int, tuple[str, str, str, str]]], **how: Any) -> list[tuple[str, str]]:
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE compared (pair_id VARCHAR, side VARCHAR, query VARCHAR, title VARCHAR, description VARCHAR)"
        )
        if pairs:
            connection.executemany(
                "INSERT INTO compared VALUES (?, ?, ?, ?, ?)", [(f"{n}", *pair) for n, pair in pairs]
            )
        return near_copies(connection, "compared", **how)


@settings(deadline=None, max_examples=30)
@given(compared, st.randoms())
def test_the_order_of_rows_is_of_no_matter(
    pairs: list[tuple[str, str, str, str]], rng: random.Random
) -> None:
    numbered = list(enumerate(pairs))
    found = search(numbered)
    assert search(rng.sample(numbered, len(numbered))) == found
    assert found == sorted(set(found))
    sides = {f"{n}": pair[0] for n, pair in numbered}
    assert all(sides[a] < sides[b] for a, b in found)
    # LSH leaves things out and adds none.
    assert set(found) <= set(search(numbered, propose=every_two))


def test_long_queries_that_share_half_are_two_needs() -> None:
    queries = (
        "waterproof hiking jackets without down filling for winter walks",
        "waterproof hiking jackets with synthetic filling for summer walks",
    )
    assert jaccard(*(shingles(query, QUERY.size) for query in queries)) >= QUERY.threshold
    title = "Harbour Hiking Jacket by Nordhavel"
    assert search([(n, (f"side {n}", query, title, "")) for n, query in enumerate(queries)]) == []
    typo = queries[0].replace("filling", "fillng")
    both = search([(n, (f"side {n}", query, title, "")) for n, query in enumerate((queries[0], typo))])
    assert both == [("0", "1")]


def test_lsh_proposes_almost_all_that_are_near() -> None:
    rng = random.Random(4)
    proposed = near = 0
    for _ in range(400):
        kept = rng.randint(60, 95)
        a = frozenset(f"{n}" for n in range(100))
        b = frozenset(f"{n}" for n in rng.sample(range(100), kept)) | {
            f"other {n}" for n in range(100 - kept)
        }
        if jaccard(a, b) >= TITLE.threshold:
            near += 1
            proposed += (0, 1) in set(candidates([a, b]))
    assert near > 200
    assert proposed >= 0.99 * near
