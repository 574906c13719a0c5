"""Directories that belong to a live process, and the sweeping of those whose process died.

A directory is claimed by a lock on its file ``lock``. The system lets go of it when the process ends, however
it ends, so neither a clock nor a process id decides who is alive.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCRATCH = ".tierwise-"
"""What the names of scratch directories begin with."""

_LOCK = "lock"


def make_claimed(directory: Path, mode: int = 0o777) -> TextIO:
    """Make `directory` and claim it for as long as the returned file is open."""
    while True:
        directory.mkdir(mode)
        with contextlib.suppress(FileNotFoundError):
            lock = (directory / _LOCK).open("w")
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                # A sweep may have come between making and locking.
                if os.path.samestat(os.fstat(lock.fileno()), (directory / _LOCK).stat()):
                    return lock
            except FileNotFoundError:
                lock.close()


def is_claimed(directory: Path) -> bool:
    """Whether a live process holds `directory`."""
    try:
        lock = (directory / _LOCK).open()
    except FileNotFoundError:
        return False
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def sweep(parent: Path, prefix: str) -> None:
    """Remove the directories in `parent` that were claimed once, start with `prefix`, and have no owner now."""
    for directory in parent.glob(f"{prefix}*"):
        # What has no lock file is somebody else's, or about to be claimed.
        with contextlib.suppress(OSError), (directory / _LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove(directory)


def remove(directory: Path) -> None:
    """Remove `directory`, its lock file last: a sweep finishes what a crash leaves of it."""
    for child in directory.iterdir():
        if child.is_dir() and not child.is_symlink():
            shutil.rmtree(child, ignore_errors=True)
        elif child.name != _LOCK:
            child.unlink(missing_ok=True)
    shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def scratch_directory(parent: Path, purpose: str) -> Iterator[Path]:
    """A private directory in `parent` that is gone afterwards, as are those of killed processes."""
    sweep(parent, SCRATCH)
    directory = parent / f"{SCRATCH}{purpose}-{secrets.token_hex(4)}"
    with make_claimed(directory, 0o700):
        try:
            yield directory
        finally:
            remove(directory)
