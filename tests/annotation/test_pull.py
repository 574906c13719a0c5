"""What is answered comes back as it was given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from annotation.review.questions import read_answers
from annotation.review.server import ReviewServer
from tests.annotation.shelf import PAIRS, PAN, SOCK, TEXT, fill, flawed, sound

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from tests.annotation.shelf import Desk


def test_answers_come_back_as_they_were_given(desk: Desk) -> None:
    fill(desk.store, PAIRS)
    desk.push("--overlap", 2)
    units = TEXT.encode("utf-16-le")

    def span(kind: str, words: str) -> dict[str, Any]:
        start = TEXT[: TEXT.index(words)].encode("utf-16-le")
        return {
            "label": kind,
            "start": len(start) // 2,
            "end": len(start) // 2 + len(words.encode("utf-16-le")) // 2,
        }

    marked = [("unsupported", "🙂 pan"), ("contradicted", "5<6 inch"), ("self", "铁锅"), ("verdict", "2.")]
    assert len(units) // 2 == len(TEXT) + 1
    desk.answer(
        PAN.sample_id(1),
        "ann",
        **flawed(2, "item", "verdict"),
        hallucinations=[span(*mark) for mark in marked],
        correction="  It is a wok 🙂.\n",
        note="see <b>",
    )
    desk.answer(PAN.sample_id(1), "bob", "draft", tier="unclear")
    desk.answer(SOCK.sample_id(0), "bob", "discarded")
    pulled = desk.run("pull")
    assert {name: pulled[name] for name in ("new", "submitted", "drafts", "discarded", "spans")} == {
        **{"new": 3, "submitted": 1, "drafts": 1, "discarded": 1, "spans": 4}
    }
    assert desk.ask(
        "SELECT annotator, status, gold_tier, model_tier, tier, quality, failing_steps, correction, note "
        "FROM current_reviews ORDER BY annotator, status"
    ) == [
        ("ann", "submitted", 3, 3, 2, 2, ["item", "verdict"], "It is a wok 🙂.", "see <b>"),
        ("bob", "discarded", 4, 4, None, None, None, None, None),
        ("bob", "draft", 3, 3, None, None, None, None, None),
    ]
    assert desk.ask("SELECT kind, words FROM current_review_spans ORDER BY span_start") == marked
    assert desk.run("pull")["told"] == [f"{desk.dataset}: nothing new"]


def test_edits_are_versions(desk: Desk) -> None:
    fill(desk.store, PAIRS)
    desk.push()
    desk.answer(PAN.sample_id(0), "ann", "draft", tier="4")
    assert desk.run("pull")["new"] == 1
    desk.answer(PAN.sample_id(0), "ann", **sound(4))
    assert desk.run("pull")["new"] == 1
    desk.answer(PAN.sample_id(0), "ann", **sound(3))
    assert desk.run("pull")["new"] == 1
    assert desk.ask("SELECT status, tier FROM reviews ORDER BY answered_at") == [
        ("draft", 4),
        ("submitted", 4),
        ("submitted", 3),
    ]
    assert desk.ask("SELECT status, tier FROM current_reviews") == [("submitted", 3)]


def test_an_answer_that_is_taken_back(desk: Desk) -> None:
    fill(desk.store, PAIRS)
    desk.push()
    response = desk.answer(PAN.sample_id(0), "ann", **sound(4))
    desk.run("pull")
    desk.api("DELETE", f"responses/{response}", user="ann")
    pulled = desk.run("pull")
    assert (pulled["taken_back"], pulled["told"]) == (1, [f"{desk.dataset}: ann took back 1 answers"])
    assert desk.ask("SELECT status FROM current_reviews") == [("deleted",)]
    assert desk.run("pull")["taken_back"] == 0
    desk.answer(PAN.sample_id(0), "ann", **sound(3))
    desk.run("pull")
    assert desk.ask("SELECT status FROM current_reviews ORDER BY 1") == [("deleted",), ("submitted",)]


def test_an_answer_that_is_there_again_counts_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(desk.store, PAIRS)
    desk.push()
    desk.answer(PAN.sample_id(0), "ann", **sound(4))
    desk.run("pull")
    # As with a backup that was restored and then replaced by a newer one.
    with monkeypatch.context() as patched:
        real = ReviewServer.records

        def without(self: ReviewServer, *arguments: Any) -> Iterator[dict[str, Any]]:
            return ({**record, "responses": []} for record in real(self, *arguments))

        patched.setattr(ReviewServer, "records", without)
        desk.answer(PAN.sample_id(1), "bob", "draft", tier="1")
        assert desk.run("pull")["taken_back"] == 1
    desk.answer(PAN.sample_id(1), "bob", "draft", tier="2")
    desk.run("pull")
    assert desk.ask("SELECT annotator, status FROM current_reviews ORDER BY 1") == [
        ("ann", "submitted"),
        ("bob", "draft"),
    ]
    assert desk.run("pull")["new"] == 0


def test_a_user_who_is_gone_is_told_and_nothing_is_lost(desk: Desk) -> None:
    fill(desk.store, PAIRS)
    desk.push()
    name = f"carol-{desk.dataset[-8:]}"
    made = desk.run("users", "add", name)
    import argilla

    carol = argilla.Argilla(
        api_url=desk.served.url,
        api_key=desk.api("GET", f"users/{next(u for u in desk.served.client().users if u.username == name).id}")[
            "api_key"
        ],
    )  # fmt: skip
    desk.served.clients[name] = carol
    assert made["user"] == name
    desk.answer(PAN.sample_id(0), name, **sound(3))
    desk.run("pull")
    desk.run("users", "remove", name, "--with-responses")
    told = desk.run("pull")["told"]
    gone = [f"{desk.dataset}: {name} is gone with 1 answers; those pulled are kept"]
    assert told == gone
    # Another user of that name is somebody else.
    desk.run("users", "add", name)
    desk.answer(PAN.sample_id(1), "ann", **sound(3))
    assert desk.run("pull")["told"] == gone
    assert desk.ask("SELECT annotator, status FROM current_reviews ORDER BY 1") == [
        ("ann", "submitted"),
        (name, "submitted"),
    ]
    desk.run("users", "remove", name)


def test_a_record_or_a_dataset_that_is_gone_is_told_and_nothing_is_lost(desk: Desk) -> None:
    fill(desk.store, PAIRS)
    desk.push()
    desk.answer(PAN.sample_id(0), "ann", **sound(3))
    desk.run("pull")
    record = desk.records()[PAN.sample_id(0).hex]["id"]
    desk.api("DELETE", f"datasets/{desk.dataset_id}/records", params={"ids": record})
    assert "records of 1 answers by ann are gone" in desk.run("pull")["told"][0]
    desk.api("DELETE", f"datasets/{desk.dataset_id}")
    assert "gone from the server; the 1 answers that were pulled are kept" in desk.run("pull")["told"][0]
    assert desk.ask("SELECT status FROM current_reviews") == [("submitted",)]
    # And what is pushed again makes a new one.
    assert desk.push()["new"] == 4
    assert desk.ask("SELECT count(*) FROM review_datasets") == [(2,)]


def test_a_question_that_was_changed_in_the_page_is_told(desk: Desk) -> None:
    fill(desk.store, PAIRS)
    desk.push()
    questions = {q["name"]: q for q in desk.api("GET", f"datasets/{desk.dataset_id}/questions")["items"]}
    tier, note = questions["tier"], questions["note"]
    options = [
        {**o, "text": "Perfect" if o["value"] == "4" else o["text"]} for o in tier["settings"]["options"]
    ]
    changed = {"settings": {"type": "label_selection", "options": options}}
    desk.api("PATCH", f"questions/{tier['id']}", json=changed)
    desk.api("PATCH", f"questions/{note['id']}", json={"title": "Remark"})
    desk.answer(PAN.sample_id(0), "ann", **sound(4))
    by_value = "its answers are read by their values"
    assert desk.run("pull")["told"] == [
        f"{desk.dataset}: question tier reads otherwise than it was pushed ('Which tier is right?'; 4: Perfect); "
        f"{by_value}",
        f"{desk.dataset}: question note reads otherwise than it was pushed ('Remark'); {by_value}",
    ]
    assert desk.ask("SELECT tier FROM current_reviews") == [(4,)]


def test_values_that_are_none_of_ours_are_named_and_not_guessed() -> None:
    read = read_answers(
        {
            **{"tier": "5", "quality": 9, "failing_steps": ["query", "mood"], "new": "x", "note": " "},
            "hallucinations": [
                {"label": "odd", "start": 0, "end": 1},
                {"label": "self", "start": 2, "end": 3},
            ],
        }
    )
    assert (read.tier, read.quality, read.failing_steps, read.note) == (None, None, ("query",), None)
    assert read.spans == (("self", 2, 3),)
    assert read.unknown == ("failing_steps", "hallucinations", "new", "quality", "tier")


def test_an_answer_to_what_is_no_sample_is_a_reject(desk: Desk) -> None:
    fill(desk.store, PAIRS)
    desk.push()
    item = {"external_id": "zzz", "fields": {"card": "c", "reasoning": "r"}}
    desk.api("PUT", f"datasets/{desk.dataset_id}/records/bulk", json={"items": [item]})
    foreign = desk.records()["zzz"]["id"]
    body = {"status": "submitted", "values": {n: {"value": v} for n, v in sound(3).items()}}
    desk.api("POST", f"records/{foreign}/responses", user="ann", json=body)
    assert desk.run("pull")["rejects"] == 1
    assert desk.ask("SELECT source, reason FROM rejects") == [("review", "no such sample")]
    desk.answer(PAN.sample_id(0), "ann", **sound(3))
    again = desk.run("pull")
    assert (again["new"], again["rejects"]) == (1, 0)


def test_an_overlap_that_was_changed_in_the_page_counts(desk: Desk) -> None:
    fill(desk.store, PAIRS)
    desk.push("--overlap", 2)
    changed = {"distribution": {"strategy": "overlap", "min_submitted": 1}}
    desk.api("PATCH", f"datasets/{desk.dataset_id}", json=changed)
    desk.answer(PAN.sample_id(1), "ann", **sound(3))
    desk.run("pull")
    assert desk.ask("SELECT overlap FROM review_datasets") == [(1,)]
    assert desk.run("decide")["samples"]["accepted"] == 1
