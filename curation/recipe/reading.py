"""Recipes as TOML files: read, with everything that can be wrong told before anything runs."""

from __future__ import annotations

import re
import shlex
import tomllib
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curation.recipe.each import EACH, expand
from curation.recipe.words import NAME, OUT, File, Names, Out, Output, Setting, Word, is_below_out, parse_word
from curation.rulebook.fields import nearest
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

SHIPPED = Path(__file__).parent / "shipped"
"""Folder of the recipes that come with Tierwise."""

PACKAGES = ("warehouse", "curation", "annotation", "eval", "training")
_CODE = Path(__file__).resolve().parents[2]
_STAGE = re.compile(r"[a-z0-9-]+")
_OPTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_SCALAR = (str, int, float, date, datetime, time)


@dataclass(frozen=True, slots=True)
class Stage:
    """A command of the project.

    Attributes:
        name: In the recipe.
        words: Of the command, the module first.
        stands_on: Stages whose outputs or effects it needs, in the order of the file.
        after: Stages that it lets go first where both run, without standing on them.
        watch: SQL of the rows that are an input too.
    """

    name: str
    words: tuple[Word, ...]
    stands_on: tuple[str, ...]
    after: tuple[str, ...]
    watch: str | None

    @property
    def has_out(self) -> bool:
        """Whether it makes a folder."""
        return any(isinstance(piece, Out) for word in self.words for piece in word.placeholders)

    @property
    def fills_out(self) -> bool:
        """Whether its command wants the folder to be there."""
        return any(map(is_below_out, self.words))

    def named(self, kind: type[Setting | File]) -> list[str]:
        """Names of the settings or files that it uses."""
        found = (piece for word in self.words for piece in word.placeholders if isinstance(piece, kind))
        return sorted({piece.name for piece in found})

    @property
    def outputs(self) -> set[Output]:
        """What it reads of other stages."""
        return {piece for word in self.words for piece in word.placeholders if isinstance(piece, Output)}

    @property
    def folders(self) -> set[str]:
        """Stages whose folder it reads."""
        return {output.stage for output in self.outputs if output.name == OUT}


@dataclass(frozen=True, slots=True)
class Recipe:
    """A recipe that has no faults.

    Attributes:
        name: Of the file, without its ending.
        path: The file.
        title: What it is for.
        settings: Values as words of a command have them.
        files: Inputs by content; they exist.
        stages: By name, each after those that it stands on, else in the order of the file.
    """

    name: str
    path: Path
    title: str
    settings: dict[str, str]
    files: dict[str, Path]
    stages: dict[str, Stage]


def shipped_recipes() -> list[str]:
    """Names of the recipes that come with Tierwise."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def find_recipe(name: str) -> Path:
    """The file that `name` names: a path, else a recipe that comes with Tierwise.

    Raises:
        TierwiseError: Neither.
    """
    if Path(name).is_file():
        return Path(name)
    shipped = shipped_recipes()
    if name in shipped:
        return SHIPPED / f"{name}.toml"
    listed = f"with Tierwise come {', '.join(shipped)}" if shipped else "none comes with Tierwise"
    raise TierwiseError(f"no recipe {name}: there is no such file, and {listed}")


def read_recipe(path: Path, overrides: Mapping[str, str]) -> Recipe:
    """Read a recipe, with `overrides` of its settings and files.

    Raises:
        TierwiseError: The file cannot be read or has a fault, or there is nothing to override.
    """
    try:
        read = tomllib.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TierwiseError(f"{path} is not TOML: {error}; mend it") from error
    try:
        _known(read, ("title", "files", "settings", "stage"), "a recipe")
        settings = {name: _scalar(name, value) for name, value in _table(read, "settings").items()}
        files = {name: _scalar(name, value) for name, value in _table(read, "files").items()}
        tables = _table(read, "stage")
        _check_names(settings, files, tables)
        _override(settings, files, overrides)
        tables = expand(tables, settings)
        for name, file in files.items():
            if not Path(file).exists():
                raise TierwiseError(f"file {name}: there is no {file}; name it with --set {name}=PATH")
        names = Names(settings, files, tables)
        stages = [_stage(name, table, names) for name, table in tables.items()]
        _check_folders(stages)
        return Recipe(
            path.stem,
            path,
            _scalar("title", read.get("title", "")),
            settings,
            {name: Path(file) for name, file in files.items()},
            {stage.name: stage for stage in _in_order(stages)},
        )
    except TierwiseError as error:
        raise TierwiseError(f"{path}: {error}") from None


def _known(table: Mapping[str, Any], keys: Sequence[str], what: str) -> None:
    for key in table:
        if key not in keys:
            raise TierwiseError(f"{what} has no key {key!r}; {nearest(key, keys)}")


def _table(read: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = read.get(key, {})
    if not isinstance(found, dict):
        raise TierwiseError(
            f"{key} is no table; write [{key}{'.NAME' if key == 'stage' else ''}] over its lines"
        )
    return found


def _check_names(settings: Collection[str], files: Collection[str], stages: Collection[str]) -> None:
    for kind, names in (("setting", settings), ("file", files)):
        for name in names:
            if not NAME.fullmatch(name) or name in (OUT, EACH):
                raise TierwiseError(
                    f"{kind} {name!r}: names are letters, digits, - and _, and none is {OUT!r} or {EACH!r}; "
                    "name it otherwise"
                )
    for name in settings:
        if name in files:
            raise TierwiseError(f"{name} is a setting and a file; name one of them otherwise")
    if not stages:
        raise TierwiseError("no stages; write [stage.NAME] with a command")
    for name in stages:
        if not _STAGE.fullmatch(name):
            raise TierwiseError(f"stage {name!r}: names are of a–z, 0–9 and -; name it otherwise")


def _scalar(name: str, value: Any) -> str:
    """A value of TOML as a word of a command."""
    if not isinstance(value, _SCALAR):
        raise TierwiseError(f"{name} is {value!r}; give one text, number or date")
    if isinstance(value, bool):
        return "true" if value else "false"
    text = repr(value) if isinstance(value, float) else str(value)
    if "\0" in text:
        raise TierwiseError(f"{name} holds a NUL character, which no command can be given; leave it out")
    return text


def _override(settings: dict[str, str], files: dict[str, str], overrides: Mapping[str, str]) -> None:
    for name, text in overrides.items():
        if name in settings:
            settings[name] = _from_text(name, text)
        elif name in files:
            files[name] = text
        else:
            known = ", ".join([*settings, *files]) or "none"
            raise TierwiseError(f"--set {name}: no such setting or file; there are {known}")


def _from_text(name: str, text: str) -> str:
    try:
        read = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    value = read.pop("value")
    return _scalar(name, value) if isinstance(value, _SCALAR) and not read else text


def _stage(name: str, table: Any, names: Names) -> Stage:
    try:
        if not isinstance(table, dict):
            raise TierwiseError("is no table; write [stage.NAME] over its lines")
        _known(table, ("command", EACH, "options", "needs", "after", "watch"), "a stage")
        words = tuple(parse_word(text, names) for text in _texts(table))
        _check_command(words)
        needs, after = (_stages(table, key, names) for key in ("needs", "after"))
        watch = table.get("watch")
        if watch is not None and not isinstance(watch, str):
            raise TierwiseError('watch is no text; write watch = "SELECT …"')
        stage = Stage(name, words, (), after, watch)
        used = {output.stage for output in stage.outputs} | set(needs)
        return replace(stage, stands_on=tuple(each for each in names.stages if each in used))
    except TierwiseError as error:
        raise TierwiseError(f"stage {name}: {error}") from None


def _stages(table: Mapping[str, Any], key: str, names: Names) -> tuple[str, ...]:
    """The stages that `key` of a stage lists."""
    listed = table.get(key, [])
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        raise TierwiseError(f'{key} is no list of stages; write {key} = ["NAME"]')
    for each in listed:
        if each not in names.stages:
            raise TierwiseError(f"{key} {each!r}: no such stage; {nearest(each, sorted(names.stages))}")
    return tuple(listed)


def _texts(table: Mapping[str, Any]) -> Iterable[str]:
    """The words of a command with its options."""
    command = table.get("command")
    if not isinstance(command, str) or not command.strip():
        raise TierwiseError('no command; write command = "curation …"')
    try:
        yield from shlex.split(_scalar("command", command))
    except ValueError as error:
        raise TierwiseError(f"command: {error}; mend the quotes") from None
    for name, value in _table(table, "options").items():
        if not _OPTION.fullmatch(name):
            raise TierwiseError(f"option {name!r}: write its name without dashes before it")
        if value is False:
            continue
        yield f"--{name}"
        if isinstance(value, list):
            if not value:
                raise TierwiseError(
                    f"option {name} is an empty list; give it words, or false to leave it out"
                )
            yield from (_scalar(f"option {name}", each) for each in value)
        elif value is not True:
            yield _scalar(f"option {name}", value)


def _check_command(words: Sequence[Word]) -> None:
    module = words[0].text
    package, *inner = module.split(".")
    if package not in PACKAGES:
        raise TierwiseError(
            f"command {module!r} is of none of the packages {', '.join(PACKAGES)}; begin with the module, "
            "as in `training.sft`"
        )
    if not _is_command(_CODE.joinpath(package, *inner)):
        modules = (file.with_suffix("") for each in PACKAGES for file in sorted((_CODE / each).glob("*.py")))
        known = [".".join(place.relative_to(_CODE).parts) for place in modules if _is_command(place)]
        raise TierwiseError(
            f"command {module!r}: no such command; "
            f"{nearest(module, [name.removesuffix('.__main__') for name in known])}"
        )
    for word in words:
        if word.text.partition("=")[0] == "--db":
            raise TierwiseError("--db: leave it out; every stage works on the recipe's store")


def _is_command(place: Path) -> bool:
    """Whether ``python -m`` runs the module at `place`, a path without its ending."""
    file = place / "__main__.py" if place.is_dir() else place.with_suffix(".py")
    return file.is_file() and "__name__ ==" in file.read_text(encoding="utf-8")


def _check_folders(stages: Sequence[Stage]) -> None:
    without = {stage.name for stage in stages if not stage.has_out}
    for stage in stages:
        for name in sorted(stage.folders & without):
            raise TierwiseError(
                f"stage {stage.name}: {{{name}.{OUT}}}: stage {name} makes no folder; use {{{OUT}}} in its command"
            )


def _in_order(stages: Sequence[Stage]) -> list[Stage]:
    placed: dict[str, Stage] = {}
    left = list(stages)
    while left:
        ready = next((stage for stage in left if placed.keys() >= {*stage.stands_on, *stage.after}), None)
        if ready is None:
            raise TierwiseError(f"stages stand on each other in a circle: {' → '.join(_circle(left))}")
        placed[ready.name] = ready
        left.remove(ready)
    return list(placed.values())


def _circle(left: Sequence[Stage]) -> list[str]:
    by_name = {stage.name: stage for stage in left}
    path = [left[0].name]
    while path[-1] not in path[:-1]:
        before = (*by_name[path[-1]].stands_on, *by_name[path[-1]].after)
        path.append(next(name for name in before if name in by_name))
    return path[path.index(path[-1]) :]
