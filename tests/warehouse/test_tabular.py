"""Query results as files."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from warehouse.errors import TierwiseError
from warehouse.tabular import write_query

if TYPE_CHECKING:
    from pathlib import Path


def csv_cell(connection: duckdb.DuckDBPyConnection, folder: Path, value: Any) -> str:
    connection.execute("CREATE OR REPLACE TEMP TABLE one AS SELECT ? AS v", [value])
    write_query(connection, "FROM one", folder / "one.csv")
    with (folder / "one.csv").open(newline="", encoding="utf-8") as file:
        (_, (cell,)) = csv.reader(file)
    return cell


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        '=HYPERLINK("http://evil.example","x")',
        "+cmd|' /C calc'!A0",
        "-2+3+cmd",
        "@SUM(1)",
        "\t=1+1",
        "\r=1+1",
        "\n=1+1",
        "＝1+1",
        "－1x",
    ],
)
def test_csv_neutralises_formulas(schema: duckdb.DuckDBPyConnection, tmp_path: Path, text: str) -> None:
    assert csv_cell(schema, tmp_path, text) == f"'{text}"


@pytest.mark.parametrize("text", ["-5", "+5", "-1.5e3", "a=b", "5 - 3", "'quoted", "", "ünï 裙", "-inf"])
def test_csv_keeps_what_is_no_formula(schema: duckdb.DuckDBPyConnection, tmp_path: Path, text: str) -> None:
    assert csv_cell(schema, tmp_path, text) == text


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(text=st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8))
def test_csv_changes_no_text_but_formulas(
    schema: duckdb.DuckDBPyConnection, tmp_path: Path, text: str
) -> None:
    cell = csv_cell(schema, tmp_path, text)
    assert cell.removeprefix("'") == text.removeprefix("'")
    assert not cell.startswith(tuple("=@\t\r\n＝＋－＠"))


@pytest.mark.parametrize(
    ("expression", "cell"),
    [
        ("-5", "-5"),
        ("-1.5::DECIMAL(4,2)", "-1.50"),
        ("'-1e3'::DOUBLE", "-1000.0"),
        ("DATE '2025-01-02'", "2025-01-02"),
        ("['=a']", "['=a']"),
        ("'=a'::ENUM('=a')", "'=a"),
        ("'=a'::BLOB", "'=a"),
        ("'\"=a\"'::JSON", '"=a"'),
        ("NULL::VARCHAR", ""),
    ],
)
def test_csv_of_other_types(
    schema: duckdb.DuckDBPyConnection, tmp_path: Path, expression: str, cell: str
) -> None:
    write_query(schema, f"SELECT {expression} AS a, 1 AS b", tmp_path / "x.csv")
    with (tmp_path / "x.csv").open(newline="") as file:
        assert list(csv.reader(file))[1] == [cell, "1"]


def test_columns_of_one_name_keep_their_own_values(schema: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    for suffix in ("csv", "json", "parquet"):
        assert write_query(schema, "SELECT 'x' AS a, 'y' AS a", tmp_path / f"two.{suffix}") == 1
    assert (tmp_path / "two.csv").read_text() == "a,a_1\nx,y\n"
    assert json.loads((tmp_path / "two.json").read_text()) == [{"a": "x", "a_1": "y"}]
    assert pq.read_table(tmp_path / "two.parquet").to_pylist() == [{"a": "x", "a_1": "y"}]


@pytest.mark.parametrize("suffix", ["csv", "json", "parquet"])
def test_order_and_number_of_rows(schema: duckdb.DuckDBPyConnection, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"rows.{suffix.upper()}"
    assert write_query(schema, "SELECT range AS i FROM range(5000) ORDER BY i DESC -- last", path) == 5000
    if suffix == "csv":
        rows = [int(line) for line in path.read_text().split()[1:]]
    elif suffix == "json":
        rows = [row["i"] for row in json.loads(path.read_text())]
    else:
        rows = pq.read_table(path)["i"].to_pylist()
    assert rows == list(range(4999, -1, -1))


def test_json_is_json_without_rows_and_with_nan(schema: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    assert write_query(schema, "SELECT 1 AS a WHERE false", path) == 0
    assert json.loads(path.read_text()) == []
    query = "SELECT 'nan'::DOUBLE AS a, ['inf'::DOUBLE] AS b, 'NaN ü' AS c, 3 AS row"
    write_query(schema, query, path)
    assert json.loads(path.read_text(), parse_constant=pytest.fail) == [
        {"a": None, "b": [None], "c": "NaN ü", "row": 3}
    ]


def test_a_failure_leaves_the_folder_as_it_was(schema: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("former")
    (tmp_path / ".x.json").write_text("somebody's")
    for suffix in ("csv", "json", "parquet"):
        with pytest.raises(duckdb.Error):
            write_query(schema, "SELECT error(range::VARCHAR) FROM range(9)", tmp_path / f"x.{suffix}")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "x.json": "former",
        ".x.json": "somebody's",
    }


def test_a_file_is_replaced_whole(schema: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    (tmp_path / "it's.csv").write_text("former")
    write_query(schema, "SELECT 1 AS a", tmp_path / "it's.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["it's.csv"]
    assert (tmp_path / "it's.csv").read_text() == "a\n1\n"


@pytest.mark.parametrize(
    ("name", "message"), [("x.xlsx", "cannot tell the format"), ("no/x.csv", "no folder")]
)
def test_names_that_cannot_be_written(
    schema: duckdb.DuckDBPyConnection, tmp_path: Path, name: str, message: str
) -> None:
    with pytest.raises(TierwiseError, match=message):
        write_query(schema, "SELECT 1", tmp_path / name)
