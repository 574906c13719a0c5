"""Bad input ends in one line, and leaves nothing behind."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import duckdb
import pytest

from tests.curation.conftest import rows
from tests.training.conftest import EVAL, QUICK, TRAIN

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.curation.conftest import RunCommand
    from tests.training.conftest import Train


@pytest.fixture
def refused(
    store: Path, tiny_model: Path, tmp_path: Path, train: Train, command: RunCommand
) -> Callable[..., str]:
    """Runs a stage that must fail in one line and write nothing."""

    def run(stage: str, *arguments: object, split: str = TRAIN, model: Path = tiny_model) -> str:
        runs = rows(command, store, "SELECT count(*) AS n FROM runs")
        out = tmp_path / "trained"
        asked = ("--split", split, "--model", model, "--out", out, "--db", store, *arguments)
        stderr = train(stage, *asked, code=1).stderr
        assert stderr.count("\n") == 1, stderr
        assert rows(command, store, "SELECT count(*) AS n FROM runs") == runs
        assert not out.exists()
        return stderr

    return run


@pytest.mark.parametrize(
    ("stage", "arguments", "said"),
    [
        ("sft", ("--learnig_rate", "1"), "did you mean --learning_rate"),
        ("sft", ("--no-such-thing-at-all", "1"), "no option --no_such_thing_at_all"),
        ("sft", ("--learning_rate", "fast"), "invalid float value: 'fast'"),
        ("sft", ("--output_dir", "x"), "use --out"),
        ("sft", ("--hub_token", "hf_secret"), "set HF_TOKEN"),
        ("dpo", ("--load_in_4bit",), "quantised training is not supported"),
        ("sft", ("--lora_r", "4"), "does nothing without --use_peft"),
        ("sft", ("--save_total_limit", "1"), "give 2 or more"),
        ("sft", ("--packing",), "TRL refuses this configuration"),
        ("sft", ("--report_to", "no-such-tracker"), "TRL refuses this configuration"),
        ("dpo", ("--use_peft", "--lora_target_modules", "nosuch"), "nosuch"),
        ("grpo", ("--top_k", "5"), "leave top_k out"),
        ("grpo", ("--scale_rewards", "batch"), "scale_rewards"),
        ("sft", ("--config", "{tmp}/latin.yaml"), "latin.yaml"),
        ("grpo", ("--reward_weights", "1"), "use --reward"),
        ("grpo", ("--num_generations", "3"), "divisible"),
        ("grpo", ("--num_iterations", "2", "--save_steps", "3"), "give a multiple of 2"),
        ("grpo", ("--reward", "correct"), "needs a name and a number"),
        ("grpo", ("--reward", "wit=1"), "no reward component 'wit'"),
        ("grpo", ("--reward", "original=1"), "consistent, grounded, cited, formed"),
        ("sft", ("--config", "{tmp}/list.yaml"), "holds no names with values"),
        ("sft", ("--config", "{tmp}/broken.toml"), "broken.toml"),
        ("sft", ("--dtype", "int3"), "invalid choice: 'int3'"),
    ],
)
def test_arguments(
    refused: Callable[..., str], tmp_path: Path, stage: str, arguments: tuple[str, ...], said: str
) -> None:
    (tmp_path / "list.yaml").write_text("- 1\n- 2\n")
    (tmp_path / "broken.toml").write_text("learning_rate = \n")
    (tmp_path / "latin.yaml").write_bytes("model: größe".encode("latin-1"))
    assert said in refused(stage, *(argument.format(tmp=tmp_path) for argument in arguments))


def test_a_word_that_belongs_to_no_option_is_bad_usage(store: Path, train: Train) -> None:
    said = train("sft", "--split", TRAIN, "--db", store, "stray", code=2).stderr
    assert "'stray' belongs to no option" in said


def test_splits(refused: Callable[..., str], store: Path, command: RunCommand) -> None:
    assert f"no split nowhere_v1; there are {EVAL}, {TRAIN}" in refused("sft", split="nowhere_v1")
    assert "is a split for eval" in refused("grpo", split=EVAL)
    unsolved = (
        "band = 'unsolved' AND query_id NOT IN (SELECT query_id FROM split_queries WHERE role = 'eval')"
    )
    command("curation", "split", "create", "unsolved", "--where", unsolved, "--db", store)
    assert "has nothing for sft: no rationales" in refused("sft", split="unsolved_v1")
    assert "has nothing for dpo: no preferences" in refused("dpo", split="unsolved_v1")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("UPDATE item_versions SET title = title || '!'", "split member"),
        ("UPDATE samples SET text = text || ' '", "completion"),
        ("UPDATE split_members SET tier = 5 - tier", "split member"),
    ],
)
def test_a_split_with_an_altered_row(
    refused: Callable[..., str], store: Path, change: str, named: str
) -> None:
    with duckdb.connect(str(store)) as connection:
        connection.execute(change)
    said = refused("sft")
    assert f"{TRAIN} is not what was frozen" in said
    assert named.rsplit(maxsplit=1)[-1] in said
    assert "split verify" in said


def test_models(refused: Callable[..., str], tiny_model: Path, tmp_path: Path) -> None:
    assert "does not exist" in refused("sft", model=tmp_path / "nowhere")
    mute = tmp_path / "mute"
    mute.mkdir()
    for file in tiny_model.iterdir():
        if file.name != "chat_template.jinja":
            (mute / file.name).write_bytes(file.read_bytes())
    assert "has no chat template" in refused("sft", model=mute)
    small = tmp_path / "small"
    small.mkdir()
    for file in tiny_model.iterdir():
        (small / file.name).write_bytes(file.read_bytes())
    config = json.loads((small / "config.json").read_text())
    (small / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 64}))
    assert "small takes 64" in refused("sft", model=small)


def test_a_model_that_does_not_fit_memory(
    refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.stage.available_memory", lambda: 1_000)
    said = refused("sft")
    assert "0.0 GiB are free" in said
    assert "--use_peft" in said


def test_a_run_that_left_no_checkpoint_gives_way(
    store: Path, tiny_model: Path, tmp_path: Path, train: Train
) -> None:
    asked = ("--split", TRAIN, "--model", tiny_model, "--out", tmp_path / "trained", "--db", store, *QUICK)
    said = train("sft", *asked, "--eval_on_start", code=1).stderr
    assert "TRL refuses this configuration" in said
    assert (tmp_path / "trained" / "training.json").exists()
    train("sft", *asked)


def test_a_folder_of_something_else(store: Path, tiny_model: Path, tmp_path: Path, train: Train) -> None:
    out = tmp_path / "trained"
    out.mkdir()
    (out / "thesis.tex").write_text("…")
    asked = ("--split", TRAIN, "--model", tiny_model, "--out", out, "--db", store, *QUICK)
    assert "holds other files" in train("sft", *asked, code=1).stderr
    (out / "thesis.tex").unlink()
    train("sft", *asked)
    said = train("sft", *asked, "--weight_decay", "0.1", code=1).stderr
    assert "holds another run, with weight_decay none where this one has 0.1" in said
    with duckdb.connect(str(store)) as connection:
        connection.execute("DELETE FROM models WHERE parent_id IS NOT NULL")
    assert "was trained with another store" in train("sft", *asked, code=1).stderr
