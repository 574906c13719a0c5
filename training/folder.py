"""The folder of a trained model: which run made it, its checkpoints, and whether the same command goes on with it.

OUT/training.json       identity of the run, its row of the ledger, every field as resolved
OUT/training.yaml       what was asked for; ``--config`` reads it
OUT/checkpoints/        what the trainer resumes from
OUT/adapter/            the LoRA adapter, where one was trained
OUT/config.json, …      the trained model, adapters merged
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from warehouse.errors import TierwiseError
from warehouse.ledger import Run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_STATE = "training.json"
_COMPLETE = "complete"


@dataclass(slots=True)
class Folder:
    """A folder of one training run.

    Attributes:
        path: The folder.
        run: Its run, the same one after every interruption.
        identity: What makes it this run: the same command on the same data has the same.
        resolved: Every field of TRL's configuration and the versions of the libraries.
        model_id: Id in ``models`` of what was trained; None until it is registered.
        is_begun: Whether a process worked on it before.
    """

    path: Path
    run: Run
    identity: dict[str, Any]
    resolved: dict[str, Any]
    model_id: str | None = None
    is_begun: bool = False

    @property
    def checkpoints(self) -> Path:
        """Folder of the trainer's checkpoints."""
        return self.path / "checkpoints"

    def save(self) -> None:
        """Write the folder's state over the former one."""
        state = {
            "identity": self.identity,
            "model_id": self.model_id,
            "run": json.loads(self.run.to_json()),
            "resolved": self.resolved,
        }
        self.path.mkdir(parents=True, exist_ok=True)
        temporary = self.path / f".{_STATE}"
        temporary.write_text(json.dumps(state, default=str, indent=1, ensure_ascii=False), encoding="utf-8")
        temporary.rename(self.path / _STATE)

    def last_checkpoint(self) -> Path | None:
        """The newest checkpoint that was written whole; those that were not are removed."""
        found = None
        for checkpoint in sorted(self.checkpoints.glob("checkpoint-*"), key=_step):
            if (checkpoint / _COMPLETE).exists():
                found = checkpoint
            else:
                shutil.rmtree(checkpoint)
        return found


def complete(checkpoint: Path) -> None:
    """Mark that `checkpoint` was written whole."""
    (checkpoint / _COMPLETE).touch()


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])


def open_folder(path: Path, run: Run, identity: Mapping[str, Any], resolved: Mapping[str, Any]) -> Folder:
    """The folder for a run: a new one, or that of the same command before.

    Another run that left no checkpoint there gives way: nothing of it could be gone on with.

    Raises:
        TierwiseError: It holds something else, or another run.
    """
    wanted = json.loads(json.dumps(identity, default=str))
    if not (path / _STATE).exists():
        if path.exists() and any(path.iterdir()):
            raise TierwiseError(f"{path} holds other files; name a new folder with --out")
        return Folder(path, run, wanted, dict(resolved))
    try:
        state = json.loads((path / _STATE).read_text(encoding="utf-8"))
        folder = Folder(
            path,
            Run.from_json(json.dumps(state["run"])),
            state["identity"],
            dict(resolved),
            state["model_id"],
            is_begun=True,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise TierwiseError(
            f"{path / _STATE} is damaged ({error}); name a new folder with --out, or remove this one"
        ) from error
    if folder.identity != wanted and folder.model_id is None and folder.last_checkpoint() is None:
        return Folder(path, run, wanted, dict(resolved))
    for name in sorted(wanted.keys() | folder.identity.keys()):
        then, now = folder.identity.get(name), wanted.get(name)
        if then != now:
            raise TierwiseError(
                f"{path} holds another run, with {name} {_shown(then)} where this one has {_shown(now)}; name a new "
                "folder with --out, or remove that one"
            )
    return folder


def _shown(value: Any) -> str:
    return "none" if value is None else str(value)
