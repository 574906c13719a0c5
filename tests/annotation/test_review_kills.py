"""The server dies while samples are pushed and answers are pulled."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from tests.annotation.conftest import eventually, serving
from tests.annotation.shelf import Desk, Judged, fill, sound
from warehouse.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

MANY = [Judged(f"query {i}", f"Item {i}", 3, (f"3\nReason {i}.",)) for i in range(600)]


def test_the_server_is_killed_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ARGILLA_API_URL", raising=False)
    fill(Store(tmp_path / "tierwise.duckdb"), MANY)
    with serving(tmp_path) as served:
        desk = Desk(Store(tmp_path / "tierwise.duckdb"), served, "review", monkeypatch)

        def start(*arguments: str) -> subprocess.Popen[str]:
            command = [sys.executable, "-m", "annotation", *arguments, "--json"]
            return subprocess.Popen(
                command,
                cwd=tmp_path,
                env=served.environ,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )

        def count() -> int:
            found = desk.ask("SELECT count(*) FROM review_datasets")[0][0]
            if not found:
                return 0
            return int(desk.api("GET", f"datasets/{desk.dataset_id}/progress")["total"])

        # A server process alone: it is started again, and the push goes on by itself.
        pushing = start("push", "--overlap", "2")
        eventually(lambda: count() >= 100, 60)
        served.running()["server"].send_signal(signal.SIGKILL)
        out, err = pushing.communicate(timeout=120)
        assert pushing.returncode == 0, err
        assert json.loads(out)["new"] == len(MANY)
        eventually(lambda: "server" in served.running(), 30)
        assert len(desk.records()) == len(MANY)

        answered = [pair.sample_id() for pair in MANY[:5]]
        for sample in answered:
            desk.answer(sample, "ann", **sound(3))
        # All of it, while changed records are sent.
        _change(desk)
        pushing = start("push")
        time.sleep(4)
        served.stop(signal.SIGKILL)
        pushing.kill()
        pushing.communicate()
        served.start()
        again = start("push")
        out, err = again.communicate(timeout=240)
        assert again.returncode == 0, err
        assert json.loads(out)["new"] == 0
        assert json.loads(out)["changed_but_answered"] == len(answered)
        records = desk.records()
        assert len(records) == len(MANY)
        assert sum(len(record["responses"]) for record in records.values()) == len(answered)
        shown = [r["fields"]["card"] for name, r in records.items() if name not in {s.hex for s in answered}]
        assert all("Changed." in card for card in shown)
        out, err = start("pull").communicate(timeout=120)
        assert json.loads(out)["submitted"] == len(answered), err


def _change(desk: Desk) -> None:
    from warehouse.ledger import Run

    with desk.store.write(Run("test", {})) as connection:
        connection.execute("UPDATE item_versions SET description = 'Changed.'")
