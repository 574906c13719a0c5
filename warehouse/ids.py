"""Deterministic 128-bit content ids, the same from Python and from SQL.

An id is the MD5 of a kind and its fields, each field written as a netstring (``<bytes>:<text>``; NULL is
``-``), so that no two field lists share an encoding. MD5 names content here, it guards nothing; what a
split freezes is guarded by SHA-256.
"""

from __future__ import annotations

import hashlib
import re
import uuid

Field = str | int | uuid.UUID | None


def content_id(kind: str, *fields: Field) -> uuid.UUID:
    """Id of a row of `kind` that is identified by `fields`, in this order."""
    encoded = bytearray(_netstring(kind))
    for field in fields:
        encoded += _netstring(None if field is None else str(field))
    return uuid.UUID(bytes=hashlib.md5(encoded, usedforsecurity=False).digest())


def sql_content_id(kind: str, *expressions: str) -> str:
    """SQL expression that yields the same id as `content_id` over the values of `expressions`.

    Relies on the store's macro ``netstring``.
    """
    parts = [f"netstring('{kind}')", *(f"netstring({expression})" for expression in expressions)]
    return f"CAST(md5({' || '.join(parts)}) AS UUID)"


def is_prefix(text: str) -> bool:
    """Whether `text` can be the beginning of an id that somebody means: six hex digits or more, dashes aside."""
    return re.fullmatch(r"[0-9a-fA-F]{6,32}", text.replace("-", "")) is not None


def id_range(prefix: str) -> tuple[uuid.UUID, uuid.UUID]:
    """Smallest and largest id whose hex digits begin with `prefix`: a range needs no id turned into text."""
    return uuid.UUID(prefix.ljust(32, "0")), uuid.UUID(prefix.ljust(32, "f"))


def _netstring(field: str | None) -> bytes:
    if field is None:
        return b"-"
    encoded = field.encode("utf-8")
    return b"%d:%s" % (len(encoded), encoded)
