"""Keys of stages: what enters them, and nothing else does."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.recipe.fingerprints import Watched
from curation.recipe.keys import inputs_of, key_of
from curation.recipe.reading import Recipe, read_recipe

if TYPE_CHECKING:
    import random

SETTINGS = ["rate", "seed", "size"]
FILES = ["data", "more"]


def keys(recipe: Recipe, watched: Watched | None = None, **files: str) -> dict[str, str | None]:
    digests = {name: files.get(name, f"digest of {name}") for name in recipe.files}
    found: dict[str, str | None] = {}
    for name, stage in recipe.stages.items():
        known = {other: found[other] for other in stage.stands_on}
        rows = watched if stage.watch else None
        found[name] = key_of(stage, inputs_of(stage, recipe, digests, known, rows))
    return found


def read(text: str, **overrides: str) -> Recipe:
    with TemporaryDirectory() as directory:
        path = Path(directory) / "r.toml"
        path.write_text(text, encoding="utf-8")
        return read_recipe(path, overrides)


def key(command: str, head: str = "", watched: Watched | None = None, **files: str) -> str:
    """Key of one stage with `command`, in TOML's quotes, as stage b after a stage a."""
    text = f"{head}\n[stage.a]\ncommand = 'curation check'\n[stage.b]\ncommand = {command}"
    found = keys(read(text), watched, **files)["b"]
    assert found is not None
    return found


@dataclass(frozen=True)
class Drawn:
    """A stage of a drawn recipe: what it uses, and what stands before it."""

    uses: list[str]
    reads: list[int]
    needs: list[int]

    def toml(self, name: str) -> str:
        words = [f"{{{each}}}" for each in self.uses] + [f"{{s{each}.x}}" for each in self.reads]
        needs = json.dumps([f"s{each}" for each in self.needs])
        return (
            f"[stage.{name}]\ncommand = {json.dumps(' '.join(['curation check', *words]))}\nneeds = {needs}\n"
        )


@st.composite
def recipes(draw: st.DrawFn) -> list[Drawn]:
    def some(among: list[str]) -> list[str]:
        return draw(st.lists(st.sampled_from(among), unique=True, max_size=2))

    def earlier(number: int) -> list[int]:
        return draw(st.lists(st.integers(0, number - 1), unique=True, max_size=2)) if number else []

    count = draw(st.integers(1, 6))
    return [Drawn(some([*SETTINGS, *FILES]), earlier(n), earlier(n)) for n in range(count)]


def as_toml(stages: list[Drawn], order: list[int], tables: list[str]) -> str:
    parts = {
        "settings": "[settings]\n" + "".join(f"{name} = 1\n" for name in SETTINGS),
        "files": "[files]\n" + "".join(f"{name} = '.'\n" for name in FILES),
        "stages": "".join(stages[number].toml(f"s{number}") for number in order),
    }
    return "".join(parts[name] for name in tables)


def reaching(stages: list[Drawn], name: str) -> set[str]:
    """Stages that `name` reaches through placeholders and needs."""
    reached: set[int] = set()
    for number, stage in enumerate(stages):
        if name in stage.uses or reached & {*stage.reads, *stage.needs}:
            reached.add(number)
    return {f"s{number}" for number in reached}


@settings(deadline=None, max_examples=60)
@given(recipes(), st.sampled_from([*SETTINGS, *FILES]), st.randoms(use_true_random=False))
def test_a_change_reaches_exactly_the_stages_that_it_leads_to(
    stages: list[Drawn], changed: str, chance: random.Random
) -> None:
    order = list(range(len(stages)))
    tables = ["settings", "files", "stages"]
    before = keys(read(as_toml(stages, order, tables)))
    chance.shuffle(order)
    chance.shuffle(tables)
    shuffled = as_toml(stages, order, tables)
    assert keys(read(shuffled)) == before
    if changed in SETTINGS:
        after = keys(read(shuffled, **{changed: "2"}))
    else:
        after = keys(read(shuffled), None, **{changed: "another digest"})
    assert {name for name in before if before[name] != after[name]} == reaching(stages, changed)


def test_names_of_stages_settings_and_files_are_no_part_of_it() -> None:
    text = (
        "[settings]\n{0} = 3\n[files]\n{1} = '.'\n[stage.{2}]\ncommand = 'curation check --n {{{0}}} --of {{{1}}}'\n"
        "[stage.{3}]\ncommand = 'curation check {{{2}.split}} --out {{out}}'"
    )
    one = keys(read(text.format("n", "data", "a", "b")), data="d")
    two = keys(read(text.format("m", "rows", "c", "d")), rows="d")
    assert list(one.values()) == list(two.values())


def test_a_setting_is_what_it_is_filled_with() -> None:
    filled = key("'curation check --n 3 --x a3b'")
    assert key("'curation check --n {n} --x a{n}b'", "[settings]\nn = 3") == filled
    assert key("'curation check'\noptions = { n = 3, x = 'a{n}b' }", "[settings]\nn = '3'") == filled
    assert key("'curation check --n \"\"'") == key("'curation check --n {n}'", "[settings]\nn = ''")


@pytest.mark.parametrize(
    "other",
    [
        "'curation check --n 34'",
        "'curation check --n 3 4 5'",
        "'curation check --n \"3 4\"'",
        "'curation check --n 3 {a.x}'",
        "'curation check --n 3 {a.y}'",
        "'curation check --n 3 {{a.x}}'",
        "'curation check --n 3 {data}'",
        "'curation check --n 3 \"digest of data\"'",
        "'curation check --n 3 {out}'",
        "'curation check --n 3 {{out}}'",
        "'curation check --n 3 4'\nneeds = ['a']",
        "'curation check --n 3 4'\nwatch = 'SELECT 1'",
        "'curation check --n 3 4'\nwatch = 'SELECT 2'",
        "'eval check --n 3 4'",
    ],
)
def test_another_command_has_another_key(other: str) -> None:
    watched = Watched(("pairs",), "rows")
    head = "[files]\ndata = '.'"
    assert key(other, head, watched) != key("'curation check --n 3 4'", head, watched)


def test_no_two_of_these_share_a_key() -> None:
    head = "[files]\ndata = '.'"
    commands = [
        "{a.x}",
        "{a.y}",
        "{{a.x}}",
        "{data}",
        "'digest of data'",
        "{out}",
        "{{out}}",
        "{out}/x",
        "a b",
    ]
    found = {key(json.dumps(f"curation check {command}"), head) for command in commands}
    assert len(found) == len(commands)


def test_watched_rows_are_a_part_and_unknown_ones_leave_the_key_open() -> None:
    text = (
        "[stage.a]\ncommand = 'curation check'\nwatch = 'SELECT 1'\n[stage.b]\ncommand = 'curation check {a.x}'\n"
        "[stage.c]\ncommand = 'curation check'"
    )
    recipe = read(text)
    one, other = (keys(recipe, Watched(("pairs",), digest)) for digest in ("1", "2"))
    assert one["a"] != other["a"]
    assert one["b"] != other["b"]
    assert one["c"] == other["c"]
    # Which names a query uses is for people.
    assert keys(recipe, Watched(("pair_overview",), "1")) == one
    assert keys(recipe) == {"a": None, "b": None, "c": one["c"]}
