"""What Argilla promises of its search, on its own database: through the SDK, as it would be on Elasticsearch."""

from __future__ import annotations

import random
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import argilla as rg
import pytest

from tests.annotation.conftest import eventually
from tests.annotation.review import KINDS, LABELS, STEPS, Review, record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.annotation.conftest import Served

COUNT = 12


@pytest.fixture
def review(argilla_server: Served) -> Iterator[Review]:
    """An empty dataset on each database."""
    made = Review(argilla_server)
    yield made
    made.dataset.delete()


@pytest.fixture
def filled(review: Review) -> Review:
    """Twelve records."""
    review.log([_record(i) for i in range(COUNT)])
    return review


def _record(i: int) -> rg.Record:
    titles = ("red steel pan", "Red WOODEN spoon", "blue steel kettle", "无线吸尘器 quiet")
    texts = ("holds 5<6 inch, t-shirt", "Crème brûlée torch", "don't \"quote\" me's", "")
    metadata: dict[str, Any] = {"kind": KINDS[i % 3], "tier": i % 4 + 1}
    if i % 2:
        metadata["confidence"] = i / 10
    suggestions = [
        rg.Suggestion("right", LABELS[i % 2], score=i / 20, agent=("m1", "m2")[i % 2]),
        rg.Suggestion("steps", list(STEPS[: i % 3 + 1]), agent="checker"),
    ]
    vectors: dict[str, Any] = {"meaning": [1.0, i / 4, 0.0]}
    return record(
        f"r{i}", titles[i % 4], texts[i % 4], metadata=metadata, suggestions=suggestions, vectors=vectors
    )


def names(numbers: Any) -> list[str]:
    return [f"r{i}" for i in numbers]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("red", (0, 1)),
        ("RED steel", (0,)),
        ("red | kettle", (0, 1, 2)),
        ("steel -red", (2,)),
        ('"steel pan"', (0,)),
        ('"pan steel"', ()),
        ("woo*", (1,)),
        ("crème", (1,)),
        ("brûl*", (1,)),
        ("creme", ()),
        ("无线", (3,)),
        ("吸尘器 quiet", (3,)),
        ("线无器", ()),
        ("inch 6", (0,)),
        ("shirt", (0,)),
        ("red torch", (1,)),
        ('quote me"', (2,)),
        ("nowhere", ()),
        ("!!!", ()),
        ("'; DROP TABLE records; --", ()),
        ("red & ' OR NEAR(", ()),
    ],
)
def test_texts(filled: Review, text: str, kinds: tuple[int, ...]) -> None:
    assert sorted(filled.find(text)) == sorted(names(i for i in range(COUNT) if i % 4 in kinds))


def test_a_field_alone(filled: Review) -> None:
    assert filled.search(query={"text": {"q": "torch", "field": "text"}})[0] == COUNT // 4
    assert filled.search(query={"text": {"q": "torch", "field": "title"}})[0] == 0


def test_better_matches_come_first(review: Review) -> None:
    much, little = "pan pan pan", "a pan among very many other words of no account here"
    review.log([record("little", little), record("much", much), record("none", "kettle")])
    assert review.find("pan") == ["much", "little"]
    assert review.find("pan | kettle")[-1] == "little"


@pytest.mark.parametrize(
    ("condition", "numbers"),
    [
        (("metadata.kind", "==", "plain"), (0, 3, 6, 9)),
        (("metadata.kind", "in", ["plain", "question"]), (0, 2, 3, 5, 6, 8, 9, 11)),
        (("metadata.tier", ">=", 4), (3, 7, 11)),
        (("metadata.tier", "<=", 1), (0, 4, 8)),
        (("metadata.confidence", ">=", 0.65), (7, 9, 11)),
        (("metadata.confidence", "<=", 0.3), (1, 3)),
        (("right.suggestion", "==", "yes"), (0, 2, 4, 6, 8, 10)),
        (("right.score", ">=", 0.45), (9, 10, 11)),
        (("right.agent", "==", "m2"), (1, 3, 5, 7, 9, 11)),
        (("steps.suggestion", "in", ["verdict"]), (2, 5, 8, 11)),
        (("steps.suggestion", "in", ["item", "verdict"]), (1, 2, 4, 5, 7, 8, 10, 11)),
        (("id", "in", ["r3", "r5", "r99"]), (3, 5)),
        (("status", "==", "pending"), range(COUNT)),
        (("status", "==", "completed"), ()),
        (("response.status", "==", "pending"), range(COUNT)),
    ],
)
def test_filters(filled: Review, condition: tuple[str, str, Any], numbers: Any) -> None:
    assert filled.find(None, condition) == names(numbers)


def test_conditions_add_up(filled: Review) -> None:
    found = filled.find("red", ("metadata.kind", "==", "plain"), ("right.suggestion", "==", "no"))
    assert found == ["r9"]


def test_one_response_meets_all_of_a_condition(filled: Review) -> None:
    filled.respond("r0", "ann", "submitted", {"right": "yes", "quality": 4})
    filled.respond("r0", "bob", "draft", {"right": "no", "quality": 1, "steps": ["item"]})
    filled.respond("r1", "ann", "discarded", {"right": "no"})
    assert filled.find(None, ("right.response", "==", "yes")) == ["r0"]
    assert filled.find(None, ("right.response", "==", "no")) == ["r0", "r1"]
    assert filled.find(None, ("quality.response", ">=", 4)) == ["r0"]
    assert filled.find(None, ("quality.response", ">=", 5)) == []
    assert filled.find(None, ("steps.response", "in", ["item"])) == ["r0"]
    assert filled.find(None, ("response.status", "==", "pending")) == names(range(2, COUNT))

    def of(user: str, *statuses: str) -> int:
        scope = {"entity": "response", "property": "status"}
        wanted = {"type": "terms", "scope": scope, "values": statuses}
        return filled.search(user, filters={"and": [wanted]})[0]

    assert (of("ann", "submitted"), of("ann", "draft"), of("ann", "discarded")) == (1, 0, 1)
    assert (of("bob", "submitted"), of("bob", "draft"), of("bob", "pending")) == (0, 1, COUNT - 1)
    assert of("bob", "pending", "draft") == COUNT

    def answered(user: str, value: str) -> int:
        scope = {"entity": "response", "question": "right"}
        return filled.search(user, filters={"and": [{"type": "terms", "scope": scope, "values": [value]}]})[0]

    assert (answered("ann", "yes"), answered("bob", "yes")) == (1, 0)


def test_sorts_put_what_is_missing_last(filled: Review) -> None:
    def by(order: str, **scope: str) -> list[str]:
        return filled.search(sort=[{"scope": scope, "order": order}])[1]

    confident = {"entity": "metadata", "metadata_property": "confidence"}
    assert by("asc", **confident) == names([1, 3, 5, 7, 9, 11, 0, 2, 4, 6, 8, 10])
    assert by("desc", **confident) == names([11, 9, 7, 5, 3, 1, 0, 2, 4, 6, 8, 10])
    assert by("asc", entity="metadata", metadata_property="kind")[:4] == names([1, 4, 7, 10])
    assert by("desc", entity="suggestion", question="right", property="score") == names(
        range(COUNT - 1, -1, -1)
    )
    assert by("desc", entity="record", property="inserted_at") == names(range(COUNT - 1, -1, -1))
    filled.respond("r5", "ann", "submitted", {"right": "yes", "quality": 2})
    filled.respond("r5", "bob", "submitted", {"right": "yes", "quality": 5})
    filled.respond("r7", "ann", "submitted", {"right": "no", "quality": 3})
    assert by("desc", entity="response", question="quality")[:2] == ["r5", "r7"]
    assert by("asc", entity="response", question="quality")[:2] == ["r7", "r5"]
    assert by("asc", entity="record", property="status")[0] == "r5"
    tier = {"entity": "metadata", "metadata_property": "tier"}
    both = [{"scope": tier, "order": "desc"}, {"scope": confident, "order": "desc"}]
    assert filled.search(sort=both)[1][:4] == names([11, 7, 3, 2])


def test_pages_make_up_the_whole(filled: Review) -> None:
    for user in (None, "ann"):
        total, whole = filled.search(user)
        pages = [filled.search(user, offset=offset, limit=5) for offset in (0, 5, 10, 15)]
        assert {total for total, _ in pages} == {total} == {COUNT}
        assert [name for _, page in pages for name in page] == whole
        assert sorted(whole) == sorted(names(range(COUNT)))


def test_every_annotator_has_an_order_of_their_own(filled: Review) -> None:
    ann, bob, owner = (filled.search(user)[1] for user in ("ann", "bob", "owner"))
    assert len({tuple(ann), tuple(bob), tuple(owner), tuple(names(range(COUNT)))}) == 4
    assert filled.search("ann")[1] == ann
    filled.log([_record(COUNT)])
    assert [name for name in filled.search("ann")[1] if name != f"r{COUNT}"] == ann


def test_times(filled: Review) -> None:
    now = datetime.now(UTC)

    def between(**ends: str) -> int:
        scope = {"entity": "record", "property": "inserted_at"}
        return filled.search(filters={"and": [{"type": "range", "scope": scope, **ends}]})[0]

    hour = timedelta(hours=1)
    assert between(ge=(now - hour).isoformat(), le=(now + hour).isoformat()) == COUNT
    assert between(ge=(now + hour).isoformat()) == 0
    assert between(le=now.date().isoformat()) == COUNT
    assert between(le=(now.date() - timedelta(days=1)).isoformat()) == 0


def test_edits_are_found_at_once(filled: Review) -> None:
    filled.log([record("r0", "green pan")])
    assert filled.find("green") == ["r0"]
    assert "r0" not in filled.find("red")
    filled.request("PATCH", f"records/{filled.ids['r1']}", json={"fields": {"title": "violet", "text": ""}})
    assert filled.find("violet") == ["r1"]
    filled.request("PATCH", f"records/{filled.ids['r2']}", json={"metadata": {"tier": 4}})
    assert "r2" in filled.find("kettle", ("metadata.tier", "==", 4))
    filled.delete(["r0", "r3"])
    assert filled.find("green | violet") == ["r1"]
    assert filled.search()[0] == COUNT - 2


def test_similar_records(filled: Review) -> None:
    def near(**vector: Any) -> list[str]:
        return filled.search(query={"vector": {"name": "meaning", **vector}})[1]

    assert near(value=[1.0, 0.0, 0.0])[:3] == names([0, 1, 2])
    assert near(value=[1.0, 0.0, 0.0], order="least_similar")[0] == "r11"
    assert near(record_id=filled.ids["r5"])[:2] in (["r4", "r6"], ["r6", "r4"])
    assert "r5" not in near(record_id=filled.ids["r5"])
    wanted = {
        "type": "terms",
        "scope": {"entity": "metadata", "metadata_property": "kind"},
        "values": ["plain"],
    }
    query = {"vector": {"name": "meaning", "value": [1.0, 0.0, 0.0]}, "text": {"q": "red"}}
    assert filled.search(query=query, filters={"and": [wanted]})[1] == names([0, 9])
    assert filled.search(query=query, offset=0, limit=2)[1] == names([0, 1])
    filled.log([record("r0", "red", vectors={"meaning": [-1.0, 0.0, 0.0]})])
    assert near(value=[1.0, 0.0, 0.0])[-1] == "r0"
    with pytest.raises(AssertionError, match=r"422 .*has 2 dimensions, and `meaning` has 3"):
        near(value=[1.0, 0.0])


def test_metadata_metrics(filled: Review) -> None:
    found = {
        prop.name: filled.request("GET", f"metadata-properties/{prop.id}/metrics")
        for prop in filled.dataset.settings.metadata
    }
    assert found["kind"]["total"] == COUNT
    assert {value["term"]: value["count"] for value in found["kind"]["values"]} == dict.fromkeys(KINDS, 4)
    assert found["tier"] == {"type": "integer", "min": 1, "max": 4}
    assert found["confidence"] == {"type": "float", "min": 0.1, "max": 1.1}


def test_progress(filled: Review) -> None:
    filled.respond("r0", "ann", "submitted", {"right": "yes"})
    filled.respond("r0", "bob", "submitted", {"right": "no"})
    filled.respond("r1", "ann", "draft", {"right": "yes"})
    progress = filled.dataset.progress()
    assert (progress["total"], progress["completed"], progress["pending"]) == (COUNT, 1, COUNT - 1)
    assert filled.find(None, ("status", "==", "completed")) == ["r0"]


def test_an_annotators_own_progress(filled: Review) -> None:
    # Elasticsearch counts what others answered on the same records too.
    filled.respond("r0", "ann", "submitted", {"right": "yes"})
    filled.respond("r0", "bob", "discarded", {})
    filled.respond("r1", "ann", "draft", {"right": "yes"})
    found = filled.request("GET", f"me/datasets/{filled.dataset.id}/metrics", user="ann")["responses"]
    assert found == {"total": COUNT, "submitted": 1, "discarded": 0, "draft": 1, "pending": COUNT - 2}


def test_the_worker_follows_a_changed_overlap(filled: Review) -> None:
    filled.respond("r0", "ann", "submitted", {"right": "yes"})
    assert filled.find(None, ("status", "==", "completed")) == []
    changed = {"distribution": {"strategy": "overlap", "min_submitted": 1}}
    filled.request("PATCH", f"datasets/{filled.dataset.id}", json=changed)
    eventually(lambda: filled.find(None, ("status", "==", "completed")) == ["r0"])


def test_two_datasets_do_not_mix(filled: Review) -> None:
    other = Review(filled.served)
    other.log([record("r0", "red herring")])
    assert other.find("red") == ["r0"]
    assert len(filled.find("red")) == COUNT // 2
    other.dataset.delete()
    assert len(filled.find("red")) == COUNT // 2


def test_texts_that_a_database_could_stumble_over(review: Review) -> None:
    texts = {
        "quotes": "it's \"quoted\" \\back\\slash 'single'",
        "sql": "'); DROP TABLE records; --",
        "long": "word " * 20_000 + "needle",
        "one-word": "x" * 5_000,
        "emoji": "mug ☕️ with 👩‍👩‍👧 print",
        "marks": "e\u0301clair",
        "zero": "a\u200bb",
    }
    review.log([record(name, text) for name, text in texts.items()])
    assert review.find("needle") == ["long"]
    assert review.find("x" * 5_000) == ["one-word"]
    assert review.find("éclair") == ["marks"]
    assert review.find("slash single") == ["quotes"]
    assert review.find("print mug") == ["emoji"]
    assert review.find("drop table") == ["sql"]


def test_many_write_and_search_at_once(review: Review) -> None:
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            mine = [record(f"w{number}-{i}", f"writer{number} thing") for i in range(40)]
            random.Random(number).shuffle(mine)
            for start in range(0, 40, 10):
                review.dataset.records.log(mine[start : start + 10], batch_size=10)
                assert len(review.find(f"writer{number}")) == start + 10
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors
    eventually(lambda: len(review.find("thing")) == 160)
