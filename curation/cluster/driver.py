"""The driver of a sampling run on a Ray cluster: hands out blocks, adds up what comes of them."""

from __future__ import annotations

import logging
import os
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from curation.backends import Usage
from curation.cluster.worker import Worker
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy as np

    from curation.adaptive.policy import Policy, State
    from curation.backends.opening import Engine
    from curation.budget import Budget
    from curation.cluster.worker import Errand
    from curation.drawing import Progress

BLOCK_PAIRS = 2_048
"""Pairs in a block: enough to keep an engine busy, few enough to lose little with a worker."""
FEWEST_PAIRS = 16
BLOCKS_PER_WORKER = 8


@dataclass(frozen=True, slots=True)
class Cluster:
    """How many workers draw, each with an engine of its own."""

    workers: int
    engine: Engine


def block_pairs(pairs: int, workers: int) -> int:
    """Pairs in a block, so that each worker gets several."""
    return max(FEWEST_PAIRS, min(BLOCK_PAIRS, pairs // (workers * BLOCKS_PER_WORKER)))


def draw_on_cluster(
    errand: Errand,
    workers: int,
    progress: Progress,
    budget: Budget,
    learn: Callable[[Mapping[State, int]], Policy],
    report: Callable[[Progress], None],
) -> None:
    """Draw what is missing of a plan by `workers`, each with a backend of its own.

    A block whose worker dies goes to another one. Once the budget is spent no worker begins anything more. An adaptive
    run whose policy is not known goes over the blocks twice, first for its pilot.

    Args:
        errand: What they are told.
        workers: How many there are to be.
        progress: Counts up.
        budget: Of this call.
        learn: Makes an adaptive run's policy of its pilot's counts.
        report: Called after each block.

    Raises:
        TierwiseError: Ray is not installed, or the cluster cannot be reached.
    """
    if errand.design is not None and errand.policy is None:
        pilot = _go_over(errand, workers, progress, budget, report)
        if errand.stop.exists():
            return
        errand = replace(errand, policy=learn(pilot))
    _go_over(errand, workers, progress, budget, report)


def _go_over(
    errand: Errand,
    workers: int,
    progress: Progress,
    budget: Budget,
    report: Callable[[Progress], None],
) -> dict[State, int]:
    """Have all blocks drawn; return the pilot's counts."""
    pilot: Counter[State] = Counter()
    for done in _blocks_done(errand, workers):
        pilot.update({(errand.n, c): int(pairs) for c, pairs in enumerate(done["pilot"])})
        for name in ("samples", "spared", "failures", "failed_samples", "unanswered", "unparsable"):
            setattr(progress, name, getattr(progress, name) + done[name])
        progress.usage += Usage.of_summary(done)
        report(progress)
        if budget.is_spent(progress.usage):
            errand.stop.touch()
    return pilot


def _blocks_done(errand: Errand, workers: int) -> Iterator[dict[str, Any]]:
    """What came of each block, as it is finished."""
    # Of a cluster that it starts here; what goes wrong is told by what is raised.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise TierwiseError(f"--engine ray needs Ray ({error}): pip install 'tierwise[scale]'") from error
    try:
        ray.init(log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError) as error:
        raise TierwiseError(
            f"no Ray cluster at {os.environ.get('RAY_ADDRESS', 'this machine')}: {str(error).splitlines()[0]}"
        ) from error
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    size = block_pairs(errand.pairs, workers)
    blocks = -(-errand.pairs // size)
    cluster: Any = ray.cluster_resources
    resources = _resources(workers, cluster())
    try:
        drawn = ray.data.from_items(
            [{"number": number, "size": size} for number in range(blocks)], override_num_blocks=blocks
        ).map_batches(
            _Actor,
            fn_constructor_args=(errand,),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=workers),
            runtime_env={"env_vars": {"OMP_NUM_THREADS": str(int(resources["num_cpus"]))}},
            **resources,
        )
        yield from drawn.iter_rows()
    except KeyboardInterrupt:
        errand.stop.touch()
        raise
    finally:
        ray.shutdown()


class _Actor:
    """A `Worker` as Ray Data calls it."""

    def __init__(self, errand: Errand) -> None:
        self._worker = Worker(errand)

    def __call__(self, batch: dict[str, np.ndarray[Any, Any]]) -> dict[str, list[Any]]:
        from curation.sampling_plan import Block

        done = self._worker.draw(Block(int(batch["number"][0]), int(batch["size"][0])))
        return {name: [value] for name, value in done.items()}


def _resources(workers: int, cluster: dict[str, float]) -> dict[str, Any]:
    """What a worker takes of the cluster: its share of the GPUs where there are any, else of the cores."""
    if gpus := cluster.get("GPU", 0):
        return {"num_cpus": 1, "num_gpus": max(1, gpus // workers)}
    return {"num_cpus": max(1, cluster.get("CPU", 1) // workers)}
