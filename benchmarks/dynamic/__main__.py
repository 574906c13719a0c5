"""GRPO with dynamic sampling against TRL's own trainer, by the reward that generated tokens buy.

``python -m benchmarks.dynamic [--seeds 3] [--tokens 20000]``

The task is a part of the made-up shop (`curation.shop`): queries of three kinds for twelve categories, each with an
item, written compactly; four tiers; answers that open with the digit and give a reason of a few words. A Qwen2 of 2
million parameters learns 2,500 such answers by heart, and then knows some of the other pairs, errs for sure on some
and guesses at the rest. Four sides go on from there: TRL's trainer; the curriculum alone (generation budget 1:
prompts by difficulty, nothing refilled); and dynamic sampling with budgets 1.5 and 3. SFT, GRPO and the held-out
pairs share no intent, as splits do not.

There are two pools of prompts: pairs as they come, and one in which seven of eight prompts hardly ever give more than
one reward, as DAPO (arXiv 2503.14476) describes a policy after some training. The curriculum starts with 8 samples of
each prompt, as `curation difficulty` counts them; ratios are given without and with the tokens of these.

All sides have the same settings, and stop after the same tokens, completions that were dropped included. The learning
rate is TRL's best: of 5e-5, 1e-4, 2e-4, 5e-4 and 1e-3, with a seed that is not among those below, 1e-4 gave TRL the
highest final reward on 512 pairs as they come.

A curve is the expected reward, exact from the probabilities of the digit that comes first, on the pool and on the
held-out pairs. It is looked at sixteen times and averaged over three looks. A ratio is the tokens with which a side
has the reward that TRL ends with, over TRL's tokens; there is none where TRL gained nothing. The aim is 0.6 in the
median of the seeds.
"""

from __future__ import annotations

import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from math import isinf, isnan
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from time import perf_counter

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.dynamic.shop import GROUP, Pool, Shop, make_base, make_pools, make_tokenizer
from benchmarks.dynamic.sides import (
    BUDGETS,
    MEASURES,
    OFFLINE_SAMPLES,
    STATIC,
    Curve,
    Settings,
    quiet,
    start_process,
    train,
)

AIM = 0.6
SIDES = (STATIC, *BUDGETS)

Curves = dict[str, list[Curve]]


def offline_tokens(pool: Pool) -> float:
    """What the counts that the curriculum starts with cost."""
    return OFFLINE_SAMPLES * len(pool.rows) * pool.tokens_each


def pools_table(pools: list[Pool]) -> Table:
    """What the base does on the prompts."""
    table = Table(
        "pool",
        "prompts",
        "solve rate",
        "below 0.05",
        "above 0.95",
        f"a group of {GROUP} varies",
        "tokens of offline counts",
        title="The base on the pools",
    )
    for pool in pools:
        table.add_row(
            pool.name,
            str(len(pool.rows)),
            f"{pool.solve_rates.mean():.2f}",
            f"{np.mean(pool.solve_rates < 0.05):.0%}",
            f"{np.mean(pool.solve_rates > 0.95):.0%}",
            f"{pool.varying.mean():.0%}",
            f"{offline_tokens(pool):,.0f}",
        )
    return table


def ratios(curves: Curves, side: str, measure: str) -> list[float]:
    """For each seed the tokens with which the side has TRL's final reward, over TRL's; NaN where TRL gained nothing."""
    found = []
    for static, run in zip(curves[STATIC], curves[side], strict=True):
        target = static.smooth(measure)[-1]
        gained = target > static.rewards[measure][0]
        found.append(run.first_reaching(measure, target) / static.tokens[-1] if gained else float("nan"))
    return found


def middle(found: list[float]) -> float:
    """The median over the seeds with which TRL gained; NaN where it gained with none."""
    gained = [ratio for ratio in found if not isnan(ratio)]
    return median(gained) if gained else float("nan")


def shown(ratio: float) -> str:
    """A ratio; a reward that was never reached has none."""
    return "–" if isnan(ratio) else "never" if isinf(ratio) else f"{ratio:.2f}"


def ratios_table(pool: Pool, curves: Curves, measure: str) -> Table:
    """The ratios of each side, and the reward it ends with."""
    seeds = [f"seed {seed}" for seed in range(len(curves[STATIC]))]
    table = Table(
        "side",
        *seeds,
        "median",
        "with counts",
        "reward before",
        "after",
        title=f"Pool {pool.name}, reward on {measure}: tokens to TRL's final reward over TRL's tokens",
    )
    for side, runs in curves.items():
        found = ratios(curves, side, measure)
        counts = 0 if side == STATIC else offline_tokens(pool) / curves[STATIC][0].tokens[-1]
        table.add_row(
            side,
            *map(shown, found),
            shown(middle(found)),
            shown(middle(found) + counts),
            f"{runs[0].rewards[measure][0]:.3f}",
            f"{np.median([run.smooth(measure)[-1] for run in runs]):.3f}",
        )
    return table


def windows_table(pool: Pool, curves: Curves) -> Table:
    """How often groups gave a gradient, medians over seeds."""
    table = Table(
        "side",
        "steps",
        "first groups that vary: first quarter",
        "last quarter",
        "groups trained on that vary: first quarter",
        "last quarter",
        title=f"Pool {pool.name}: groups",
    )
    for side, runs in curves.items():
        shares = np.median([[*_ends(run.varying), *_ends(run.trained)] for run in runs], axis=0)
        table.add_row(
            side, f"{np.median([run.steps for run in runs]):.0f}", *(f"{share:.0%}" for share in shares)
        )
    return table


def _ends(shares: list[float]) -> tuple[float, float]:
    """Means over the first and the last quarter of the steps."""
    quarter = len(shares) // 4 + 1
    return float(np.mean(shares[:quarter])), float(np.mean(shares[-quarter:]))


def curves_table(pool: Pool, curves: Curves, measure: str) -> Table:
    """Rewards of all sides after the same tokens, medians over seeds."""
    table = Table("tokens", *curves, title=f"Pool {pool.name}: reward on {measure} by generated tokens")
    end = min(run.tokens[-1] for runs in curves.values() for run in runs)
    for tokens in np.linspace(0, end, 9):
        rewards = [
            np.median([np.interp(tokens, run.tokens, run.rewards[measure]) for run in runs])
            for runs in curves.values()
        ]
        table.add_row(f"{tokens:,.0f}", *(f"{reward:.3f}" for reward in rewards))
    return table


def verdict(pool: Pool, curves: Curves, measure: str) -> str:
    """Which sides reach the aim."""
    found = {side: middle(ratios(curves, side, measure)) for side in BUDGETS}
    each = [f"{side} {shown(ratio)} {'reached' if ratio <= AIM else 'MISS'}" for side, ratio in found.items()]
    gained = not any(isnan(ratio) for ratio in found.values())
    return f"Pool {pool.name}, {measure}, aim {AIM:g}: {', '.join(each) if gained else 'TRL gained nothing'}"


@click.command(help=__doc__)
@click.option("--seeds", default=3, show_default=True, help="Runs of each side on each pool.")
@click.option("--tokens", default=20_000, show_default=True, help="Generated by each run.")
@click.option("--prompts", default=8, show_default=True, help="Prompts in a batch.")
@click.option("--learning-rate", default=1e-4, show_default=True, help="Of GRPO.")
@click.option("--sft-steps", default=1200, show_default=True, help="Steps of the SFT before.")
@click.option("--processes", default=os.cpu_count(), show_default="CPU cores", help="Runs at a time.")
def main(seeds: int, tokens: int, prompts: int, learning_rate: float, sft_steps: int, processes: int) -> None:
    """Train all sides from the same base and print the tables."""
    quiet()
    console = Console(width=120)
    start = perf_counter()
    shop = Shop.make()
    tokenizer = make_tokenizer(shop.sft)
    model = make_base(shop.sft, tokenizer, sft_steps)
    pools = make_pools(model, tokenizer, shop.pool)
    parameters = sum(weights.numel() for weights in model.parameters())
    console.print(
        f"SFT of {parameters:,} parameters on {len(shop.sft):,} pairs: {perf_counter() - start:,.0f} s"
    )
    console.print(pools_table(pools))
    if min(len(pool.rows) for pool in pools) < prompts:
        raise click.ClickException(f"{sft_steps} steps of SFT settle too few prompts; give more --sft-steps")
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        model.save_pretrained(base)
        tokenizer.save_pretrained(base)
        jobs = [(pool, side, seed) for pool in pools for side in SIDES for seed in range(seeds)]
        work = partial(
            train, base=base, held_out=shop.held_out, settings=Settings(tokens, prompts, learning_rate)
        )
        with ProcessPoolExecutor(processes, get_context("spawn"), start_process) as executor:
            done = executor.map(work, jobs)
            curves = [{side: [next(done) for _ in range(seeds)] for side in SIDES} for _ in pools]
    for pool, of_pool in zip(pools, curves, strict=True):
        console.print(windows_table(pool, of_pool))
        for measure in MEASURES:
            console.print(curves_table(pool, of_pool, measure))
            console.print(ratios_table(pool, of_pool, measure))
            console.print(verdict(pool, of_pool, measure))
    console.print(f"{perf_counter() - start:,.0f} seconds in all.")


if __name__ == "__main__":
    main()
