"""The plots of a report. Every series has a pattern or a label of its own: none is told by its colour alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from eval.report.svg import WIDTH, circle, clipped, drawing, path, rectangle, segment, text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from eval.report.data import Bin, Line

# Plot area of charts with a row for each of many things: labels at its left, values at its right.
_LEFT, _RIGHT = 118, 372
_BAR = 13
# Plot area of charts with two axes.
_X0, _X1 = 40, 410
_FEW_PAIRS = 30
_LARGEST = 1e300


@dataclass(frozen=True, slots=True)
class Mark:
    """A value with its interval; NaN where there is none."""

    value: float
    low: float
    high: float
    told: str


def bars(
    name: str, title: str, description: str, series: Sequence[str], rows: Sequence[tuple[str, Sequence[Mark]]]
) -> Markup:
    """A group of bars for each of `rows`, one for each of one or two `series`, from 0 to 1."""
    styles = ("hatched", "solid")[-len(series) :]
    parts = _legend(series, styles)
    y = 34.0
    for label, marks in rows:
        parts.append(text(_LEFT - 8, y + len(marks) * (_BAR + 2) / 2 + 3, clipped(label, 16), anchor="end"))
        for mark, style in zip(marks, styles, strict=True):
            parts.extend(_bar(y, mark, style))
            y += _BAR + 2
        y += 9
    parts[:0] = list(_scale(24, y - 4, (0, 0.25, 0.5, 0.75, 1)))
    return drawing(name, title, description, y + 14, parts)


def _bar(y: float, mark: Mark, style: str) -> Iterator[Markup]:
    if not math.isnan(mark.value):
        yield rectangle(_LEFT, y, max(_at(mark.value) - _LEFT, 0.5), _BAR, style)
    yield from _interval(y + _BAR / 2, mark)
    yield text(WIDTH - 2, y + _BAR - 2.5, mark.told, "number", "end")


def dots(
    name: str,
    title: str,
    description: str,
    whole: tuple[str, float],
    rows: Sequence[tuple[str, Mark]],
) -> Markup:
    """A dot with its interval for each of `rows`, from 0 to 1, and a line at the value of the `whole`."""
    bottom = 30.0 + 22 * len(rows)
    parts = list(_scale(24, bottom, (0, 0.25, 0.5, 0.75, 1)))
    x = _at(whole[1])
    parts.append(segment(x, 20, x, bottom, "reference"))
    parts.append(text(x, 14, whole[0], "muted", "middle"))
    for row, (label, mark) in enumerate(rows):
        y = 40.0 + 22 * row
        parts.append(text(_LEFT - 8, y + 4, clipped(label, 17), anchor="end"))
        parts.extend(_interval(y, mark))
        parts.append(circle(_at(mark.value), y, 4.5, "dot"))
        parts.append(text(WIDTH - 2, y + 4, mark.told, "number", "end"))
    return drawing(name, title, description, bottom + 18, parts)


def stacked(name: str, title: str, description: str, rows: Sequence[tuple[str, Sequence[float]]]) -> Markup:
    """A bar for each of `rows`, cut into the shares of tiers 4, 3, 2 and 1; shares are by tier 1 to 4."""
    parts: list[Markup] = []
    y = 4.0
    for label, shares in rows:
        parts.append(text(0, y + 10, label))
        x = 0.0
        for tier in (4, 3, 2, 1):
            width = shares[tier - 1] * WIDTH
            if width:
                parts.append(rectangle(x, y + 16, max(width - 1.5, 0.5), 26, f"tier-{tier}"))
            told = f"{tier}: {shares[tier - 1]:.0%}".replace("%", " %")
            if width > 54:
                parts.append(text(x + width / 2, y + 33, told, "on-tier", "middle"))
            elif width > 12:
                parts.append(text(x + width / 2, y + 33, str(tier), "on-tier", "middle"))
            x += width
        y += 58
    return drawing(name, title, description, y - 8, parts)


def calibration(name: str, title: str, description: str, bins: Sequence[Bin]) -> Markup:
    """How often what was predicted came true, against its probability; the disc grows with the pairs of the bin."""
    top, bottom, most = 12, 252, max((b.pairs for b in bins), default=1)

    def at(x: float, y: float) -> tuple[float, float]:
        return _X0 + x * (_X1 - _X0), bottom - y * (bottom - top)

    parts = list(_axes(top, bottom, [(tick, f"{tick:g}") for tick in (0, 0.25, 0.5, 0.75, 1)]))
    for b in bins:
        height = 34 * b.pairs / most
        x0, x1 = at(b.low, 0)[0], at(b.high, 0)[0]
        parts.append(rectangle(x0 + 0.5, bottom - height, x1 - x0 - 1, height, "count"))
    parts.append(segment(*at(0, 0), *at(1, 1), "reference"))
    parts.append(path((at(b.mean, b.observed) for b in bins), "curve thin"))
    for b in bins:
        radius = 3 + 5 * math.sqrt(b.pairs / most)
        parts.append(circle(*at(b.mean, b.observed), radius, "dot" if b.pairs >= _FEW_PAIRS else "dot few"))
    parts.append(text(_X1, bottom + 34, "probability", "muted", "end"))
    parts.append(text(_X0 + 6, top + 10, "came true", "muted"))
    return drawing(name, title, description, bottom + 40, parts)


def objective(
    name: str,
    title: str,
    description: str,
    lines: Sequence[Line],
    chosen: Sequence[tuple[str, float]],
    band: tuple[float, float] | None,
) -> Markup:
    """An objective over θ on one or two splits; the thetas `chosen`, and the interval of the one θ.

    Points whose value is not finite, or so large that a range might not be, are left out.
    """
    labels = 18 * len(chosen)
    top, bottom = 30 + labels, 250 + labels
    drawn = [[point for point in line.drawn if abs(point[1]) <= _LARGEST] for line in lines]
    values = [value for points in drawn for _, value in points] or [0.0]
    low, high = min(values), max(values)
    size = max(1.0, abs(low), abs(high))
    # What differs by less is one number, but for rounding.
    span = high - low if high - low > 1e-9 * size else 0.1 * size
    low, high = low - 0.06 * span, high + 0.06 * span

    def at(theta: float, value: float) -> tuple[float, float]:
        return _X0 + theta * (_X1 - _X0), bottom - (value - low) / (high - low) * (bottom - top)

    parts = _legend([line.split for line in lines], ("curve", "curve dashed")[: len(lines)], lines=True)
    ticks = [((tick - low) / (high - low), f"{tick:g}") for tick in _round_numbers(low, high)]
    if band:
        x0, x1 = at(band[0], 0)[0], at(band[1], 0)[0]
        parts.append(rectangle(x0, top, max(x1 - x0, 0.5), bottom - top, "band"))
        parts.append(text(x0 - 5, bottom - 6, "95 %", "muted", "end"))
    parts.extend(_axes(top, bottom, ticks))
    for points, style in reversed([*zip(drawn, ("curve", "curve dashed"), strict=False)]):
        parts.append(path((at(*point) for point in points), style))
    for row, (label, theta) in enumerate(chosen):
        x, y = at(theta, 0)[0], 40 + 18 * row
        parts.append(segment(x, y - 6, x, bottom, "chosen"))
        left = theta > 0.5
        parts.append(text(x - 6 if left else x + 6, y, label, "strong", "end" if left else "start"))
    parts.append(text(_X1, bottom + 34, "θ", "muted", "end"))
    return drawing(name, title, description, bottom + 40, parts)


def probabilities(tier_probs: Sequence[float], gold: int, decided: int) -> Markup:
    """Four small bars, by tier 1 to 4; gold is framed, what was decided is dark."""
    told = ", ".join(f"tier {tier} {p:.2f}" for tier, p in enumerate(tier_probs, 1))
    parts = []
    for tier, p in enumerate(tier_probs, 1):
        x = 30 * tier - 28
        parts.append(rectangle(x, 52 - 36 * p, 24, max(36 * p, 0.7), "solid" if tier == decided else "faint"))
        if tier == gold:
            parts.append(rectangle(x - 1.5, 15, 27, 38.5, "frame"))
        parts.append(text(x + 12, 11, f"{p:.2f}", "number small", "middle"))
        parts.append(text(x + 12, 65, str(tier), "small", "middle"))
    return Markup(
        '<svg class="mini" viewBox="0 0 120 68" role="img" aria-label="Probabilities: {}">{}</svg>'
    ).format(told, Markup("").join(parts))


def _legend(names: Sequence[str], styles: Sequence[str], *, lines: bool = False) -> list[Markup]:
    parts = []
    x = _X0 if lines else _LEFT
    for name, style in zip(names, styles, strict=True):
        shown = clipped(name, 24)
        if lines:
            parts.append(segment(x, 10, x + 22, 10, style))
        else:
            parts.append(rectangle(x, 4, 22, 11, style))
        parts.append(text(x + 28, 14, shown))
        x += 44 + round(6.6 * len(shown))
    return parts


def _scale(top: float, bottom: float, ticks: Sequence[float]) -> Iterator[Markup]:
    for tick in ticks:
        yield segment(_at(tick), top, _at(tick), bottom, "grid" if tick else "axis")
        yield text(_at(tick), bottom + 14, f"{tick:g}", "muted", "middle")


def _interval(y: float, mark: Mark) -> Iterator[Markup]:
    if not math.isnan(mark.low):
        low, high = _at(mark.low), _at(mark.high)
        yield segment(low, y, high, y, "whisker")
        for end in (low, high):
            yield segment(end, y - 3, end, y + 3, "whisker")


def _axes(top: float, bottom: float, ticks: Sequence[tuple[float, str]]) -> Iterator[Markup]:
    for share, told in ticks:
        y = bottom - share * (bottom - top)
        yield segment(_X0, y, _X1, y, "grid")
        yield text(_X0 - 6, y + 4, told, "muted number", "end")
    for tick in (0, 0.25, 0.5, 0.75, 1):
        x = _X0 + tick * (_X1 - _X0)
        yield segment(x, bottom, x, bottom + 4, "axis")
        yield text(x, bottom + 17, f"{tick:g}", "muted", "middle")
    yield segment(_X0, bottom, _X1, bottom, "axis")


def _round_numbers(low: float, high: float) -> list[float]:
    """Two to six round numbers between two."""
    size = 10.0 ** math.floor(math.log10(high - low))
    step = next(size * part for part in (1, 0.5, 0.2) if (high - low) / (size * part) >= 2.5)
    return [round(i * step, 12) for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _at(value: float) -> float:
    return _LEFT + value * (_RIGHT - _LEFT)
