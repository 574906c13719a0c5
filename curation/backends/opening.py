"""The backend of whatever ``--model`` or ``--teacher`` names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from curation.models import SERVED, ModelReference, ServedModel, resolve, served
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from curation.backends import Backend


@dataclass(frozen=True, slots=True)
class Engine:
    """How a model is run; None is the backend's default.

    Raises:
        TierwiseError: It has arguments of an engine that it does not use.

    Attributes:
        backend: What runs a model of this machine.
        dtype: Precision of its weights.
        batch_size: Its completions in flight.
        arguments: Of vLLM's engine, by name.
        endpoints: More servers of a served model.
        concurrency: Open requests to a server, at most.
        timeout: Seconds that a server has for one answer.
    """

    backend: Literal["transformers", "vllm"] = "transformers"
    dtype: Literal["bfloat16", "float32"] | None = None
    batch_size: int | None = None
    arguments: tuple[tuple[str, Any], ...] = ()
    endpoints: tuple[str, ...] = ()
    concurrency: int = 512
    timeout: float = 120.0

    def __post_init__(self) -> None:
        if self.arguments and self.backend != "vllm":
            raise TierwiseError("--vllm is for vLLM's engine: add --backend vllm")


DEFAULT = Engine()


def find_model(name: str, engine: Engine = DEFAULT) -> ModelReference | ServedModel:
    """The model that `name` means, on this machine or, as ``openai:…``, behind servers.

    Raises:
        TierwiseError: As `resolve` and `served`; or servers are named for a model on this machine, or an engine for one
            elsewhere.
    """
    if name.startswith(SERVED):
        if engine.backend == "vllm":
            raise TierwiseError(f"{name} is behind a server, which has its engine: leave --backend out")
        return served(name, engine.endpoints)
    if engine.endpoints:
        raise TierwiseError(f"--endpoint goes with a served model: name it as {SERVED}MODEL, not {name}")
    return resolve(name)


def open_backend(model: ModelReference | ServedModel, engine: Engine) -> Backend:
    """Load `model`, or connect to its server.

    Raises:
        TierwiseError: It cannot be loaded, or its server needs a key that the environment does not hold.
    """
    if isinstance(model, ServedModel):
        from curation.backends.openai import OpenAIBackend

        return OpenAIBackend(model.urls, model.model, concurrency=engine.concurrency, timeout=engine.timeout)
    if engine.backend == "vllm":
        from curation.backends.vllm import VLLMBackend

        return VLLMBackend(
            model.path,
            adapter=model.adapter,
            dtype=engine.dtype,
            batch_size=engine.batch_size,
            arguments=dict(engine.arguments),
        )
    from curation.backends.transformers import TransformersBackend

    return TransformersBackend(
        str(model.path),
        adapter=model.adapter,
        dtype=engine.dtype,
        batch_size=engine.batch_size,
    )
