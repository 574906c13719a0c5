"""Error accumulation in reasoning: where chains first go wrong by exact truth, where continuations say so, and length.

    python -m benchmarks.accumulation                    # trains for an hour, as benchmarks.rationales does
    python -m benchmarks.accumulation --keep FOLDER      # with the model that `benchmarks.rationales --keep` left

Two chains are drawn of each held-out pair, one of them is continued eight times from the end of each step. The shop's
truth says which step of a chain is the first wrong one.
"""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import duckdb

from benchmarks.rationales import HELD_OUT, run, share_of, trained_model
from curation.rationales.reading import Reject, read_answer
from curation.shop.derivations import parse_derivation
from curation.shop.wordings import Steps, steps_right
from curation.step_values import chain_steps
from eval.chains.losses import lost_step

_NAMES = {
    "requirements": "query",
    "relation": "category",
    "checks": "attribute",
    "rules": "rules",
    "tier": "verdict",
}
"""Steps that truth judges, in their order, as findings name them. The item line is not judged by itself."""
_SIZES = {"pairs": 100_000, "held_out": 400, "steps": 3_000, "width": 192, "layers": 4}
_UNREAD = "(not in the form)"
_CHAINS = """
    SELECT CAST(s.sample_id AS VARCHAR), s.text, s.finish_reason, q.text, q.text || ' ' || v.title, q.intent, j.reason,
        s.tier = p.tier
    FROM samples s SEMI JOIN sample_steps USING (sample_id) JOIN pairs p ON p.pair_id = s.pair_id
    JOIN queries q ON q.query_id = p.query_id JOIN item_versions v ON v.item_version_id = p.item_version_id
    JOIN judgments j ON j.judgment_id = p.judgment_id ORDER BY s.sample_id
"""


def _first_wrong(text: str, finished: bool, about: str, intent: str, reason: str) -> str | None:
    """The first step that is wrong by truth; None where none is."""
    rationale = read_answer(text, "reason-first", about, finished=finished)
    if isinstance(rationale, Reject):
        return _UNREAD
    right = steps_right(rationale, parse_derivation(intent, reason))
    return next((_NAMES[step.name] for step in fields(Steps) if not getattr(right, step.name)), None)


def _by_length(rows: list[tuple[int, str, str | None]]) -> None:
    """Print, for each number of steps, the share with a wrong step and where it is."""
    click.echo(
        "| steps | chains | a wrong step | first in "
        + " | first in ".join((*_NAMES.values(), _UNREAD))
        + " |"
    )
    click.echo("|---" * (3 + len(_NAMES) + 1) + "|")
    lengths: defaultdict[str, list[tuple[str, str | None]]] = defaultdict(list)
    for steps, query, first in rows:
        name = (
            "6 to 7" if steps < 8 else "8 to 9" if steps < 10 else "10 to 11" if steps < 12 else "12 and more"
        )
        lengths[name].append((query, first))
    for name in sorted(lengths, key=lambda each: int(each.split()[0])):
        chains = lengths[name]
        firsts = Counter(first for _, first in chains)
        cells = [f"{firsts[step] / len(chains):.3f}" for step in (*_NAMES.values(), _UNREAD)]
        share = share_of([(query, first is not None) for query, first in chains])
        click.echo(f"| {name} | {len(chains)} | {share} | {' | '.join(cells)} |")


def _against_truth(firsts: dict[str, str | None], lost: dict[str, str]) -> None:
    """Print where wrong chains were lost by continuations, for each first wrong step by truth."""
    columns = list(dict.fromkeys(["the prompt alone", "query", "item", *_NAMES.values(), "the tier itself"]))
    table: dict[str, Counter[str]] = defaultdict(Counter)
    for sample_id, at in lost.items():
        table[firsts[sample_id] or "none"][at] += 1
    click.echo("| first wrong by truth | " + " | ".join(f"lost at {name}" for name in columns) + " |")
    click.echo("|---" * (len(columns) + 1) + "|")
    for name in (*_NAMES.values(), _UNREAD, "none"):
        if name in table:
            click.echo(f"| {name} | " + " | ".join(str(table[name][each]) for each in columns) + " |")
    same = sum(count for name, row in table.items() for at, count in row.items() if at == name)
    open_at_first = sum(
        count for row in table.values() for at, count in row.items() if at != "the prompt alone"
    )
    click.echo(
        f"\nOf {open_at_first} wrong chains that were open at the prompt, {same} were lost at the first wrong step."
    )


@click.command()
@click.option("--rollouts", default=8, show_default=True)
@click.option("--keep", type=click.Path(path_type=Path), help="A folder to work in and leave.")
def main(rollouts: int, keep: Path | None) -> None:
    """Print the tables."""
    with tempfile.TemporaryDirectory() as temporary:
        _measure(keep or Path(temporary), rollouts)


def _measure(folder: Path, rollouts: int) -> None:
    store, model = trained_model(folder, "reason-first", **_SIZES)
    drawn = ("--n", 2, "--prompt", "reason-first", "--max-tokens", 256, "--batch-size", 64)
    run("curation", "sample", "--model", model, *drawn, "--where", HELD_OUT, store=store)
    asked = ("--where", HELD_OUT, "--rollouts", rollouts, "--batch-size", 64)
    run("curation", "step-values", *asked, store=store)
    run("curation", "check", "--where", HELD_OUT, store=store)
    click.echo(run("eval", "chains", store=store))
    with duckdb.connect(str(store), read_only=True) as connection:
        chains = connection.execute(_CHAINS).fetchall()
        values = (
            connection.sql("FROM step_values ORDER BY sample_id, step_index").to_arrow_table().to_pylist()
        )
    rows, firsts, wrong = [], {}, {}
    for sample_id, text, finish, query, about, intent, reason, correct in chains:
        first = _first_wrong(text, finish == "stop", about, intent, reason)
        rows.append((len(chain_steps(text, finished=finish == "stop")), query, first))
        firsts[sample_id] = first
        if not correct:
            wrong[sample_id] = finish == "stop"
    steps: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for value in values:
        steps[str(value["sample_id"])].append(value)
    click.echo("By the shop's truth:\n")
    _by_length(rows)
    click.echo()
    _against_truth(
        firsts, {each: lost_step(steps[each], finished=finished) for each, finished in wrong.items()}
    )


if __name__ == "__main__":
    main()
