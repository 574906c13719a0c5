"""The backend of whatever ``--model`` or ``--teacher`` names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from curation.models import SERVED, ModelReference, ServedModel, resolve, served

if TYPE_CHECKING:
    from curation.backends import Backend


@dataclass(frozen=True, slots=True)
class Engine:
    """How a model is run; None is the backend's default.

    Attributes:
        dtype: Precision of the weights of a model in this process.
        batch_size: Its completions in flight.
        concurrency: Open requests to a server.
        timeout: Seconds that a server has for one answer.
    """

    dtype: Literal["bfloat16", "float32"] | None = None
    batch_size: int | None = None
    concurrency: int = 16
    timeout: float = 120.0


def find_model(name: str) -> ModelReference | ServedModel:
    """The model that `name` means, on this machine or, as ``openai:…``, behind a server.

    Raises:
        TierwiseError: As `resolve` and `served`.
    """
    return served(name) if name.startswith(SERVED) else resolve(name)


def open_backend(model: ModelReference | ServedModel, engine: Engine) -> Backend:
    """Load `model`, or connect to its server.

    Raises:
        TierwiseError: It cannot be loaded, or its server needs a key that the environment does not hold.
    """
    if isinstance(model, ServedModel):
        from curation.backends.openai import OpenAIBackend

        return OpenAIBackend(model.url, model.model, concurrency=engine.concurrency, timeout=engine.timeout)
    from curation.backends.transformers import TransformersBackend

    return TransformersBackend(str(model.path), dtype=engine.dtype, batch_size=engine.batch_size)
