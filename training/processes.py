"""Several processes under ``accelerate launch``: the main one keeps the store, all of them know what it found."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TypeVar, cast

from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Callable

    from accelerate import PartialState

T = TypeVar("T")


def is_main() -> bool:
    """Whether this is the process that prints and writes. Known before any process group exists."""
    return os.environ.get("RANK", "0") == "0"


def state() -> PartialState:
    """Accelerate's state of this process; it knows of the others on a CPU too."""
    import torch
    from accelerate import PartialState

    return PartialState(cpu=not torch.cuda.is_available())


def on_main(find: Callable[[], T]) -> T:
    """What `find` returns in the main process, in every process.

    Raises:
        TierwiseError: It raised one there; every process then ends.
    """
    from accelerate.utils import broadcast_object_list

    here = state()
    if here.num_processes == 1:
        return find()
    answer: list[object] = [None, None]
    if here.is_main_process:
        try:
            answer[0] = find()
        except TierwiseError as error:
            answer[1] = str(error)
    broadcast_object_list(answer)
    if answer[1] is not None:
        # Said once is enough.
        raise TierwiseError(str(answer[1])) if here.is_main_process else SystemExit(1)
    return cast("T", answer[0])


def leave() -> None:
    """Leave the process group, if there is one: its threads abort a process that ends with them running."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
