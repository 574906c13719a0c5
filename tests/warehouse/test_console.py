"""What every command line shares."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from tests.warehouse.support import ROOT, python
from warehouse import version
from warehouse.console import Group

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warehouse.store import Store

HEAVY = ["_duckdb", "argilla", "duckdb", "numpy", "pandas", "polars", "pyarrow", "rich", "torch"]


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("warehouse.__main__", ["--help"]),
        ("warehouse.__main__", ["sql", "--help"]),
        ("warehouse.__main__", ["--nonsense"]),
        ("curation.__main__", ["sample", "--help"]),
        ("curation.__main__", ["recipe", "run", "--help"]),
        ("annotation.__main__", ["serve", "--help"]),
        ("eval.__main__", ["predict", "--help"]),
        ("eval.__main__", ["partition", "fit", "--help"]),
        ("training.sft", ["--help"]),
        ("training.dpo", ["--help"]),
        ("training.grpo", ["--help"]),
    ],
)
def test_help_loads_nothing_heavy(module: str, arguments: list[str]) -> None:
    code = (
        f"import sys\nfrom {module} import main\nsys.argv[1:] = sys.argv[2:]\n"
        f"try: main(prog_name='{module}')\n"
        f"finally: print('loaded', [name for name in {HEAVY} if name in sys.modules])"
    )
    done = python(code, "", *arguments)
    assert f"Usage: {module}" in done.stdout + done.stderr
    assert done.stdout.endswith("loaded []\n")


def test_the_code_version_needs_no_git(monkeypatch: pytest.MonkeyPatch) -> None:
    with_git = version.code_version.__wrapped__()
    monkeypatch.setenv("PATH", "")
    without = version.code_version.__wrapped__()
    assert with_git.startswith(f"{without}+")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (FileNotFoundError(2, "No such file or directory", "a.csv"), "a.csv: No such file or directory"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError(18, "Cross-device link", "a", None, "b"), "b: Cross-device link"),
        (ModuleNotFoundError("no", name="vllm.engine"), "needs the package vllm.engine"),
    ],
)
def test_expected_failures_are_one_line(error: Exception, message: str) -> None:
    @click.group(cls=Group)
    def main() -> None: ...

    @main.command()
    def fail() -> None:
        raise error

    done = CliRunner().invoke(main, ["fail"])
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_faults_of_the_program_are_not_hidden() -> None:
    @click.group(cls=Group)
    def main() -> None: ...

    @main.command()
    def fail() -> None:
        raise ModuleNotFoundError("no", name="warehouse.nonsense")

    assert isinstance(CliRunner().invoke(main, ["fail"]).exception, ModuleNotFoundError)


_QUERY = "SELECT sum(hash(a.range, b.range)) FROM range(1000000) a, range(1000000) b"


@contextlib.contextmanager
def _running(code: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process of `code` that has printed its first line."""
    # A test that runs under nohup or in the background inherits an ignored SIGINT.
    code = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n{code}"
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begins\n"
        try:
            yield process
        finally:
            process.kill()


def test_ctrl_c_in_the_middle_of_a_query(store: Store) -> None:
    code = (
        "import sys\nimport warehouse.query\nfrom warehouse.__main__ import main\n"
        "real = warehouse.query._print_table\n"
        "def told(*args, **kwargs):\n print('begins', flush=True)\n real(*args, **kwargs)\n"
        "warehouse.query._print_table = told\n"
        "main(['sql', sys.argv[1], '--db', sys.argv[2]])"
    )
    with _running(code, _QUERY, str(store.path)) as process:
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (130, "Interrupted.\n")


def test_a_second_ctrl_c_ends_what_does_not_heed_the_first() -> None:
    code = (
        "import time\nimport click\nfrom warehouse.console import Group\n"
        "@click.group(cls=Group)\ndef main(): ...\n"
        "@main.command()\ndef work():\n"
        " try:\n  print('begins', flush=True)\n  time.sleep(600)\n"
        " finally:\n  print('hangs', flush=True)\n  while True: time.sleep(600)\n"
        "main(['work'])"
    )
    with _running(code) as process:
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        assert process.stdout.readline() == "hangs\n"
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
