"""Where the review stands."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from click.testing import CliRunner

from annotation.__main__ import main
from annotation.review.progress import _pace
from tests.annotation.shelf import PAIRS, PAN, fill, sound

if TYPE_CHECKING:
    from tests.annotation.shelf import Desk


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
