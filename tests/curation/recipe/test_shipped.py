"""The recipes that come with Tierwise: what a changed setting runs again."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from curation.recipe.fingerprints import Fingerprints
from curation.recipe.plan import make_plan, out_of
from curation.recipe.reading import find_recipe, read_recipe
from curation.recipe.records import Entry
from tests.curation.recipe.conftest import RUN
from warehouse.ledger import Run, utc_now
from warehouse.store import Store

if TYPE_CHECKING:
    from tests.curation.conftest import RunCommand

STORE = Path("tierwise.duckdb")
MODELS = ["cot-sft", "dpo", "grpo-static", "grpo-dynamic", "grpo-careless"]


@pytest.fixture
def all_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that says of every stage of shop-small that it was run, with what other stages read of it."""
    monkeypatch.chdir(tmp_path)
    store = Store(STORE)
    recipe = read_recipe(find_recipe("shop-small"), {})
    read = {output for stage in recipe.stages.values() for output in stage.outputs}
    with store.write(Run("test", {})):
        pass
    with store.long_run(Run("recipe", {})) as long_run:
        for name, planned in make_plan(store, recipe, Fingerprints()).items():
            assert planned.key is not None
            outputs = {each.name: "x" for each in read if each.stage == name}
            digest = None
            if planned.stage.has_out:
                out = out_of(store, name, planned.key)
                out.mkdir(parents=True)
                digest = Fingerprints().of(out)
            entry = Entry(recipe.name, name, planned.key, "", planned.inputs, utc_now(), long_run.run.run_id)
            long_run.write_part("stages", [entry.ended(outputs, digest)])


def runs(command: RunCommand, *settings: str) -> dict[str, str]:
    words = [word for setting in settings for word in ("--set", setting)]
    lines = command(*RUN[:-1], "shop-small", "--dry-run", *words).stdout.splitlines()
    return dict(re.findall(r"^runs  (\S+)\s+(.*)$", "\n".join(lines), re.MULTILINE))


def judged(*models: str) -> set[str]:
    """Stages that judge `models`, without the comparisons."""
    kinds = ("predict", "calibrate", "metrics", "cumpt", "partitioned", "sample", "samples", "chains")
    return {f"{kind}-{model}" for kind in kinds for model in models}


@pytest.mark.usefixtures("all_done")
def test_a_changed_hyperparameter_runs_its_stages_and_no_others(command: RunCommand) -> None:
    assert runs(command) == {}
    gains = {f"gain-{name}" for name in ("dpo", "grpo-static", "grpo-dynamic", "consistent", "whole")}
    grpo = runs(command, "grpo_steps=77")
    trained = {"grpo-static", "grpo-dynamic", "grpo-careless"}
    assert set(grpo) == trained | judged(*trained) | gains - {"gain-dpo"}
    assert grpo["grpo-static"] == "grpo_steps 80 → 77"
    assert grpo["chains-grpo-static"] == "sample-grpo-static runs, samples-grpo-static runs"

    sampled = runs(command, "dpo_prompts=77")
    first = {"dpo-samples", "preferences", "sft-difficulty", "preferred"}
    second = {"dpo", "grpo-samples", "dpo-difficulty", "difficult"}
    assert set(sampled) == first | second | trained | judged("dpo", *trained) | gains

    baseline = set(runs(command, "label_steps=77"))
    assert baseline == {"label-only", *judged("label-only")} - {
        *("sample-label-only", "samples-label-only", "chains-label-only")
    } | {"gain-cot-sft", "gain-whole"}

    # Another seed trains anew, on the same shop and judged by the same pairs.
    again = set(runs(command, "seed=1"))
    kept = ("shop", "ingest", "rules", "rationales", "eval", "calibration", "answers", "reasons", "taught")
    assert not again & set(kept)
    assert again >= {"new", "label-only", *MODELS}


@pytest.mark.usefixtures("all_done")
def test_the_other_form_shares_all_that_it_can(command: RunCommand) -> None:
    other = set(runs(command, "prompt=answer-first"))
    # It is the stage answers by another name.
    assert "taught" not in other
    assert not other & {"shop", "eval", "new", "label-only", "predict-label-only", "metrics-label-only"}
    assert other >= set(MODELS) | judged(*MODELS)
