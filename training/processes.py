"""Several processes under ``accelerate launch``: the main one keeps the store, all of them know what it found."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar, cast

from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def is_main() -> bool:
    """Whether this is the process that prints and writes. Known before any process group exists."""
    return os.environ.get("RANK", "0") == "0"


def on_main(find: Callable[[], T]) -> T:
    """What `find` returns in the main process, in every process.

    Raises:
        TierwiseError: It raised one there; every process then ends.
    """
    from accelerate import PartialState
    from accelerate.utils import broadcast_object_list

    state = PartialState()
    if state.num_processes == 1:
        return find()
    answer: list[object] = [None, None]
    if state.is_main_process:
        try:
            answer[0] = find()
        except TierwiseError as error:
            answer[1] = str(error)
    broadcast_object_list(answer)
    if answer[1] is not None:
        # Said once is enough.
        raise TierwiseError(str(answer[1])) if state.is_main_process else SystemExit(1)
    return cast("T", answer[0])
