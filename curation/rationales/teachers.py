"""Whom ``--teacher`` names: any model that samples come from, or the shop's own derivations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curation.backends.opening import Engine, find_model, open_backend
from curation.sampling_plan import pair_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from curation.backends import Backend
    from curation.models import ModelReference, ServedModel
    from curation.shop.teacher import Facts
    from warehouse.store import Store

DERIVATIONS = {"shop": False, "shop-held-out": True}
"""Teachers that render the shop's exact derivation, and whether they use the held-out wordings."""

_FACTS = """
    SELECT CAST(p.pair_id AS VARCHAR), q.text, v.title, q.intent, j.reason, v.description
    FROM pairs p JOIN queries q USING (query_id) JOIN item_versions v ON v.item_version_id = p.item_version_id
    JOIN judgments j ON j.judgment_id = p.judgment_id
    WHERE p.pair_id IN (SELECT CAST(unnest($pairs::VARCHAR[]) AS UUID))
        AND q.intent IS NOT NULL AND j.reason IS NOT NULL
"""


def find_teacher(
    store: Store, name: str, engine: Engine
) -> tuple[ModelReference | ServedModel, Callable[[], Backend]]:
    """The model that `name` means, and what opens its backend.

    Raises:
        TierwiseError: No such model, or its server does not answer.
    """
    if name not in DERIVATIONS:
        model = find_model(name, engine)
        return model, lambda: open_backend(model, engine)
    from curation.shop.teacher import DerivationBackend, Facts, derivation_model

    def facts(keys: Sequence[str]) -> dict[str, Facts]:
        pairs = {key: pair_of(key) for key in keys}
        with store.read() as connection:
            rows = connection.execute(_FACTS, {"pairs": list(pairs.values())}).fetchall()
        found = {pair_id: Facts(*rest) for pair_id, *rest in rows}
        return {key: found[pair_id] for key, pair_id in pairs.items() if pair_id in found}

    held_out = DERIVATIONS[name]
    return derivation_model(held_out), lambda: DerivationBackend(facts, held_out=held_out)
