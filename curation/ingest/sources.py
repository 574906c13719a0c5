"""Sources: how the rows of a data set become judged pairs.

A source names the columns it needs and turns a batch of their cells into fields in the words of the store. Work
is done by column and once for each distinct text, so that a million rows take seconds.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from curation.ingest.files import Cell

T = TypeVar("T")

# The largest standard deviation that ratings between 1 and 4 can have.
_LARGEST_DEVIATION = 1.5

Fields = dict[str, "list[Any]"]
"""Judged rows by field: query, title and tier (1 to 4); where there are any description (raw), locale,
source_item_id, brand, price, attributes (a dict), confidence, weight, judged_at (UTC, without zone), judged_by,
reason, intent and source_key. No values at all or None: unknown."""


@dataclass(slots=True)
class Cells:
    """Cells of a batch by column. What cannot be read is noted: a row with a fault is not used.

    Attributes:
        faults: Reason and detail of the first fault, by index of the row. A reason is shared by all rows of the
            fault.
    """

    columns: Mapping[str, Sequence[Cell]]
    faults: dict[int, tuple[str, str]] = field(default_factory=dict)

    def required(self, column: str, name: str | None = None) -> list[Cell]:
        """The texts of `column`, unchanged; blank is a fault."""
        cells = self.columns[column]
        # Both run in C; the loop is for the few batches that have a blank.
        if not all(cells) or any(map(str.isspace, filter(None, cells))):
            for index, cell in enumerate(cells):
                if not cell or cell.isspace():
                    self._fault(index, f"no {name or column}", f"{column} is empty")
        return list(cells)

    def optional(self, column: str | None) -> list[Cell]:
        """The texts of `column`, unchanged; empty is None."""
        return [] if column is None else [cell or None for cell in self.columns[column]]

    def converted(self, column: str | None, name: str, convert: Callable[[str], T]) -> list[T | None]:
        """What `convert` makes of `column`, stripped; blank is None, a ValueError a fault that it words."""
        if column is None:
            return []
        cells = self.columns[column]
        values: dict[Cell, T | None] = {}
        bad: dict[Cell, str] = {}
        for cell in set(cells):
            values[cell] = None
            if cell and not cell.isspace():
                try:
                    values[cell] = convert(cell.strip())
                except ValueError as error:
                    bad[cell] = f"{column} is {cell!r}, {error}"
        if bad:
            for index, cell in enumerate(cells):
                if cell in bad:
                    self._fault(index, f"bad {name}", bad[cell])
        return [values[cell] for cell in cells]

    def _fault(self, index: int, reason: str, detail: str) -> None:
        self.faults.setdefault(index, (reason, detail))


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

    @property
    def settings(self) -> Mapping[str, Any]:
        """What the user chose, for the ledger."""
        ...

    def judged(self, cells: Cells) -> Fields:
        """The rows of a batch; `cells` notes what cannot be used."""
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
    settings: Mapping[str, Any] = {}

    def judged(self, cells: Cells) -> Fields:
        """The rows of a batch."""
        tiers = _by_label({str(tier): tier for tier in (1, 2, 3, 4)})
        cells.required("median_relevance", "label")
        return {
            "tier": cells.converted("median_relevance", "label", tiers),
            "query": cells.required("query"),
            "title": cells.required("product_title"),
            "description": cells.optional("product_description"),
            "confidence": cells.converted("relevance_variance", "relevance_variance", _confidence),
            "source_key": cells.required("id"),
        }


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
        "attributes",
        "weight",
        "judged_at",
        "judged_by",
        "reason",
        "intent",
        "locale",
    )
    REQUIRED = ("query", "title", "label")

    def __post_init__(self) -> None:
        """Check the mapping.

        Raises:
            TierwiseError: An unknown or missing field, or a tier outside 1 to 4.
        """
        unknown = [name for name in self.mapping if name not in self.FIELDS]
        if unknown:
            raise TierwiseError(f"--map {unknown[0]}=…: no such field; fields are {', '.join(self.FIELDS)}")
        missing = [name for name in self.REQUIRED if name not in self.mapping]
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
        return tuple(dict.fromkeys(self.mapping.values()))

    @property
    def settings(self) -> dict[str, Any]:
        """What the user chose, for the ledger."""
        return {"map": dict(self.mapping), "tiers": dict(self.tiers)}

    def judged(self, cells: Cells) -> Fields:
        """The rows of a batch."""
        column = self.mapping.get
        cells.required(self.mapping["label"], "label")
        return {
            "tier": cells.converted(self.mapping["label"], "label", _by_label(self.tiers)),
            "query": cells.required(self.mapping["query"], "query"),
            "title": cells.required(self.mapping["title"], "title"),
            "description": cells.optional(column("description")),
            "locale": cells.converted(column("locale"), "locale", str),
            "source_item_id": cells.converted(column("item_id"), "item_id", str),
            "brand": cells.optional(column("brand")),
            "price": cells.converted(column("price"), "price", str),
            "attributes": cells.converted(column("attributes"), "attributes", _attributes),
            "weight": cells.converted(column("weight"), "weight", _number),
            "judged_at": cells.converted(column("judged_at"), "judged_at", _time),
            "judged_by": cells.converted(column("judged_by"), "judged_by", str),
            "reason": cells.optional(column("reason")),
            "intent": cells.converted(column("intent"), "intent", str),
        }


def _by_label(tiers: Mapping[str, int]) -> Callable[[str], int]:
    """Tier of a label. A label that is a whole number may come as 4.0, as pandas writes integers with gaps."""
    whole = {_whole(label): tier for label, tier in tiers.items()}

    def tier(label: str) -> int:
        found = tiers.get(label, whole.get(_whole(label)))
        if found is None:
            raise ValueError(f"not one of {', '.join(tiers)}")
        return found

    return tier


def _whole(label: str) -> str:
    head, point, decimals = label.partition(".")
    return head if point and head.isdecimal() and not decimals.strip("0") else label


def _confidence(deviation: str) -> float:
    # Rounded, so that 1 − 0.471 / 1.5 is 0.686.
    return round(max(0.0, 1.0 - _number(deviation) / _LARGEST_DEVIATION), 12)


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or number < 0:
        raise ValueError("not a number ≥ 0")
    return number


def _attributes(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        raise ValueError("not an ISO 8601 time") from None
