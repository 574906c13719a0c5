"""Runs of a recipe, as a user meets them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.curation.conftest import rows
from tests.curation.recipe.conftest import (
    RUN,
    STAGES,
    children_of,
    commands,
    edit,
    environment,
    started,
    until_begun,
)

if TYPE_CHECKING:
    from tests.curation.conftest import RunCommand
    from tests.curation.recipe.conftest import Cli

STORE = Path("tierwise.duckdb")


def ran(told: dict[str, Any]) -> list[str]:
    return [name for name, stage in told["stages"].items() if stage["state"] == "ran"]


def tables(command: RunCommand) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(command("warehouse", "status", "--json", "--db", STORE).stdout)["rows"]
    return found


def test_every_command_is_shown_as_it_runs(folder: Path) -> None:
    said = (folder / "said.txt").read_text(encoding="utf-8").splitlines()
    assert said[1:6] == [f"runs  {name.ljust(6)}  new" for name in STAGES]
    shown = commands("\n".join(said))
    (shop,) = Path("tierwise.recipes").glob("shop-*")
    (export,) = Path("tierwise.recipes").glob("export-*")
    assert shown[0] == f"python -m curation synthesize --out {shop}/shop.csv --pairs 60 --seed 11"
    assert shown[3:] == [
        "python -m curation split create train --size 20",
        f"python -m curation export train_v1 --out {export} --format csv",
    ]
    timed = [line.split(":")[0] for line in said if line.endswith(" s") and not line.startswith("$")]
    assert timed == STAGES
    assert "stages run   5" in said


def test_a_second_run_does_nothing(command: RunCommand, folder: Path, cli: Cli) -> None:
    before = tables(command)
    store = STORE.read_bytes()
    made = sorted(Path("tierwise.recipes").rglob("*"))
    assert "Nothing to do." in cli(*RUN).stdout
    assert STORE.read_bytes() == store
    assert sorted(Path("tierwise.recipes").rglob("*")) == made
    assert tables(command) == before
    assert before["stages"] == 5


def test_the_ledger_knows_which_stage_a_command_was(command: RunCommand, folder: Path) -> None:
    found = rows(
        command,
        STORE,
        "SELECT r.kind, r.run_id, r.status, s.stage, s.recipe, s.run_id AS recipe_run FROM runs r "
        "LEFT JOIN stages s USING (stage_id) ORDER BY r.started_at",
    )
    assert [(row["kind"], row["stage"], row["status"]) for row in found] == [
        ("recipe", None, "finished"),
        ("ingest", "ingest", "finished"),
        ("ingest", "sell", "finished"),
        ("split", "train", "finished"),
    ]
    assert {row["recipe_run"] for row in found[1:]} == {found[0]["run_id"]}
    traced = command("warehouse", "lineage", found[1]["run_id"], "--db", STORE).stdout.splitlines()
    assert "  stage " in traced[1]
    assert "ingest of recipe r, key " in traced[1]
    assert "python -m curation ingest table judged.csv --map query=query title=title" in traced[1]
    assert f"← recipe run {found[0]['run_id'][:8]}" in traced[1]
    stage = traced[1].split()[1]
    assert command("warehouse", "lineage", stage, "--db", STORE).stdout.startswith(f"stage {stage}")


def test_only_what_changed_runs_and_what_was_is_found_again(cli: Cli) -> None:
    told = json.loads(cli(*RUN, "--set", "size=12", "--json").stdout)
    assert ran(told) == ["train", "export"]
    assert (told["stages_run"], told["done_before"]) == (2, 3)
    assert told["stages"]["train"]["outputs"]["split"] == "train_v2"
    assert told["stages"]["train"]["seconds"] > 0
    assert told["stages"]["shop"]["seconds"] is None
    assert told["stages"]["shop"]["outputs"]["pairs"] == 60
    assert Path(told["stages"]["export"]["outputs"]["out"], "pairs.csv").exists()
    back = json.loads(cli(*RUN, "--json").stdout)
    assert ran(back) == []
    assert back["stages"]["train"]["outputs"]["split"] == "train_v1"
    assert back["stages"]["train"]["key"] != told["stages"]["train"]["key"]


def test_a_folder_that_is_gone_is_made_again(command: RunCommand, folder: Path, cli: Cli) -> None:
    (made,) = Path("tierwise.recipes").glob("shop-*")
    before = (made / "shop.csv").read_bytes()
    shutil.rmtree(made)
    edit(folder, "--source shop", "--source store")
    told = json.loads(cli(*RUN, "--json").stdout)
    assert ran(told) == ["shop", "sell", "train", "export"]
    assert (made / "shop.csv").read_bytes() == before
    assert "Nothing to do." in cli(*RUN).stdout
    # Each time that it was run is a row.
    assert rows(command, STORE, "SELECT count(*) AS n FROM stages WHERE stage = 'shop'") == [{"n": 2}]


def test_a_folder_that_is_made_otherwise_again_is_what_it_is_now(folder: Path, cli: Cli) -> None:
    recipe = (
        "[stage.a]\ncommand = 'warehouse snapshot {{out}}'\n"
        "[stage.b]\ncommand = 'warehouse sql \"SELECT {} -- {{a.out}}\"'"
    )
    (folder / "r.toml").write_text(recipe.format(1))
    made = Path(json.loads(cli(*RUN, "--json").stdout)["stages"]["a"]["outputs"]["out"])
    before = made.read_bytes()
    made.unlink()
    (folder / "r.toml").write_text(recipe.format(2))
    assert ran(json.loads(cli(*RUN, "--json").stdout)) == ["a", "b"]
    assert made.read_bytes() != before
    assert "Nothing to do." in cli(*RUN).stdout


def test_a_pasted_command_works_on_the_same_store(folder: Path, cli: Cli) -> None:
    shown = commands(cli(*RUN, "--db", "its own.duckdb").stdout)
    assert shown[1].startswith("TIERWISE_DB='its own.duckdb' python -m curation ingest table judged.csv")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    said = subprocess.run(
        ["sh", "-c", f"{shown[1]} --json"],
        env=environment(PATH=path),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert json.loads(said)["pairs_unchanged"] == 60
    assert Path("its own.recipes").is_dir()


BAD = """
[settings]
label = "tag"

[stage.before]
command = "curation synthesize --pairs 40 --out {out}/shop.csv"

[stage.bad]
command = "curation ingest table {before.out}/shop.csv --map query=query title=title label={label}"
options = { tiers = "Excellent=4,Related=3,Mismatch=2,Irrelevant=1" }

[stage.beside]
command = "curation synthesize --pairs 20_000 --out {out}/shop.csv"
needs = ["before"]

[stage.after]
command = "curation synthesize --pairs 44 --out {out}/shop.csv"
needs = ["beside"]
"""


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_stage_that_fails(command: RunCommand, folder: Path, cli: Cli, jobs: int) -> None:
    (folder / "r.toml").write_text(BAD)
    failed = cli(*RUN, "--jobs", jobs, "--json", code=1)
    told = json.loads(failed.stdout)
    states = {name: stage["state"] for name, stage in told["stages"].items()}
    beside = "ran" if jobs > 1 else "not run"
    assert states == {"before": "ran", "bad": "failed", "beside": beside, "after": "not run"}
    (line,) = [line for line in failed.stderr.splitlines() if line.startswith("Error: stage")]
    assert line == failed.stderr.splitlines()[-1]
    assert line.startswith("Error: stage bad: ended with exit code 1: ")
    assert "shop.csv: no column tag; columns seen: query" in line
    assert line.endswith("; the same command goes on from there")
    logs = list(Path("tierwise.recipes").glob("bad-*.log"))
    assert len(logs) == (jobs > 1)
    assert all(str(log) in line and "no column tag" in log.read_text() for log in logs)
    assert rows(command, STORE, "SELECT status FROM runs ORDER BY started_at DESC LIMIT 1") == [
        {"status": "failed"}
    ]
    mended = json.loads(cli(*RUN, "--set", "label=label", "--json").stdout)
    assert ran(mended) == ["bad", "after"] if jobs > 1 else ["bad", "beside", "after"]
    bad = rows(
        command, STORE, "SELECT ended_at IS NOT NULL AS ended FROM stages WHERE stage = 'bad' ORDER BY 1"
    )
    assert bad == [{"ended": False}, {"ended": True}]


def test_a_stage_after_another_waits_for_it_and_does_not_stand_on_it(
    command: RunCommand, folder: Path, cli: Cli
) -> None:
    (folder / "r.toml").write_text(
        "settings.pairs = 2000\n"
        '[stage.second]\ncommand = "curation synthesize --pairs 44 --out {out}/shop.csv"\nafter = ["first"]\n'
        '[stage.first]\ncommand = "curation synthesize --pairs {pairs} --out {out}/shop.csv"\n'
    )
    cli(*RUN, "--jobs", 2)
    first, second = rows(
        command,
        STORE,
        "SELECT started_at, ended_at FROM stages WHERE stage IN ('first', 'second') ORDER BY stage",
    )
    assert second["started_at"] >= first["ended_at"]
    again = json.loads(cli(*RUN, "--jobs", 2, "--set", "pairs=40", "--json").stdout)
    assert ran(again) == ["first"]


def test_a_stage_that_does_not_make_its_folder(folder: Path, cli: Cli) -> None:
    (folder / "r.toml").write_text("[stage.a]\ncommand = \"warehouse sql 'SELECT 1 -- {out}'\"")
    line = cli(*RUN, code=1).stderr.splitlines()[-1]
    assert "stage a: ended without making tierwise.recipes/a-" in line


def test_a_stage_that_does_not_say_anything_in_json(folder: Path, cli: Cli) -> None:
    (folder / "r.toml").write_text(
        "[stage.a]\ncommand = 'curation conflicts list'\n[stage.b]\ncommand = 'warehouse docs --out {out}/d.md'"
    )
    failed = cli(*RUN, "--json", code=1)
    assert json.loads(failed.stdout)["stages"]["a"]["outputs"] == {}
    assert "stage b: ended with exit code 2: No such option '--json'." in failed.stderr.splitlines()[-1]


def test_a_file_that_changes_while_it_is_read(command: RunCommand, folder: Path, cli: Cli) -> None:
    with started([*RUN, "--db", "new.duckdb"]) as process:
        until_begun(process, 2)
        with Path("judged.csv").open("a") as file:
            file.write("shelf 0,Another,more,3\n")
        _, stderr = process.communicate()
    assert process.returncode == 1
    assert "stage ingest: may have read two states of judged.csv, which changed meanwhile" in stderr
    cli(*RUN, "--db", "new.duckdb")
    query = "SELECT stage FROM stages WHERE ended_at IS NOT NULL ORDER BY ended_at"
    assert [row["stage"] for row in rows(command, Path("new.duckdb"), query)] == STAGES


def _environment_of(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:  # it has ended
        return []


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_jobs_run_side_by_side_and_share_the_cores(command: RunCommand, folder: Path) -> None:
    (folder / "r.toml").write_text(
        "".join(
            f'[stage.{name}]\ncommand = "curation synthesize --pairs 400 --seed {seed} --out {{out}}/s.csv"\n'
            for seed, name in enumerate("abc")
        )
        + '[stage.last]\ncommand = "curation export train_v1 --out {out}"\nneeds = ["a", "b", "c"]\n'
    )
    with started([*RUN, "--jobs", "2"]) as process:
        until_begun(process, 2)
        environments: list[list[bytes]] = []
        while sum(any(value.startswith(b"TIERWISE_STAGE=") for value in each) for each in environments) < 2:
            environments = [_environment_of(child) for child in children_of(process)]
        _, stderr = process.communicate()
    assert process.returncode == 0, stderr
    cores = len(os.sched_getaffinity(0))
    assert len(environments) == 2
    for each in environments:
        assert f"OMP_NUM_THREADS={max(1, cores // 2)}".encode() in each
        assert b"TIERWISE_DB=tierwise.duckdb" in each
    ids = [value for each in environments for value in each if value.startswith(b"TIERWISE_STAGE=")]
    assert len(set(ids)) == 2
    a, b, c, last = rows(
        command,
        STORE,
        "SELECT stage, started_at AS began, ended_at AS ended FROM stages "
        "WHERE stage IN ('a', 'b', 'c', 'last') ORDER BY stage",
    )
    assert a["began"] < b["ended"]
    assert b["began"] < a["ended"]
    # The third waits for a place, the last for all.
    assert c["began"] > min(a["ended"], b["ended"])
    assert last["began"] > max(a["ended"], b["ended"], c["ended"])


def test_two_runners_do_not_run_one_stage(command: RunCommand, folder: Path, cli: Cli) -> None:
    from curation.recipe.plan import lock_of
    from warehouse.store import Store

    plan = json.loads(cli(*RUN, "--set", "seed=12", "--dry-run", "--json").stdout)
    with Store(folder / STORE).exclusive(*lock_of("shop", plan["stages"]["shop"]["key"])):
        refused = cli(*RUN, "--set", "seed=12", code=1).stderr
        # Another stage may run.
        assert ran(json.loads(cli(*RUN, "--set", "size=12", "--json").stdout)) == ["train", "export"]
    assert f"stage shop: process {os.getpid()} is already running stage shop in tierwise.duckdb" in refused
    assert refused.count("\n") == 1


def test_equal_stages_of_a_recipe_are_one(folder: Path, cli: Cli) -> None:
    (folder / "r.toml").write_text(
        "[settings]\none = 1\ntwo = 2\n"
        + "".join(
            f'[stage.{name}]\ncommand = "curation synthesize --pairs 40 --seed {{{name}}} --out {{out}}/s.csv"\n'
            for name in ("one", "two")
        )
        + "[stage.last]\ncommand = \"warehouse sql 'SELECT 1 -- {two.out}'\""
    )
    told = json.loads(cli(*RUN, "--set", "two=1", "--jobs", "2", "--json").stdout)
    assert {name: stage["state"] for name, stage in told["stages"].items()} == {
        "one": "ran",
        "two": "done",
        "last": "ran",
    }
    assert told["stages"]["one"]["outputs"] == told["stages"]["two"]["outputs"]
    assert Path(told["stages"]["two"]["outputs"]["out"], "s.csv").exists()
    assert "Nothing to do." in cli(*RUN, "--set", "two=1").stdout
