"""pass@N sampling: makes sure that N samples exist for each pair under a configuration.

A sample's key is (pair, configuration, hash of the rendered prompt, index), so nothing is drawn twice:
N = 16 after N = 8 buys eight more, and a killed run goes on where its last batch ended. The store is read
once, for a plan; from then on finished batches become parts, merged at checkpoints when the store is free.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curation.adaptive.designs import PROMPT_WEIGHT, Design, find_policy, learn_design
from curation.adaptive.source import AdaptiveSource, pilot_share
from curation.budget import UNLIMITED, Budget, estimate
from curation.cluster.driver import draw_on_cluster
from curation.cluster.worker import Errand
from curation.drawing import Everything, Progress, Source, draw
from curation.sampling_plan import Work, by_template, save_plan
from curation.selection import selected_pairs, split_pairs
from warehouse.errors import TierwiseError
from warehouse.ledger import Run

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable, Mapping

    import duckdb

    from curation.adaptive.policy import Policy, State
    from curation.backends import Backend
    from curation.cluster.driver import Cluster
    from curation.configurations import Configuration
    from curation.sampling_plan import Render
    from warehouse.store import LongRun, Store

_CHECKPOINT_SECONDS = 30.0


def sample(
    store: Store,
    configuration: Configuration,
    load: Callable[[], Backend],
    *,
    n: int,
    where: str | None = None,
    limit: int | None = None,
    split: str | None = None,
    each: int | None = None,
    settled: Callable[[Path], str] | None = None,
    kind: str = "sample",
    render: Render | None = None,
    seed: int = 0,
    retry_failed: bool = False,
    budget: Budget = UNLIMITED,
    design: Design | None = None,
    cluster: Cluster | None = None,
    dry_run: bool = False,
    report: Callable[[Progress], None] = lambda _: None,
) -> dict[str, Any]:
    """Draw what is missing of `n` samples for each selected pair; return the counts.

    Args:
        store: The store; read once, then only for checkpoints.
        configuration: Model, template, decoding.
        load: Makes the backend; called only if something is missing.
        n: Samples wanted for each prompt.
        where: SQL condition over ``pair_overview``.
        limit: At most so many pairs, the same ones each time.
        split: In place of both: the pairs of this split, with the item texts that it froze.
        each: At most so many samples for each prompt in this call.
        settled: From the folder of waiting parts, a query for the pair_id and prompt_hash of prompts that need no more
            samples, however few they have.
        kind: Of the run in the ledger. What commands take for the newest configuration is that of a ``sample``.
        render: Makes the prompts of a row of the plan; by default the template alone makes one.
        seed: Moves every random stream.
        retry_failed: Try again what failed before.
        budget: Once it is spent nothing more is begun.
        design: Fewer samples where the band that `n` would give is known early.
        cluster: Workers who draw in place of this process.
        dry_run: Only count what is missing.
        report: Called after each finished batch.

    Raises:
        TierwiseError: No such pairs, or another process is sampling this configuration.
    """
    configuration_id = configuration.configuration_id
    parameters = {
        "n": n,
        "where": where,
        "limit": limit,
        "split": split,
        "seed": seed,
        "model": configuration.model.name,
        "prompt": configuration.template.name,
        **asdict(configuration.decoding),
        **({"price": asdict(budget.price)} if budget.price else {}),
        **({"adaptive": design.target, "agreement": design.agreement} if design else {}),
    }
    run = Run(kind, parameters, model_id=configuration.model_id, configuration_id=configuration_id)
    with (
        store.exclusive(f"sample-{configuration_id}", "sampling this configuration"),
        tempfile.TemporaryDirectory(prefix="tierwise-plan-") as directory,
    ):
        plan = Path(directory) / "plan.parquet"

        policy: Policy | None = None

        def plan_work(connection: duckdb.DuckDBPyConnection) -> int:
            nonlocal policy
            if design is not None:
                policy = find_policy(connection, store.runs, configuration_id, design)
            pairs = _select(connection, where, limit) if split is None else split_pairs(connection, split)
            save_plan(
                connection, store.runs, plan, configuration_id, settled(store.runs) if settled else None
            )
            return pairs

        pairs = store.read_with_parts(plan_work)
        render = render or by_template(configuration.template)
        work = Work(plan, configuration_id, render, n, each=each, seed=seed, retry_failed=retry_failed)
        to_draw = wanted = 0
        for task in work.tasks():
            to_draw += 1
            wanted += len(task.indices)
        progress = Progress(wanted, price=budget.price)
        found = {"configuration": str(configuration_id), "pairs": pairs, "already_there": work.there}
        if settled:
            found |= {"pairs_settled": work.settled, "pairs_to_draw": to_draw}
        if work.failed:
            found["failed_before"] = work.failed
        if dry_run:
            most = configuration.decoding.max_tokens
            costs = estimate(work.tasks(), most, budget.price, in_turn=each is not None)
            return {**found, "to_draw": progress.wanted, **costs}
        with store.long_run(run) as long_run:
            for table, row in configuration.rows(run.run_id):
                long_run.write_part(table, [row])
            report(progress)
            if cluster is not None:
                plan = Path(shutil.copy(plan, long_run.path))
            try:
                if progress.wanted:
                    learn = _Learning(design, configuration_id, pairs, long_run, progress)
                    if cluster is not None:
                        errand = Errand(
                            plan,
                            long_run.path,
                            str(run.run_id),
                            configuration,
                            render,
                            n=n,
                            seed=seed,
                            retry_failed=retry_failed,
                            engine=cluster.engine,
                            pairs=pairs,
                            design=design,
                            policy=policy,
                        )
                        draw_on_cluster(errand, cluster.workers, progress, budget, learn, report)
                    else:
                        source: Source = Everything(work.tasks())
                        if design is not None:
                            source = AdaptiveSource(work, pairs, design, policy, learn, progress)
                        _draw(long_run, configuration, load(), source, progress, budget, report)
            finally:
                run.summary = {**found, **progress.summary()}
    return {**run.summary, **long_run.waiting}


def _select(connection: duckdb.DuckDBPyConnection, where: str | None, limit: int | None) -> int:
    pairs = selected_pairs(connection, where, limit)
    if not pairs:
        raise TierwiseError(
            "no pair with a tier "
            + (f"matches {where!r}" if where else "in this store; `python -m curation ingest` first")
        )
    return pairs


@dataclass(frozen=True, slots=True)
class _Learning:
    """Makes the policy of a pilot's counts, and keeps it before anything leans on it."""

    design: Design | None
    configuration_id: uuid.UUID
    pairs: int
    long_run: LongRun
    progress: Progress

    def __call__(self, counts: Mapping[State, int]) -> Policy:
        assert self.design is not None
        price, usage = self.progress.price, self.progress.usage
        weight = PROMPT_WEIGHT
        if price and price.completion:
            weight = (price.prompt if price.cached is None else price.cached) / price.completion
        # In samples: the prompt of a pair, which all of its pilot's share, beside what one of them generates.
        prompts = usage.prompt_tokens * self.design.n / max(1, usage.completion_tokens)
        policy, row, states = learn_design(
            self.design,
            self.configuration_id,
            counts,
            pilot_share(self.pairs),
            weight * prompts,
            str(self.long_run.run.run_id),
        )
        self.long_run.write_part("designs", [row])
        self.long_run.write_part("design_states", states)
        return policy


def _draw(
    long_run: LongRun,
    configuration: Configuration,
    backend: Backend,
    source: Source,
    progress: Progress,
    budget: Budget,
    report: Callable[[Progress], None],
) -> None:
    checkpoint = time.monotonic()

    def after_batch() -> None:
        nonlocal checkpoint
        report(progress)
        if time.monotonic() - checkpoint > _CHECKPOINT_SECONDS:
            long_run.checkpoint()
            checkpoint = time.monotonic()

    draw(
        source,
        configuration,
        backend,
        progress,
        budget,
        run_id=str(long_run.run.run_id),
        write=long_run.write_part,
        after_batch=after_batch,
    )
