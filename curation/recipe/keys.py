"""The key of a stage: what decides what it makes, known before anything runs.

Names of recipes, stages, settings and files are no part of it, so that equal stages are one wherever they stand.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from curation.recipe.words import File, Out, Output, Setting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from curation.recipe.fingerprints import Watched
    from curation.recipe.reading import Recipe, Stage
    from curation.recipe.words import Word

# A change of what the key is made of.
_FORM = "tierwise stage 1"


def inputs_of(
    stage: Stage,
    recipe: Recipe,
    files: Mapping[str, str],
    keys: Mapping[str, str | None],
    watched: Watched | None,
) -> dict[str, Any]:
    """What enters the key of `stage`, by readable name, as the store keeps it.

    Args:
        stage: A stage of `recipe`.
        recipe: The recipe.
        files: Digests by name.
        keys: Keys of the stages that it stands on; None where one is not known yet.
        watched: The rows that it watches, once they are known.
    """
    rows = {"tables": list(watched.tables), "digest": watched.digest} if watched else None
    return {
        "words": [word.text for word in stage.words],
        "settings": {name: recipe.settings[name] for name in stage.named(Setting)},
        "files": {name: files[name] for name in stage.named(File)},
        "stages": {name: keys[name] for name in stage.stands_on},
        "watch": stage.watch,
        "rows": rows,
    }


def key_of(stage: Stage, inputs: Mapping[str, Any]) -> str | None:
    """SHA-256, in hex, over `inputs_of`; None while one of them is not known."""
    if None in inputs["stages"].values() or (stage.watch is not None and inputs["rows"] is None):
        return None
    rows = inputs["rows"] and inputs["rows"]["digest"]
    content = [
        _FORM,
        [_content(word, inputs) for word in stage.words],
        sorted(set(inputs["stages"].values())),
        [stage.watch, rows],
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _content(word: Word, inputs: Mapping[str, Any]) -> list[Any]:
    """A word as a list in which texts never stand side by side: the same word always makes the same list."""
    parts: list[Any] = []
    for piece in word.pieces:
        match piece:
            case File(name):
                parts.append({"file": inputs["files"][name]})
            case Output(stage, name):
                parts.append({"output": name, "of": inputs["stages"][stage]})
            case Out():
                parts.append({"out": True})
            case _:
                text = inputs["settings"][piece.name] if isinstance(piece, Setting) else piece
                if parts and isinstance(parts[-1], str):
                    parts[-1] += text
                elif text:
                    parts.append(text)
    return parts
