"""The one change to Argilla's own code, and what becomes of it when Argilla changes."""

from __future__ import annotations

import http.server
import json
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from annotation.environment import SERVER_CODE
from tests.annotation.conftest import ENVIRONMENT, eventually
from tests.annotation.review import Review, record

if TYPE_CHECKING:
    from tests.annotation.conftest import Served

_PATCH = """
import json
from argilla_home import webhooks
print(json.dumps(webhooks.skip_unwanted_events()))
"""
_CHANGED = """
import argilla_server.webhooks.v1.records as records
async def build_record_event(db, event, record):
    return None
records.build_record_event = build_record_event
"""


def _patched(folder: Path, before: str = "") -> list[str]:
    python = Path(ENVIRONMENT) / "bin" / "python"
    env = {"PYTHONPATH": str(SERVER_CODE), "ARGILLA_HOME_PATH": str(folder), "TMPDIR": str(folder)}
    (folder / "code.py").write_text(before + _PATCH)
    done = subprocess.run([python, folder / "code.py"], env=env, capture_output=True, text=True, check=True)
    # Argilla's warnings are there too.
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_argilla_is_as_it_was_when_this_was_written(on_sqlite: Served, tmp_path: Path) -> None:
    assert _patched(tmp_path) == []


def test_other_code_stays_as_it_is(on_sqlite: Served, tmp_path: Path) -> None:
    assert _patched(tmp_path, _CHANGED) == ["argilla_server.webhooks.v1.records:build_record_event"]


def test_a_webhook_that_is_enabled_is_told(on_sqlite: Served) -> None:
    told: list[str] = []

    class Listener(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told.append(body["type"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_args: object) -> None: ...

    review = Review(on_sqlite)
    review.log([record("r0", "before")])
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Listener) as listener:
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{listener.server_address[1]}/"
        body = {"url": url, "events": ["record.created", "response.created"], "description": "test"}
        webhook = review.request("POST", "webhooks", json=body)
        review.log([record("r1", "after"), record("r2", "after")])
        review.respond("r1", "ann", "submitted", {"right": "yes"})
        eventually(lambda: sorted(told) == ["record.created", "record.created", "response.created"])
        review.request("DELETE", f"webhooks/{webhook['id']}")
        listener.shutdown()
    review.dataset.delete()
