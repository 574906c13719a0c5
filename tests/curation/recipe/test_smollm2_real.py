"""The recipe for a GPU, at a tenth of a percent of its steps, with a model that a CPU trains in seconds."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

from tests.curation.conftest import rows
from tests.curation.recipe.conftest import cli_in

if TYPE_CHECKING:
    from pathlib import Path

    from tests.curation.conftest import RunCommand

COLOURS = ("red", "blue", "green", "black", "white", "grey")
THINGS = ("hat", "cup", "lamp", "shoe", "bag", "coat", "belt", "sock")
SMALL = {
    "held_out": 24,
    "pool": 40,
    "label_steps": 2,
    "sft_steps": 1,
    "dpo_steps": 1,
    "grpo_steps": 1,
    "max_tokens": 8,
    "trained": "grpo-dynamic",
}


def write_data(path: Path) -> None:
    """Judged rows in the columns of Search Results Relevance: the thing and the colour decide the tier."""
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(
            ["id", "query", "product_title", "product_description", "median_relevance", "relevance_variance"]
        )
        number = 0
        for at, thing in enumerate(THINGS):
            for colour in COLOURS:
                other = THINGS[(at + 1) % len(THINGS)]
                for item, tier in ((f"{colour} {thing}", 4), (f"pink {thing}", 2), (f"{colour} {other}", 1)):
                    number += 1
                    out.writerow([number, f"{colour} {thing}", f"{item} no. {number}", "", tier, 0])


def test_the_whole_recipe_on_a_cpu(tmp_path: Path, tiny_model: Path, command: RunCommand) -> None:
    write_data(tmp_path / "train.csv")
    asked = [f"{name}={value}" for name, value in {**SMALL, "model": tiny_model}.items()]
    words = [word for setting in asked for word in ("--set", setting)]
    told = json.loads(
        cli_in(tmp_path)("curation", "recipe", "run", "smollm2-real", *words, "--jobs", 2, "--json").stdout
    )
    assert {stage["state"] for stage in told["stages"].values()} == {"ran"}

    store = tmp_path / "tierwise.duckdb"
    judged = rows(
        command,
        store,
        "SELECT DISTINCT p.name, e.split FROM evaluations e JOIN predictors p USING (predictor_id) "
        "WHERE metric = 'macro_f1' AND value IS NOT NULL AND slice = 'all' AND versus_id IS NULL",
    )
    assert {row["split"] for row in judged} == {"eval_v1"}
    assert len(judged) == 3, "the floor, the base and what was trained"
    trained = rows(
        command, store, "SELECT kind, count(*) AS n FROM runs WHERE kind IN ('sft', 'dpo', 'grpo') GROUP BY 1"
    )
    assert {row["kind"]: row["n"] for row in trained} == {"sft": 2, "dpo": 1, "grpo": 2}
    shared = rows(
        command, store, "SELECT query_id FROM split_queries GROUP BY 1 HAVING count(DISTINCT role) > 1"
    )
    assert shared == []
