"""Start-up: how long ``--help`` takes, against an interpreter that only imports click.

``python -m benchmarks.startup``

The runs of all commands alternate, so that a slow moment of the machine slows all of them.
"""

from __future__ import annotations

import subprocess
import sys
import time
from statistics import median

from rich.console import Console
from rich.table import Table

COMMANDS = {
    "python -c 'import click'": ["-c", "import click"],
    "python -m warehouse --help": ["-m", "warehouse", "--help"],
    "python -m curation --help": ["-m", "curation", "--help"],
    "python -m annotation --help": ["-m", "annotation", "--help"],
    "python -m eval --help": ["-m", "eval", "--help"],
}
RUNS = 15
AIM_SECONDS = 0.4


def main() -> None:
    """Print the table."""
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(RUNS):
        for name, arguments in COMMANDS.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
            seconds[name].append(time.perf_counter() - start)
    base = median(seconds["python -c 'import click'"])
    table = Table("command", "median s", "over click alone", f"under {AIM_SECONDS} s")
    for name, runs in seconds.items():
        middle = median(runs)
        table.add_row(name, f"{middle:.3f}", f"{middle / base:.2f}×", "yes" if middle < AIM_SECONDS else "no")
    Console().print(table)


if __name__ == "__main__":
    main()
