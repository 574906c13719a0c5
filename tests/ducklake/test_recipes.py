"""A recipe on a shared store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from tests.curation.conftest import judged_csv, offline
from tests.curation.recipe.conftest import RECIPE, STAGES

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ducklake.conftest import Lake

__all__ = ["judged_csv", "offline"]


def test_a_recipe_runs_once_and_again_where_rows_changed(
    lake: Lake, judged_csv: Path, tmp_path: Path
) -> None:
    (tmp_path / "r.toml").write_text(RECIPE, encoding="utf-8")

    def run(*arguments: str) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "-m", "curation", "recipe", "run", "r.toml", "--json", *arguments],
            cwd=tmp_path,
            env={**os.environ, **lake.env},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return {name: stage["state"] for name, stage in json.loads(done.stdout)["stages"].items()}

    data = ("--set", f"data={judged_csv}")
    assert run(*data, "--jobs", "2") == dict.fromkeys(STAGES, "ran")
    assert run(*data) == dict.fromkeys(STAGES, "done")
    pair, tier = lake.rows("SELECT pair_id, tier FROM pairs ORDER BY 1 LIMIT 1")[0]
    told = ("--tier", str(tier % 4 + 1), "--by", "Ada", "--reason", "read it")
    lake.command("curation", "conflicts", "decide", pair, *told)
    changed = dict.fromkeys(STAGES, "done") | {"train": "ran", "export": "ran"}
    assert run(*data, "--dry-run") == changed | {"train": "runs", "export": "runs"}
    assert run(*data) == changed
    (folder,) = tmp_path.glob("*.recipes")
    assert sorted(path.name.rpartition("-")[0] for path in folder.glob("*-????????")) == [
        "export",
        "export",
        "shop",
    ]
    assert lake.rows("SELECT count(*) AS n, count(ended_at) AS m FROM stages") == [[7, 7]]
    split = lake.rows("SELECT run_id FROM runs WHERE kind = 'split' ORDER BY started_at LIMIT 1")[0][0]
    assert "train of recipe r, key" in lake.command("warehouse", "lineage", split)
