from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from curation.rulebook.reading import built_in, built_in_names, read_rulebook
from curation.rulebook.stored import stored_rulebook
from tests.curation.conftest import rows
from warehouse.store import Store

if TYPE_CHECKING:
    from tests.curation.conftest import RunCommand

EXAMPLES = Path(__file__).resolve().parents[3] / "docs" / "examples"
V1, V2, FAULTS = (EXAMPLES / f"hats-{name}.yaml" for name in ("v1", "v2", "faults"))


@pytest.fixture
def store(command: RunCommand, tmp_path: Path) -> Path:
    path = tmp_path / "rules.duckdb"
    command("warehouse", "init", "--db", path)
    return path


@pytest.mark.parametrize("name", built_in_names())
def test_a_rulebook_that_comes_along_is_loaded_as_it_is_read(
    command: RunCommand, store: Path, name: str
) -> None:
    loaded = json.loads(command("curation", "rules", "load", name, "--json", "--db", store).stdout)
    assert (loaded["state"], loaded["warnings"]) == ("loaded", 0)
    with Store(store).read() as connection:
        assert stored_rulebook(connection) == read_rulebook(built_in(name))
    again = json.loads(command("curation", "rules", "load", name, "--json", "--db", store).stdout)
    assert again["state"] == "was there"
    assert rows(command, store, "SELECT count(*) AS n FROM rules") == [{"n": loaded["rules"]}]


def test_the_newest_version_is_in_force_and_the_former_stays(command: RunCommand, store: Path) -> None:
    for path in (V1, V2):
        command("curation", "rules", "load", path, "--db", store)
    listed = command("curation", "rules", "list", "--db", store).stdout
    assert re.search(r"hats +2 +2 +9 +A small rulebook", listed)
    rules = command("curation", "rules", "list", "hats", "--db", store).stdout
    assert "≤ 2  substitute" in rules
    assert "winter-sale" not in rules
    assert len(json.loads(command("curation", "rules", "list", "hats", "--json", "--db", store).stdout)) == 9
    versions = rows(command, store, "SELECT version, count(*) AS n FROM rules GROUP BY 1 ORDER BY 1")
    assert versions == [{"version": 1, "n": 9}, {"version": 2, "n": 9}]


def test_a_version_that_was_loaded_never_changes(command: RunCommand, store: Path, tmp_path: Path) -> None:
    command("curation", "rules", "load", V2, "--db", store)
    changed = tmp_path / "changed.yaml"
    changed.write_text(V2.read_text().replace("counts", "never counts").replace("One size", "Our one size"))
    refused = command("curation", "rules", "load", changed, "--db", store, code=1).stderr
    assert (
        "version 2 of rulebook hats is in the store with other rules; say version: 3 in the file" in refused
    )
    older = command("curation", "rules", "load", V1, "--db", store, code=1).stderr
    assert "the store has version 2 of rulebook hats; say version: 3 in the file" in older


def test_a_rule_that_has_run_out_keeps_nobody_from_loading_its_book(
    command: RunCommand, store: Path, tmp_path: Path
) -> None:
    ended = tmp_path / "ended.yaml"
    ended.write_text(V1.read_text().replace("to: 2099-01-31", "to: 2026-01-31"))
    assert (
        "it ended on 2026-01-31" in command("curation", "rules", "check", ended, "--db", store, code=1).stdout
    )
    command("curation", "rules", "load", ended, "--db", store)


def test_ten_planted_faults_are_found(command: RunCommand, store: Path) -> None:
    found = json.loads(command("curation", "rules", "check", FAULTS, "--json", "--db", store, code=1).stdout)
    assert sorted(each["where"] for each in found) == [
        "caps",
        "hats-faults.yaml",
        "near-colours",
        "near-colours",
        "scarves",
        "sold-out",
        "substitute",
        "unstated",
        "vegans-again",
        "winter-sale",
    ]
    refused = command("curation", "rules", "load", FAULTS, "--db", store, code=1).stderr
    assert "substitute: never decides" in refused or "never decides" in refused
    assert "(and 4 more)" in refused


@pytest.mark.parametrize("path", [V1, V2])
def test_the_sound_examples_have_no_fault(command: RunCommand, store: Path, path: Path) -> None:
    assert command("curation", "rules", "check", path, "--db", store).stdout == ""


def test_faults_of_the_file_are_told_by_line(command: RunCommand, store: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text(
        V1.read_text()
        .replace("tier: 1", "tier: 7")
        .replace("id: missed-wish", "id: missed-must")
        .replace("id: other\n", "id: other\n    over: near-colours\n")
        .replace("over: missed-must", "over: other")
    )
    checked = command("curation", "rules", "check", broken, "--db", store, code=1)
    for words in ("7", "missed-must", "other → near-colours → other"):
        assert words in checked.stdout
    assert checked.stdout.count(str(broken)) == 3
    assert "3 errors, 0 warnings" in checked.stderr
    refused = command("curation", "rules", "load", broken, "--db", store, code=1).stderr
    assert "(and 2 more: `python -m curation rules check" in refused
    assert refused.count("\n") == 1


def test_scopes_are_held_against_the_store(command: RunCommand, sampled_store: Path) -> None:
    checked = command("curation", "rules", "check", V1, "--against-store", "--json", "--db", sampled_store)
    found = json.loads(checked.stdout)
    assert all(each["severity"] == "warning" for each in found)


def test_a_new_version_is_told_in_words(command: RunCommand, store: Path) -> None:
    told = command("curation", "rules", "diff", V1, V2, "--db", store).stdout
    for sentence in (
        "substitute: now Mismatch at best; was Related at best.",
        "near-colours: now also for the attribute pattern.",
        "vegan: now also for sun hat.",
        "winter-sale is gone:",
        "A substitute: was Related, now Mismatch.",
        "A missed must for pattern: was Mismatch, now Related.",
    ):
        assert sentence in told
    for path in (V1, V2):
        command("curation", "rules", "load", path, "--db", store)
    assert command("curation", "rules", "diff", "hats@1", "hats@2", "--db", store).stdout == told
    assert command("curation", "rules", "diff", "hats@1", V2, "--db", store).stdout == told
    assert "Nothing changed" in command("curation", "rules", "diff", "hats", V2, "--db", store).stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("load", "nowhere.yaml"), "nowhere.yaml: No such file or directory; name a rulebook's YAML file"),
        (("check", "nowhere.yaml"), "nowhere.yaml: No such file or directory"),
        (("list", "hats"), "no rulebook hats in this store"),
        (("diff", "hats@3", "hats"), "no rulebook hats@3 in this store"),
    ],
)
def test_what_is_not_there_is_told_in_one_line(
    command: RunCommand, store: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = command("curation", "rules", *arguments, "--db", store, code=1)
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_empty_store_lists_no_rulebook(command: RunCommand, store: Path) -> None:
    done = command("curation", "rules", "list", "--db", store)
    assert (
        done.stdout,
        json.loads(command("curation", "rules", "list", "--json", "--db", store).stdout),
    ) == ("", [])
    assert "`python -m curation rules load general` brings one" in done.stderr
