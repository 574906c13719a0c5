"""Directories of live processes, and what dead ones leave."""

from __future__ import annotations

import fcntl
from typing import TYPE_CHECKING

from tests.warehouse.support import KILLED, names, python
from warehouse.scratch import make_claimed, scratch_directory, sweep

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_scratch_of_killed_processes_is_swept_and_nothing_else(tmp_path: Path) -> None:
    code = (
        "import sys, os, pathlib\nfrom warehouse.scratch import scratch_directory\n"
        "with scratch_directory(pathlib.Path(sys.argv[1]), 'backup') as directory:\n"
        "  (directory / 'deep').mkdir(); (directory / 'deep' / 'file').touch(); os.kill(os.getpid(), 9)"
    )
    assert python(code, tmp_path).returncode == KILLED
    (dead,) = names(tmp_path)
    (tmp_path / ".tierwise-backup-of-mine").mkdir()
    with scratch_directory(tmp_path, "backup") as directory:
        assert directory.stat().st_mode & 0o777 == 0o700
        with scratch_directory(tmp_path, "backup"):
            assert directory.exists()
        assert dead not in names(tmp_path)
    assert names(tmp_path) == [".tierwise-backup-of-mine"]


def test_claiming_survives_a_sweep_in_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = fcntl.flock
    swept: list[bool] = []

    def slow(file: object, operation: int) -> None:
        if operation == fcntl.LOCK_EX and not swept:
            swept.append(True)
            sweep(tmp_path, "x")
        real(file, operation)  # type: ignore[arg-type]

    monkeypatch.setattr(fcntl, "flock", slow)
    with make_claimed(tmp_path / "x"):
        sweep(tmp_path, "x")
        assert names(tmp_path) == ["x"]
    sweep(tmp_path, "x")
    assert names(tmp_path) == []
