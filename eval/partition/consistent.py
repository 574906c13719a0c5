"""Whether promises can be kept together at all, whatever the data.

Only promises of shares can clash: predictions that are always right keep all others, with any shares.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from eval.metrics.counts import TIERS
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eval.partition.promises import Promise


def require_consistent(promises: Sequence[Promise]) -> None:
    """Check that there are four shares, which add up to 1, that keep all promises of shares.

    Raises:
        TierwiseError: There are none; the message names promises of which none can be left out.
    """
    clash = [promise for promise in promises if promise.kind == "share"]
    if _shares_exist(clash):
        return
    for promise in tuple(clash):
        rest = [other for other in clash if other is not promise]
        if not _shares_exist(rest):
            clash = rest
    raise TierwiseError(
        f"promises contradict each other: {' and '.join(promise.text for promise in clash)}; the shares of the four "
        "tiers add up to 1, so loosen one of these"
    )


def _shares_exist(promises: Sequence[Promise]) -> bool:
    from scipy.optimize import linprog

    if not promises:
        return True
    signs = [-1.0 if promise.at_least else 1.0 for promise in promises]
    found = linprog(
        np.zeros(4),
        A_ub=[sign * np.isin(TIERS, promise.tiers) for sign, promise in zip(signs, promises, strict=True)],
        b_ub=[sign * promise.bound for sign, promise in zip(signs, promises, strict=True)],
        A_eq=np.ones((1, 4)),
        b_eq=[1.0],
        bounds=(0, 1),
    )
    return bool(found.success)
