"""Stages that stand for several."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from curation.recipe.reading import read_recipe
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from pathlib import Path

    from curation.recipe.reading import Recipe
    from tests.curation.recipe.conftest import Cli

MODELS = """
[settings]
models = "sft dpo"

[stage.sft]
command = "training.sft --out {out}"

[stage.dpo]
command = "training.dpo --out {out} --model {sft.out}"

[stage.predict]
each = "{models}"
command = "eval predict --model {each.out} --name 'each {{each}} of {each}'"

[stage.metrics]
each = "{models}"
command = "eval metrics --predictor {predict-each.predictor_id}"
options = { reach = "{each}", teach = ["each", "{each}"] }
needs = ["predict-each"]
"""


def read(folder: Path, text: str, **overrides: str) -> Recipe:
    path = folder / "r.toml"
    path.write_text(text, encoding="utf-8")
    return read_recipe(path, overrides)


def test_a_stage_for_each_name(tmp_path: Path) -> None:
    stages = read(tmp_path, MODELS).stages
    assert list(stages) == ["sft", "dpo", "predict-sft", "predict-dpo", "metrics-sft", "metrics-dpo"]
    assert [word.text for word in stages["predict-dpo"].words[2:]] == [
        *("--model", "{dpo.out}", "--name", "each {{each}} of dpo")
    ]
    assert stages["predict-dpo"].folders == {"dpo"}
    assert [word.text for word in stages["metrics-sft"].words[2:]] == [
        *("--predictor", "{predict-sft.predictor_id}", "--reach", "sft", "--teach", "each", "sft")
    ]
    assert stages["metrics-sft"].stands_on == ("predict-sft",)


def test_a_setting_says_which(tmp_path: Path) -> None:
    assert list(read(tmp_path, MODELS, models="dpo").stages)[2:] == ["predict-dpo", "metrics-dpo"]


@pytest.mark.parametrize(
    ("each", "message"),
    [
        ("each = 3", 'stage b: each is no text; write each = "NAME NAME"'),
        ("each = ' '", "stage b: each is empty"),
        ("each = 'x Y'", "stage b: each: 'Y': names are of a–z"),
        ("each = '{non}'", "stage b: each: {non}: no setting or file of this name"),
        ("each = 'x x'", "stage b: each makes a second stage b-x"),
        ("each = 'y'\n[stage.b-y]\ncommand = 'curation check'", "stage b: each makes a second stage b-y"),
        ("each = 'x'\nneeds = ['each']", "stage b-x: needs 'x': no such stage"),
        ("each = 'x'\noptions = { a = '{each.out}' }", "stage b-x: {x.out}: no stage 'x'"),
        ("eahc = 'x'", "stage b: a stage has no key 'eahc'; did you mean \"each\"?"),
    ],
)
def test_faults_are_told_in_one_line(tmp_path: Path, each: str, message: str) -> None:
    with pytest.raises(TierwiseError) as error:
        read(tmp_path, f"[stage.b]\ncommand = 'curation check'\n{each}")
    assert f"r.toml: {message}" in str(error.value)


def test_no_setting_is_called_each(tmp_path: Path) -> None:
    with pytest.raises(TierwiseError, match=r"setting 'each': .* none is 'out' or 'each'"):
        read(tmp_path, "[settings]\neach = 1\n[stage.b]\ncommand = 'curation check'")


def test_the_plan_of_the_real_command_names_them(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "e.toml").write_text(MODELS, encoding="utf-8")
    said = cli("curation", "recipe", "run", tmp_path / "e.toml", "--dry-run").stdout
    assert [line.split()[1] for line in said.splitlines() if line.startswith("runs")] == [
        *("sft", "dpo", "predict-sft", "predict-dpo", "metrics-sft", "metrics-dpo")
    ]
