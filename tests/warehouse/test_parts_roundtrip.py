"""Rows come out of parts and the store as they went in."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.warehouse.support import row
from warehouse.ids import content_id
from warehouse.ledger import Run
from warehouse.schema import TABLES
from warehouse.store import Store

if TYPE_CHECKING:
    import duckdb

sample_values = st.fixed_dictionaries(
    {
        "text": st.text(st.characters(codec="utf-8")),
        "tier": st.one_of(st.none(), st.integers(1, 4)),
        "tier_probs": st.one_of(st.none(), st.lists(st.floats(0, 1), min_size=4, max_size=4)),
        "digit_logprobs": st.one_of(st.none(), st.lists(st.floats(-1e3, 0), min_size=4, max_size=4)),
        "sample_index": st.integers(0, 2**31 - 1),
    }
)


def rows_of(connection: duckdb.DuckDBPyConnection, table: str) -> list[dict[str, Any]]:
    result = connection.execute(f"SELECT * FROM {table} ORDER BY ALL")
    names = [column[0] for column in result.description]
    return [dict(zip(names, values, strict=True)) for values in result.fetchall()]


def as_stored(value: Any) -> Any:
    return str(value) if isinstance(value, uuid.UUID) else value


@settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(sample_values, max_size=4), max_size=3))
def test_samples(template: Path, batches: list[list[dict[str, Any]]]) -> None:
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(shutil.copy(template, Path(folder) / "x.duckdb")))
        with store.long_run(Run("sample", {})) as run:
            for batch in batches:
                part = [
                    row("samples", sample_id=content_id("sample", len(rows) + i), **v)
                    for i, v in enumerate(batch)
                ]
                run.write_part("samples", part)
                rows += part
        with store.read() as connection:
            found = {str(r["sample_id"]): r for r in rows_of(connection, "samples")}
    assert len(found) == len(rows)
    for expected in rows:
        stored = found[expected["sample_id"]]
        assert {name: as_stored(stored[name]) for name in expected} == expected


def test_every_table(store: Store) -> None:
    # A tombstone would take the texts of the others away.
    other = ("runs", "schema_versions", "tombstones")
    written = {table.name: row(table.name) for table in TABLES if table.name not in other}
    written["judgments"]["judged_at"] = datetime(2025, 5, 6, 7, 8, 9, 123456)
    with store.long_run(Run("x", {})) as run:
        for table, values in written.items():
            run.write_part(table, [values])
    with store.read() as connection:
        for table, values in written.items():
            (stored,) = rows_of(connection, table)
            assert {name: as_stored(stored[name]) for name in values} == values
            assert all(value is None for name, value in stored.items() if name not in values)
