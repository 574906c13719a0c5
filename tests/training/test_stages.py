"""The three stages as a user runs them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.curation.conftest import rows
from tests.training.conftest import EVAL, QUICK, TRAIN

if TYPE_CHECKING:
    from pathlib import Path

    from tests.curation.conftest import RunCommand
    from tests.training.conftest import Train

GROUPS = ("--num_generations", "4", "--max_completion_length", "6", "--gradient_accumulation_steps", "2")
STAGES = {"sft": (), "dpo": (), "grpo": GROUPS}


def one(command: RunCommand, store: Path, query: str) -> dict[str, Any]:
    (found,) = rows(command, store, query)
    return found


@pytest.mark.parametrize("stage", STAGES)
def test_a_model_is_trained_registered_and_traced_to_source_lines(
    stage: str,
    store: Path,
    speaking_model: Path,
    tmp_path: Path,
    train: Train,
    command: RunCommand,
    judged_csv: Path,
) -> None:
    out = tmp_path / "trained"
    asked = ("--split", TRAIN, "--model", speaking_model, "--out", out, "--db", store, *QUICK, *STAGES[stage])
    said = json.loads(train(stage, *asked, "--use_peft", "--json").stdout)
    assert said["steps"] == 2
    assert {file.name for file in out.iterdir()} >= {
        "model.safetensors",
        "training.yaml",
        "training.json",
        "adapter",
    }

    model = one(command, store, f"FROM models WHERE model_id = '{said['model_id']}'")
    run = one(command, store, f"FROM runs WHERE run_id = '{model['run_id']}'")
    split = one(command, store, f"FROM splits WHERE split = '{TRAIN}'")
    parent = one(command, store, f"FROM models WHERE model_id = '{model['parent_id']}'")
    assert (model["split"], model["split_hash"]) == (TRAIN, split["content_hash"])
    assert (run["kind"], run["status"], run["parents"][0]) == (stage, "finished", split["run_id"])
    assert parent["path"] == str(speaking_model)
    metrics = {row["metric"] for row in rows(command, store, "FROM training_metrics WHERE step = 2")}
    assert metrics >= {"loss", "learning_rate", "num_tokens"}

    lineage = command("warehouse", "lineage", said["model_id"], "--db", store).stdout
    assert str(judged_csv) in lineage
    assert "in lines" in lineage
    assert str(speaking_model) in lineage

    command("eval", "predict", "--split", EVAL, "--model", out, "--db", store)
    predicted = one(command, store, "SELECT count(*) AS n, count(tier_probs) AS told FROM predictions")
    assert predicted["n"] == predicted["told"] > 0

    again = json.loads(train(stage, *asked, "--use_peft", "--json").stdout)
    assert again == {"state": "was trained before", "model_id": said["model_id"], "out": str(out)}


def test_grpo_tells_what_every_group_came_to(
    store: Path, speaking_model: Path, tmp_path: Path, train: Train, command: RunCommand
) -> None:
    before = rows(command, store, "FROM difficulty ORDER BY difficulty_id")
    asked = ("--split", TRAIN, "--model", speaking_model, "--out", tmp_path / "trained", "--db", store)
    said = json.loads(train("grpo", *asked, *QUICK, *GROUPS, "--json").stdout)
    groups = rows(command, store, "FROM difficulty WHERE step IS NOT NULL ORDER BY step")
    assert {row["step"] for row in groups} == {0, 1}
    assert {row["n"] for row in groups} == {4}
    assert 0 < sum(row["c"] for row in groups) < sum(row["n"] for row in groups)
    assert len({(row["pair_id"], row["step"]) for row in groups}) == len(groups)
    shares = rows(command, store, "FROM training_metrics WHERE metric LIKE 'dynamic/zero_variance%'")
    assert len(shares) == 4
    assert said["zero_variance"].keys() == {"before refill", "after"}
    # Offline difficulty is another matter.
    assert rows(command, store, "FROM difficulty WHERE step IS NULL ORDER BY difficulty_id") == before
    gold = rows(
        command,
        store,
        "SELECT count(*) AS n FROM difficulty d JOIN split_members m USING (pair_id) "
        "WHERE step IS NOT NULL AND d.gold_tier <> m.tier",
    )
    assert gold == [{"n": 0}]


def test_training_that_changes_nothing_says_so(
    store: Path, speaking_model: Path, tmp_path: Path, train: Train, command: RunCommand
) -> None:
    asked = (
        "--split",
        TRAIN,
        "--model",
        speaking_model,
        "--out",
        tmp_path / "trained",
        "--db",
        store,
        *QUICK,
    )
    # What training starts from was trained itself, in another store: this one knows nothing of its descent.
    said = json.loads(train("sft", *asked, "--learning_rate", "0", "--json").stdout)
    assert "nothing was learned" in said["note"]
    (model,) = rows(command, store, f"FROM models WHERE path = '{speaking_model}'")
    assert (model["model_id"], model["parent_id"], model["split"]) == (said["model_id"], None, None)
    assert (
        json.loads(train("sft", *asked, "--learning_rate", "0", "--json").stdout)["state"]
        == "was trained before"
    )


def test_label_only_trains_on_every_pair_and_on_nothing_but_its_tier(
    store: Path, speaking_model: Path, split_store: Path, command: RunCommand
) -> None:
    pairs = one(command, split_store, f"SELECT count(*) AS n FROM split_members WHERE split = '{TRAIN}'")["n"]
    with_texts = one(
        command, split_store, f"SELECT count(*) AS n FROM split_completions WHERE split = '{TRAIN}'"
    )
    state = json.loads((speaking_model / "training.json").read_text())
    assert state["run"]["parameters"]["label_only"] is True
    assert with_texts["n"] < pairs
    command(
        "curation",
        "sample",
        "--n",
        "2",
        "--limit",
        "5",
        "--model",
        speaking_model,
        "--unguided",
        "--db",
        store,
    )
    texts = rows(
        command,
        store,
        f"SELECT text FROM samples JOIN configurations USING (configuration_id) JOIN models m USING (model_id) "
        f"WHERE m.path = '{speaking_model}'",
    )
    assert sum(row["text"].strip() in {"1", "2", "3", "4"} for row in texts) >= len(texts) / 2


def test_a_dry_run_writes_nothing(store: Path, tiny_model: Path, tmp_path: Path, train: Train) -> None:
    before = store.read_bytes()
    out = tmp_path / "trained"
    asked = ("--split", TRAIN, "--model", tiny_model, "--out", out, "--db", store)
    said = json.loads(train("dpo", *asked, "--dry-run", "--json").stdout)
    assert said["rows"] > 0
    assert "GiB" in said["memory"]
    assert not out.exists()
    assert store.read_bytes() == before


def test_what_was_asked_for_is_a_config_that_asks_the_same(
    store: Path, tiny_model: Path, tmp_path: Path, train: Train
) -> None:
    out = tmp_path / "trained"
    asked = ("--split", TRAIN, "--model", tiny_model, "--out", out, "--db", store, *QUICK)
    train("sft", *asked, "--label-only", "--use_peft")
    again = json.loads(train("sft", "--config", out / "training.yaml", "--db", store, "--json").stdout)
    assert again["state"] == "was trained before"
    resolved = json.loads((out / "training.json").read_text())["resolved"]
    assert (resolved["learning_rate"], resolved["completion_only_loss"]) == (1e-3, True)
    assert resolved["versions"]["trl"].startswith("1.16")
