"""Words of a stage's command, with placeholders: ``{setting}``, ``{file}``, ``{out}`` and ``{stage.output}``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from curation.rulebook.fields import nearest
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Collection

OUT = "out"
"""The name of a stage's folder, its own and as an output of others."""

NAME = re.compile(r"[A-Za-z0-9_-]+")
"""Names of settings and files."""

TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
"""A placeholder with its name, doubled braces, or a brace that stands alone."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Stands for the value of a setting."""

    name: str


@dataclass(frozen=True, slots=True)
class File:
    """Stands for the path of a file."""

    name: str


@dataclass(frozen=True, slots=True)
class Out:
    """Stands for the stage's own folder."""


@dataclass(frozen=True, slots=True)
class Output:
    """Stands for an entry of another stage's summary, or for its folder."""

    stage: str
    name: str


Placeholder = Setting | File | Out | Output


@dataclass(frozen=True, slots=True)
class Word:
    """A word: its text in the recipe, and that in pieces, of which none are two texts in a row."""

    text: str
    pieces: tuple[str | Placeholder, ...]

    @property
    def placeholders(self) -> tuple[Placeholder, ...]:
        """Its placeholders, in order."""
        return tuple(piece for piece in self.pieces if not isinstance(piece, str))


@dataclass(frozen=True, slots=True)
class Names:
    """What placeholders can name."""

    settings: Collection[str]
    files: Collection[str]
    stages: Collection[str]

    def find(self, name: str) -> Placeholder:
        """The placeholder ``{name}``.

        Raises:
            TierwiseError: It names nothing.
        """
        stage, dot, output = name.partition(".")
        if dot:
            if stage not in self.stages:
                raise TierwiseError(f"{{{name}}}: no stage {stage!r}; {nearest(stage, sorted(self.stages))}")
            if not output:
                raise TierwiseError(
                    f"{{{name}}}: name an entry of that stage's summary, or {{{stage}.{OUT}}}"
                )
            return Output(stage, output)
        if name == OUT:
            return Out()
        if name in self.settings:
            return Setting(name)
        if name in self.files:
            return File(name)
        if not NAME.fullmatch(name):
            raise TierwiseError(f"{{{name}}} is no placeholder; double braces that are meant as such")
        known = sorted([*self.settings, *self.files, OUT])
        raise TierwiseError(f"{{{name}}}: no setting or file of this name; {nearest(name, known)}")


def parse_word(text: str, names: Names) -> Word:
    """Read a word of a command.

    Raises:
        TierwiseError: A placeholder names nothing, a brace stands alone, or ``{out}`` is only the beginning of a name.
    """
    pieces: list[str | Placeholder] = []

    def add(literal: str) -> None:
        if pieces and isinstance(pieces[-1], str):
            pieces[-1] += literal
        elif literal:
            pieces.append(literal)

    read = 0
    for found in TOKEN.finditer(text):
        add(text[read : found.start()])
        read = found.end()
        if found[0] in ("{{", "}}"):
            add(found[0][0])
        elif found[1] is None:
            raise TierwiseError(
                f"{text!r} has a brace without its other; double it where it is meant as such"
            )
        else:
            pieces.append(names.find(found[1]))
    add(text[read:])
    for piece, after in pairwise(pieces):
        if isinstance(piece, Out) and not (isinstance(after, str) and after.startswith("/")):
            raise TierwiseError(f"{text!r}: {{out}} is a folder; put a slash behind it, as in {{out}}/name")
    return Word(text, tuple(pieces))


def is_below_out(word: Word) -> bool:
    """Whether `word` names something in the stage's folder, not the folder itself."""
    return any(isinstance(piece, Out) for piece in word.pieces[:-1])
