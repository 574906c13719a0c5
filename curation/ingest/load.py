"""From files to the store: read and clean outside it, then one set-based transaction inside."""

from __future__ import annotations

import json
import os
import tempfile
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curation.ingest.cleaning import clean_description
from curation.ingest.files import Reject, open_table, require_columns
from curation.ingest.rejects import add_rejects, rejects_schema, rejects_table
from curation.ingest.sources import Cells
from curation.kinds import sql_query_kind
from curation.resolution import resolve_tiers, sql_resolved, sql_standing
from warehouse.ddl import sql_text
from warehouse.errors import TierwiseError
from warehouse.ids import sql_content_id
from warehouse.ledger import Run
from warehouse.parts import insert_new

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb
    import pyarrow as pa
    import pyarrow.parquet as pq

    from curation.ingest.files import Batch
    from curation.ingest.sources import Fields, Source
    from warehouse.store import Store

DEFAULT_LOCALE = "us"


def ingest(
    store: Store, source: Source, paths: Sequence[Path], delimiter: str | None = None
) -> dict[str, Any]:
    """Read `paths` as `source` into the store, making it where missing; return the counts.

    All of it is kept or nothing. The same rows again add no data row, wherever their file lies and whatever
    lines came before them. Of a path given twice one is read.

    Raises:
        TierwiseError: A file that cannot be read, lacks columns, or has no usable row.
    """
    files = list(dict.fromkeys(path.resolve() for path in paths))
    with tempfile.TemporaryDirectory(prefix="tierwise-ingest-") as directory:
        staged = _Staging(Path(directory), source)
        for path in files:
            staged.read(path, delimiter)
        staged.finish()
        if not staged.usable:
            reasons = ", ".join(f"{count} {reason}" for reason, count in staged.rejects.items())
            raise TierwiseError(
                f"{', '.join(map(str, paths))}: no usable row among {staged.rows:,} ({reasons}; first: {staged.first})"
            )
        asked = {"source": source.name, "files": [_shown(path) for path in files], **source.settings}
        run = Run("ingest", asked)
        with store.write(run) as connection:
            run.summary = {"rows": staged.rows, **_load(connection, run, source.name, Path(directory))}
            run.summary["rejects"] = staged.rejects
    return run.summary


class _Staging:
    """Rows on their way: cleaned batches as Parquet in `directory`."""

    def __init__(self, directory: Path, source: Source) -> None:
        self.source = source
        self.rows = 0
        self.usable = 0
        self.rejects: dict[str, int] = {}
        self.first = ""
        self._judged = _writer(directory / "judged.parquet", _judged_schema())
        self._rejected = _writer(directory / "rejects.parquet", rejects_schema())

    def read(self, path: Path, delimiter: str | None) -> None:
        table = open_table(path, delimiter)
        require_columns(path, table.columns, self.source.columns, "ingest table --delimiter")
        for batch in table.batches(self.source.columns):
            self._stage(_shown(path), batch)

    def finish(self) -> None:
        self._judged.close()
        self._rejected.close()

    def _stage(self, file: str, batch: Batch) -> None:
        cells = Cells(batch.columns)
        fields = self.source.judged(cells)
        rejects = [
            *batch.rejects,
            *(Reject(batch.lines[i], *fault, batch.raw(i)) for i, fault in sorted(cells.faults.items())),
        ]
        first_row = self.rows
        self.rows += len(batch.lines) + len(batch.rejects)
        if len(cells.faults) < len(batch.lines):
            usable = [index not in cells.faults for index in range(len(batch.lines))]
            lines = batch.lines
            if cells.faults:
                lines = list(compress(lines, usable))
                fields = {name: list(compress(values, usable)) for name, values in fields.items()}
            self._judged.write_table(_judged_table(file, first_row, lines, fields))
            self.usable += len(lines)
        if rejects:
            for reject in rejects:
                self.rejects[reject.reason] = self.rejects.get(reject.reason, 0) + 1
            self.first = self.first or f"{file}, line {rejects[0].line}: {rejects[0].detail}"
            self._rejected.write_table(rejects_table(file, rejects))


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    import pyarrow.parquet as pq

    # Read once and thrown away: quick to write matters more than small.
    return pq.ParquetWriter(path, schema, compression="lz4", use_dictionary=["file"], write_statistics=False)


def _judged_table(file: str, first_row: int, lines: list[int], fields: Fields) -> pa.Table:
    import pyarrow as pa

    count = len(lines)
    unknown = [None] * count
    raw = fields.get("description") or unknown
    # Items come back under other queries, so each text is cleaned once.
    cleaned = {text: clean_description(text) for text in set(raw) if text}
    columns = {
        "row": range(first_row, first_row + count),
        "file": [file] * count,
        "line": lines,
        "locale": [locale or DEFAULT_LOCALE for locale in fields.get("locale") or unknown],
        "raw": raw,
        "cleaned": [text and (None if cleaned[text] == text else cleaned[text]) for text in raw],
        "attributes": [
            _attributes_json(own, price)
            for own, price in zip(
                fields.get("attributes") or unknown, fields.get("price") or unknown, strict=True
            )
        ],
    }
    schema = _judged_schema()
    arrays = [
        pa.array(columns.get(name) or fields.get(name) or unknown, kind)
        for name, kind in zip(schema.names, schema.types, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _attributes_json(own: dict[str, Any] | None, price: str | None) -> str | None:
    attributes = (own or {}) | ({"price": price} if price else {})
    return json.dumps(attributes, ensure_ascii=False) if attributes else None


def _judged_schema() -> pa.Schema:
    import pyarrow as pa

    texts = (
        "file",
        "source_key",
        "query",
        "locale",
        "title",
        "raw",
        "cleaned",
        "brand",
        "attributes",
        "source_item_id",
        "judged_by",
        "reason",
        "intent",
    )
    return pa.schema(
        [(name, pa.string()) for name in texts]
        + [("row", pa.int64()), ("line", pa.int64()), ("tier", pa.int32())]
        + [("confidence", pa.float64()), ("weight", pa.float64()), ("judged_at", pa.timestamp("us"))]
    )


def _load(connection: duckdb.DuckDBPyConnection, run: Run, source: str, directory: Path) -> dict[str, Any]:
    known = {"run": run.run_id, "source": source}
    texts = f"read_parquet({sql_text(directory / 'judged.parquet')})"
    _stage(connection, source, texts)
    new = {
        "queries": _add_queries(connection, run, texts),
        "item_versions": _add_item_versions(connection, known, texts),
        "judgments": insert_new(
            connection,
            "judgments",
            "SELECT DISTINCT ON (judgment_id) judgment_id, pair_id, item_version_id, tier, confidence, "
            "$source AS source, file AS source_file, line AS source_row, source_key, judged_by, judged_at, reason, "
            "$run::UUID AS run_id FROM staged ORDER BY judgment_id, row",
            known,
        ),
    }
    pairs = _add_pairs(connection, known)
    changed = _update_pairs(connection)
    add_rejects(connection, run, source, f"FROM read_parquet({sql_text(directory / 'rejects.parquet')})")
    queries, total, repeats = connection.execute(
        "SELECT count(DISTINCT query_id), count(DISTINCT pair_id), count(*) - count(DISTINCT pair_id) FROM staged"
    ).fetchall()[0]
    disagreements, conflicts = connection.execute(
        f"""
        SELECT count(*) FILTER (tiers > 1), count(*) FILTER (tier IS NULL) FROM pairs JOIN (
            SELECT pair_id, count(DISTINCT tier) AS tiers
            FROM ({sql_standing("SELECT pair_id FROM staged")}) GROUP BY pair_id
        ) USING (pair_id)
        """
    ).fetchall()[0]
    connection.execute("DROP TABLE staged; DROP TABLE known_pairs")
    return {
        "queries": queries,
        "pairs": total,
        "pairs_new": pairs,
        "pairs_changed": changed,
        "pairs_unchanged": total - pairs - changed,
        "repeats": repeats,
        "disagreements": disagreements,
        "conflicts": conflicts,
        "new_rows": new,
    }


def _stage(connection: duckdb.DuckDBPyConnection, source: str, texts: str) -> None:
    """Make ``staged``: the rows with all their ids, without their texts."""
    item = (
        "CASE WHEN source_item_id IS NULL "
        f"THEN {sql_content_id('item', 'title', 'raw', 'brand')} "
        f"ELSE {sql_content_id('sourced item', '$source', 'locale', 'source_item_id')} END"
    )
    connection.execute(
        f"""
        CREATE TEMP TABLE paired AS
        WITH identified AS (
            SELECT *, {sql_content_id("query", "query", "locale")} AS query_id, {item} AS item_id FROM {texts}
        )
        SELECT row, file, line, source_key, tier, confidence, weight, judged_by, judged_at, reason, query_id, item_id,
            {sql_content_id("pair", "query_id", "item_id")} AS pair_id,
            {sql_content_id("item version", "item_id", "title", "raw", "brand", "attributes")} AS item_version_id
        FROM identified
        """,
        {"source": source},
    )
    connection.execute(
        f"""
        CREATE TEMP TABLE staged AS
        WITH repeated AS (
            SELECT * FROM paired SEMI JOIN (SELECT pair_id FROM paired GROUP BY pair_id HAVING count(*) > 1)
            USING (pair_id)
        ), numbered AS (
            -- A row without an id of its own is numbered within its pair, by what it says and not by
            -- where it stands: stable when lines or files move. An id that says two things counts as two.
            SELECT row, CASE WHEN source_key IS NULL
                THEN row_number() OVER (PARTITION BY pair_id ORDER BY tier, confidence, judged_at, row)
                ELSE dense_rank() OVER (PARTITION BY pair_id, source_key ORDER BY tier, confidence, judged_at) END
                AS occurrence
            FROM repeated
        ), keyed AS (
            SELECT * REPLACE (CASE WHEN source_key IS NULL OR occurrence > 1
                THEN concat(source_key, '#', coalesce(occurrence, 1)) ELSE source_key END AS source_key)
            FROM paired LEFT JOIN numbered USING (row)
        ), standing AS (
            SELECT * FROM ({sql_standing("SELECT pair_id FROM paired")}) WHERE source = $source
        )
        -- What a row said before and what stands is that judgment. Anything else is a new one; the id of the
        -- one it replaces makes it so even where the row goes back to what it said first.
        SELECT keyed.* EXCLUDE (occurrence),
            CASE WHEN standing.judgment_id IS NOT NULL AND (keyed.tier, keyed.confidence, keyed.judged_at)
                IS NOT DISTINCT FROM (standing.tier, standing.confidence, standing.judged_at)
            THEN standing.judgment_id
            ELSE {
            sql_content_id(
                "judgment",
                "keyed.pair_id",
                "$source",
                "keyed.source_key",
                "keyed.tier",
                "keyed.confidence",
                "keyed.judged_at",
                "CASE WHEN keyed.judged_at IS NULL THEN standing.judgment_id END",
            )
        } END AS judgment_id
        FROM keyed LEFT JOIN standing USING (pair_id, source_key)
        """,
        {"source": source},
    )
    connection.execute("DROP TABLE paired")


def _add_queries(connection: duckdb.DuckDBPyConnection, run: Run, texts: str) -> int:
    return insert_new(
        connection,
        "queries",
        f"""
        WITH incoming AS (
            SELECT query_id, min(row) AS row FROM staged ANTI JOIN queries USING (query_id) GROUP BY query_id
        )
        SELECT query_id, query AS text, locale, {sql_query_kind("query", "locale")} AS kind, intent,
            $run::UUID AS run_id
        FROM {texts} JOIN incoming USING (row)
        """,
        {"run": run.run_id},
    )


def _add_item_versions(connection: duckdb.DuckDBPyConnection, known: dict[str, Any], texts: str) -> int:
    # The text read last is the current one, be it an old one that came back.
    newest = "SELECT item_id, arg_max(item_version_id, row) AS newest FROM staged GROUP BY item_id"
    added = insert_new(
        connection,
        "item_versions",
        f"""
        WITH incoming AS (
            SELECT item_version_id, any_value(item_id) AS item_id, min(row) AS row
            FROM staged ANTI JOIN item_versions USING (item_version_id) GROUP BY item_version_id
        ), earlier AS (
            SELECT item_id, max(version) AS version FROM item_versions SEMI JOIN incoming USING (item_id)
            GROUP BY item_id
        ), numbered AS (
            SELECT row, item_version_id, item_id, item_version_id = newest AS is_current,
                coalesce(earlier.version, 0) + row_number() OVER (PARTITION BY item_id ORDER BY row) AS version
            FROM incoming JOIN ({newest}) USING (item_id) LEFT JOIN earlier USING (item_id)
        )
        SELECT item_version_id, item_id, version, is_current, $source AS source, source_item_id, title,
            nullif(coalesce(cleaned, raw), '') AS description,
            CASE WHEN cleaned IS NOT NULL THEN raw END AS raw_description, brand, attributes, $run::UUID AS run_id
        FROM {texts} JOIN numbered USING (row)
        """,
        known,
    )
    connection.execute(
        f"UPDATE item_versions SET is_current = (item_version_id = newest) FROM ({newest}) n "
        "WHERE item_versions.item_id = n.item_id AND is_current <> (item_version_id = newest)"
    )
    return added


def _add_pairs(connection: duckdb.DuckDBPyConnection, known: dict[str, Any]) -> int:
    connection.execute(
        "CREATE TEMP TABLE known_pairs AS SELECT pair_id, tier, confidence, judgment_id, item_version_id, weight "
        "FROM pairs SEMI JOIN staged USING (pair_id)"
    )
    new = "SELECT pair_id FROM staged ANTI JOIN known_pairs USING (pair_id)"
    return insert_new(
        connection,
        "pairs",
        f"""
        SELECT * EXCLUDE (weight), coalesce(weight, 1) AS weight, $source AS source, $run::UUID AS run_id FROM (
            SELECT pair_id, any_value(query_id) AS query_id, any_value(item_id) AS item_id,
                arg_max(weight, row) AS weight
            FROM staged GROUP BY pair_id
        ) JOIN ({sql_resolved(new)}) USING (pair_id)
        """,
        known,
    )


def _update_pairs(connection: duckdb.DuckDBPyConnection) -> int:
    """Bring the pairs that were known before up to date; return how many changed."""
    resolve_tiers(connection, "SELECT pair_id FROM known_pairs")
    connection.execute(
        "UPDATE pairs SET weight = s.weight FROM (SELECT pair_id, arg_max(weight, row) AS weight FROM staged "
        "SEMI JOIN known_pairs USING (pair_id) GROUP BY pair_id) s "
        "WHERE pairs.pair_id = s.pair_id AND pairs.weight <> s.weight"
    )
    columns = "pair_id, tier, confidence, judgment_id, item_version_id, weight"
    return int(
        connection.execute(
            f"SELECT count(*) FROM (SELECT {columns} FROM pairs SEMI JOIN known_pairs USING (pair_id) "
            f"EXCEPT SELECT {columns} FROM known_pairs)"
        ).fetchall()[0][0]
    )


def _shown(path: Path) -> str:
    # A file name may hold bytes that are no text.
    return os.fsencode(path).decode(errors="replace")
