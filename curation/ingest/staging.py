"""Rows on their way to the store: read, checked, identified and cleaned outside it, as Parquet files."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from curation.ingest.cells import Cells
from curation.ingest.cleaning import clean_description
from curation.ingest.rejects import rejects_schema, rejects_table
from curation.ingest.tables import Reject, require_columns
from warehouse.ddl import sql_text
from warehouse.ids import sql_content_id
from warehouse.views import MACROS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import TracebackType

    import pyarrow as pa

    from curation.ingest.cells import Fields
    from curation.ingest.sources import Source
    from curation.ingest.tables import Batch, TableFile

DEFAULT_LOCALE = "us"

_TEXTS = (
    *("query", "title", "description", "brand", "attributes", "locale", "source_item_id", "source_key"),
    *("judged_by", "reason", "intent", "source_split"),
)
# Batches that wait for the second thread: enough to keep it busy, few enough to stay small.
_WAITING = 2
_CLEANED_ROWS = 5_000

_ITEM = (
    f"CASE WHEN source_item_id IS NULL THEN {sql_content_id('item', 'title', 'description', 'brand')} "
    f"ELSE {sql_content_id('sourced item', '$source', 'locale', 'source_item_id')} END"
)
_IDENTIFIED = f"""
    WITH identified AS (
        SELECT *, {sql_content_id("query", "query", "locale")} AS query_id, {_ITEM} AS item_id FROM arriving
    )
    SELECT *, {sql_content_id("pair", "query_id", "item_id")} AS pair_id,
        {sql_content_id("item version", "item_id", "title", "description", "brand", "attributes")} AS item_version_id
    FROM identified
"""


class Staging:
    """Judged rows and rejects under `directory`, which whoever stages them removes.

    Attributes:
        rows: Rows read, rejects among them.
        usable: Rows staged.
        left_out: Rows that the user did not ask for.
        rejects: Rejected rows by reason.
    """

    def __init__(self, directory: Path, source: Source, report: Callable[[int], None]) -> None:
        import duckdb
        import pyarrow.parquet as pq

        self._report = report
        self.rows = self.usable = self.left_out = 0
        self.rejects: dict[str, int] = {}
        self._first = ""
        self._directory = directory
        self._source = source
        self._rejected = pq.ParquetWriter(directory / "rejects.parquet", rejects_schema())
        # Ids are computed and written by a second thread while this one reads: neither holds the interpreter.
        self._second = ThreadPoolExecutor(1)
        self._waiting: deque[Future[None]] = deque()
        self._connection = duckdb.connect(config={"temp_directory": str(directory), "memory_limit": "512MB"})
        for macro in MACROS:
            if macro.name == "netstring":
                self._connection.execute(macro.ddl()[0])
        self._batches = 0
        self._last_row = 0

    def __enter__(self) -> Staging:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._second.shutdown(cancel_futures=True)
        self._connection.close()
        self._rejected.close()

    @property
    def told(self) -> str:
        """Why there is no usable row."""
        reasons = ", ".join(f"{count} {reason}" for reason, count in self.rejects.items())
        left_out = f"{self.left_out:,} not asked for" if self.left_out else ""
        first = f"first: {self._first}" if self._first else ""
        return "; ".join(filter(None, (reasons, left_out, first)))

    @property
    def judged(self) -> str:
        """SQL of the staged rows: their fields (the description as the source has it), row, file, line, ids."""
        return f"read_parquet({sql_text(self._directory / 'judged-*.parquet')})"

    @property
    def cleaned(self) -> str:
        """SQL of the descriptions that cleaning changes: item_version_id, text."""
        return f"read_parquet({sql_text(self._directory / 'cleaned.parquet')})"

    @property
    def rejected(self) -> str:
        """SQL of the rejects: file, line, reason, detail, raw."""
        return f"read_parquet({sql_text(self._directory / 'rejects.parquet')})"

    def read(self, table: TableFile, name: str) -> None:
        """Stage the rows of `table`, which is called `name`.

        Raises:
            TierwiseError: It lacks columns, or cannot be read.
        """
        require_columns(name, table.columns, self._source.columns, "ingest table --delimiter")
        before = self._last_row
        for batch in table.batches(self._source.columns):
            self._stage(name, before, batch)

    def finish(self) -> None:
        """Wait for the second thread, and clean."""
        while self._waiting:
            self._waiting.popleft().result()
        self._rejected.close()
        if self.usable:
            self._clean()

    def _stage(self, file: str, before: int, batch: Batch) -> None:
        import pyarrow as pa

        cells = Cells(batch.columns)
        fields = self._source.judged(cells)
        unused = cells.unwanted | cells.faults.keys()
        self._reject(file, batch.rejects)
        self._reject(
            file,
            [
                Reject(batch.lines[i].as_py(), *fault, batch.raw(i))
                for i, fault in sorted(cells.faults.items())
                if i not in cells.unwanted
            ],
        )
        self.rows += len(batch.lines) + len(batch.rejects)
        self.left_out += len(cells.unwanted)
        self._report(self.rows)
        if len(batch.lines):
            self._last_row = max(self._last_row, before + batch.lines[-1].as_py())
        if len(unused) == len(batch.lines):
            return
        judged = _judged(file, before, batch.lines, fields)
        if unused:
            judged = judged.filter(pa.array([i not in unused for i in range(len(batch.lines))]))
        self.usable += judged.num_rows
        if len(self._waiting) == _WAITING:
            self._waiting.popleft().result()
        self._waiting.append(self._second.submit(self._identify, judged, self._batches))
        self._batches += 1

    def _identify(self, judged: pa.Table, number: int) -> None:
        self._connection.register("arriving", judged)
        # Read once or twice and thrown away: quick to write matters more than small.
        target = sql_text(self._directory / f"judged-{number:06d}.parquet")
        self._connection.execute(
            f"COPY ({_IDENTIFIED.replace('$source', sql_text(self._source.name))}) TO {target} "
            "(FORMAT parquet, COMPRESSION snappy, DICTIONARY_SIZE_LIMIT 1)"
        )
        self._connection.unregister("arriving")

    def _reject(self, file: str, rejects: Sequence[Reject]) -> None:
        for reject in rejects:
            self.rejects[reject.reason] = self.rejects.get(reject.reason, 0) + 1
            self._first = self._first or f"{reject.file or file}, line {reject.line}: {reject.detail}"
        if rejects:
            self._rejected.write_table(rejects_table(file, rejects))

    def _clean(self) -> None:
        """Clean each distinct text once."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = pa.schema([("item_version_id", pa.string()), ("text", pa.string())])
        # Only what these could begin is markup. The texts join last.
        marked = f"SELECT * FROM {self.judged} WHERE contains(description, '<') OR contains(description, '&')"
        self._connection.execute(
            f"SELECT CAST(item_version_id AS VARCHAR), description FROM ({marked}) SEMI JOIN "
            f"(SELECT min(row) AS row FROM ({marked}) GROUP BY item_version_id) USING (row)"
        )
        with pq.ParquetWriter(self._directory / "cleaned.parquet", schema) as writer:
            while rows := self._connection.fetchmany(_CLEANED_ROWS):
                texts = ((version, raw, clean_description(raw)) for version, raw in rows)
                changed = [(version, clean) for version, raw, clean in texts if clean != raw]
                versions, cleaned = zip(*changed, strict=True) if changed else ((), ())
                arrays = [pa.array(versions, pa.string()), pa.array(cleaned, pa.string())]
                writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _judged(file: str, before: int, lines: pa.Array, fields: Fields) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    def values(name: str, kind: pa.DataType) -> pa.Array:
        found = fields.get(name)
        return pa.nulls(len(lines), kind) if found is None else found

    columns = {name: values(name, pa.string()) for name in _TEXTS}
    columns["locale"] = pc.fill_null(columns["locale"], DEFAULT_LOCALE)
    columns |= {
        "tier": values("tier", pa.int32()),
        "confidence": values("confidence", pa.float64()),
        "weight": values("weight", pa.float64()),
        "judged_at": values("judged_at", pa.timestamp("us")),
        "row": pc.add(lines, before),
        "line": lines,
        "file": pa.array([file] * len(lines)).dictionary_encode(),
    }
    return pa.table(columns)
