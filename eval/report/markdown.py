"""A report as Markdown (GitHub's, for its tables), readable in a terminal as it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, assert_never

from eval.report.blocks import Cases, Changes, Command, Facts, Figure, Grid, Table, Text, Warnings
from eval.report.sections import colophon, title
from eval.report.words import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from eval.report.blocks import Block, Section
    from eval.report.data import Case, ReportData

# What begins markup in the middle of a line. Underscores inside words begin none.
_SPECIAL = re.compile(r"[\\`*\[\]<|~]|&(?=[#\w])|(?<!\w)_|_(?!\w)")


def markdown(data: ReportData, sections: Sequence[Section]) -> str:
    """The report, ending with a line break."""
    subject = data.subject
    parts = [
        f"# {plain(title(data))}",
        f"{subject.pairs:,} pairs, {subject.queries:,} queries.",
    ]
    if data.flattering:
        parts.append(f"**Beware: {plain(data.flattering)}.**")
    for section in sections:
        parts.append(f"## {section.title}{' (these numbers flatter)' if data.flattering else ''}")
        for block in section.blocks:
            parts.extend(_block(block))
    parts.append(plain(colophon(data)))
    return "\n\n".join(parts) + "\n"


def plain(text: str) -> str:
    """`text` on one line, with everything escaped that Markdown would take for markup."""
    return _SPECIAL.sub(lambda found: "\\" + found[0], shown(text))


def _block(block: Block) -> Iterator[str]:
    match block:
        case Text() | Command() | Facts() | Warnings():
            yield _words(block)
        case Table():
            yield from _table(block)
        case Figure():
            yield from _table(block.table)
            if block.note:
                yield plain(block.note)
        case Changes():
            head = ("Metric", "argmax", "partition", "difference", "95 %", "")
            rows = tuple((c.name, c.before, c.after, c.change, c.interval, c.verdict) for c in block.changes)
            yield from _table(Table(head, rows, "What the partition buys and costs"))
        case Grid():
            for inner in block.blocks:
                yield from _block(inner)
        case Cases():
            for number, case in enumerate(block.cases, 1):
                yield _case(number, case)
        case _:
            assert_never(block)


def _words(block: Text | Command | Facts | Warnings) -> str:
    match block:
        case Text():
            return f"**{plain(block.text)}**" if block.lead else plain(block.text)
        case Command():
            return f"    {shown(block.text)}"
        case Facts():
            return "\n".join(f"- {plain(name)}: {plain(value)}" for name, value in block.rows)
        case Warnings():
            return "\n".join(f"- **Warning:** {plain(line)}" for line in block.lines)


def _table(table: Table) -> Iterator[str]:
    head = [plain(cell) for cell in table.head]
    rows = [[plain(cell) for cell in row] for row in table.rows]
    widths = [max(3, *(len(row[i]) for row in [head, *rows])) for i in range(len(head))]
    words = [i < table.left for i in range(len(head))]
    rule = [
        "-" * width if left else "-" * (width - 1) + ":" for width, left in zip(widths, words, strict=True)
    ]

    def line(cells: list[str]) -> str:
        padded = [
            cell.ljust(width) if left else cell.rjust(width)
            for cell, width, left in zip(cells, widths, words, strict=True)
        ]
        return f"| {' | '.join(padded)} |"

    if table.caption:
        yield f"{plain(table.caption)}:"
    yield "\n".join([line(head), line(rule), *map(line, rows)])
    if table.notes:
        yield "\n".join(f"- {plain(note)}" for note in table.notes)


def _case(number: int, case: Case) -> str:
    tiers = f"gold {case.gold} ({plain(case.judged)}), most probable {case.argmax}"
    if case.decided is not None:
        tiers += f", partition {case.decided}"
    probabilities = ", ".join(f"p{tier} {p:.2f}" for tier, p in enumerate(case.tier_probs, 1))
    lines = [
        f"{number}. **{plain(case.query)}** → {plain(case.title)}",
        *([f"   - {plain(case.description)}"] if case.description else []),
        f"   - {tiers}; {probabilities}",
        f"   - {plain(case.why)}",
        f"   - {'Reasoning: ' if case.generated else ''}{plain(case.reasoning)}",
        *([f"   - The judge: {plain(case.judge_reason)}"] if case.judge_reason else []),
        *([f"   - Written by a person: {plain(case.correction)}"] if case.correction else []),
        "   - " + ", ".join(f"{name} {value[:8]}" for name, value in case.ids.items()),
    ]
    return "\n".join(lines)
