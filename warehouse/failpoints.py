"""Moments at which a test can kill the process for real."""

from __future__ import annotations

import os
import signal


def failpoint(name: str) -> None:
    """Die by SIGKILL here if ``TIERWISE_DIE_AT`` is `name`: proof by test that a crash loses nothing."""
    if os.environ.get("TIERWISE_DIE_AT") == name:
        os.kill(os.getpid(), signal.SIGKILL)
