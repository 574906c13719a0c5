"""Secrets of a process, from standard input into Argilla's settings."""

from __future__ import annotations

import json
import os
import sys
from typing import Any


def read_secrets() -> dict[str, Any]:
    """Read the JSON object on standard input; what is under ``environment`` becomes settings of Argilla's.

    Call it before anything of Argilla's is imported: it reads its settings at import. What a process sets itself
    is not what ``ps e`` and ``/proc/PID/environ`` show.
    """
    given: dict[str, Any] = json.load(sys.stdin)
    os.environ.update(given.pop("environment", {}))
    return given
