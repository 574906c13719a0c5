"""Commands as processes of their own, which end with us however we end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from typing import IO, TYPE_CHECKING, Any

import click

from warehouse.console import printable
from warehouse.orphans import die_with

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_LAST_BYTES = 8_192


class Child:
    """``python -m WORDS --json``, running.

    Its errors go to the file `log`; without one to our own stderr, where it can show progress on a terminal.
    """

    def __init__(self, words: Sequence[str], env: Mapping[str, str], log: Path | None) -> None:
        self._stdout = tempfile.TemporaryFile()  # noqa: SIM115 - until close
        self._stderr = _error_file(log)
        self._relays = log is None and self._stderr is not None
        self._told = 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", *words, "--json"],
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=self._stdout,
            stderr=self._stderr,
            preexec_fn=die_with(os.getpid()),  # noqa: PLW1509 - we start no threads
        )

    def poll(self) -> int | None:
        """Its exit code once it has ended, as `subprocess` has it. What it said meanwhile is passed on."""
        code = self._process.poll()
        if self._relays and self._stderr is not None:
            # By position: the file's own is where the child writes.
            while said := os.pread(self._stderr.fileno(), 65_536, self._told):
                self._told += len(said)
                click.echo(said, nl=False, err=True)
        return code

    def interrupt(self) -> None:
        """Send it Ctrl-C."""
        self._process.send_signal(signal.SIGINT)

    def summary(self) -> dict[str, Any]:
        """The last line that it printed as a JSON object; empty where there is none."""
        self._stdout.seek(0)
        found: dict[str, Any] = {}
        for line in self._stdout:
            try:
                # JSON in the store has no NaN.
                read = json.loads(line, parse_constant=lambda _: None)
            except ValueError:
                continue
            if isinstance(read, dict):
                found = read
        return found

    def last_words(self) -> str:
        """The last line of its errors that says something, as far as it passed through our hands."""
        if self._stderr is None:
            return ""
        file = self._stderr.fileno()
        end = os.fstat(file).st_size
        text = os.pread(file, _LAST_BYTES, max(0, end - _LAST_BYTES)).decode(errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return printable(lines[-1].removeprefix("Error: ")) if lines else ""

    def close(self) -> None:
        """Let go of its files."""
        self._stdout.close()
        if self._stderr is not None:
            self._stderr.close()


def _error_file(log: Path | None) -> IO[bytes] | None:
    if log is not None:
        return log.open("w+b")
    return None if sys.stderr.isatty() else tempfile.TemporaryFile()


def described(code: int) -> str:
    """An exit code in words."""
    if code >= 0:
        return f"ended with exit code {code}"
    return f"was ended by {next((each.name for each in signal.Signals if each == -code), f'signal {-code}')}"


def terminal_told_them() -> bool:
    """Whether Ctrl-C reached our children too: a terminal sends it to all in its foreground."""
    try:
        with open("/dev/tty", "rb") as terminal:  # noqa: PTH123
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False
