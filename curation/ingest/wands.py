"""Wayfair's WANDS (MIT): three tab-separated files, ``query.csv``, ``product.csv`` and ``label.csv``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from curation.ingest.cells import Cells, Fields, attributes_json, by_label
from curation.ingest.files import file_name, open_table
from curation.ingest.joined import Joined, Lookup
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from curation.ingest.tables import TableFile

TIERS = {"Exact": 4, "Partial": 3, "Irrelevant": 1}

_FILES = {
    "label.csv": ("id", "query_id", "product_id", "label"),
    "query.csv": ("query_id", "query"),
    "product.csv": ("product_id", "product_name"),
}
_FACTS = ("product_class", "category hierarchy", "rating_count", "average_rating", "review_count")


@dataclass(frozen=True, slots=True)
class Wands:
    """The data set; `tiers` is the tier of each label."""

    tiers: Mapping[str, int]

    name = "wands"
    columns = (
        *("id", "query", "product_id", "label", "product_name", "product_description", "product_features"),
        *_FACTS,
    )

    @property
    def settings(self) -> dict[str, Any]:
        """What the user chose, for the ledger."""
        return {"tiers": dict(self.tiers)}

    def judged(self, cells: Cells) -> Fields:
        """The rows of a batch. Features and the other columns of the product are attributes."""
        cells.required("label")
        return {
            "tier": cells.converted("label", "label", by_label(self.tiers), "int32"),
            "query": cells.required("query"),
            "title": cells.required("product_name", "title"),
            "description": cells.optional("product_description"),
            "attributes": cells.combined(("product_features", *_FACTS), _attributes),
            "source_item_id": cells.required("product_id"),
            "source_key": cells.required("id"),
        }


def open_wands(paths: Sequence[Path]) -> list[tuple[str, TableFile]]:
    """The labels joined with queries and products; `paths` are the three files or the folder that holds them.

    Raises:
        TierwiseError: One of the three is missing.
    """
    if len(paths) == 1 and paths[0].is_dir():
        paths = [paths[0] / name for name in _FILES]
    found: dict[str, tuple[str, TableFile]] = {}
    for path in paths:
        table = open_table(path, "\t")
        for name, columns in _FILES.items():
            # Labels carry the ids of the other two, but not their texts.
            if set(columns) <= set(table.columns):
                found.setdefault(name, (file_name(path), table))
                break
        else:
            raise TierwiseError(
                f"{path}: none of WANDS' three tab-separated files; columns seen: {', '.join(table.columns)[:300]}"
            )
    missing = [name for name in _FILES if name not in found]
    if missing:
        raise TierwiseError(f"WANDS without {' and '.join(missing)}: name its three files, or their folder")
    name, labels = found["label.csv"]
    queries = Lookup("query", *found["query.csv"], ("query_id",))
    products = Lookup("product", *found["product.csv"], ("product_id",))
    return [(name, Joined(labels, [queries, products]))]


def _attributes(features: str | None, *facts: str | None) -> str | None:
    """JSON of ``name:value|name:value`` and of the other columns; a name that comes again holds a list."""
    found: dict[str, Any] = {}
    for feature in (features or "").split("|"):
        name, colon, value = (part.strip() for part in feature.partition(":"))
        if not (colon and name and value) or value in (known := found.get(name, [])):
            continue
        found[name] = [*known, value]
    return attributes_json(
        {name: values[0] if len(values) == 1 else values for name, values in found.items()}
        | dict(zip(_FACTS, facts, strict=True))
    )
