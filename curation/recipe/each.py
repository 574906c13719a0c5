"""Stages that are written once and stand for several: ``each = "sft dpo"`` makes two of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from curation.recipe.words import TOKEN, Names, Setting, parse_word
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Mapping

EACH = "each"

_NAME = re.compile(r"[a-z0-9-]+")
_WORD = re.compile(rf"(?<![A-Za-z0-9_]){EACH}(?![A-Za-z0-9_])")


def expand(tables: Mapping[str, Any], settings: Mapping[str, str]) -> dict[str, Any]:
    """Put a stage for each of its names in place of a stage with ``each``.

    The stage ``predict`` with ``each = "sft dpo"`` becomes ``predict-sft`` and ``predict-dpo``. In their placeholders
    and ``needs`` the word ``each`` is the name: ``{each}`` is ``sft``, ``{each.out}`` the folder of the stage ``sft``,
    ``{predict-each.predictor_id}`` an output of ``predict-sft``.

    Args:
        tables: Of stages by name, as TOML has them.
        settings: Values that ``each`` may name.

    Raises:
        TierwiseError: ``each`` holds no names, or makes a stage that there is already.
    """
    found: dict[str, Any] = {}
    for stage, table in tables.items():
        if not isinstance(table, dict) or EACH not in table:
            found.setdefault(stage, table)
            continue
        rest = {key: value for key, value in table.items() if key != EACH}
        for name in _names(stage, table[EACH], settings):
            one = f"{stage}-{name}"
            if one in found or one in tables:
                raise TierwiseError(
                    f"stage {stage}: each makes a second stage {one}; name one of them otherwise"
                )
            found[one] = _about(name, rest)
    return found


def _names(stage: str, each: Any, settings: Mapping[str, str]) -> list[str]:
    if not isinstance(each, str):
        raise TierwiseError(f'stage {stage}: each is no text; write each = "NAME NAME"')
    try:
        pieces = parse_word(each, Names(settings, (), ())).pieces
    except TierwiseError as error:
        raise TierwiseError(f"stage {stage}: each: {error}") from None
    filled = "".join(settings[piece.name] if isinstance(piece, Setting) else str(piece) for piece in pieces)
    names = filled.split()
    if wrong := [name for name in names if not _NAME.fullmatch(name)]:
        raise TierwiseError(
            f"stage {stage}: each: {wrong[0]!r}: names are of a–z, 0–9 and -; name it otherwise"
        )
    if not names:
        raise TierwiseError(f'stage {stage}: each is empty; write each = "NAME NAME"')
    return names


def _about(name: str, value: Any, key: str = "") -> Any:
    """`value` with `name` in place of the word ``each`` in its placeholders, needs and after."""
    if isinstance(value, dict):
        return {inner: _about(name, each, inner) for inner, each in value.items()}
    if isinstance(value, list):
        return [_about(name, each, key) for each in value]
    if not isinstance(value, str):
        return value
    if key in {"needs", "after"}:
        return _WORD.sub(name, value)
    return TOKEN.sub(lambda found: _filled(name, found), value)


def _filled(name: str, found: re.Match[str]) -> str:
    if found[1] is None:
        return found[0]
    return name if found[1] == EACH else f"{{{_WORD.sub(name, found[1])}}}"
