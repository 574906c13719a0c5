"""From files to the store: read and clean outside it, then one set-based transaction inside."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curation.ingest.cleaning import clean_description
from curation.ingest.files import Reject, read_columns_and_rows
from curation.ingest.sources import UnusableRowError
from curation.kinds import sql_query_kind
from curation.resolution import resolve_tiers
from warehouse.errors import TierwiseError
from warehouse.ids import content_id, sql_content_id
from warehouse.ledger import Run
from warehouse.parts import insert_new

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb
    import pyarrow as pa

    from curation.ingest.files import Row
    from curation.ingest.sources import JudgedRow, Source
    from warehouse.store import Store

_BATCH = 20_000


def ingest(
    store: Store, source: Source, paths: Sequence[Path], delimiter: str | None = None
) -> dict[str, Any]:
    """Read `paths` as `source` into the store, making it where missing; return the counts.

    All of it is kept or nothing. The same rows again add no data row.

    Raises:
        TierwiseError: A file that cannot be read, lacks columns, or has no usable row.
    """
    with tempfile.TemporaryDirectory(prefix="tierwise-ingest-") as directory:
        staged = _Staging(Path(directory), source)
        for path in paths:
            staged.read(path, delimiter)
        staged.finish()
        if not staged.usable:
            reasons = ", ".join(f"{count} {reason}" for reason, count in staged.rejects.items())
            raise TierwiseError(
                f"{', '.join(map(str, paths))}: no usable row among {staged.rows:,} ({reasons}; first: {staged.first})"
            )
        run = Run("ingest", {"source": source.name, "files": [str(path.resolve()) for path in paths]})
        with store.write(run) as connection:
            run.summary = {"rows": staged.rows, **_load(connection, run, source.name, Path(directory))}
            run.summary["rejects"] = staged.rejects
    return run.summary


@dataclass
class _Staging:
    """Rows on their way: cleaned batches as Parquet in `directory`."""

    directory: Path
    source: Source
    rows: int = 0
    usable: int = 0
    rejects: dict[str, int] = field(default_factory=dict)
    first: str = ""
    _judged: list[dict[str, Any]] = field(default_factory=list)
    _rejected: list[dict[str, Any]] = field(default_factory=list)
    _files: int = 0

    def read(self, path: Path, delimiter: str | None) -> None:
        columns, rows = read_columns_and_rows(path, delimiter)
        missing = [column for column in self.source.columns if column not in columns]
        if missing:
            hint = "; is the delimiter right (--delimiter)?" if len(columns) == 1 else ""
            raise TierwiseError(
                f"{path}: no column {', '.join(missing)}; columns seen: {', '.join(columns)[:300]}{hint}"
            )
        doubled = [column for column in self.source.columns if columns.count(column) > 1]
        if doubled:
            raise TierwiseError(f"{path}: column {doubled[0]} stands twice in the header; rename one")
        file = str(path.resolve())
        for row in rows:
            self.rows += 1
            if isinstance(row, Reject):
                self._reject(file, row)
                continue
            try:
                self._judged.append(_staged_row(file, row, self.source.judged_row(row.cells)))
            except UnusableRowError as fault:
                raw = json.dumps(row.cells, ensure_ascii=False)
                self._reject(file, Reject(row.line, fault.reason, fault.detail, raw))
            else:
                self.usable += 1
            if len(self._judged) >= _BATCH:
                self._flush()

    def finish(self) -> None:
        self._flush()

    def _reject(self, file: str, reject: Reject) -> None:
        self.rejects[reject.reason] = self.rejects.get(reject.reason, 0) + 1
        self.first = self.first or f"{file}, line {reject.line}: {reject.detail}"
        self._rejected.append(
            {
                "reject_id": str(
                    content_id("reject", self.source.name, file, reject.line, reject.reason, reject.raw)
                ),
                "source": self.source.name,
                "file": file,
                "line": reject.line,
                "reason": reject.reason,
                "detail": reject.detail,
                "raw": reject.raw,
            }
        )

    def _flush(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        for name, rows in (("judged", self._judged), ("rejects", self._rejected)):
            schema = _judged_schema() if name == "judged" else _rejects_schema()
            if rows or self._files == 0:
                pq.write_table(
                    pa.Table.from_pylist(rows, schema=schema),
                    self.directory / f"{name}-{self._files:06d}.parquet",
                )
            rows.clear()
        self._files += 1


def _staged_row(file: str, row: Row, judged: JudgedRow) -> dict[str, Any]:
    raw = judged.description
    cleaned = clean_description(raw) if raw else raw
    return {
        "file": file,
        "line": row.line,
        "source_key": judged.source_key,
        "query": judged.query,
        "locale": judged.locale,
        "title": judged.title,
        "raw": raw,
        "cleaned": None if cleaned == raw else cleaned,
        "brand": judged.brand,
        "attributes": json.dumps({"price": judged.price}) if judged.price else None,
        "source_item_id": judged.source_item_id,
        "tier": judged.tier,
        "confidence": judged.confidence,
        "weight": judged.weight,
        "judged_at": judged.judged_at,
    }


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
    )
    return pa.schema(
        [(name, pa.string()) for name in texts]
        + [("line", pa.int64()), ("tier", pa.int32()), ("confidence", pa.float64()), ("weight", pa.float64())]
        + [("judged_at", pa.timestamp("us"))]
    )


def _rejects_schema() -> pa.Schema:
    import pyarrow as pa

    texts = ("reject_id", "source", "file", "reason", "detail", "raw")
    return pa.schema([(name, pa.string()) for name in texts] + [("line", pa.int64())])


def _load(connection: duckdb.DuckDBPyConnection, run: Run, source: str, directory: Path) -> dict[str, Any]:
    _stage(connection, source, directory)
    known = {"run": run.run_id, "source": source}
    new = {
        "queries": insert_new(
            connection,
            "queries",
            "SELECT DISTINCT query_id, query AS text, locale, "
            f"{sql_query_kind('query', 'locale')} AS kind, $run::UUID AS run_id FROM staged",
            {"run": run.run_id},
        ),
        "item_versions": _add_item_versions(connection, known),
    }
    judged = insert_new(
        connection,
        "judgments",
        "SELECT DISTINCT ON (judgment_id) judgment_id, pair_id, item_version_id, tier, confidence, "
        "$source AS source, file AS source_file, line AS source_row, source_key, judged_at, "
        "$run::UUID AS run_id FROM staged ORDER BY judgment_id, line",
        known,
    )
    pairs = insert_new(
        connection,
        "pairs",
        "SELECT pair_id, any_value(query_id) AS query_id, any_value(item_id) AS item_id, "
        "arg_min(item_version_id, line) AS item_version_id, $source AS source, arg_min(weight, line) AS weight, "
        "$run::UUID AS run_id FROM staged GROUP BY pair_id",
        known,
    )
    weights = connection.execute(
        "UPDATE pairs SET weight = s.weight FROM (SELECT pair_id, arg_max(weight, line) AS weight FROM staged "
        "GROUP BY pair_id) s WHERE pairs.pair_id = s.pair_id AND pairs.weight <> s.weight RETURNING pairs.pair_id"
    ).fetchall()
    resolved = resolve_tiers(connection, "SELECT DISTINCT pair_id FROM staged")
    fresh = {
        row[0]
        for row in connection.execute(
            "SELECT pair_id FROM pairs SEMI JOIN staged USING (pair_id) WHERE run_id = $run",
            {"run": run.run_id},
        ).fetchall()
    }
    changed = len((resolved | {row[0] for row in weights}) - fresh)
    insert_new(
        connection,
        "rejects",
        "SELECT *, $run::UUID AS run_id FROM "
        f"(SELECT DISTINCT ON (reject_id) * FROM read_parquet('{_quoted(directory)}/rejects-*.parquet'))",
        {"run": run.run_id},
    )
    counts = connection.execute(
        "SELECT count(DISTINCT query_id), count(DISTINCT pair_id), count(*) - count(DISTINCT pair_id) FROM staged"
    ).fetchall()[0]
    tiers = connection.execute(
        "SELECT count(*) FILTER (tiers > 1), count(*) FILTER (tier IS NULL) FROM ("
        "SELECT pair_id, any_value(p.tier) AS tier, count(DISTINCT j.tier) AS tiers FROM pairs p "
        "JOIN judgments j USING (pair_id) SEMI JOIN staged USING (pair_id) GROUP BY pair_id)"
    ).fetchall()[0]
    connection.execute("DROP TABLE staged")
    return {
        "queries": counts[0],
        "pairs": counts[1],
        "pairs_new": pairs,
        "pairs_changed": changed,
        "pairs_unchanged": counts[1] - pairs - changed,
        "repeats": counts[2],
        "disagreements": tiers[0],
        "conflicts": tiers[1],
        "new_rows": {**new, "judgments": judged},
    }


def _stage(connection: duckdb.DuckDBPyConnection, source: str, directory: Path) -> None:
    item = (
        "CASE WHEN source_item_id IS NULL "
        f"THEN {sql_content_id('item', 'title', 'raw', 'brand')} "
        f"ELSE {sql_content_id('sourced item', '$source', 'locale', 'source_item_id')} END"
    )
    connection.execute(
        f"""
        CREATE TEMP TABLE staged AS
        WITH identified AS (
            SELECT *, {sql_content_id("query", "query", "locale")} AS query_id, {item} AS item_id
            FROM read_parquet('{_quoted(directory)}/judged-*.parquet')
        ), paired AS (
            SELECT *, {sql_content_id("pair", "query_id", "item_id")} AS pair_id,
                {sql_content_id("item version", "item_id", "title", "raw", "brand", "attributes")} AS item_version_id
            FROM identified
        ), keyed AS (
            -- Without a row id of its own, a row is the how-manieth of its pair: stable when lines move.
            SELECT * REPLACE (coalesce(
                source_key, concat('#', row_number() OVER (PARTITION BY pair_id ORDER BY file, line))) AS source_key)
            FROM paired
        )
        SELECT *, {sql_content_id("judgment", "pair_id", "$source", "source_key", "tier")} AS judgment_id FROM keyed
        """,
        {"source": source},
    )


def _add_item_versions(connection: duckdb.DuckDBPyConnection, known: dict[str, Any]) -> int:
    added = insert_new(
        connection,
        "item_versions",
        """
        WITH incoming AS (
            SELECT item_version_id, any_value(item_id) AS item_id, min(line) AS line,
                any_value(source_item_id) AS source_item_id, any_value(title) AS title,
                any_value(coalesce(cleaned, raw)) AS description,
                any_value(CASE WHEN cleaned IS NOT NULL THEN raw END) AS raw_description, any_value(brand) AS brand,
                any_value(attributes) AS attributes
            FROM staged ANTI JOIN item_versions USING (item_version_id) GROUP BY item_version_id
        ), earlier AS (
            SELECT item_id, max(version) AS version FROM item_versions SEMI JOIN incoming USING (item_id)
            GROUP BY item_id
        )
        SELECT incoming.* EXCLUDE (line), $source AS source, $run::UUID AS run_id,
            coalesce(earlier.version, 0) + row_number() OVER (PARTITION BY item_id ORDER BY line, item_version_id)
                AS version,
            true AS is_current
        FROM incoming LEFT JOIN earlier USING (item_id)
        """,
        known,
    )
    connection.execute(
        "UPDATE item_versions SET is_current = false FROM (SELECT item_id, max(version) AS newest FROM item_versions "
        "SEMI JOIN staged USING (item_id) GROUP BY item_id HAVING max(version) > 1) n "
        "WHERE item_versions.item_id = n.item_id AND item_versions.version < n.newest AND is_current"
    )
    return added


def _quoted(directory: Path) -> str:
    return str(directory).replace("'", "''")
