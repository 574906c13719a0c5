"""Macros and views: what analysts may lean on. Kept stable, documented in docs/data-dictionary.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warehouse.views.findings import FINDINGS_VIEWS
from warehouse.views.judged import JUDGED_VIEWS
from warehouse.views.macros import MACROS as MACROS
from warehouse.views.reasoning import REASONING_VIEWS
from warehouse.views.review import REVIEW_VIEWS
from warehouse.views.sampling import SAMPLING_VIEWS
from warehouse.views.usage import USAGE_VIEWS

if TYPE_CHECKING:
    from warehouse.ddl import View

VIEWS: tuple[View, ...] = (
    *JUDGED_VIEWS,
    *REASONING_VIEWS,
    *FINDINGS_VIEWS,
    *REVIEW_VIEWS,
    *SAMPLING_VIEWS,
    *USAGE_VIEWS,
)
"""In an order in which each can be made: later ones read earlier ones."""
