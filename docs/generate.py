"""Write commands.md and data-dictionary.md anew: ``python -m docs.generate docs``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from annotation.__main__ import main as annotation
from curation.__main__ import main as curation
from eval.__main__ import main as evaluate
from training.dpo import main as dpo
from training.grpo import main as grpo
from training.sft import main as sft
from warehouse.__main__ import main as warehouse
from warehouse.dictionary import data_dictionary
from warehouse.store import Store

STAGES = (sft, dpo, grpo)

_WIDE: dict[str, Any] = {"terminal_width": 110, "max_content_width": 110}


def command_reference() -> str:
    """Markdown: the ``--help`` of every command."""
    sections = ["# Commands\n\nGenerated from `--help` by `make docs`."]
    for package, group in (
        ("warehouse", warehouse),
        ("curation", curation),
        ("annotation", annotation),
        ("eval", evaluate),
    ):
        name = f"python -m {package}"
        sections.append(f"## {name}")
        sections += _sections(group, group.make_context(name, [], resilient_parsing=True))
    sections.append("## python -m training.…")
    for stage in STAGES:
        settings = {**stage.context_settings, **_WIDE}
        sections.append(
            _section(stage, click.Context(stage, info_name=f"python -m {stage.name}", **settings))
        )
    return "\n\n".join(sections) + "\n"


def dictionary() -> str:
    """Markdown: the data dictionary of a new store."""
    with tempfile.TemporaryDirectory() as directory:
        store = Store(Path(directory) / "docs.duckdb")
        store.merge_waiting()
        with store.read() as connection:
            return data_dictionary(connection)


def _sections(group: click.Group, parent: click.Context) -> list[str]:
    found = []
    for name, command in sorted(group.commands.items()):
        context = click.Context(command, parent=parent, info_name=name, **_WIDE)
        if isinstance(command, click.Group):
            found += _sections(command, context)
        else:
            found.append(_section(command, context))
    return found


def _section(command: click.Command, context: click.Context) -> str:
    return f"### {context.command_path}\n\n```\n{command.get_help(context)}\n```"


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    (folder / "commands.md").write_text(command_reference(), encoding="utf-8")
    (folder / "data-dictionary.md").write_text(dictionary(), encoding="utf-8")
