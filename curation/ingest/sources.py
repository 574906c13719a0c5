"""Sources: how the rows of a data set become judged pairs.

A source names the columns it needs and turns one row's cells into a `JudgedRow`, or says why it cannot.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DEFAULT_LOCALE = "us"

# The largest standard deviation that ratings between 1 and 4 can have.
_LARGEST_DEVIATION = 1.5


@dataclass(frozen=True, slots=True)
class JudgedRow:
    """One judged row, in the words of the store. `description` is raw; `confidence` None means unknown."""

    query: str
    title: str
    tier: int
    description: str | None = None
    locale: str = DEFAULT_LOCALE
    source_item_id: str | None = None
    brand: str | None = None
    price: str | None = None
    confidence: float | None = None
    weight: float = 1.0
    judged_at: datetime | None = None
    source_key: str | None = None


class UnusableRowError(Exception):
    """Why a row is rejected: a reason shared by all rows of the fault, and what exactly was found."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Source(Protocol):
    """A data set's form."""

    @property
    def name(self) -> str:
        """Name under which the rows stand in the store."""
        ...

    @property
    def columns(self) -> Sequence[str]:
        """Columns that a file must have."""
        ...

    def judged_row(self, cells: Mapping[str, str | None]) -> JudgedRow:
        """One row; raises `UnusableRowError`."""
        ...


class CrowdFlower:
    """Search Results Relevance (CrowdFlower, 2015): ``id, query, product_title, …``.

    ``id`` names a judged row, not an item, so an item is its raw text. ``relevance_variance`` holds the
    standard deviation of the raters (0.471 for 4, 4, 3); confidence is 1 − deviation / 1.5, 1.5 being the
    largest that ratings between 1 and 4 can have.
    """

    name = "crowdflower"
    columns = (
        "id",
        "query",
        "product_title",
        "product_description",
        "median_relevance",
        "relevance_variance",
    )

    def judged_row(self, cells: Mapping[str, str | None]) -> JudgedRow:
        """One judged row; raises `UnusableRowError`."""
        label = _required(cells, "median_relevance")
        if label not in ("1", "2", "3", "4"):
            raise UnusableRowError("bad label", f"median_relevance is {label!r}, not 1 to 4")
        deviation = _number(cells, "relevance_variance")
        return JudgedRow(
            query=_required(cells, "query"),
            title=_required(cells, "product_title"),
            description=cells["product_description"] or None,
            tier=int(label),
            confidence=max(0.0, 1.0 - deviation / _LARGEST_DEVIATION),
            source_key=_required(cells, "id"),
        )


@dataclass(frozen=True, slots=True)
class MappedTable:
    """Any table, by a mapping from our fields to its columns and from its labels to tiers."""

    name: str
    mapping: Mapping[str, str]
    tiers: Mapping[str, int]

    FIELDS = (
        "query",
        "title",
        "description",
        "label",
        "item_id",
        "brand",
        "price",
        "weight",
        "judged_at",
        "locale",
    )
    REQUIRED = ("query", "title", "label")

    def __post_init__(self) -> None:
        """Check the mapping.

        Raises:
            TierwiseError: An unknown or missing field, or a tier outside 1 to 4.
        """
        unknown = [field for field in self.mapping if field not in self.FIELDS]
        if unknown:
            raise TierwiseError(f"--map {unknown[0]}=…: no such field; fields are {', '.join(self.FIELDS)}")
        missing = [field for field in self.REQUIRED if field not in self.mapping]
        if missing:
            raise TierwiseError(
                f"--map lacks {', '.join(missing)}; give {' '.join(f'{m}=COLUMN' for m in missing)}"
            )
        for label, tier in self.tiers.items():
            if tier not in (1, 2, 3, 4):
                raise TierwiseError(f"--tiers {label}={tier}: tiers are 1 to 4")

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that a file must have."""
        return tuple(self.mapping.values())

    def judged_row(self, cells: Mapping[str, str | None]) -> JudgedRow:
        """One judged row; raises `UnusableRowError`."""
        mapped = {field: cells[column] for field, column in self.mapping.items()}
        label = _required(mapped, "label").strip()
        if label not in self.tiers:
            known = ", ".join(self.tiers)
            raise UnusableRowError("bad label", f"{self.mapping['label']} is {label!r}, not one of {known}")
        weight = _number(mapped, "weight") if mapped.get("weight") else 1.0
        return JudgedRow(
            query=_required(mapped, "query"),
            title=_required(mapped, "title"),
            description=mapped.get("description") or None,
            tier=self.tiers[label],
            locale=mapped.get("locale") or DEFAULT_LOCALE,
            source_item_id=mapped.get("item_id") or None,
            brand=mapped.get("brand") or None,
            price=mapped.get("price") or None,
            weight=weight,
            judged_at=_time(mapped["judged_at"]) if mapped.get("judged_at") else None,
        )


def _required(cells: Mapping[str, str | None], column: str) -> str:
    value = cells.get(column)
    if value is None or not value.strip():
        raise UnusableRowError(f"no {column}", f"{column} is empty")
    return value


def _number(cells: Mapping[str, str | None], column: str) -> float:
    text = _required(cells, column)
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or number < 0:
        raise UnusableRowError(f"bad {column}", f"{column} is {text!r}, not a number ≥ 0")
    return number


def _time(text: str | None) -> datetime:
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        raise UnusableRowError("bad judged_at", f"judged_at is {text!r}, not an ISO 8601 time") from None
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
