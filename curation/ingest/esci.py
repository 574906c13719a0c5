"""Amazon's Shopping Queries Data Set (ESCI, Apache-2.0): ``query, product_id, product_locale, esci_label, …``."""

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

    import pyarrow as pa

    from curation.ingest.tables import TableFile

TIERS = {"E": 4, "S": 3, "C": 2, "I": 1}
"""Exact, Substitute, Complement, Irrelevant."""

_JUDGED = ("query", "product_id", "product_locale", "esci_label")
_PRODUCT = ("product_id", "product_locale")


@dataclass(frozen=True, slots=True)
class Esci:
    """The data set, or a part of it.

    Attributes:
        tiers: Tier of each label.
        version: ``small`` or ``large``: the rows that the data set marks so.
        split: Its own split, ``train`` or ``test``.
        locales: Only these of ``us``, ``es`` and ``jp``; all where empty.
    """

    tiers: Mapping[str, int]
    version: str | None = None
    split: str | None = None
    locales: tuple[str, ...] = ()

    name = "esci"
    columns = (
        *(
            "example_id",
            "query",
            "product_id",
            "product_locale",
            "esci_label",
            "small_version",
            "large_version",
        ),
        *("split", "product_title", "product_description", "product_bullet_point", "product_brand"),
        "product_color",
    )

    @property
    def settings(self) -> dict[str, Any]:
        """What the user chose, for the ledger."""
        chosen = {"version": self.version, "split": self.split, "locales": list(self.locales)}
        return {"tiers": dict(self.tiers), **{name: value for name, value in chosen.items() if value}}

    def judged(self, cells: Cells) -> Fields:
        """The rows of a batch.

        Bullet points follow the description, on lines of their own: half of the products have nothing else.
        """
        if self.version:
            cells.keep(f"{self.version}_version", ("1",))
        if self.split:
            cells.keep("split", (self.split,))
        if self.locales:
            cells.keep("product_locale", self.locales)
        cells.required("esci_label", "label")
        return {
            "tier": cells.converted("esci_label", "label", by_label(self.tiers), "int32"),
            "query": cells.required("query"),
            "title": cells.required("product_title", "title"),
            "description": _joined_lines(
                cells.optional("product_description"), cells.optional("product_bullet_point")
            ),
            "brand": cells.optional("product_brand"),
            "attributes": cells.converted(
                "product_color", "color", lambda color: attributes_json({"color": color}), "string"
            ),
            "locale": cells.stripped("product_locale"),
            "source_item_id": cells.required("product_id"),
            "source_key": cells.required("example_id"),
            "source_split": cells.stripped("split"),
        }


def open_esci(paths: Sequence[Path]) -> list[tuple[str, TableFile]]:
    """The tables at `paths`: joined files as they are, examples joined with the products.

    Raises:
        TierwiseError: A file that is neither, examples without products, products without examples.
    """
    joined: list[tuple[str, TableFile]] = []
    examples: list[tuple[str, TableFile]] = []
    products: list[tuple[str, TableFile]] = []
    for path in paths:
        table = open_table(path)
        judged = set(_JUDGED) <= set(table.columns)
        described = {*_PRODUCT, "product_title"} <= set(table.columns)
        if not (judged or described):
            raise TierwiseError(
                f"{path}: neither ESCI examples ({', '.join(_JUDGED)}) nor products ({', '.join(_PRODUCT)}, "
                f"product_title); columns seen: {', '.join(table.columns)[:300]}"
            )
        kind = joined if judged and described else examples if judged else products
        kind.append((file_name(path), table))
    if examples and len(products) != 1:
        raise TierwiseError(
            f"{examples[0][0]} holds ESCI examples without their products; name the products file too, "
            "such as shopping_queries_dataset_products.parquet"
        )
    if products and len(examples) != 1:
        raise TierwiseError(
            f"{products[0][0]} holds ESCI products; name the examples file with it, one of each, "
            "such as shopping_queries_dataset_examples.parquet"
        )
    for name, table in examples:
        joined.append((name, Joined(table, [Lookup("product", *products[0], _PRODUCT)])))
    return joined


def _joined_lines(first: pa.Array, second: pa.Array) -> pa.Array:
    """Both texts on lines of their own; null where neither is there."""
    import pyarrow.compute as pc

    # A text and a null make a null.
    return pc.coalesce(pc.binary_join_element_wise(first, second, "\n"), first, second)
