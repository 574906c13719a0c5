"""Sources: how the rows of a data set become judged pairs, in the words of the store."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from curation.ingest.cells import Cells, Fields, attributes_json, by_label, json_object, number, time
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

# The largest standard deviation that ratings between 1 and 4 can have.
_LARGEST_DEVIATION = 1.5


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
        tiers = by_label({str(tier): tier for tier in (1, 2, 3, 4)})
        cells.required("median_relevance", "label")
        return {
            "tier": cells.converted("median_relevance", "label", tiers, "int32"),
            "query": cells.required("query"),
            "title": cells.required("product_title"),
            "description": cells.optional("product_description"),
            "confidence": cells.converted("relevance_variance", "relevance_variance", _confidence, "double"),
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
        "split",
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
            "tier": cells.converted(self.mapping["label"], "label", by_label(self.tiers), "int32"),
            "query": cells.required(self.mapping["query"], "query"),
            "title": cells.required(self.mapping["title"], "title"),
            "description": cells.optional(column("description")),
            "locale": cells.stripped(column("locale")),
            "source_item_id": cells.stripped(column("item_id")),
            "brand": cells.optional(column("brand")),
            "attributes": self._attributes(cells),
            "weight": cells.converted(column("weight"), "weight", number, "double"),
            "judged_at": cells.converted(column("judged_at"), "judged_at", time, "timestamp[us]"),
            "judged_by": cells.stripped(column("judged_by")),
            "reason": cells.optional(column("reason")),
            "intent": cells.stripped(column("intent")),
            "source_split": cells.stripped(column("split")),
        }

    def _attributes(self, cells: Cells) -> pa.Array | None:
        own, price = self.mapping.get("attributes"), self.mapping.get("price")
        checked = cells.converted(own, "attributes", json_object, "string")
        if price is None:
            return checked
        if own is None:
            return cells.converted(price, "price", lambda text: attributes_json({"price": text}), "string")
        return cells.combined((own, price), _with_price)


def _with_price(own: str | None, price: str | None) -> str | None:
    try:
        return attributes_json({**json.loads(own or "{}"), "price": (price or "").strip()})
    except (ValueError, RecursionError, TypeError):
        return None  # noted as a fault before


def _confidence(deviation: str) -> float:
    # Rounded, so that 1 − 0.471 / 1.5 is 0.686.
    return round(max(0.0, 1.0 - number(deviation) / _LARGEST_DEVIATION), 12)
