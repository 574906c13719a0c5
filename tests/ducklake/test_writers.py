"""Several processes write at once: nothing is lost, nothing is there twice."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.warehouse.support import KILLED, ROOT, one_line_error

if TYPE_CHECKING:
    import subprocess

    from tests.ducklake.conftest import Lake

ROUNDS = 3
ROWS = 10

# Each round writes rows that all writers have and rows of its own, in one transaction or through a part.
WRITER = """
import os, sys, hashlib, uuid
from warehouse.ledger import Run
from warehouse.parts import insert_new
from warehouse.store import Store

me, rounds, rows = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
store = Store.named(os.environ["TIERWISE_DB"])

print("ready", flush=True)
sys.stdin.readline()
for number in range(rounds):
    texts = [f"{whose} {number} {i}" for whose in ("all", me) for i in range(rows)]
    if me.startswith("long"):
        with store.long_run(Run("long", {})) as long_run:
            long_run.write_part("queries", [
                {"query_id": str(uuid.UUID(hashlib.md5(text.encode()).hexdigest())), "text": text, "locale": "us",
                 "kind": "plain", "run_id": str(long_run.run.run_id)} for text in texts])
    else:
        run = Run("short", {})
        with store.write(run) as connection:
            insert_new(connection, "queries",
                       "SELECT CAST(md5(text) AS UUID) AS query_id, text, 'us' AS locale, 'plain' AS kind, "
                       "$run::UUID AS run_id FROM (SELECT unnest($texts) AS text)",
                       {"run": run.run_id, "texts": texts})
"""

HOLDER = """
import os, sys
from warehouse.ledger import Run
from warehouse.store import Store
with Store.named(os.environ["TIERWISE_DB"]).write(Run("hold", {})) as connection:
    print("holds", flush=True)
    sys.stdin.readline()
"""


def start(lake: Lake, *writers: str, **env: str) -> list[subprocess.Popen[str]]:
    """The writers, let go at one moment."""
    started = [lake.start("-c", WRITER, writer, ROUNDS, ROWS, **env) for writer in writers]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return started


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    with process:
        _, errors = process.communicate(timeout=240)
    return process.returncode, errors


@pytest.mark.parametrize(
    "writers", [("short 1", "short 2"), ("short 1", "short 2", "long 1", "long 2")], ids=["two", "four"]
)
def test_nothing_is_lost_and_nothing_doubled(lake: Lake, writers: tuple[str, ...]) -> None:
    assert [finish(process) for process in start(lake, *writers)] == [(0, "")] * len(writers)
    lake.command("warehouse", "init")
    expected = ROUNDS * ROWS * (len(writers) + 1)
    assert lake.rows("SELECT count(*), count(DISTINCT query_id) FROM queries") == [[expected, expected]]
    assert lake.rows(
        "SELECT count(*), count(DISTINCT run_id), count(*) FILTER (status = 'finished') FROM runs"
    ) == [[ROUNDS * len(writers)] * 3]


def test_a_writer_killed_in_the_middle_of_a_merge(lake: Lake) -> None:
    # On a machine of its own, as it were: nobody else merges its parts.
    state = lake.data.parent / "elsewhere"
    elsewhere = {"TIERWISE_STATE": str(state)}
    (killed,) = start(lake, "long 1", TIERWISE_DIE_AT="merge", **elsewhere)
    others = start(lake, "short 1", "short 2")
    assert finish(killed)[0] == KILLED
    assert [finish(process) for process in others] == [(0, "")] * 2
    counted = "SELECT count(*), count(DISTINCT query_id) FROM queries"
    assert lake.rows(counted) == [[ROUNDS * ROWS * 3] * 2]
    # The part waits where it was written. The same command again merges it and does the rest.
    assert [finish(process) for process in start(lake, "long 1", **elsewhere)] == [(0, "")]
    assert lake.rows(counted) == [[ROUNDS * ROWS * 4] * 2]
    assert lake.rows("SELECT DISTINCT status FROM runs") == [["finished"]]
    assert list(state.rglob("part-*")) == []


def test_who_holds_the_turn_is_named_and_readers_do_not_wait(lake: Lake) -> None:
    with lake.start("-c", HOLDER) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "holds\n"
        waiting = lake.run("-m", "warehouse", "init", TIERWISE_LOCK_SECONDS="0.1")
        assert waiting.returncode == 1
        assert f"is held by process {holder.pid} on " in waiting.stderr
        assert "not free within 0.1 s" in waiting.stderr
        assert lake.rows("SELECT count(*) FROM runs") == [[0]]
        holder.kill()
    # PostgreSQL sees its end and frees the turn; what it had not committed is not there.
    lake.command("warehouse", "init")
    assert lake.rows("SELECT count(*) FROM runs") == [[0]]


def test_the_documented_lock_is_the_turn(lake: Lake) -> None:
    document = (ROOT / "docs" / "shared-store.md").read_text(encoding="utf-8")
    (statement,) = re.findall(r"SELECT pg_advisory_lock\(-?\d+\);", document)
    with lake.catalog() as session:
        session.execute(statement)
        message = one_line_error(lake.run("-m", "warehouse", "init", TIERWISE_LOCK_SECONDS="0"))
    assert message.startswith(f"{lake.name} is held by psql and was not free within 0 s")


def test_one_process_at_a_time_does_what_is_exclusive(lake: Lake) -> None:
    code = (
        "import os, sys; from warehouse.store import Store\n"
        "from warehouse.errors import TierwiseError\n"
        "try:\n"
        " with Store.named(os.environ['TIERWISE_DB']).exclusive('sample-1', 'sampling'):\n"
        "  print('in', flush=True); sys.stdin.readline()\n"
        "except TierwiseError as error: print(error)\n"
    )
    with lake.start("-c", code) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "in\n"
        # From another machine, as it were: the runs lie elsewhere.
        second = lake.run("-c", code, TIERWISE_STATE=str(lake.data.parent / "elsewhere"))
        assert f"process {first.pid} on " in second.stdout
        assert "is already sampling" in second.stdout
        assert lake.run("-c", code.replace("sample-1", "sample-2")).stdout == "in\n"
        first.kill()
    assert lake.run("-c", code).stdout == "in\n"
