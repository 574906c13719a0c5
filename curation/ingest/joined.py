"""A table of judgments whose texts stand in files of their own, joined on disk."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from curation.ingest.arrow import ARROW_ROWS
from curation.ingest.tables import Batch, Reject, json_text
from warehouse.ddl import sql_name, sql_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from curation.ingest.tables import TableFile


@dataclass(frozen=True, slots=True)
class Lookup:
    """Texts by key.

    Attributes:
        what: What a row is, such as product.
        name: File, for messages.
        table: The rows; of several with one key the first counts.
        key: Columns that are the key, of the same names as in the judgments.
    """

    what: str
    name: str
    table: TableFile
    key: tuple[str, ...]


class Joined:
    """Judgments with the columns of their lookups. A judgment that finds no text is a reject."""

    def __init__(self, judgments: TableFile, lookups: Sequence[Lookup]) -> None:
        self._judgments = judgments
        self._lookups = lookups
        self.columns = list(judgments.columns)
        for lookup in lookups:
            self.columns += [c for c in lookup.table.columns if c not in self.columns]

    def batches(self, wanted: Sequence[str]) -> Iterator[Batch]:
        """The rows, in the order of the judgments, with the columns `wanted`."""
        import duckdb
        import pyarrow as pa

        with (
            tempfile.TemporaryDirectory(prefix="tierwise-join-") as directory,
            duckdb.connect(str(Path(directory) / "join.duckdb")) as connection,
        ):
            taken = {
                c
                for c in (*wanted, *(k for u in self._lookups for k in u.key))
                if c in self._judgments.columns
            }
            yield from self._write(
                self._judgments, None, sorted(taken), Path(directory) / "judgments.parquet"
            )
            joins, columns = [], [f"j.{sql_name(column)}" for column in sorted(taken)]
            for number, lookup in enumerate(self._lookups):
                own = [c for c in lookup.table.columns if c in wanted and c not in taken]
                taken.update(own)
                path = Path(directory) / f"lookup-{number}.parquet"
                yield from self._write(lookup.table, lookup.name, [*lookup.key, *own], path)
                keys = ", ".join(map(sql_name, lookup.key))
                on = " AND ".join(f"j.{sql_name(k)} = t{number}.{sql_name(k)}" for k in lookup.key)
                joins.append(
                    f"LEFT JOIN (SELECT DISTINCT ON ({keys}) * FROM read_parquet({sql_text(path)}) "
                    f"ORDER BY {keys}, line) t{number} ON {on}"
                )
                columns += [f"t{number}.{sql_name(column)}" for column in own]
                columns.append(f"t{number}.line IS NULL AS missing_{number}")
            joined = connection.sql(
                f"SELECT j.line, {', '.join(columns)} FROM "
                f"read_parquet({sql_text(Path(directory) / 'judgments.parquet')}) j {' '.join(joins)} ORDER BY j.line"
            )
            for rows in joined.to_arrow_reader(ARROW_ROWS):
                yield self._batch(pa.Table.from_batches([rows]).combine_chunks(), wanted)

    def _write(
        self, table: TableFile, name: str | None, columns: Sequence[str], path: Path
    ) -> Iterator[Batch]:
        """Write `columns` of `table` with their lines to `path`; yield what was rejected."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = pa.schema([("line", pa.int64()), *((column, pa.string()) for column in columns)])
        with pq.ParquetWriter(path, schema, compression="snappy", use_dictionary=False) as writer:
            for batch in table.batches(columns):
                arrays = [batch.lines, *(batch.columns[column] for column in columns)]
                writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
                if batch.rejects:
                    nothing = pa.array([], pa.string())
                    yield Batch(
                        pa.array([], pa.int64()),
                        dict.fromkeys(self.columns, nothing),
                        str,
                        [replace(reject, file=name) for reject in batch.rejects],
                    )

    def _batch(self, rows: pa.Table, wanted: Sequence[str]) -> Batch:
        import pyarrow as pa
        import pyarrow.compute as pc

        found = pa.array([True] * rows.num_rows)
        rejects = []
        for number, lookup in enumerate(self._lookups):
            missing = pc.and_(found, rows[f"missing_{number}"])
            for index in pc.indices_nonzero(missing).to_pylist():
                row = rows.slice(index, 1).to_pylist()[0]
                key = ", ".join(f"{column} {row[column]!r}" for column in lookup.key)
                detail = f"{key} is not in {Path(lookup.name).name}"
                given = {c: row[c] for c in self._judgments.columns if c in row}
                rejects.append(Reject(row["line"], f"no {lookup.what}", detail, json_text(given)))
            found = pc.and_(found, pc.invert(missing))
        rows = rows.filter(found).combine_chunks()
        columns = {name: _whole(rows[name]) for name in wanted}

        def raw(index: int) -> str:
            return json_text({name: column[index].as_py() for name, column in columns.items()})

        return Batch(_whole(rows["line"]), columns, raw, rejects)


def _whole(column: pa.ChunkedArray) -> pa.Array:
    import pyarrow as pa

    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
