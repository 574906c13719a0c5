"""``eval partition``: where to cut."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from eval.commands.options import (
    fit_option,
    judge_option,
    predictor_option,
    resamples_option,
    same_split_option,
    seed_option,
)
from warehouse.console import db_option, json_option, print_table, printable

if TYPE_CHECKING:
    from eval.evidence import Evidence
    from eval.partition.fit import Alternative, Fitted
    from eval.partition.keep import Kept
    from warehouse.store import Store

OBJECTIVES = ("macro_f1", "f1_34", "quadratic_kappa", "accuracy")
_MANY_PAIRS = 200_000


@click.group()
def partition() -> None:
    """Thresholds that turn tier probabilities into tiers: fit them, hand them over."""


@partition.command()
@predictor_option
@fit_option
@judge_option
@click.option(
    "--objective",
    type=click.Choice(OBJECTIVES),
    help="What to maximise; f1_34 is F1 of tiers 3 and 4 together.  [default: macro_f1]",
)
@click.option(
    "--cost",
    metavar="MATRIX",
    help="In place of an objective, a cost to minimise: a row for each gold tier 1 to 4, a number for each predicted "
    "one, as in 0,1,2,3;1,0,1,2;2,1,0,1;3,2,1,0.",
)
@click.option(
    "--promise",
    "promises",
    multiple=True,
    metavar="PROMISE",
    help="What must hold: precision:4>=0.95, recall:3,4>=0.9 or share:2<=0.2 (of traffic). All that are given, "
    "together.",
)
@click.option(
    "--confidence",
    type=click.FloatRange(0.5, 1, min_open=True, max_open=True),
    default=0.95,
    show_default=True,
    help="That the promises hold.",
)
@same_split_option
@resamples_option
@seed_option
@db_option
@json_option
def fit(
    predictor: str,
    fit_split: str,
    judge_split: str,
    objective: str | None,
    cost: str | None,
    promises: tuple[str, ...],
    confidence: float,
    same_split: bool,
    resamples: int,
    seed: int,
    store: Store,
    as_json: bool,
) -> None:
    """Fit CumPT thresholds on one split, judge them on another, and keep them in the table partitions.

    The tier is 4 where p4 reaches θ, else 3 where p4 + p3 does, else 2 where p4 + p3 + p2 does, else 1. One θ for all
    three is found exactly, among all numbers. One for each is taken where held-out queries show that it is better. With
    promises, the θ is the best of those for which they can be proved; where there is none, how many queries it would
    take.
    """
    if objective and cost is not None:
        raise click.UsageError("name one: --objective or --cost")
    from eval.partition.keep import fit_and_keep
    from eval.partition.objectives import OBJECTIVES as BY_NAME
    from eval.partition.objectives import cost_objective
    from eval.partition.promises import parse_promises

    def say_if_slow(evidence: Evidence) -> None:
        if len(evidence.gold) > _MANY_PAIRS:
            click.echo(f"Fitting to {len(evidence.gold):,} pairs: this takes some minutes.", err=True)

    found = fit_and_keep(
        store,
        predictor,
        BY_NAME[objective or "macro_f1"] if cost is None else cost_objective(cost),
        parse_promises(promises),
        fit_split=fit_split,
        judge_split=judge_split,
        same_split=same_split,
        confidence=confidence,
        resamples=resamples,
        seed=seed,
        before=say_if_slow,
    )
    if as_json:
        click.echo(json.dumps(_json(found), ensure_ascii=False))
    else:
        _print_text(found)


@partition.command()
@click.argument("partition_id", metavar="ID")
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "sql", "python"]),
    required=True,
    help="A document with its schema's version, a CASE expression over p1 to p4, or a function without imports.",
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="File to write.  [default: print it]"
)
@db_option
def export(partition_id: str, form: str, out: Path | None, store: Store) -> None:
    """Hand the partition whose id begins with ID to those who serve.

    The three formats decide alike on every input. They divide by the total, so that probabilities need not sum to 1;
    where one is missing, negative, infinite or not a number, there is no tier.
    """
    from eval.partition.exports import to_json, to_python, to_sql
    from eval.partition.stored import read_deployed
    from warehouse.tabular import require_folder

    if out is not None:
        require_folder(out)
    with store.read() as connection:
        deployed = read_deployed(connection, partition_id)
    text = {"json": to_json, "sql": to_sql, "python": to_python}[form](deployed)
    if out is None:
        click.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8")


def _json(found: Kept) -> dict[str, Any]:
    from eval.metrics.measure import rounded
    from eval.partition.keep import alternative_json, share_json

    fitted = found.fitted
    return {
        "partition_id": found.partition_id and str(found.partition_id),
        "predictor": found.fitted_on.predictor.name,
        "predictor_id": str(found.fitted_on.predictor.predictor_id),
        "fit_split": found.fitted_on.split,
        "judge_split": found.judged_on.split,
        "same_split": found.fitted_on.split == found.judged_on.split,
        "objective": fitted.objective.name,
        "chosen": fitted.chosen,
        "choice": fitted.choice.reason,
        "thetas": fitted.deployed and fitted.deployed.thetas,
        "theta_interval": [rounded(end) for end in fitted.theta_interval],
        "promises": found.promises,
        "alternatives": [alternative_json(other) for other in fitted.alternatives],
        "shares": [share_json(share) for share in fitted.shares],
        "warnings": fitted.warnings,
    }


def _print_text(found: Kept) -> None:
    from eval.commands.tables import print_warnings

    fitted, fitted_on, judged_on = found.fitted, found.fitted_on, found.judged_on
    click.echo(
        f"{printable(fitted_on.predictor.name)}: fitted on {fitted_on.split} ({len(fitted_on.gold):,} pairs, "
        f"{fitted_on.queries:,} queries) for {fitted.objective.name}, judged on {judged_on.split} "
        f"({len(judged_on.gold):,} pairs, {judged_on.queries:,} queries)"
    )
    print_warnings(fitted.warnings)
    click.echo(f"\n{printable(fitted.choice.reason)}")
    low, high = fitted.theta_interval
    if fitted.deployed is not None and fitted.deployed.thetas is not None:
        four, three, two = fitted.deployed.thetas
        one = four == three == two
        click.echo(
            click.style(f"θ {four:.4f}" if one else f"θ4 {four:.4f}  θ3 {three:.4f}  θ2 {two:.4f}", bold=True)
            + f"  (95 % interval of the best single θ: {low:.4f} to {high:.4f})"
        )
    _print_promises(found)
    _print_alternatives(fitted, judged_on.split)
    _print_shares(fitted)
    if found.partition_id is not None:
        short = str(found.partition_id)[:8]
        click.echo(f"\npartition {found.partition_id}")
        click.echo(f"next: python -m eval partition export {short} --format sql")


def _print_promises(found: Kept) -> None:
    if not found.promises:
        return
    click.echo(f"\nPromises, with {found.promises[0]['confidence']:.0%} confidence together")
    print_table(
        ["promise", "made", found.fitted_on.split, found.judged_on.split, "holds there"],
        [
            [
                promise["promise"],
                "yes" if promise["made"] else "no",
                *(_cell(promise[side]) for side in ("fit_value", "judge_value")),
                {True: "yes", False: "no", None: "–"}[promise["kept"]],
            ]
            for promise in found.promises
        ],
    )


def _print_alternatives(fitted: Fitted, split: str) -> None:
    names = list(fitted.alternatives[0].judge)
    click.echo(f"\nOn {split}; below, the difference to argmax on the same queries with its 95 % interval")
    rows = []
    for other in fitted.alternatives:
        mark = "→ " if other.name == fitted.chosen else "  "
        rows.append([mark + other.name, *(_cell(other.judge[name].value) for name in names)])
        if other.versus_argmax:
            rows.append(["", *(_difference(other, name) for name in names)])
    print_table(["  decided by", *names], rows)


def _print_shares(fitted: Fitted) -> None:
    if not fitted.shares:
        return
    click.echo("\nTraffic shares of tiers 1 to 4: gold, then as decided")
    print_table(
        ["by", "value", "gold", "decided", "pairs", "queries"],
        [
            [
                share.by,
                share.value,
                *(" ".join(f"{part:.2f}" for part in parts) for parts in (share.gold, share.decided)),
                f"{share.pairs:,}",
                f"{share.queries:,}",
            ]
            for share in fitted.shares
        ],
    )


def _cell(value: float | None) -> str:
    from eval.commands.tables import number

    return number(float("nan") if value is None else value)


def _difference(other: Alternative, name: str) -> str:
    from eval.commands.tables import number

    found = other.versus_argmax[name]
    return " ".join(number(value, sign=True) for value in (found.value, found.low, found.high))
