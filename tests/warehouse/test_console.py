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
from warehouse.console import Group, print_summary, printable

if TYPE_CHECKING:
    from warehouse.store import Store

HEAVY = ["_duckdb", "argilla", "duckdb", "numpy", "pandas", "polars", "pyarrow", "rich", "torch"]


@pytest.mark.parametrize("arguments", [["--help"], ["sql", "--help"], ["--nonsense"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom warehouse.__main__ import main\nsys.argv[1:] = sys.argv[2:]\n"
        "try: main(prog_name='warehouse')\n"
        f"finally: print('loaded', [name for name in {HEAVY} if name in sys.modules])"
    )
    done = python(code, "", *arguments)
    assert "Usage: warehouse" in done.stdout + done.stderr
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


def test_ctrl_c_in_the_middle_of_a_query(store: Store) -> None:
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import warehouse.query\nfrom warehouse.__main__ import main\n"
        "real = warehouse.query.print_query\n"
        "def told(*args, **kwargs):\n print('begins', flush=True)\n real(*args, **kwargs)\n"
        "warehouse.query.print_query = told\n"
        "query = 'SELECT sum(hash(a.range, b.range)) FROM range(1000000) a, range(1000000) b'\n"
        "main(['sql', query, '--db', sys.argv[1]])"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(store.path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begins\n"
        # Once is enough; again, because the first may come before DuckDB has begun.
        for _ in range(60):
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.5)
                break
        process.kill()
        _, stderr = process.communicate()
    assert process.returncode == 130
    assert stderr.startswith("Interrupted.")
    assert "Traceback" not in stderr


def test_summaries(capsys: pytest.CaptureFixture[str]) -> None:
    summary = {
        "rows": {"a": 1200, "b": 1},
        "none": {},
        "list": ["x", "y"],
        "share": 0.5,
        "ok": True,
        "of_it": "ü",
    }
    print_summary(summary, as_json=False)
    assert capsys.readouterr().out == (
        "rows   a: 1,200, b: 1\nnone   –\nlist   x\nlist   y\nshare  0.500\nok     yes\nof it  ü\n"
    )
    print_summary({"name": "ü", "path": ROOT}, as_json=True)
    assert capsys.readouterr().out == f'{{"name": "ü", "path": "{ROOT}"}}\n'


def test_printable_keeps_text_and_escapes_controls() -> None:
    assert printable("naïve 裙 👩‍👩‍👧 می‌خواهم") == "naïve 裙 👩‍👩‍👧 می‌خواهم"
    assert printable("a\x1b[2J\n\t\x9b\u202e") == "a\\x1b[2J\\n\\t\\x9b\\u202e"


def test_texts_in_a_summary_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    bell = "a\x07b"
    print_summary({"one": bell, "several": [bell], "counted": {"k": bell}}, as_json=False)
    assert capsys.readouterr().out == "one      a\\x07b\nseveral  a\\x07b\ncounted  k: a\\x07b\n"
