"""Cells of a batch of rows, by column, and what becomes of them.

Work is done in Arrow, and in Python once for each distinct text, so that a million rows take seconds.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    import pyarrow as pa

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

    def combined(self, columns: Sequence[str], combine: Callable[..., str | None]) -> pa.Array:
        """What `combine` makes of the texts of `columns`, once for each distinct row of them."""
        import pyarrow as pa

        combine = cache(combine)
        cells = [self.columns[column].to_pylist() for column in columns]
        return pa.array([combine(*row) for row in zip(*cells, strict=True)], pa.string())

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


def number(text: str) -> float:
    """A finite number ≥ 0; ValueError says so."""
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


def json_object(text: str) -> str | None:
    """A JSON object as `attributes_json` writes it; ValueError if it is none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return attributes_json(value)


def time(text: str) -> datetime:
    """An ISO 8601 time in UTC, without zone; ValueError if it is none."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        raise ValueError("not an ISO 8601 time") from None
