"""What a report is laid out of. Both renderers turn the same blocks into their own form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markupsafe import Markup

    from eval.report.data import Case


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph; `lead` where it says what matters most."""

    text: str
    lead: bool = False
    kind: str = "text"


@dataclass(frozen=True, slots=True)
class Command:
    """A command to run."""

    text: str
    kind: str = "command"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text.

    Attributes:
        head: Column heads.
        rows: Cells.
        caption: What it is.
        left: How many columns, from the left, are words; the others are numbers.
        shades: For each cell its darkness, 0 to 1, or None; empty where nothing is shaded.
        notes: Below it.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    left: int = 1
    shades: tuple[tuple[float | None, ...], ...] = ()
    notes: tuple[str, ...] = ()
    kind: str = "table"


@dataclass(frozen=True, slots=True)
class Facts:
    """Names with what they name."""

    rows: tuple[tuple[str, str], ...]
    kind: str = "facts"


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing, and the table behind it; `note` tells how to read it."""

    title: str
    drawing: Markup
    table: Table
    note: str = ""
    kind: str = "figure"


@dataclass(frozen=True, slots=True)
class Change:
    """A metric before and after; `verdict` is better, worse or open."""

    name: str
    before: str
    after: str
    change: str
    interval: str
    verdict: str


@dataclass(frozen=True, slots=True)
class Changes:
    """What a decision buys and costs."""

    changes: tuple[Change, ...]
    kind: str = "changes"


@dataclass(frozen=True, slots=True)
class Grid:
    """Blocks that may stand side by side."""

    blocks: tuple[Figure | Table | Text, ...]
    kind: str = "grid"


@dataclass(frozen=True, slots=True)
class Warnings:
    """What to know before believing the numbers."""

    lines: tuple[str, ...]
    kind: str = "warnings"


@dataclass(frozen=True, slots=True)
class Cases:
    """Errors to learn from."""

    cases: tuple[Case, ...]
    kind: str = "cases"


Block = Text | Command | Table | Facts | Figure | Changes | Grid | Warnings | Cases


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with what stands under it; `anchor` names it in links."""

    anchor: str
    title: str
    blocks: tuple[Block, ...]
