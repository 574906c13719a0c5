"""Sources: how the rows of a data set become judged pairs.

A source names the columns it needs and turns a batch of their cells into fields in the words of the store. Work
is done by column in Arrow, and in Python once for each distinct text, so that a million rows take seconds.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    import pyarrow as pa

# The largest standard deviation that ratings between 1 and 4 can have.
_LARGEST_DEVIATION = 1.5

Fields = dict[str, "pa.Array | None"]
"""Arrays of judged rows by field: query, title, tier (1 to 4, int32); where there are any description (raw), locale,
source_item_id, brand, attributes (JSON object), confidence, weight (float64), judged_at (UTC timestamp without zone),
judged_by, reason, intent, source_split and source_key. No array or null: unknown."""


@dataclass(slots=True)
class Cells:
    """Cells of a batch by column. What cannot be read is noted: a row with a fault is not used.

    Attributes:
        columns: String arrays.
        faults: Reason and detail of the first fault, by index of the row. A reason is shared by all rows of the
            fault.
        unwanted: Indices of the rows that the user did not ask for.
    """

    columns: Mapping[str, pa.Array]
    faults: dict[int, tuple[str, str]] = field(default_factory=dict)
    unwanted: set[int] = field(default_factory=set)

    def required(self, column: str, name: str | None = None) -> pa.Array:
        """The texts of `column`, unchanged; blank is a fault."""
        import pyarrow.compute as pc

        cells = pc.fill_null(self.columns[column], "")
        for index in _where(pc.or_(pc.equal(cells, ""), pc.utf8_is_space(cells))):
            self._fault(index, f"no {name or column}", f"{column} is empty")
        return cells

    def optional(self, column: str | None) -> pa.Array | None:
        """The texts of `column`, unchanged; empty is null."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if column is None:
            return None
        cells = self.columns[column]
        return pc.if_else(pc.equal(cells, ""), pa.scalar(None, pa.string()), cells)

    def stripped(self, column: str | None) -> pa.Array | None:
        """The texts of `column` without space around them; blank is null."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if column is None:
            return None
        cells = pc.utf8_trim_whitespace(self.columns[column])
        return pc.if_else(pc.equal(cells, ""), pa.scalar(None, pa.string()), cells)

    def converted(
        self, column: str | None, name: str, convert: Callable[[str], Any], kind: str
    ) -> pa.Array | None:
        """What `convert` makes of `column`, stripped, as Arrow type `kind`.

        Blank is null, a ValueError a fault that it words.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        cells = self.stripped(column)
        if column is None or cells is None:
            return None
        coded = cells.dictionary_encode()
        values: list[Any] = []
        bad: dict[int, str] = {}
        for code, text in enumerate(coded.dictionary.to_pylist()):
            value = None
            try:
                value = convert(text)
            except ValueError as error:
                bad[code] = f"{column} is {text!r}, {error}"
            values.append(value)
        for code, detail in bad.items():
            for index in _where(pc.equal(coded.indices, code)):
                self._fault(index, f"bad {name}", detail)
        return pa.array(values, pa.type_for_alias(kind)).take(coded.indices)

    def keep(self, column: str, wanted: Collection[str]) -> None:
        """Leave out the rows whose `column` is not among `wanted`."""
        import pyarrow as pa
        import pyarrow.compute as pc

        cells = pc.utf8_trim_whitespace(self.columns[column])
        self.unwanted.update(_where(pc.invert(pc.is_in(cells, pa.array(wanted, pa.string())))))

    def _fault(self, index: int, reason: str, detail: str) -> None:
        self.faults.setdefault(index, (reason, detail))


def _where(mask: pa.Array) -> list[int]:
    """Indices at which `mask` is true."""
    import pyarrow.compute as pc

    indices: list[int] = pc.indices_nonzero(mask).to_pylist()
    return indices


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
            "weight": cells.converted(column("weight"), "weight", _number, "double"),
            "judged_at": cells.converted(column("judged_at"), "judged_at", _time, "timestamp[us]"),
            "judged_by": cells.stripped(column("judged_by")),
            "reason": cells.optional(column("reason")),
            "intent": cells.stripped(column("intent")),
            "source_split": cells.stripped(column("split")),
        }

    def _attributes(self, cells: Cells) -> pa.Array | None:
        import pyarrow as pa

        own = cells.converted(self.mapping.get("attributes"), "attributes", _json_object, "string")
        prices = cells.stripped(self.mapping.get("price"))
        if prices is None:
            return own
        owned = own.to_pylist() if own is not None else [None] * len(prices)
        return pa.array(
            [
                attributes_json({**json.loads(text or "{}"), "price": price})
                for text, price in zip(owned, prices.to_pylist(), strict=True)
            ],
            pa.string(),
        )


def by_label(tiers: Mapping[str, int]) -> Callable[[str], int]:
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


def attributes_json(attributes: Mapping[str, Any]) -> str | None:
    """JSON of what is known of `attributes`; None where nothing is."""
    known = {name: value for name, value in attributes.items() if value not in (None, "", [], {})}
    return json.dumps(known, ensure_ascii=False) if known else None


def _json_object(text: str) -> str | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return attributes_json(value)


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        raise ValueError("not an ISO 8601 time") from None
