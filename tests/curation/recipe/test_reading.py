"""Recipes as files: what is read, and every fault told in one line with file and stage."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from curation.recipe.reading import Recipe, find_recipe, read_recipe
from curation.recipe.words import File, Names, Out, Output, Setting, parse_word
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from tests.curation.recipe.conftest import Cli

A = '[stage.a]\ncommand = "curation difficulty"\n'


def read(folder: Path, text: str, **overrides: str) -> Recipe:
    path = folder / "r.toml"
    path.write_text(text, encoding="utf-8")
    return read_recipe(path, overrides)


def words(folder: Path, stage: str, head: str = "") -> list[str]:
    return [word.text for word in read(folder, f"{head}\n[stage.a]\n{stage}").stages["a"].words]


def test_words_are_those_of_a_shell_and_options_follow(tmp_path: Path) -> None:
    command = """command = '''
        curation  sample --where "tier = 4 AND kind = 'plain'"
        --model x'''
    """
    options = (
        "options = { n = 8, temperature = 1e-3, unguided = true, limit = false, "
        "map = ['a=b c', 'd=e'], top-p = 0.5 }"
    )
    assert words(tmp_path, command + options) == [
        *("curation", "sample", "--where", "tier = 4 AND kind = 'plain'", "--model", "x"),
        *("--n", "8", "--temperature", "0.001", "--unguided", "--map", "a=b c", "d=e", "--top-p", "0.5"),
    ]


def test_values_are_filled_in_as_toml_means_them(tmp_path: Path) -> None:
    text = (
        "[settings]\nrate = 1e-3\nmany = 1_000\nyes = true\nday = 2025-01-02\nempty = ''\nbraces = '{x}'\n"
        + A
    )
    assert read(tmp_path, text).settings == {
        "rate": "0.001",
        "many": "1000",
        "yes": "true",
        "day": "2025-01-02",
        "empty": "",
        "braces": "{x}",
    }


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("5e-4", "0.0005"),
        ("0x10", "16"),
        ("true", "true"),
        ('"0.10"', "0.10"),
        ("0.10", "0.1"),
        ("smollm2-135m", "smollm2-135m"),
        ("[1, 2]", "[1, 2]"),
        ("1\nother = 2", "1\nother = 2"),
        ("tier = 4", "tier = 4"),
    ],
)
def test_settings_are_overridden_by_scalars_of_toml_or_text(tmp_path: Path, given: str, value: str) -> None:
    assert read(tmp_path, f"[settings]\nx = 0\n{A}", x=given).settings == {"x": value}


def test_files_are_overridden_by_paths(tmp_path: Path) -> None:
    (tmp_path / "7").write_text("x")
    read_files = read(tmp_path, f"[files]\ndata = 'gone.csv'\n{A}", data=str(tmp_path / "7")).files
    assert read_files == {"data": tmp_path / "7"}


NAMES = Names({"seed"}, {"data"}, {"shop", "a-b"})


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("plain", ("plain",)),
        ("", ()),
        ("{seed}", (Setting("seed"),)),
        ("a{seed}b{data}", ("a", Setting("seed"), "b", File("data"))),
        ("{out}/x", (Out(), "/x")),
        ("--out={out}", ("--out=", Out())),
        ("{shop.out}/{a-b.rows.x}", (Output("shop", "out"), "/", Output("a-b", "rows.x"))),
        ("{{seed}}", ("{seed}",)),
        ("{{{seed}}}", ("{", Setting("seed"), "}")),
        ("a{{b}}c", ("a{b}c",)),
        ('{{"a": {{}}}}', ('{"a": {}}',)),
    ],
)
def test_placeholders_and_braces(text: str, pieces: tuple[object, ...]) -> None:
    assert parse_word(text, NAMES).pieces == pieces


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{sed}", 'no setting or file of this name; did you mean "seed"?'),
        ("{zzzzzz}", "no setting or file of this name; known are data, out, seed"),
        ("{shp.out}", "no stage 'shp'; did you mean \"shop\"?"),
        ("{shop.}", "name an entry of that stage's summary"),
        ("{}", "{} is no placeholder; double braces"),
        ("{'a': 1}", "is no placeholder; double braces"),
        ("a{b", "a brace without its other"),
        ("a}b", "a brace without its other"),
        ("{{seed}", "a brace without its other"),
        ("{out}.html", "put a slash behind it"),
        ("{out}{seed}", "put a slash behind it"),
    ],
)
def test_placeholders_that_are_none(text: str, message: str) -> None:
    with pytest.raises(TierwiseError) as error:
        parse_word(text, NAMES)
    assert message in str(error.value)


def test_stages_come_after_what_they_stand_on_else_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = "".join(
        f'[stage.{name}]\ncommand = "curation difficulty {words}"\nneeds = {needs}\n'
        for name, words, needs in (
            ("z", "{b.x}", []),
            ("a", "", ["b"]),
            ("b", "--out {out}", []),
            ("c", "{z.x} {b.out} {b.y}", ["a"]),
        )
    )
    stages = read(tmp_path, text).stages
    assert list(stages) == ["b", "z", "a", "c"]
    assert [stages[name].stands_on for name in stages] == [(), ("b",), ("b",), ("z", "a", "b")]
    assert stages["c"].folders == {"b"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title = ", "r.toml is not TOML: Invalid value (at end of document); mend it"),
        (f"titel = 'x'\n{A}", "r.toml: a recipe has no key 'titel'; did you mean \"title\"?"),
        (f"title = ['x']\n{A}", "r.toml: title is ['x']; give one text, number or date"),
        ("title = 'x'", "r.toml: no stages; write [stage.NAME] with a command"),
        ("stage = 3", "r.toml: stage is no table; write [stage.NAME] over its lines"),
        ("[stage]\na = 3", "r.toml: stage a: is no table"),
        ("[stage.A]\ncommand = 'curation check'", "r.toml: stage 'A': names are of a–z, 0–9 and -"),
        (f"{A}comand = 'x'", "r.toml: stage a: a stage has no key 'comand'; did you mean \"command\"?"),
        ("[stage.a.b]\ncommand = 'x'", "r.toml: stage a: a stage has no key 'b'"),
        ("[stage.a]\nwatch = 'x'", "r.toml: stage a: no command"),
        ("[stage.a]\ncommand = ' '", "r.toml: stage a: no command"),
        ("[stage.a]\ncommand = 'curation \"x'", "r.toml: stage a: command: No closing quotation"),
        ("[stage.a]\ncommand = 'rm -rf /'", "r.toml: stage a: command 'rm' is of none of the packages"),
        ("[stage.a]\ncommand = 'os'", "r.toml: stage a: command 'os' is of none of the packages"),
        (
            "[stage.a]\ncommand = 'training.stf'",
            "r.toml: stage a: command 'training.stf': no such command; did you",
        ),
        ("[stage.a]\ncommand = 'training'", 'no such command; did you mean "training.'),
        ("[stage.a]\ncommand = 'training.arguments'", "no such command"),
        ("[stage.a]\ncommand = 'eval../x'", "no such command"),
        (f"{A}options = {{ db = 'x' }}", "r.toml: stage a: --db: leave it out"),
        ("[stage.a]\ncommand = 'eval report --db=x'", "r.toml: stage a: --db: leave it out"),
        (f"{A}options = {{ '--n' = 3 }}", "r.toml: stage a: option '--n': write its name without dashes"),
        (f"{A}options = {{ n = [] }}", "r.toml: stage a: option n is an empty list"),
        (f"{A}options = {{ n = {{ a = 1 }} }}", "r.toml: stage a: option n is {'a': 1}; give one text"),
        (f"{A}options = {{ n = [[1]] }}", "r.toml: stage a: option n is [1]; give one text"),
        (f"{A}options = 3", "r.toml: stage a: options is no table"),
        (f'{A}options = {{ n = "\\u0000" }}', "r.toml: stage a: option n holds a NUL"),
        (f"{A}needs = 'a'", "r.toml: stage a: needs is no list"),
        (f"{A}needs = ['b']", "r.toml: stage a: needs 'b': no such stage"),
        (f"{A}needs = ['a']", "r.toml: stages stand on each other in a circle: a → a"),
        (f"{A}after = 'a'", "r.toml: stage a: after is no list"),
        (f"{A}after = ['b']", "r.toml: stage a: after 'b': no such stage"),
        (f"{A}after = ['a']", "r.toml: stages stand on each other in a circle: a → a"),
        (f"{A}watch = 3", "r.toml: stage a: watch is no text"),
        ("[stage.a]\ncommand = 'curation {x}'", "r.toml: stage a: {x}: no setting or file of this name"),
        ("[stage.a]\ncommand = 'curation {b.out}'", "r.toml: stage a: {b.out}: no stage 'b'"),
        (
            f"{A}[stage.b]\ncommand = 'curation {{a.out}}'",
            "r.toml: stage b: {a.out}: stage a makes no folder",
        ),
        (f"[settings]\nx = [1]\n{A}", "r.toml: x is [1]; give one text, number or date"),
        (f"[settings]\nout = 1\n{A}", "r.toml: setting 'out': names are letters"),
        (f"[settings]\n'a.b' = 1\n{A}", "r.toml: setting 'a.b': names are letters"),
        (f"[settings]\nx = 1\n[files]\nx = 'r.toml'\n{A}", "r.toml: x is a setting and a file"),
        (f"[files]\nx = 'none.csv'\n{A}", "r.toml: file x: there is no none.csv; name it with --set x=PATH"),
        (
            "[stage.a]\ncommand = 'curation {c.x}'\n[stage.b]\ncommand = 'curation {a.x}'\n"
            "[stage.c]\ncommand = 'eval {b.x}'\n[stage.d]\ncommand = 'eval {a.x}'",
            "r.toml: stages stand on each other in a circle: a → c → b → a",
        ),
    ],
)
def test_faults_are_told_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(TierwiseError) as error:
        read(tmp_path, text)
    assert message in str(error.value)
    assert str(error.value).startswith(f"{tmp_path / 'r.toml'}")
    assert "\n" not in str(error.value)


def test_overrides_of_nothing_list_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(TierwiseError, match=r"--set sede: no such setting or file; there are seed, size$"):
        read(tmp_path, f"[settings]\nseed = 1\nsize = 2\n{A}", sede="1")


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_bytes(b"title = '\xff'")
    with pytest.raises(TierwiseError, match="is not TOML"):
        read_recipe(tmp_path / "r.toml", {})


def test_a_path_comes_before_what_ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from curation.recipe import reading

    shipped, work = tmp_path / "shipped", tmp_path / "work"
    shipped.mkdir()
    work.mkdir()
    (shipped / "demo.toml").write_text(A)
    monkeypatch.setattr(reading, "SHIPPED", shipped)
    monkeypatch.chdir(work)
    assert find_recipe("demo") == shipped / "demo.toml"
    with pytest.raises(
        TierwiseError, match=r"no recipe dem: there is no such file, and with Tierwise come demo$"
    ):
        find_recipe("dem")
    Path("demo").write_text(A)
    assert find_recipe("demo") == Path("demo")


def test_whatever_ships_can_be_read() -> None:
    from curation.recipe.reading import SHIPPED

    for path in SHIPPED.glob("*.toml"):
        files = tomllib.loads(path.read_text(encoding="utf-8")).get("files", {})
        assert read_recipe(path, dict.fromkeys(files, str(path))).title, path


def test_the_real_command(cli: Cli) -> None:
    assert cli("curation", "recipe", "run", "none", code=1).stderr.startswith(
        "Error: no recipe none: there is no "
    )
    said = cli("curation", "recipe", "run", "r.toml", "--set", "sede=1", code=1).stderr
    assert said == "Error: r.toml: --set sede: no such setting or file; there are seed, size, data\n"
    assert "give NAME=VALUE" in cli("curation", "recipe", "run", "r.toml", "--set", "seed", code=2).stderr
