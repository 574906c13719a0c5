"""Full disks: one clear line, and nothing lost that was there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from tests.warehouse.support import contents, names, one_line_error, python
from warehouse.errors import TierwiseError
from warehouse.maintenance import copy_store

if TYPE_CHECKING:
    from warehouse.store import Store

# No file of this process and its children may grow beyond argv[1] bytes, as on a full disk.
FULL = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)),) * 2)\n"
MAIN = "from warehouse.__main__ import main; main(prog_name='warehouse')"


@pytest.mark.parametrize("command", ["snapshot", "backup"])
def test_a_copy_onto_a_full_disk_leaves_nothing(filled: Store, tmp_path: Path, command: str) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    done = python(FULL + MAIN, 2_000, command, folder / "x", "--db", filled.path)
    one_line_error(done)
    assert names(folder) == []


def test_a_snapshot_whose_log_does_not_fit_is_none(
    filled: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leaving_a_log(path: Path, **_: object) -> duckdb.DuckDBPyConnection:
        # What a checkpoint that failed at closing looks like; DuckDB says nothing of it.
        Path(f"{path}.wal").write_bytes(b"log")
        return duckdb.connect()

    monkeypatch.setattr("warehouse.copies.connect", leaving_a_log)
    with pytest.raises(TierwiseError, match="log could not be folded in; is the disk full"):
        copy_store(filled, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_write_onto_a_full_disk_changes_nothing(filled: Store) -> None:
    before = contents(filled)
    limit = filled.path.stat().st_size + 10_000
    code = (
        "import sys, pathlib, click\nfrom warehouse.console import Group\nfrom warehouse.ledger import Run\n"
        "from warehouse.store import Store\n"
        "@click.group(cls=Group)\ndef main(): pass\n"
        "@main.command()\n@click.argument('path', type=pathlib.Path)\ndef fill(path):\n"
        "    with Store(path).write(Run('ingest', {})) as connection:\n"
        "        connection.execute(\"INSERT INTO queries SELECT uuid(), md5(i::VARCHAR), 'us', 'plain', NULL, uuid() "
        'FROM range(50000) t(i)")\n'
        "main()"
    )
    message = one_line_error(python(FULL + code, limit, "fill", filled.path))
    assert message.startswith(f"cannot write {filled.path}, which is as it was before: ")
    assert message.endswith("File too large")
    assert contents(filled) == before


def test_parts_on_a_full_disk_are_kept_for_later(filled: Store) -> None:
    code = (
        "import pathlib\nfrom tests.warehouse.support import queries\nfrom warehouse.ledger import Run\n"
        "from warehouse.store import Store\nfrom warehouse.errors import TierwiseError\n"
        "try:\n"
        "  with Store(pathlib.Path(sys.argv[1])).long_run(Run('sample', {})) as run:\n"
        "    run.write_part('queries', queries('kept'))\n"
        "    run.write_part('queries', queries(*(str(i) for i in range(2000))))\n"
        "except TierwiseError as error: print(error)\n"
    )
    done = python(FULL + code, 20_000, filled.path)
    assert "File too large; mend that and run the same command again" in done.stdout, done
    assert "Traceback" not in done.stderr
    filled.merge_waiting()
    assert "'kept'" in str(contents(filled)["queries"])
    assert names(filled.runs) == []


def test_making_a_store_on_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    message = one_line_error(python(FULL + MAIN, 2_000, "init", "--db", tmp_path / "x.duckdb"))
    assert "x.duckdb" in message
    assert names(tmp_path) == []
