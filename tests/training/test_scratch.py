"""A model with random weights, and a tokenizer that knows the words of splits."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from curation.backends.tokens import digit_families, load_tokenizer
from tests.training.conftest import EVAL, QUICK, TRAIN
from training.payload import read_payload
from training.scratch import build_tokenizer
from warehouse.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from tests.curation.conftest import RunCommand
    from tests.training.conftest import Train

SMALL = ("--layers", "1", "--width", "32", "--vocabulary", "600")


def test_what_prompts_share_is_one_token_and_nothing_is_lost(split_store: Path) -> None:
    payload = read_payload(Store.named(str(split_store)), TRAIN, "sft")
    tokenizer = build_tokenizer([payload], 600)
    assert len(tokenizer) <= 600
    for row in payload.rows:
        chat = tokenizer.apply_chat_template(row["prompt"] + row["completion"], tokenize=False)
        tokens = tokenizer(chat)["input_ids"]
        assert tokenizer.decode(tokens) == chat
        words = tokenizer.convert_ids_to_tokens(tokens)
        assert words[0].startswith("<|im_start|>system")
        assert words[0].endswith("<query>")
        assert sum(payload.template.system in word for word in words) == 1
        assert sum("</item>" in word for word in words) == 1


def test_digits_stand_apart(split_store: Path) -> None:
    payload = read_payload(Store.named(str(split_store)), TRAIN, "sft")
    tokenizer = build_tokenizer([payload], 600)
    assert tokenizer.tokenize("41") == ["4", "1"]
    assert not [token for token in tokenizer.get_vocab() if token.strip("Ġ").isdigit() and len(token) > 1]


def test_two_prompts_share_a_tokenizer(shop: Path, command: RunCommand) -> None:
    command("curation", "rationales", "--teacher", "shop", "--limit", "12", "--db", shop)
    payloads = []
    for prompt in ("answer-first", "reason-first"):
        command(
            "curation", "split", "create", prompt, "--rationales", "shop", "--prompt", prompt, "--db", shop
        )
        payloads.append(read_payload(Store.named(str(shop)), f"{prompt}_v1", "sft"))
    tokenizer = build_tokenizer(payloads, 600)
    for payload in payloads:
        chat = tokenizer.apply_chat_template(
            payload.rows[0]["prompt"], tokenize=False, add_generation_prompt=True
        )
        last = tokenizer.convert_ids_to_tokens(tokenizer(chat)["input_ids"])[-1]
        assert payload.template.user.splitlines()[-1] in last


def test_it_is_registered_trained_from_and_made_again_alike(
    store: Path, command: RunCommand, train: Train, tmp_path: Path
) -> None:
    asked = ("--split", TRAIN, *SMALL, "--db", store)
    made, again, other = (
        json.loads(train("scratch", *asked, "--out", tmp_path / name, "--seed", seed, "--json").stdout)
        for name, seed in (("new", 0), ("again", 0), ("other", 1))
    )
    assert again["model_id"] == made["model_id"] != other["model_id"]
    with Store.named(str(store)).read() as connection:
        found = connection.execute(
            "SELECT split, kind FROM models JOIN runs USING (run_id) WHERE models.model_id = ?",
            [made["model_id"]],
        ).fetchall()
    assert found == [(TRAIN, "scratch")]
    bare, _ = digit_families(load_tokenizer(tmp_path / "new"))
    assert len(set(bare)) == 4
    at = ("--split", TRAIN, "--model", tmp_path / "new", "--out", tmp_path / "trained", "--db", store)
    trained = json.loads(train("sft", *at, *QUICK, "--json").stdout)
    assert made["model_id"] in command("warehouse", "lineage", trained["model_id"], "--db", store).stdout


@pytest.mark.parametrize(
    ("arguments", "told", "code"),
    [
        (("--split", EVAL), "is a split for eval", 1),
        (("--split", "none_v1"), "none_v1", 1),
        (("--split", TRAIN, "--width", "50"), "heads are 32 wide", 2),
    ],
)
def test_what_it_refuses(
    split_store: Path, train: Train, tmp_path: Path, arguments: tuple[str, ...], told: str, code: int
) -> None:
    done = train("scratch", *arguments, "--out", tmp_path / "new", "--db", split_store, code=code)
    assert told in done.stderr
    assert not (tmp_path / "new").exists()


def test_a_folder_of_other_files_is_left_alone(split_store: Path, train: Train, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    done = train("scratch", "--split", TRAIN, "--out", tmp_path, "--db", split_store, code=1)
    assert "holds other files" in done.stderr


def test_another_model_is_not_written_over(store: Path, train: Train, tmp_path: Path) -> None:
    out = tmp_path / "models" / "new"
    asked = ("--split", TRAIN, *SMALL, "--out", out, "--db", store)
    train("scratch", *asked)
    weights = (out / "model.safetensors").read_bytes()
    train("scratch", *asked)
    done = train("scratch", *asked, "--seed", "1", code=1)
    assert f"{out} holds other files" in " ".join(done.stderr.split())
    assert (out / "model.safetensors").read_bytes() == weights
    assert [path.name for path in out.parent.iterdir()] == ["new"]
