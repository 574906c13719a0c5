"""Which code wrote a row."""

from __future__ import annotations

import functools
import importlib.metadata
import subprocess
from pathlib import Path


@functools.cache
def code_version() -> str:
    """Version of the installed distribution, with the commit where the code is a git checkout."""
    try:
        version = importlib.metadata.version("tierwise")
    except importlib.metadata.PackageNotFoundError:
        version = "unknown"
    checkout = Path(__file__).resolve().parent.parent
    if not (checkout / ".git").exists():
        return version
    try:
        described = subprocess.run(
            ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--exclude=*"],
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:  # a checkout on a machine without git
        return version
    return f"{version}+{described.stdout.strip()}" if described.returncode == 0 else version
