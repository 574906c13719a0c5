"""Frozen splits as files for trainers and for people: Parquet, CSV, or a 🤗 dataset folder.

The tables are those of `curation.splits.payload`; one without rows is left out.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from curation.splits.card import dataset_card, is_card_of
from curation.splits.payload import CHAT, PLAIN, payload_queries, require_frozen
from warehouse.errors import TierwiseError
from warehouse.tabular import write_query

if TYPE_CHECKING:
    import duckdb

    from warehouse.store import Store

Format = Literal["parquet", "csv", "hf"]


def export_split(store: Store, split: str, file_format: Format, out: Path) -> dict[str, Any]:
    """Write `split` to the folder `out` with a dataset card; return the rows by table.

    The folder appears whole or not at all; a former export of the same split there is replaced.

    Raises:
        TierwiseError: No such split, it is not what was frozen, or `out` holds something else.
    """
    if out.exists() and not is_card_of(out / "README.md", split):
        raise TierwiseError(f"{out} exists and is no export of {split}; name a new folder with --out")
    if not out.absolute().parent.is_dir():
        raise TierwiseError(f"no folder {out.absolute().parent}; make it first")
    with tempfile.TemporaryDirectory(prefix=".export-", dir=out.absolute().parent) as directory:
        target = Path(directory) / "export"
        target.mkdir()
        with store.read() as connection:
            require_frozen(connection, split)
            queries = payload_queries(split, PLAIN if file_format == "csv" else CHAT)
            rows = {name: _count(connection, query) for name, query in queries.items()}
            written = {name: query for name, query in queries.items() if rows[name]}
            if file_format == "hf":
                _write_datasets(connection, written, split, target)
            else:
                for name, query in written.items():
                    write_query(connection, query, target / f"{name}.{file_format}")
            card = dataset_card(connection, split, rows, file_format)
        (target / "README.md").write_text(card, encoding="utf-8")
        if out.exists():
            shutil.rmtree(out)
        target.rename(out)
    return {"split": split, "format": file_format, "rows": rows, "out": str(out)}


def _count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM ({query})").fetchall()[0][0])


def _write_datasets(
    connection: duckdb.DuckDBPyConnection, queries: dict[str, str], split: str, target: Path
) -> None:
    import datasets

    datasets.disable_progress_bars()
    frozen = connection.execute("SELECT content_hash FROM splits WHERE split = ?", [split]).fetchall()[0][0]
    # The fingerprint from the content, so that the same split gives the same bytes.
    datasets.DatasetDict(
        {
            name: datasets.Dataset(
                connection.sql(query).to_arrow_table(), fingerprint=f"{name}-{frozen[:16]}"
            )
            for name, query in queries.items()
        }
    ).save_to_disk(target)
