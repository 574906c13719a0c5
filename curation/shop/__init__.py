"""A shop that the project makes up itself: query–item pairs whose tier follows from stated attributes."""

from __future__ import annotations

from curation.shop.matching import LABELS
from curation.shop.rows import INGEST_OPTIONS, KINDS, MAX_PAIRS, ShopRow, generate, write_csv

__all__ = ["INGEST_OPTIONS", "KINDS", "LABELS", "MAX_PAIRS", "ShopRow", "generate", "write_csv"]
