"""Rows that could not be used, kept in ``rejects``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from warehouse.ids import sql_content_id
from warehouse.parts import insert_new

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb
    import pyarrow as pa

    from curation.ingest.files import Reject
    from warehouse.ledger import Run


def rejects_schema() -> pa.Schema:
    """Arrow schema of `rejects_table`."""
    import pyarrow as pa

    texts = ("file", "reason", "detail", "raw")
    return pa.schema([(name, pa.string()) for name in texts] + [("line", pa.int64())])


def rejects_table(file: str, rejects: Sequence[Reject]) -> pa.Table:
    """The rejects of a file, a row each."""
    import pyarrow as pa

    rows = [{"file": file, **asdict(reject)} for reject in rejects]
    return pa.Table.from_pylist(rows, schema=rejects_schema())


def add_rejects(connection: duckdb.DuckDBPyConnection, run: Run, source: str, rejects: str) -> int:
    """Add to ``rejects`` the rows of the query `rejects` that it does not hold yet; return how many."""
    return insert_new(
        connection,
        "rejects",
        f"SELECT *, {sql_content_id('reject', '$source', 'reason', 'raw', 'occurrence')} AS reject_id, "
        "$source AS source, $run::UUID AS run_id FROM "
        f"(SELECT *, row_number() OVER (PARTITION BY reason, raw) AS occurrence FROM ({rejects}))",
        {"run": run.run_id, "source": source},
    )
