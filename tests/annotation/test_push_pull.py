"""What is pushed arrives once and as it is; what is answered comes back as it was given."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from annotation.__main__ import main
from annotation.review.progress import _pace
from annotation.review.questions import read_answers
from annotation.review.server import ReviewServer
from annotation.review.texts import shown_text
from tests.annotation.shelf import Judged, fill, flawed, run_curation, sound
from tests.warehouse.support import ROOT
from warehouse.ledger import Run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.annotation.shelf import Desk

TEXT = "3\nThe 🙂 pan holds 5<6 inch; 铁锅 is red.\nIt is a wok, so tier 2."
PAN = Judged("red pan", "Wok 🙂 <b>", 3, ("4\nIt is a pan.", TEXT, "4\nIt is a pan.", "no tier at all"))
SOCK = Judged("wool sock", "Sock", 4, ("4\nA sock of wool.", "1\nA hat."), kind="negation")
PAIRS = (PAN, SOCK)


def test_a_push_sends_different_samples_that_state_a_tier(desk: Desk) -> None:
    fill(desk.store, PAIRS)
    sent = desk.push("--overlap", 2)
    assert (sent["records"], sent["new"], sent["overlap"]) == (4, 4, 2)
    records = desk.records()
    # The third repeats the first, the fourth states no tier.
    ids = [PAN.sample_id(0), PAN.sample_id(1), SOCK.sample_id(0), SOCK.sample_id(1)]
    assert records.keys() == {i.hex for i in ids}
    fields, metadata = records[PAN.sample_id(1).hex]["fields"], records[PAN.sample_id(1).hex]["metadata"]
    assert fields["reasoning"] == shown_text(TEXT)
    assert "5&#60;6 inch" in fields["reasoning"]
    for shown in ("red pan", "Wok &#128578; &#60;b&#62;", "3 Related", "Plain.", "colour: <b>red</b>"):
        assert shown in fields["card"]
    del metadata["content"]
    assert metadata == {
        **{"gold_tier": 3, "model_tier": 3, "kind": "plain", "model": "tiny", "length": 1},
        **{"configuration": metadata["configuration"], "confidence": 0.3},
    }
    assert desk.ask("SELECT count(*), min(gold_tier), max(gold_tier) FROM review_records") == [(4, 3, 4)]


def test_the_same_again_adds_nothing(desk: Desk) -> None:
    fill(desk.store, PAIRS)
    desk.push()
    before = desk.records()
    again = desk.push()
    assert (again["new"], again["updated"], again["changed_but_answered"]) == (0, 0, 0)
    assert desk.records() == before
    assert desk.ask("SELECT count(*) FROM review_records") == [(4,)]
    assert desk.ask("SELECT count(*) FROM review_datasets") == [(1,)]


def test_what_to_push_is_chosen(desk: Desk) -> None:
    fill(desk.store, PAIRS)
    assert desk.push("--where", "kind = 'negation'", "--per-pair", 1)["records"] == 1
    # A correct one comes first, a wrong one second.
    assert desk.records().keys() == {SOCK.sample_id(0).hex}
    assert desk.push("--where", "kind = 'negation'")["new"] == 1
    assert desk.push()["new"] == 2
    run_curation(desk.store, "split", "create", "socks", "--where", "kind = 'negation'")
    assert desk.push("--split", "socks_v1")["records"] == 2
    assert desk.push("--split", "socks_v1", "--where", "tier < 4", code=1)["error"].startswith(
        "Error: nothing to"
    )
    told = desk.push("--where", "nonsense = 1", code=1)["error"]
    assert told.count("\n") == 0
    assert "columns are those of pair_overview" in told
    assert "nothing to review" in desk.push("--where", "false", code=1)["error"]
    assert "no split nope_v1" in desk.push("--split", "nope_v1", code=1)["error"]


def test_findings_are_suggested_unless_blind(desk: Desk) -> None:
    fill(desk.store, [PAN])
    desk.push()
    suggestions = desk.records()[PAN.sample_id(1).hex]["suggestions"]
    at = TEXT.index("2.") + 1  # one more in UTF-16, for the emoji
    names = {q["id"]: q["name"] for q in desk.api("GET", f"datasets/{desk.dataset_id}/questions")["items"]}
    assert {names[s["question_id"]]: (s["agent"], s["value"]) for s in suggestions} == {
        "failing_steps": ("grader 1", ["verdict"]),
        "hallucinations": ("grader 1", [{"label": "self", "start": at, "end": at + 1}]),
    }
    assert "leave --blind out" in desk.push("--blind", code=1)["error"]
    desk.dataset += "-blind"
    desk.push("--blind")
    assert all(not record["suggestions"] for record in desk.records().values())
    assert "say --blind" in desk.push(code=1)["error"]


def test_a_changed_text_updates_its_record_unless_it_was_answered(desk: Desk) -> None:
    fill(desk.store, PAIRS)
    desk.push()
    desk.answer(PAN.sample_id(0), "ann", "draft", tier="3")
    with desk.store.write(Run("test", {})) as connection:
        connection.execute("UPDATE item_versions SET description = 'Changed.'")
    again = desk.push()
    assert (again["new"], again["updated"], again["changed_but_answered"]) == (0, 3, 1)
    records = desk.records()
    changed = {name for name, record in records.items() if "Changed." in record["fields"]["card"]}
    assert changed == records.keys() - {PAN.sample_id(0).hex}
    assert desk.push()["updated"] == 0
    # What it showed before is kept.
    assert desk.ask("SELECT count(*), count(DISTINCT sample_id) FROM review_records") == [(7, 4)]


def test_an_update_takes_back_what_is_no_longer_suggested(desk: Desk) -> None:
    fill(desk.store, [PAN])
    desk.push()
    assert desk.records()[PAN.sample_id(1).hex]["suggestions"]
    with desk.store.write(Run("test", {})) as connection:
        connection.execute("UPDATE samples SET text = '3\nIt is a wok.' WHERE sample_index = 1")
    assert desk.push()["updated"] == 1
    assert desk.records()[PAN.sample_id(1).hex]["suggestions"] == []


def test_what_was_taken_down_leaves_the_server(desk: Desk) -> None:
    fill(desk.store, PAIRS)
    desk.push()
    desk.answer(PAN.sample_id(0), "ann", **sound(3))
    desk.run("pull")
    done = subprocess.run(
        [sys.executable, "-m", "warehouse", "takedown", "--item", str(desk.ask(
            "SELECT item_id FROM pairs WHERE pair_id = ?", PAN.pair_id)[0][0]),
            "--reason", "court order", "--db", str(desk.store.path)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    # Whatever is asked for, and before anything else.
    assert "nothing to review" in desk.push("--where", "false", code=1)["error"]
    record = desk.records()[PAN.sample_id(0).hex]
    assert record["fields"] == {"card": "[taken down]", "reasoning": "[taken down]"}
    assert record["metadata"]["gold_tier"] == 3
    assert len(record["responses"]) == 1
    assert desk.push()["taken_down"] == 0
    # What was answered since may quote the item too.
    desk.answer(PAN.sample_id(0), "ann", **flawed(3, "item"), correction="The wok is a wok.")
    assert desk.run("pull")["new"] == 1
    assert desk.ask(
        "SELECT r.tier, r.correction, v.answers::VARCHAR FROM current_reviews r JOIN reviews v USING (review_id)"
    ) == [(3, None, "{}")]


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


def test_what_is_answered_while_records_are_sent_is_left(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(desk.store, PAIRS)
    desk.push()
    with desk.store.write(Run("test", {})) as connection:
        connection.execute("UPDATE item_versions SET description = 'Changed.'")
    real = ReviewServer.questions
    asked = []

    def answered_meanwhile(self: ReviewServer, dataset_id: str) -> dict[str, dict[str, Any]]:
        asked.append(dataset_id)
        if len(asked) == 2:
            desk.answer(PAN.sample_id(0), "ann", **sound(3))
        return real(self, dataset_id)

    with monkeypatch.context() as patched:
        patched.setattr(ReviewServer, "questions", answered_meanwhile)
        sent = desk.push()
    assert len(asked) == 2
    assert (sent["updated"], sent["changed_but_answered"]) == (3, 1)
    assert "Plain." in desk.records()[PAN.sample_id(0).hex]["fields"]["card"]


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


@pytest.mark.parametrize("moment", ["push", "pull"])
def test_killed_in_the_middle_and_run_again(desk: Desk, moment: str) -> None:
    many = [Judged(f"query {i}", f"Item {i}", 3, (f"3\nReason {i}.",)) for i in range(150)]
    fill(desk.store, many)
    if moment == "pull":
        desk.push()
        desk.answer(many[0].sample_id(), "ann", **sound(3))
    command = [moment, "--dataset", desk.dataset, "--db", str(desk.store.path)]
    killed = subprocess.run(
        [sys.executable, "-m", "annotation", *command],
        cwd=ROOT,
        env={**os.environ, "TIERWISE_DIE_AT": moment},
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert killed.returncode == -signal.SIGKILL
    if moment == "push":
        assert len(desk.records()) == 100
        sent = desk.push()
        assert (sent["records"], sent["new"]) == (150, 50)
        assert len(desk.records()) == 150
        assert desk.ask("SELECT count(*) FROM review_records") == [(150,)]
    else:
        assert desk.ask("SELECT count(*) FROM reviews") == [(0,)]
        assert desk.run("pull")["new"] == 1


def test_what_cannot_be_reached_is_told_in_one_line(desk: Desk) -> None:
    fill(desk.store, PAIRS)
    assert "nothing was pushed" in desk.run("pull", code=1)["error"]
    desk.push()
    assert "no review dataset nope" in desk.run("status", "--dataset", "nope", code=1)["error"]
    assert "has overlap 1" in desk.push("--overlap", 3, code=1)["error"]
    desk.monkeypatch.setenv("ARGILLA_API_KEY", "wrong")
    assert "does not know this API key" in desk.run("pull", code=1)["error"]
    desk.monkeypatch.setenv("ARGILLA_API_URL", "http://localhost:port")
    assert "no Argilla answers at http://localhost:port" in desk.run("pull", code=1)["error"]
    desk.monkeypatch.setenv("ARGILLA_API_URL", "http://127.0.0.1:9")
    assert "no Argilla answers at http://127.0.0.1:9" in desk.run("pull", code=1)["error"]


def test_a_dataset_of_somebody_else_is_left_alone(desk: Desk) -> None:
    import argilla as rg

    client = desk.served.client()
    settings = rg.Settings(
        fields=[rg.TextField(name="text", client=client)],
        questions=[rg.TextQuestion(name="why", client=client)],
    )
    rg.Dataset(name=desk.dataset, workspace="tierwise", settings=settings, client=client).create()
    fill(desk.store, PAIRS)
    assert "lacks the questions" in desk.push(code=1)["error"]


def test_an_overlap_that_was_changed_in_the_page_counts(desk: Desk) -> None:
    fill(desk.store, PAIRS)
    desk.push("--overlap", 2)
    changed = {"distribution": {"strategy": "overlap", "min_submitted": 1}}
    desk.api("PATCH", f"datasets/{desk.dataset_id}", json=changed)
    desk.answer(PAN.sample_id(1), "ann", **sound(3))
    desk.run("pull")
    assert desk.ask("SELECT overlap FROM review_datasets") == [(1,)]
    assert desk.run("decide")["samples"]["accepted"] == 1


def test_pages_share_records_so_that_none_is_missed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotation.review.server.PAGE", 7)
    monkeypatch.setattr("annotation.review.server._SHARED", 3)
    many = [Judged(f"query {i}", f"Item {i}", 3, (f"3\nReason {i}.",)) for i in range(30)]
    fill(desk.store, many)
    desk.push()
    assert desk.push()["new"] == 0
    for pair in many[::7]:
        desk.answer(pair.sample_id(), "ann", **sound(3))
    assert desk.run("pull")["submitted"] == len(many[::7])


def test_status_counts_and_expects(desk: Desk) -> None:
    fill(desk.store, PAIRS)
    desk.push("--overlap", 2)
    assert desk.run("status")[desk.dataset] == {
        **{
            "records": 4,
            "complete": 0,
            "overlap": 2,
            "answers_missing": 8,
            "expected_end": None,
            "annotators": {},
        }
    }
    for pair in PAIRS:
        desk.answer(pair.sample_id(), "ann", **sound(3))
        time.sleep(0.01)
    desk.answer(PAN.sample_id(0), "bob", "draft", tier="1")
    told = desk.run("status")[desk.dataset]
    assert told["answers_missing"] == 6
    assert datetime.fromisoformat(told["expected_end"]) > datetime.now(UTC).replace(tzinfo=None)
    assert told["annotators"]["bob"] == {"submitted": 0, "draft": 1, "discarded": 0, "an_hour": None}
    assert told["annotators"]["ann"]["submitted"] == 2
    assert told["annotators"]["ann"]["an_hour"] > 0
    done = CliRunner().invoke(main, ["status", "--db", str(desk.store.path)])
    assert "0 of 4 records complete with 2 answers each; 6 answers missing, expected end 20" in done.stdout
    desk.api("DELETE", f"datasets/{desk.dataset_id}")
    assert desk.run("status")[desk.dataset] == {}


def test_a_pace_leaves_breaks_out() -> None:
    begin = datetime(2026, 11, 1, 9)
    minutes = [0, 1, 2, 3, 90, 92]
    assert _pace([begin + timedelta(minutes=m) for m in minutes]) == 4 / 5 * 60
    assert _pace([begin]) is None


@pytest.mark.parametrize("version", ["2.7.1", "2.9.0", "3.0.0"])
def test_another_version_of_argilla_is_told_in_one_line(desk: Desk, version: str) -> None:
    class Another(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"version": version}).encode())

        def log_message(self, format: str, *args: Any) -> None: ...  # noqa: A002

    fill(desk.store, PAIRS)
    with HTTPServer(("127.0.0.1", 0), Another) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        desk.monkeypatch.setenv("ARGILLA_API_URL", url)
        assert desk.push(code=1)["error"] == f"Error: Argilla at {url} is {version}; this works with 2.8"
        server.shutdown()
