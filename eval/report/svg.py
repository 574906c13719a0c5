"""Pieces of SVG. Colours are classes, which the style sheet turns into what suits light, dark and print."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from collections.abc import Iterable

WIDTH = 420
"""Of every drawing, in its own units: a phone shows them at three quarters of the size of text."""


def drawing(name: str, title: str, description: str, height: float, parts: Iterable[Markup]) -> Markup:
    """A whole drawing.

    Args:
        name: Prefix of the ids in it, unique on the page.
        title: What a screen reader calls it.
        description: What it shows, for who does not see it.
        height: In its own units.
        parts: What is in it.
    """
    return Markup(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-labelledby="{}-title {}-desc">'
        '<title id="{}-title">{}</title><desc id="{}-desc">{}</desc>{}</svg>'
    ).format(WIDTH, number(height), *[name] * 2, *(name, title, name, description), Markup("").join(parts))


def rectangle(x: float, y: float, width: float, height: float, of: str) -> Markup:
    """A rectangle of class `of`."""
    return Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>').format(
        of, *map(number, (x, y, width, height))
    )


def segment(x1: float, y1: float, x2: float, y2: float, of: str) -> Markup:
    """A straight line of class `of`."""
    return Markup('<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(
        of, *map(number, (x1, y1, x2, y2))
    )


def path(points: Iterable[tuple[float, float]], of: str) -> Markup:
    """A line through `points`."""
    through = " ".join(f"{number(x)},{number(y)}" for x, y in points)
    return Markup('<polyline class="{}" points="{}"/>').format(of, through)


def circle(x: float, y: float, radius: float, of: str) -> Markup:
    """A disc."""
    return Markup('<circle class="{}" cx="{}" cy="{}" r="{}"/>').format(of, *map(number, (x, y, radius)))


def text(x: float, y: float, words: str, of: str = "", anchor: str = "start") -> Markup:
    """`words` with their baseline at `y`."""
    return Markup('<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>').format(
        of, number(x), number(y), anchor, escape(words)
    )


def number(value: float) -> str:
    """A coordinate, to a tenth of a unit."""
    return f"{value:.1f}".removesuffix(".0")


def clipped(words: str, most: int) -> str:
    """`words`, of at most `most` characters."""
    return words if len(words) <= most else f"{words[: most - 1].rstrip()}…"
