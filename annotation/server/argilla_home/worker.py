"""Argilla's worker: it does what the server puts into Redis, such as a changed overlap over all records.

Reads ``{"environment": {…}, "is_only_worker": bool}``. The only worker of a Redis first puts back the jobs that a
killed one had taken: none of them is at work elsewhere.
"""

from __future__ import annotations

import ctypes
import os
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
    from rq import Worker

    queues = [HIGH_QUEUE, DEFAULT_QUEUE]
    if given["is_only_worker"]:
        _put_back(queues, REDIS_CONNECTION)
    if sys.platform == "linux":
        # Jobs and the scheduler are forks of the worker, and end with it however it ends.
        prctl = ctypes.CDLL(None).prctl
        os.register_at_fork(after_in_child=lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGKILL))
    Worker(queues, connection=REDIS_CONNECTION).work(logging_level="WARNING", with_scheduler=True)


def _put_back(queues: list[Any], connection: Any) -> None:
    """Queue the jobs again that were taken from a queue and not done."""
    from rq import Worker
    from rq.job import Job, JobStatus
    from rq.registry import StartedJobRegistry

    for worker in Worker.all(connection=connection):
        worker.register_death()
    for queue in queues:
        waiting = set(queue.get_job_ids())
        # Of several queues, a job is taken out of its own before it is noted as begun.
        for key in connection.scan_iter(f"{Job.redis_job_namespace_prefix}*"):
            job = queue.fetch_job(key.decode().removeprefix(Job.redis_job_namespace_prefix))
            if job is None or job.origin != queue.name or job.id in waiting:
                continue
            if job.get_status() in (JobStatus.QUEUED, JobStatus.STARTED):
                StartedJobRegistry(queue=queue).remove(job)
                queue.enqueue_job(job, at_front=True)


if __name__ == "__main__":
    main()
