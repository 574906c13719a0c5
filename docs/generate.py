"""Write the generated documents, and the examples of hallucinations.md, anew: ``python -m docs.generate docs``."""

from __future__ import annotations

import re
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import click

from annotation.__main__ import main as annotation
from curation.__main__ import main as curation
from eval.__main__ import main as evaluate
from training.dpo import main as dpo
from training.grpo import main as grpo
from training.scratch import main as scratch
from training.sft import main as sft
from warehouse.__main__ import main as warehouse
from warehouse.dictionary import data_dictionary
from warehouse.store import Store

STAGES = (scratch, sft, dpo, grpo)

EXAMPLES = Path(__file__).parent / "examples" / "hallucinations.toml"
"""Findings that are right and false alarms, with the texts that they are in."""

_JUDGED = ("right", "false alarm")
_EXAMPLES = re.compile(r"(?<=\n## Examples\n\n).*?(?=\n## |\Z)", re.DOTALL)

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


def with_examples(page: str) -> str:
    """`page`, Markdown, with the examples as they are now under its heading ``Examples``; all else stays.

    Raises:
        ValueError: It has no such heading.
    """
    found = _EXAMPLES.search(page)
    if found is None:
        raise ValueError("no heading ## Examples")
    return page[: found.start()] + hallucination_examples() + page[found.end() :]


def hallucination_examples() -> str:
    """Markdown: a few words on where they are from, and a table for each kind of finding."""
    read = tomllib.loads(EXAMPLES.read_text(encoding="utf-8"))
    by_kind: dict[str, dict[str, dict[str, Any]]] = {}
    for example in read["example"]:
        by_kind.setdefault(example["kind"], {})[example["judged"]] = example
    tables = [_table(kind, [judged[each] for each in _JUDGED]) for kind, judged in by_kind.items()]
    return "\n".join([read["about"].strip() + "\n", *tables])


def _table(kind: str, examples: list[dict[str, Any]]) -> str:
    rows = {
        "query": [_cell(each["query"]) for each in examples],
        "item": [_cell(each["title"]) for each in examples],
        "pair B": [_pair(each.get("other")) for each in examples],
        "text": [_text(each["quote"], each.get("words", "")) for each in examples],
        "finding": [
            _cell(f"{each['finding']} ({each['severity']}): {each['evidence']}") for each in examples
        ],
        "why": [_cell(each["why"]) for each in examples],
        "from": [_cell(each["source"]) for each in examples],
    }
    lines = [f"| `{kind}` | {' | '.join(_JUDGED)} |", "|---|---|---|"]
    lines += [f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items() if any(cells)]
    return "\n".join(lines) + "\n"


def _text(quote: str, words: str) -> str:
    """What is quoted, the words of the span bold where they stand in it."""
    before, found, after = quote.partition(words) if words else (quote, "", "")
    return _cell(before) + (f"**{_cell(found)}**" if found else "") + _cell(after)


def _pair(other: dict[str, str] | None) -> str:
    return _cell(f"{other['query']} × {other['title']}") if other else ""


def _cell(text: str) -> str:
    """A text as one cell of a table."""
    return re.sub(r"\n+", "<br>", re.sub(r"([|*<_])", r"\\\1", text))


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
    # Written by hand, but for its examples.
    if (page := folder / "hallucinations.md").exists():
        page.write_text(with_examples(page.read_text(encoding="utf-8")), encoding="utf-8")
