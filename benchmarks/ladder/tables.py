"""The tables, as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.ladder.read import GAINS, RUNGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from benchmarks.ladder.read import Cell, Ladder

    Write = Callable[[float], str]


def _points(value: float) -> str:
    return f"{100 * value:.1f}"


def _signed(value: float) -> str:
    return f"{100 * value:+.1f}"


def _count(value: float) -> str:
    return f"{value:.0f}"


def _thousands(value: float) -> str:
    return f"{value / 1000:,.0f}"


COLUMNS: dict[str, tuple[str, Write]] = {
    "macro-F1": ("macro_f1", _points),
    "F1 of tier 3": ("f1_3", _points),
    "CumPT macro-F1": ("cumpt_macro_f1", _points),
    "pass@1": ("pass_1", _points),
    "pass@8": ("pass_8", _points),
    "hallucinated": ("hallucination_rate", _points),
    "wrong by a further step": ("slope", _signed),
    "tokens an answer": ("completion_tokens", _count),
    "trained, thousand tokens": ("num_tokens", _thousands),
    "of them generated": ("dynamic/generated_tokens", _thousands),
    "minutes": ("minutes", _count),
}
GAIN_COLUMNS: dict[str, tuple[str, Write]] = {
    "macro-F1": ("macro_f1", _signed),
    **{f"F1 of tier {tier}": (f"f1_{tier}", _signed) for tier in (4, 3, 2, 1)},
}


def rungs_table(ladder: Ladder) -> Iterator[str]:
    """A row for each model."""
    yield from _table(ladder, COLUMNS, [(stage, name) for stage, name in RUNGS.items()])


def gains_table(ladder: Ladder) -> Iterator[str]:
    """A row for each step, ours less theirs."""
    rows = [
        (gain, f"{RUNGS[ours].strip('+ ')} less {RUNGS[theirs].strip('+ ')}")
        for gain, (ours, theirs) in GAINS.items()
    ]
    yield from _table(ladder, GAIN_COLUMNS, rows)


def _table(
    ladder: Ladder, columns: dict[str, tuple[str, Write]], rows: Sequence[tuple[str, str]]
) -> Iterator[str]:
    yield "| | " + " | ".join(columns) + " |"
    yield "|---" * (len(columns) + 1) + "|"
    for stage, name in rows:
        cells = [_written(ladder.cell(stage, measure), write) for measure, write in columns.values()]
        yield f"| {name} | " + " | ".join(cells) + " |"


def _written(cell: Cell | None, write: Write) -> str:
    """``mean [interval over queries] (least … largest seed)``."""
    if cell is None:
        return "–"
    words = [write(cell.mean)]
    if cell.interval is not None:
        words.append("[{}, {}]".format(*map(write, cell.interval)))
    if len(cell.seeds) > 1:
        words.append("({} … {})".format(*map(write, cell.spread)))
    return " ".join(words)


def lineage_table(ladder: Ladder) -> Iterator[str]:
    """A row for each number of a seed, with the id that ``python -m warehouse lineage`` takes."""
    yield "| stage | measure | seed | value | id |"
    yield "|---|---|---|---|---|"
    for columns, stages in ((COLUMNS, RUNGS), (GAIN_COLUMNS, GAINS)):
        for stage in stages:
            for measure, _ in columns.values():
                cell = ladder.cell(stage, measure)
                for seed, number in zip(ladder.seeds, cell.seeds if cell else (), strict=False):
                    yield f"| {stage} | {measure} | {seed} | {number.value:.4f} | {number.row_id} |"
