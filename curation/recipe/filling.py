"""A stage's command as it is run, every placeholder filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from curation.recipe.words import OUT, File, Out, Output, Setting
from curation.rulebook.fields import nearest
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from curation.recipe.reading import Recipe, Stage


def fill(
    stage: Stage,
    recipe: Recipe,
    out: Path,
    outputs: Mapping[str, Mapping[str, Any]],
) -> list[str]:
    """The words of a stage's command as it is run.

    Args:
        stage: A stage of `recipe`.
        recipe: The recipe.
        out: Its folder.
        outputs: Of the stages that it stands on.

    Raises:
        TierwiseError: A stage has no such output.
    """
    where = f"{recipe.path}: stage {stage.name}"

    def filled(piece: str | Setting | File | Out | Output) -> str:
        match piece:
            case Setting(name):
                return recipe.settings[name]
            case File(name):
                return str(recipe.files[name])
            case Out():
                return str(out)
            case Output():
                return output_word(outputs[piece.stage], piece, where)
            case str():
                return piece

    return ["".join(map(filled, word.pieces)) for word in stage.words]


def output_word(outputs: Mapping[str, Any], output: Output, where: str) -> str:
    """An entry of a summary as a word.

    Raises:
        TierwiseError: There is none, or it is no single value.
    """
    if output.name == OUT:
        return str(outputs[OUT])
    placeholder = f"{{{output.stage}.{output.name}}}"
    if output.name not in outputs:
        raise TierwiseError(
            f"{where}: {placeholder}: the summary of {output.stage} has no {output.name!r}; "
            f"{nearest(output.name, sorted(outputs))}"
        )
    value = outputs[output.name]
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise TierwiseError(f"{where}: {placeholder} is {value!r}, no single value; name another entry")
    return str(value)
