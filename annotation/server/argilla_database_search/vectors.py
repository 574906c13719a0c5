"""Similarity of records' vectors, compared one by one: exact, and quick enough for what people annotate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from argilla_server.models import Vector
from sqlalchemy import func, select

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy import Select
    from sqlalchemy.ext.asyncio import AsyncConnection

_KEPT = 4
_matrices: dict[UUID, tuple[Any, list[UUID], Any]] = {}
"""Vectors of the settings that were asked for last: their state, ids of records, unit vectors."""


async def nearest(
    connection: AsyncConnection,
    settings_id: UUID,
    value: Sequence[float],
    among: Select[tuple[UUID]] | None,
    *,
    excluded: UUID | None,
    reverse: bool,
    threshold: float | None,
    limit: int,
) -> list[tuple[UUID, float]]:
    """Records and their scores, (1 + cosine) / 2 as in Elasticsearch, highest first.

    Args:
        connection: To Argilla's database.
        settings_id: Which vectors.
        value: What they are compared with.
        among: Query for the ids of the records that count; None for all.
        excluded: A record that does not.
        reverse: Compare with the opposite of `value`.
        threshold: Scores below it are left out.
        limit: Records at most.
    """
    ids, units = await _unit_vectors(connection, settings_id)
    if not ids:
        return []
    wanted = np.asarray(value, dtype=np.float64)
    wanted = wanted / (np.linalg.norm(wanted) or 1.0)
    scores = (1 + units @ (-wanted if reverse else wanted)) / 2
    allowed = None if among is None else set((await connection.execute(among)).scalars())
    found: list[tuple[UUID, float]] = []
    for place in np.argsort(-scores, kind="stable"):
        if len(found) == limit or (threshold is not None and scores[place] < threshold):
            break
        record_id = ids[place]
        if record_id != excluded and (allowed is None or record_id in allowed):
            found.append((record_id, float(scores[place])))
    return found


async def _unit_vectors(connection: AsyncConnection, settings_id: UUID) -> tuple[list[UUID], Any]:
    of_settings = Vector.vector_settings_id == settings_id
    state = (
        await connection.execute(
            select(func.count(), func.max(Vector.updated_at), func.max(Vector.inserted_at)).where(of_settings)
        )
    ).one()
    if settings_id in _matrices and _matrices[settings_id][0] == state:
        return _matrices[settings_id][1:]
    rows = (
        await connection.execute(
            select(Vector.record_id, Vector.value).where(of_settings).order_by(Vector.inserted_at, Vector.id)
        )
    ).all()
    ids = [record_id for record_id, _ in rows]
    matrix = np.array([vector for _, vector in rows], dtype=np.float64).reshape(len(rows), -1)
    norms = np.linalg.norm(matrix, axis=1, keepdims=True)
    units = np.divide(matrix, norms, out=np.zeros_like(matrix), where=norms > 0)
    _matrices.pop(settings_id, None)
    while len(_matrices) >= _KEPT:
        _matrices.pop(next(iter(_matrices)))
    _matrices[settings_id] = (state, ids, units)
    return ids, units
