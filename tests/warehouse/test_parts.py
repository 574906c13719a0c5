"""Parts: nothing that was finished is lost or doubled, wherever a process dies."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.warehouse.support import KILLED, ROOT, python, queries
from warehouse.errors import TierwiseError
from warehouse.ledger import Run
from warehouse.parts import RunDirectory, waiting_parts

if TYPE_CHECKING:
    from pathlib import Path

    from warehouse.store import Store

# Leaves two parts of queries a, b, c and then does what argv[2] says.
WORKER = """
import sys, time, pathlib
from tests.warehouse.support import queries
from warehouse.ledger import Run
from warehouse.store import Store
with Store(pathlib.Path(sys.argv[1])).long_run(Run("sample", {})) as run:
    run.write_part("queries", queries("a", "b", run_id=run.run.run_id))
    run.write_part("queries", queries("c", run_id=run.run.run_id))
    print(run.run.run_id, flush=True)
    exec(sys.argv[2])
"""
DIE = "import os; os.kill(os.getpid(), 9)"


def texts(store: Store) -> list[str]:
    with store.read() as connection:
        rows = connection.execute("SELECT text FROM queries ORDER BY 1").fetchall()
    return [text for (text,) in rows]


def statuses(store: Store) -> list[str]:
    with store.read() as connection:
        return [s for (s,) in connection.execute("SELECT status FROM runs ORDER BY started_at").fetchall()]


def left(store: Store) -> list[str]:
    return sorted(path.name for path in store.runs.iterdir()) if store.runs.exists() else []


def abandoned(store: Store) -> Path:
    """The directory of a run whose process is gone."""
    directory = RunDirectory(store.runs, Run("sample", {}))
    directory.write_part("queries", queries("a", "b"))
    directory.write_part("queries", queries("c"))
    directory.release()
    return directory.path


def test_a_run_leaves_its_rows_and_nothing_else(store: Store) -> None:
    with store.long_run(Run("sample", {})) as run:
        run.write_part("queries", queries("a", "b"))
        run.write_part("queries", [])
        assert texts(store) == []
        assert run.checkpoint()
        assert (texts(store), statuses(store)) == (["a", "b"], ["running"])
        assert waiting_parts(store.runs) == []
        run.write_part("queries", queries("b", "c"))
        run.run.summary = {"drawn": 3}
    assert (texts(store), statuses(store), left(store)) == (["a", "b", "c"], ["finished"], [])


@pytest.mark.parametrize("failpoint", ["merge", "collect"])
def test_killed_in_the_middle_of_a_merge(store: Store, failpoint: str) -> None:
    assert python(WORKER, store.path, "run.checkpoint()", TIERWISE_DIE_AT=failpoint).returncode == KILLED
    assert len(waiting_parts(store.runs)) == 2
    assert texts(store) == ([] if failpoint == "merge" else ["a", "b", "c"])
    added = store.merge_waiting()
    assert added == {"queries": 3 if failpoint == "merge" else 0}
    assert (texts(store), statuses(store), left(store)) == (["a", "b", "c"], ["interrupted"], [])
    assert store.merge_waiting() == {}


def test_killed_between_parts(store: Store) -> None:
    assert python(WORKER, store.path, DIE).returncode == KILLED
    (directory,) = store.runs.iterdir()
    (directory / ".part-000003.queries.parquet").write_bytes(b"PAR1 torn")
    assert store.merge_waiting() == {"queries": 3}
    assert (texts(store), statuses(store), left(store)) == (["a", "b", "c"], ["interrupted"], [])


def test_killed_before_the_run_has_its_name(store: Store) -> None:
    assert python(WORKER, store.path, "", TIERWISE_DIE_AT="nascent").returncode == KILLED
    assert [name[0] for name in left(store)] == ["."]
    assert store.merge_waiting() == {}
    assert (statuses(store), left(store)) == ([], [])


def test_killed_while_collecting(store: Store) -> None:
    directory = abandoned(store)
    directory.rename(directory.with_name(f".{directory.name}"))
    (store.runs / ".sample-1.lock").write_text("12345")
    store.merge_waiting()
    assert left(store) == [".sample-1.lock"]


def test_the_same_part_twice_adds_nothing(store: Store) -> None:
    for _ in range(2):
        with store.long_run(Run("sample", {})) as run:
            run.write_part("queries", queries("a"))
            run.write_part("queries", queries("a"))
    assert (texts(store), statuses(store)) == (["a"], ["finished", "finished"])


def test_a_live_run_is_merged_by_another_process(store: Store) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, str(store.path), "sys.stdin.read()"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as worker:
        assert worker.stdout is not None
        run_id = worker.stdout.readline().strip()
        assert store.merge_waiting() == {"queries": 3}
        assert (statuses(store), left(store)) == (["running"], [run_id])
        worker.communicate("")
    assert worker.returncode == 0
    assert (statuses(store), left(store)) == (["finished"], [])


def test_two_writers_merge_at_once(store: Store) -> None:
    for _ in range(4):
        abandoned(store)
    code = (
        "import sys, pathlib; from warehouse.store import Store\n"
        "print(Store(pathlib.Path(sys.argv[1])).merge_waiting())"
    )
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(store.path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = sorted(writer.communicate()[0].strip() for writer in writers)
    assert [writer.returncode for writer in writers] == [0, 0]
    assert said == ["{'queries': 3}", "{}"]
    assert (texts(store), statuses(store), left(store)) == (["a", "b", "c"], ["interrupted"] * 4, [])


@pytest.mark.parametrize(
    ("error", "status"), [(KeyboardInterrupt(), "interrupted"), (RuntimeError("gpu"), "failed")]
)
def test_a_run_that_ends_badly_keeps_what_it_finished(
    store: Store, error: BaseException, status: str
) -> None:
    def work() -> None:
        with store.long_run(Run("sample", {})) as run:
            run.write_part("queries", queries("a"))
            raise error

    with pytest.raises(type(error)):
        work()
    assert (texts(store), statuses(store), left(store)) == (["a"], [status], [])


def test_the_first_error_is_the_one_that_is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise TierwiseError("disk full")

    def work() -> None:
        with store.long_run(Run("sample", {})) as run:
            run.write_part("queries", queries("a"))
            monkeypatch.setattr("warehouse.parts._write_durably", full)
            raise RuntimeError("gpu")

    with pytest.raises(RuntimeError, match="gpu"):
        work()
    monkeypatch.undo()
    assert store.merge_waiting() == {"queries": 1}
    assert (statuses(store), left(store)) == (["interrupted"], [])


def newer_column(directory: Path) -> None:
    table = pa.table({**{k: [v] for k, v in queries("z")[0].items()}, "mood": ["good"]})
    pq.write_table(table, directory / "part-000003.queries.parquet")


def newer_table(directory: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), directory / "part-000003.moods.parquet")


def newer_ledger(directory: Path) -> None:
    ledger = json.loads((directory / "run.json").read_text())
    (directory / "run.json").write_text(json.dumps({**ledger, "mood": "good"}))


def damaged(directory: Path) -> None:
    (directory / "part-000002.queries.parquet").write_bytes(b"PAR1 nonsense")


def without_required(directory: Path) -> None:
    table = pa.table({"query_id": [queries("z")[0]["query_id"]], "text": ["z"]})
    pq.write_table(table, directory / "part-000003.queries.parquet")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (newer_column, "queries has no column mood; they are from a newer Tierwise"),
        (newer_table, "there is no table moods; they are from a newer Tierwise"),
        (newer_ledger, "mood"),
        (damaged, "part-000002.queries.parquet"),
        (without_required, "NOT NULL"),
    ],
)
def test_a_run_that_cannot_be_merged_waits_and_blocks_nobody(
    store: Store, caplog: pytest.LogCaptureFixture, spoil: Any, reason: str
) -> None:
    directory = abandoned(store)
    spoil(directory)
    before = {path.name: path.read_bytes() for path in directory.iterdir()}
    with store.long_run(Run("sample", {})) as run:
        run.write_part("queries", queries("other"))
    assert (texts(store), statuses(store)) == (["other"], ["finished"])
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == before
    assert str(directory) in caplog.text
    assert reason in caplog.text


@pytest.mark.parametrize(
    ("rows", "message"),
    [([{**queries("a")[0], "txt": "a"}], "no column txt"), ([{"text": "a"}], "query_id is required")],
)
def test_rows_that_could_never_be_merged_are_refused(
    store: Store, rows: list[dict[str, Any]], message: str
) -> None:
    def work() -> None:
        with store.long_run(Run("sample", {})) as run:
            run.write_part("queries", rows)

    with pytest.raises(ValueError, match=message):
        work()
    assert (statuses(store), left(store)) == (["failed"], [])


def test_what_a_row_may_tell_later_is_filled_once(store: Store) -> None:
    model = {
        "model_id": str(uuid.uuid4()),
        "name": "m",
        "digest": "d",
        "path": "p",
        "run_id": str(uuid.uuid4()),
    }
    parent = str(uuid.uuid4())
    trained = {**model, "parent_id": parent, "split": "a_v1", "split_hash": "h", "name": "another"}
    other = {**trained, "parent_id": str(uuid.uuid4()), "split": "b_v1"}
    for rows in ([model], [trained], [other]):
        directory = RunDirectory(store.runs, Run("sft", {}))
        directory.write_part("models", rows)
        directory.release()
        store.merge_waiting()
    with store.read() as connection:
        kept = connection.execute("SELECT name, CAST(parent_id AS VARCHAR), split FROM models").fetchall()
    assert kept == [("m", parent, "a_v1")]


def test_a_resumed_run_is_one_run_whatever_its_first_process_left(store: Store) -> None:
    run = Run("sft", {})
    first = RunDirectory(store.runs, run)
    first.write_part("queries", queries("a"))
    first.release()

    run.resume()
    second = RunDirectory(store.runs, run)
    second.write_part("queries", queries("b"))
    # The parts of the dead process are merged while the second one works.
    store.merge_waiting()
    assert (texts(store), statuses(store)) == (["a", "b"], ["running"])
    run.end("finished")
    second.save_run()
    second.release()
    store.merge_waiting()
    assert (statuses(store), left(store)) == (["finished"], [])
    with store.read() as connection:
        ((resumed, summary),) = connection.execute("SELECT resumed_at, summary FROM runs").fetchall()
    assert (resumed, summary) == (list(run.resumed_at), "{}")


def test_what_a_dead_process_left_does_not_end_the_run_that_goes_on(store: Store) -> None:
    run = Run("sft", {})
    dead = RunDirectory(store.runs, run)
    run.resume()
    alive = RunDirectory(store.runs, run)
    alive.write_part("queries", queries("b"))
    store.merge_waiting()
    dead.write_part("queries", queries("a"))
    dead.release()
    store.merge_waiting()
    assert (texts(store), statuses(store)) == (["a", "b"], ["running"])
    alive.release()
    store.merge_waiting()
    assert statuses(store) == ["interrupted"]
