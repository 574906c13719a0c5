"""The declared schema is complete, and the store says so itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from warehouse.dictionary import data_dictionary, table_tree
from warehouse.parts import arrow_schema
from warehouse.schema import SCHEMA_VERSION, TABLE_BY_NAME, TABLES
from warehouse.views import MACROS, VIEWS

if TYPE_CHECKING:
    import duckdb

    from warehouse.ddl import Table

each_table = pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)


def test_every_relation_has_a_comment(schema: duckdb.DuckDBPyConnection) -> None:
    rows = schema.execute(
        "SELECT table_name, comment FROM duckdb_tables() UNION ALL "
        "SELECT view_name, comment FROM duckdb_views() WHERE NOT internal"
    ).fetchall()
    assert {name for name, _ in rows} == {table.name for table in TABLES} | {view.name for view in VIEWS}
    assert [name for name, comment in rows if not comment] == []


def test_every_column_has_a_comment(schema: duckdb.DuckDBPyConnection) -> None:
    rows = schema.execute(
        "SELECT table_name, column_name, comment FROM duckdb_columns() WHERE NOT internal"
    ).fetchall()
    assert len(rows) > sum(len(table.columns) for table in TABLES)
    assert [(table, column) for table, column, comment in rows if not comment] == []


def test_every_macro_has_a_comment_that_shows_its_call(schema: duckdb.DuckDBPyConnection) -> None:
    rows = schema.execute(
        "SELECT function_name, parameters, comment FROM duckdb_functions() WHERE NOT internal"
    ).fetchall()
    assert {name for name, _, _ in rows} == {macro.name for macro in MACROS}
    for name, parameters, comment in rows:
        assert comment.startswith(f"{name}({', '.join(parameters)}): ")


@each_table
def test_keys_are_required_columns(table: Table) -> None:
    required = {column.name for column in table.columns if column.required}
    assert table.key
    assert set(table.key) <= required


@each_table
def test_references_name_a_table_with_such_a_key(table: Table) -> None:
    for column in table.columns:
        if column.references:
            target = TABLE_BY_NAME[column.references]
            assert column.type in {target.type_of(key) for key in target.key}


@each_table
def test_columns_are_named_once(table: Table) -> None:
    names = [column.name for column in table.columns]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("table", [t for t in TABLES if t.name not in ("runs", "schema_versions")])
def test_every_table_of_data_can_travel_as_parts(table: Table) -> None:
    assert arrow_schema(table).names == [column.name for column in table.columns]


@pytest.mark.parametrize("table", [t for t in TABLES if t.name not in ("runs", "schema_versions")])
def test_rows_say_which_run_wrote_them(table: Table) -> None:
    # Members and payloads of a split are reached through the split.
    if not table.name.startswith("split_"):
        assert table.type_of("run_id") == "UUID"


def test_a_new_store_is_at_the_current_version(schema: duckdb.DuckDBPyConnection) -> None:
    assert schema.execute("SELECT version FROM schema_versions").fetchall() == [(SCHEMA_VERSION,)]


def test_the_columns_that_other_peoples_sql_leans_on(schema: duckdb.DuckDBPyConnection) -> None:
    promised = {
        "queries": "query_id text locale kind",
        "items": "item_id title description brand attributes",
        "pairs": "pair_id query_id item_id tier confidence source weight",
        "judgments": "judgment_id pair_id tier confidence source source_row judged_by judged_at run_id",
        "samples": "sample_id pair_id configuration_id sample_index text tier tier_probs run_id",
        "grades": "sample_id correct outcome",
        "difficulty": "pair_id configuration_id step n c pass_1 band",
        "preferences": "pair_id prompt_id chosen rejected",
        "splits": "name version role recipe content_hash",
        "split_members": "split pair_id",
    }
    for relation, columns in promised.items():
        assert schema.execute(f"SELECT {columns.replace(' ', ', ')} FROM {relation}").fetchall() == []


def test_the_dictionary_tells_every_column_of_tables_and_views(
    schema: duckdb.DuckDBPyConnection,
) -> None:
    text = data_dictionary(schema)
    for table in TABLES:
        assert f"### {table.name}\n\n{table.comment}\n" in text
    sections = {part.split("\n", 1)[0]: part for part in text.split("### ")}
    assert "| `tier` | INTEGER | Gold tier: 4 Excellent" in sections["pair_overview"]
    assert "| `distance` | INTEGER | \\|tier − gold\\|; NULL if unparsable. *(optional)* |" in text
    assert "| `tier` | INTEGER | Tier that was given, 1 to 4. |" in sections["judgments"]
    assert "- pass_at_k(n, c, k): unbiased pass@k" in text


def test_the_tree_has_every_table_once_under_one_it_references() -> None:
    lines = table_tree(TABLES)
    names = [re.sub("[│├└─]", " ", line).split()[0] for line in lines]
    assert sorted(names) == sorted(TABLE_BY_NAME)
    above: list[str] = []
    for name, line in zip(names, lines, strict=True):
        depth = line.index(name) // 3
        above[depth:] = [name]
        if depth:
            assert above[depth - 1] in {c.references for c in TABLE_BY_NAME[name].columns}
    told = next(line for line, name in zip(lines, names, strict=True) if name == "preferences")
    assert told.split(maxsplit=2)[2].startswith("pair_id → configurations, ")
    assert "samples (chosen_sample_id, rejected_sample_id)" in told
