"""Plans: what runs, why, and what is found wrong before anything runs."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.curation.conftest import rows
from tests.curation.recipe.conftest import RUN, STAGES, edit

if TYPE_CHECKING:
    from tests.curation.conftest import RunCommand

STORE = Path("tierwise.duckdb")
ALL_DONE = ["done  shop", "done  ingest", "done  sell", "done  train", "done  export"]

pytestmark = pytest.mark.usefixtures("folder")


def plan(command: RunCommand, *arguments: str | Path) -> list[str]:
    """Lines of ``--dry-run``, behind the title."""
    title, *lines = command(*RUN, "--dry-run", *arguments).stdout.splitlines()
    assert title == "A shop and judged rows, frozen"
    return lines


def refused(command: RunCommand, *arguments: str | Path) -> str:
    said = command(*RUN, "--dry-run", *arguments, code=1).stderr
    assert said.startswith("Error: ")
    assert said.count("\n") == 1
    return said.removeprefix("Error: ").strip()


def test_what_is_done_is_done(command: RunCommand) -> None:
    assert plan(command) == ALL_DONE


def test_a_new_store_has_everything_before_it_and_is_not_made(command: RunCommand) -> None:
    assert plan(command, "--db", "new.duckdb") == [
        "runs  shop    new",
        "runs  ingest  new",
        "runs  sell    new",
        "runs  train   new",
        "runs  export  new",
    ]
    assert not list(Path().glob("new*"))


def test_a_changed_setting_runs_what_stands_on_it(command: RunCommand) -> None:
    assert plan(command, "--set", "size=15") == [
        *ALL_DONE[:3],
        "runs  train   size 20 → 15",
        "runs  export  train runs",
    ]
    assert plan(command, "--set", "seed=12", "--set", "size=1.5e1") == [
        "runs  shop    seed 11 → 12",
        "done  ingest",
        "runs  sell    shop runs",
        "runs  train   size 20 → 15.0, sell runs",
        "runs  export  train runs",
    ]
    assert plan(command, "--set", "seed=11") == ALL_DONE


def test_files_are_their_content(command: RunCommand) -> None:
    os.utime("judged.csv", (1, 1))
    assert plan(command) == ALL_DONE
    shutil.copy("judged.csv", "other.csv")
    assert plan(command, "--set", "data=other.csv") == ALL_DONE
    with Path("judged.csv").open("r+b") as file:
        file.seek(-2, os.SEEK_END)
        file.write(b"1" if file.read(1) != b"1" else b"2")
    assert plan(command) == [
        "done  shop",
        "runs  ingest  data changed",
        "done  sell",
        "runs  train   ingest runs",
        "runs  export  train runs",
    ]
    Path("judged.csv").unlink()
    assert refused(command) == "r.toml: file data: there is no judged.csv; name it with --set data=PATH"
    assert plan(command, "--set", "data=other.csv") == ALL_DONE


def test_rows_that_people_changed_are_an_input(command: RunCommand) -> None:
    pair = rows(command, STORE, "SELECT pair_id, tier FROM pairs ORDER BY pair_id LIMIT 1")[0]
    told = ("--by", "Ada", "--reason", "read it")
    decide = ("curation", "conflicts", "decide", pair["pair_id"], *told, "--db", STORE, "--tier")
    command(*decide, str(pair["tier"]))
    assert plan(command) == ALL_DONE
    command(*decide, str(pair["tier"] % 4 + 1))
    assert plan(command) == [*ALL_DONE[:3], "runs  train   pairs changed", "runs  export  train runs"]
    command(*decide, str(pair["tier"]))
    assert plan(command) == ALL_DONE


def test_a_folder_that_is_gone_is_made_again_where_something_reads_it(command: RunCommand) -> None:
    for gone in Path("tierwise.recipes").iterdir():
        shutil.rmtree(gone)
    unneeded = "its folder is gone, and nothing needs it now"
    assert plan(command) == [f"done  shop    {unneeded}", *ALL_DONE[1:4], f"done  export  {unneeded}"]
    # What stands on the shop without reading its folder needs none.
    edit(Path(), 'needs = ["ingest", "sell"]', 'needs = ["ingest", "sell", "shop"]')
    assert plan(command)[0] == f"done  shop    {unneeded}"
    assert plan(command)[3] == "runs  train   needs changed"
    edit(Path(), 'needs = ["ingest", "sell", "shop"]', 'needs = ["ingest", "sell"]')
    edit(Path(), "--source shop", "--source store")
    assert plan(command) == [
        "runs  shop    its folder is gone",
        "done  ingest",
        "runs  sell    command changed",
        "runs  train   sell runs",
        "runs  export  train runs",
    ]


def test_a_folder_that_is_another_one_is_named(command: RunCommand) -> None:
    (made,) = Path("tierwise.recipes").glob("export-*")
    with (made / "README.md").open("a") as file:
        file.write("x")
    assert refused(command) == (
        f"{made} is not what stage export made; remove it, and it is made again where it is needed"
    )
    shutil.rmtree(made)
    assert plan(command)[-1].startswith("done  export  its folder is gone")


def test_a_folder_that_another_process_makes_is_not_called_wrong(command: RunCommand, folder: Path) -> None:
    from curation.recipe.plan import lock_of
    from warehouse.store import Store

    (made,) = Path("tierwise.recipes").glob("export-*")
    (made / "README.md").write_text("half")
    key = rows(command, STORE, "SELECT key FROM stages WHERE stage = 'export'")[0]["key"]
    with Store(folder / STORE).exclusive(*lock_of("export", key)):
        assert "is already running stage export in" in refused(command)


def test_stages_are_shared_by_recipes(command: RunCommand) -> None:
    Path("other.toml").write_text(
        Path("r.toml").read_text().replace("stage.shop", "stage.store").replace("{shop", "{store")
    )
    lines = command("curation", "recipe", "run", "other.toml", "--dry-run").stdout.splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["done", name] for name in ("store", "ingest", "sell", "train", "export")
    ]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('size = "{size}"', 'size = "{size}", seed = 3', "command changed"),
        ('size = "{size}"', "size = 20.0", "command changed"),
        ('needs = ["ingest", "sell"]', 'needs = ["ingest"]', "needs changed"),
        ("SELECT pair_id, tier", "SELECT tier, pair_id", "watch changed"),
        ('watch = "SELECT pair_id, tier FROM pairs"', "", "watch changed"),
    ],
)
def test_what_changed_in_the_recipe_is_told(command: RunCommand, old: str, new: str, reason: str) -> None:
    edit(Path(), old, new)
    assert plan(command) == [*ALL_DONE[:3], f"runs  train   {reason}", "runs  export  train runs"]


def test_a_stage_that_stands_on_what_was_done_otherwise(command: RunCommand) -> None:
    whole = Path("r.toml").read_text()
    Path("r.toml").write_text(whole[: whole.index("[stage.train]")])
    command(*RUN, "--set", "seed=12")
    Path("r.toml").write_text(whole)
    assert plan(command, "--set", "seed=12") == [
        *ALL_DONE[:3],
        "runs  train   pairs changed, sell changed",
        "runs  export  train runs",
    ]


def test_outputs_that_are_not_there_are_told_before_anything_runs(command: RunCommand) -> None:
    edit(Path(), "{train.split}", "{train.splt}")
    assert refused(command) == (
        "r.toml: stage export: {train.splt}: the summary of train has no 'splt'; did you mean \"split\"?"
    )
    edit(Path(), "{train.splt}", "{train.tiers}")
    assert "r.toml: stage export: {train.tiers} is {" in refused(command)
    edit(Path(), "{train.tiers}", "{train.configuration}")
    assert "r.toml: stage export: {train.configuration} is None, no single value" in refused(command)


def test_a_query_that_fails(command: RunCommand) -> None:
    edit(Path(), "FROM pairs", "FROM pears")
    assert refused(command).startswith(
        "r.toml: stage train: watch: Catalog Error: Table with name pears does not"
    )


def test_the_plan_as_json(command: RunCommand) -> None:
    told = json.loads(command(*RUN, "--dry-run", "--json", "--set", "seed=12").stdout)
    assert (told["recipe"], told["store"], list(told["stages"])) == ("r", str(STORE), STAGES)
    shop, ingest, train = (told["stages"][name] for name in ("shop", "ingest", "train"))
    assert (shop["state"], shop["reason"], len(shop["key"])) == ("runs", "seed 11 → 12", 64)
    assert (ingest["state"], ingest["reason"], len(ingest["key"])) == ("done", "", 64)
    # Which rows it will watch, nobody knows yet.
    assert train == {"state": "runs", "reason": "sell runs", "key": None}
