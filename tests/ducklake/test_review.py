"""What people said decides what is taught on a shared store too."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.ducklake.conftest import Lake

_ANSWERS = """
import os
from tests.annotation.shelf import Judged, People, fill, flawed, run_curation, sound
from warehouse.store import Store

store = Store.named(os.environ["TIERWISE_DB"])
pan = Judged("red pan", "Wok", 3, ("3: It is a pan.", "3: A wok.", "1: A hat."))
hat = Judged("felt hat", "Hat", 2, ("2: It is a cap.",))
fill(store, [pan, hat])
run_curation(store, "grade")
people = People(store)
for name in ("ann", "bob"):
    people.say(pan, 0, name, **flawed(3, "item"), spans=(("self", 3, 5),))
    people.say(pan, 1, name, **sound(3))
    people.say(hat, 0, name, **flawed(2, "item"), correction="A cap is no hat.")
"""


def test_reviews_decide_what_is_taught(lake: Lake) -> None:
    done = lake.run("-c", _ANSWERS)
    assert done.returncode == 0, done.stderr
    for code in ("decide", "agreement"):
        ran = lake.run("-m", "annotation", code, "--json")
        assert ran.returncode == 0, ran.stderr
    assert lake.rows("SELECT outcome, count(*) AS n FROM review_outcomes GROUP BY 1 ORDER BY 1") == [
        ["accepted", 1],
        ["corrected", 1],
        ["rejected", 1],
    ]
    lake.command("curation", "pairs", "--reviewed", "accepted", "--max-length-ratio", 9)
    lake.command("curation", "split", "create", "read", "--reviewed", "accepted")
    assert lake.rows(
        "SELECT sample_id IS NULL AS written, count(*) AS n FROM split_completions GROUP BY 1 ORDER BY 1"
    ) == [[False, 1], [True, 1]]
    assert "is whole" in lake.command("curation", "split", "verify", "read_v1")
    again = lake.run("-m", "annotation", "decide", "--json")
    assert '"changed": {"new": 0, "changed": 0, "removed": 0}' in again.stdout, again.stderr
    assert lake.rows("SELECT words FROM current_review_spans") == [["It"], ["It"]]
