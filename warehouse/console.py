"""What every command line shares: options, one-line errors, progress, summaries."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from rich.progress import Progress

    from warehouse.store import Store


_PACKAGES = ("warehouse", "curation", "annotation", "eval", "training")

# C0 and C1 controls, line separators, and the marks that turn the direction of text.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class Group(click.Group):
    """A command group whose commands end in one line instead of a traceback.

    Exit status: 0, 1 for an expected failure, 2 for usage, 130 for Ctrl-C.
    """

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, turning expected failures into one line and an exit status."""
        with _ending_in_one_line():
            return super().invoke(ctx)


class Command(click.Command):
    """A module's only command, which ends as those of a `Group` do."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the arguments, whose callbacks may fail as the command may."""
        with _ending_in_one_line():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, turning expected failures into one line and an exit status."""
        with _ending_in_one_line():
            return super().invoke(ctx)


@contextmanager
def _ending_in_one_line() -> Iterator[None]:
    for stream in (sys.stdout, sys.stderr):
        # A terminal that has no "–" gets an escape, not the user a traceback.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        with _second_ctrl_c_kills():
            yield
    except TierwiseError as error:
        raise click.ClickException(" ".join(str(error).splitlines())) from error
    except ModuleNotFoundError as error:
        if not error.name or error.name.split(".")[0] in _PACKAGES:
            raise
        extra = "annotation" if error.name in ("argilla", "crowdkit", "psutil", "requests") else "training"
        raise click.ClickException(
            f"this command needs the package {error.name}; `pip install 'tierwise[{extra}]'` brings all"
        ) from error
    except BrokenPipeError as error:
        # The reader of our output (head, less) has left; Python must not complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise click.exceptions.Exit(1) from error
    except OSError as error:
        where = error.filename2 or error.filename
        what = error.strerror or str(error)
        raise click.ClickException(f"{where}: {what}" if where else what) from error
    except KeyboardInterrupt as error:
        click.echo("Interrupted. What was finished is kept; the same command goes on from there.", err=True)
        raise click.exceptions.Exit(130) from error


@contextmanager
def _second_ctrl_c_kills() -> Iterator[None]:
    """Let a second Ctrl-C end the process as it is: DuckDB may wait for its own threads forever after the first.

    A store can be killed at any moment.
    """

    def interrupt(_number: int, _frame: object) -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        raise KeyboardInterrupt

    # Python's own handler stands only where Ctrl-C is meant to reach us.
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _store(_context: click.Context, _parameter: click.Parameter, name: str) -> Store:
    from warehouse.store import Store

    return Store.named(name)


db_option = click.option(
    "--db",
    "store",
    metavar="PATH",
    callback=_store,
    default="tierwise.duckdb",
    envvar="TIERWISE_DB",
    show_default=True,
    show_envvar=True,
    help="The store.",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")


def print_summary(summary: Mapping[str, Any], as_json: bool) -> None:
    """Print what a command wrote: one JSON object, or a line per entry.

    A nested mapping is a line of its own entries; a list a line each.
    """
    if as_json:
        click.echo(json.dumps(summary, default=str, ensure_ascii=False))
        return
    width = max((len(name) for name in summary), default=0)
    for name, value in summary.items():
        label = name.replace("_", " ").ljust(width)
        if isinstance(value, Mapping):
            click.echo(f"{label}  {', '.join(f'{k}: {_shown(v)}' for k, v in value.items()) or '–'}")
        elif isinstance(value, list):
            for line in value:
                click.echo(f"{label}  {_shown(line)}")
        else:
            click.echo(f"{label}  {_shown(value)}")


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.3f}"
    return printable(str(value))


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns as wide as their widest cell, control characters escaped."""
    shown = [[printable(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[i]) for row in shown) for i in range(len(head))]
    for number, row in enumerate(shown):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        click.echo(line if number else click.style(line, bold=True))


def printable(text: str) -> str:
    """`text` with its control characters escaped: item text must not steer the terminal it is shown on."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


@contextmanager
def progress(*columns: str) -> Iterator[Progress]:
    """Progress on stderr: description, bar, done of total, `columns` as rich markup, time left.

    Silent when stderr is no terminal.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    shown = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        *(TextColumn(column) for column in columns),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )
    with shown:
        yield shown
