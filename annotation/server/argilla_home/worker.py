"""Argilla's worker: it does what the server puts into Redis, such as a changed overlap over all records.

Reads ``{"environment": {…}, "is_only_worker": bool}``. The only worker of a Redis first puts back the jobs that a
killed one had begun: none of them is at work elsewhere.
"""

from __future__ import annotations

import ctypes
import signal
import sys
from typing import Any

from argilla_home.secrets_in import read_secrets

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Work until SIGTERM or SIGINT."""
    given = read_secrets()
    import argilla_database_search.engine  # noqa: F401 - registers the engine
    from argilla_server.jobs import dataset_jobs, hub_jobs, webhook_jobs  # noqa: F401
    from argilla_server.jobs.queues import DEFAULT_QUEUE, HIGH_QUEUE, REDIS_CONNECTION
    from rq import Queue, Worker
    from rq.registry import StartedJobRegistry

    queues: list[Queue] = [HIGH_QUEUE, DEFAULT_QUEUE]
    if given["is_only_worker"]:
        for worker in Worker.all(connection=REDIS_CONNECTION):
            worker.register_death()
        for queue in queues:
            begun = StartedJobRegistry(queue=queue)
            for job_id in begun.get_job_ids():
                job = queue.fetch_job(job_id)
                begun.remove(job_id)
                if job is not None:
                    queue.enqueue_job(job, at_front=True)

    class MortalWorker(Worker):  # type: ignore[misc]
        """One whose jobs end with it, however it ends."""

        def main_work_horse(self, *args: Any, **kwargs: Any) -> None:
            if sys.platform == "linux":
                ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            super().main_work_horse(*args, **kwargs)

    MortalWorker(queues, connection=REDIS_CONNECTION).work(logging_level="WARNING")


if __name__ == "__main__":
    main()
