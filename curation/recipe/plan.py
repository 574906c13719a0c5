"""What a recipe would run, and why; exact before anything runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curation.recipe.filling import output_word
from curation.recipe.fingerprints import watch
from curation.recipe.keys import inputs_of, key_of
from curation.recipe.records import finished, finished_before, stage_id
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

    from curation.recipe.fingerprints import Fingerprints, Watched
    from curation.recipe.reading import Recipe, Stage
    from curation.recipe.records import Record
    from warehouse.store import Store


@dataclass(frozen=True, slots=True)
class Planned:
    """A stage of a plan.

    Attributes:
        stage: The stage.
        inputs: What enters its key.
        key: None where it watches rows that stages before it may change yet.
        record: How it was finished with this key.
        runs: Whether it is to run.
        reason: Why it runs, or what there is to say of one that does not.
    """

    stage: Stage
    inputs: dict[str, Any]
    key: str | None
    record: Record | None
    runs: bool
    reason: str


@dataclass(frozen=True, slots=True)
class _Found:
    inputs: dict[str, Any]
    key: str | None
    record: Record | None
    before: Record | None


def recipes_folder(store: Store) -> Path:
    """Where stages make their folders: beside the store, which a lake has not, so beside whoever works."""
    # By the file's name, or the lake's id.
    return store.place.folder / f"{Path(store.runs.stem).stem}.recipes"


def out_of(store: Store, stage: str, key: str) -> Path:
    """The folder of a stage."""
    return recipes_folder(store) / f"{stage}-{key[:8]}"


def make_plan(store: Store, recipe: Recipe, prints: Fingerprints) -> dict[str, Planned]:
    """What is done and what is to run, in order. Reads the store where there is one, and writes nothing.

    Raises:
        TierwiseError: A folder is not what its stage made, an output is not there, or a query fails.
    """
    files = {name: prints.of(path) for name, path in recipe.files.items()}
    if store.exists:
        found = store.read_with_parts(lambda connection: _find(connection, store.runs, recipe, files))
    else:
        found = _find(None, None, recipe, files)
    gone = {name for name, each in found.items() if _is_gone(store, recipe.stages[name], each, prints)}
    runs: set[str] = set()
    read: set[str] = set()
    for name in reversed(recipe.stages):
        if found[name].record is None or (name in gone and name in read):
            runs.add(name)
            read |= recipe.stages[name].folders
    plan = {}
    for name, stage in recipe.stages.items():
        each = found[name]
        if name not in runs:
            reason = "its folder is gone, and nothing needs it now" if name in gone else ""
        elif each.record is not None:
            reason = "its folder is gone"
        else:
            reason = _reason(stage, each, {other for other in runs if found[other].record is None})
            for output in stage.outputs:
                if output.stage not in runs and (done := found[output.stage].record):
                    output_word(done.outputs, output, f"{recipe.path}: stage {name}")
        plan[name] = Planned(stage, each.inputs, each.key, each.record, name in runs, reason)
    return plan


def _find(
    connection: duckdb.DuckDBPyConnection | None, runs: Path | None, recipe: Recipe, files: Mapping[str, str]
) -> dict[str, _Found]:
    found: dict[str, _Found] = {}
    for name, stage in recipe.stages.items():
        watched: Watched | None = None
        if connection is not None and all(found[other].record is not None for other in stage.stands_on):
            watched = watch_rows(connection, recipe, stage)
        keys = {other: found[other].key for other in stage.stands_on}
        inputs = inputs_of(stage, recipe, files, keys, watched)
        key = key_of(stage, inputs)
        record = before = None
        if connection is not None and runs is not None:
            record = finished(connection, runs, key) if key else None
            before = record or finished_before(connection, runs, recipe.name, name)
        found[name] = _Found(inputs, key, record, before)
    return found


def watch_rows(connection: duckdb.DuckDBPyConnection, recipe: Recipe, stage: Stage) -> Watched | None:
    """The rows that `stage` watches, None if it watches none.

    Raises:
        TierwiseError: The query fails.
    """
    if stage.watch is None:
        return None
    try:
        return watch(connection, stage.watch)
    except TierwiseError as error:
        raise TierwiseError(f"{recipe.path}: stage {stage.name}: {error}") from None


def _is_gone(store: Store, stage: Stage, found: _Found, prints: Fingerprints) -> bool:
    """Whether the folder of a finished stage is not there; it must not be another one."""
    if found.record is None or not stage.has_out:
        return False
    out = out_of(store, found.record.stage, found.record.key)
    if not out.exists():
        return True
    if prints.of(out) != found.record.out_digest:
        # Who runs the stage at this moment, because its folder was gone, is named instead.
        with store.exclusive(*lock_of(stage.name, found.record.key)):
            raise TierwiseError(
                f"{out} is not what stage {stage.name} made; remove it, and it is made again where it is needed"
            )
    return False


def lock_of(stage: str, key: str) -> tuple[str, str]:
    """What `Store.exclusive` is told of a stage that runs."""
    return f"stage-{stage_id(key)}", f"running stage {stage}"


def _reason(stage: Stage, found: _Found, anew: set[str]) -> str:
    """Why a stage runs that was never finished so; `anew` are stages whose outputs are new."""
    if found.before is None:
        return "new"
    now, then = found.inputs, found.before.inputs
    reasons = []
    for name, value in now["settings"].items():
        if name in then["settings"] and then["settings"][name] != value:
            reasons.append(f"{name} {then['settings'][name]} → {value}")
    for name, digest in now["files"].items():
        if name in then["files"] and then["files"][name] != digest:
            reasons.append(f"{name} changed")
    if now["words"] != then["words"]:
        reasons.append("command changed")
    if now["stages"].keys() != then["stages"].keys():
        reasons.append("needs changed")
    if now["watch"] != then["watch"]:
        reasons.append("watch changed")
    elif now["rows"] and now["rows"] != then["rows"]:
        reasons.append(f"{', '.join(now['rows']['tables']) or 'watched rows'} changed")
    for name in stage.stands_on:
        if name in anew:
            reasons.append(f"{name} runs")
        elif name in then["stages"] and now["stages"][name] != then["stages"][name]:
            reasons.append(f"{name} changed")
    return ", ".join(reasons) or "new"
