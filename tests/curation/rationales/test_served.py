"""The whole way against a real server: killed, resumed, within a budget, gone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("openai")
pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

from tests.curation.backends.serving import free_port, serving
from tests.curation.conftest import rows

if TYPE_CHECKING:
    from pathlib import Path

    from tests.curation.conftest import RunCommand, RunProcess

KEYS = "SELECT count(*) AS n, count(DISTINCT (pair_id, sample_index)) AS keys FROM samples"


def test_a_server_is_asked_once_for_each_answer_whatever_happens(
    command: RunCommand, process: RunProcess, shop: Path, tiny_model: Path
) -> None:
    port = free_port()
    teacher = f"openai:http://127.0.0.1:{port}/v1#{tiny_model}"
    asked = (
        *(
            "curation",
            "rationales",
            "--teacher",
            teacher,
            "--limit",
            "24",
            "--tries",
            "1",
            "--max-tokens",
            "16",
        ),
        *("--concurrency", "3", "--db", shop),
    )
    with serving(tiny_model, port):
        process(*asked, code=-9, env={"TIERWISE_DIE_AT": "part"})
        budgeted = json.loads(process(*asked, "--budget", "tokens=20000", "--json").stdout)
        spent = budgeted["prompt_tokens"] + budgeted["completion_tokens"]
        each = spent / budgeted["drawn"]
        # What is open when the budget is spent is waited for.
        assert 20_000 <= spent <= 20_000 + 4 * each
        assert budgeted["pairs_left"] > 0
        rest = process(*asked)
        assert "left to do" not in rest.stdout
    assert rows(command, shop, KEYS) == [{"n": 24, "keys": 24}]
    (model,) = rows(command, shop, "SELECT name, path FROM models")
    assert model == {"name": f"openai:{tiny_model}", "path": f"http://127.0.0.1:{port}/v1"}
    # The same model at another address has nothing left to say.
    elsewhere = teacher.replace(str(port), str(free_port()))
    command(*(elsewhere if part is teacher else part for part in asked))


def test_without_a_server_it_says_so_in_one_line(process: RunProcess, shop: Path) -> None:
    teacher = f"openai:http://127.0.0.1:{free_port()}/v1"
    gone = process("curation", "rationales", "--teacher", teacher, "--db", shop, code=1)
    assert gone.stderr.count("\n") == 1
    assert "/models does not say which models there are" in gone.stderr


def test_without_a_key_openais_own_server_is_not_asked(process: RunProcess, shop: Path) -> None:
    refused = process(
        *("curation", "rationales", "--teacher", "openai:gpt-x", "--db", shop),
        code=1,
        env={"OPENAI_API_KEY": "", "OPENAI_BASE_URL": ""},
    )
    assert refused.stderr.count("\n") == 1
    assert "OPENAI_API_KEY" in refused.stderr
