"""The backend of whatever ``--model`` or ``--teacher`` names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from curation.models import SERVED, ModelReference, ServedModel, resolve, served
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from curation.backends import Backend


@dataclass(frozen=True, slots=True)
class Engine:
    """How a model is run; None is the backend's default.

    Attributes:
        dtype: Precision of the weights of a model in this process.
        batch_size: Its completions in flight.
        endpoints: More servers of a served model.
        concurrency: Open requests to a server, at most.
        timeout: Seconds that a server has for one answer.
    """

    dtype: Literal["bfloat16", "float32"] | None = None
    batch_size: int | None = None
    endpoints: tuple[str, ...] = ()
    concurrency: int = 512
    timeout: float = 120.0


DEFAULT = Engine()


def find_model(name: str, engine: Engine = DEFAULT) -> ModelReference | ServedModel:
    """The model that `name` means, on this machine or, as ``openai:…``, behind servers.

    Raises:
        TierwiseError: As `resolve` and `served`; or servers are named for a model on this machine.
    """
    if name.startswith(SERVED):
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
    from curation.backends.transformers import TransformersBackend

    return TransformersBackend(str(model.path), dtype=engine.dtype, batch_size=engine.batch_size)
