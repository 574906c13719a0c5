"""What is pushed arrives once and as it is, and what is answered stays."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from annotation.review.server import ReviewServer
from annotation.review.texts import shown_text
from curation.checks.text_checks import CHECKS_VERSION
from curation.shop import generate, write_csv
from tests.annotation.shelf import PAIRS, PAN, SOCK, TEXT, Judged, fill, flawed, run_curation, sound
from tests.warehouse.support import ROOT
from warehouse.ledger import Run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.annotation.shelf import Desk


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
    # One more in UTF-16, for the emoji.
    five, six, two = (TEXT.index(words) + 1 for words in ("5<", "6 inch", "2."))
    names = {q["id"]: q["name"] for q in desk.api("GET", f"datasets/{desk.dataset_id}/questions")["items"]}
    assert {names[s["question_id"]]: (s["agent"], s["value"]) for s in suggestions} == {
        "failing_steps": (f"check text {CHECKS_VERSION}", ["verdict"]),
        "hallucinations": (
            f"check text {CHECKS_VERSION}",
            [
                {"label": "unsupported", "start": five, "end": five + 1},
                {"label": "unsupported", "start": six, "end": six + 6},
                {"label": "self", "start": two, "end": two + 1},
            ],
        ),
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
        for table in ("findings", "checked_texts"):
            connection.execute(f"DELETE FROM {table}")
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


def test_rationales_are_pushed_by_their_teachers_configuration(desk: Desk, tmp_path: Path) -> None:
    shop = tmp_path / "shop.csv"
    fields = ("query", "title", "description", "label", "item_id", "intent")
    mapping = ("--map", *(f"{name}={name}" for name in fields), "reason=derivation")
    tiers = ("--tiers", "Excellent=4,Related=3,Mismatch=2,Irrelevant=1")
    write_csv(generate(40, seed=2), shop)
    run_curation(desk.store, "ingest", "table", shop, *tiers, *mapping)
    run_curation(desk.store, "rules", "load", "shop")
    written = run_curation(desk.store, "rationales", "--teacher", "shop", "--limit", 3)
    sent = desk.push("--configuration", written["configuration"][:12])
    assert (sent["records"], sent["new"]) == (3, 3)
    shown = [record["fields"]["reasoning"] for record in desk.records().values()]
    texts = [text for (text,) in desk.ask("SELECT text FROM rationales")]
    assert sorted(shown) == sorted(shown_text(text) for (text,) in desk.ask("SELECT text FROM samples"))
    assert all(any(shown_text(text) in each for each in shown) for text in texts)
