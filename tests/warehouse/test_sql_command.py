"""``python -m warehouse sql``, as an analyst meets it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import duckdb
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from tests.warehouse.support import ROOT, cli, insert_query, one_line_error
from warehouse.__main__ import main
from warehouse.errors import TierwiseError
from warehouse.ledger import Run
from warehouse.query import read_query

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from warehouse.store import Store

    Sql = Callable[..., Result]


@pytest.fixture
def sql(store: Store, monkeypatch: pytest.MonkeyPatch) -> Sql:
    """Runs the command in this process, in a terminal of 80 columns unless told otherwise."""

    def run(*arguments: str, columns: int = 80) -> Result:
        monkeypatch.setenv("COLUMNS", str(columns))
        return CliRunner().invoke(main, ["sql", "--db", str(store.path), *arguments])

    return run


def test_a_table_is_aligned_and_nothing_is_cut(sql: Sql) -> None:
    done = sql(
        "SELECT * FROM (VALUES (1, 'naïve 裙', NULL, true), (-20, 'b', [1, NULL], false)) t(n, text, list, flag)"
    )
    assert done.stdout == (
        "  n  text      list       flag\n  1  naïve 裙  NULL       true\n-20  b         [1, NULL]  false\n"
    )
    assert done.stderr == ""


def test_rows_wider_than_the_terminal_become_records(sql: Sql) -> None:
    query = "SELECT 'a' AS id, 'first\nsecond' AS text, 7 AS n UNION ALL SELECT 'b', 'x', 8 ORDER BY id"
    assert sql(query, columns=10).stdout == (
        "─ 1 ─\nid    a\ntext  first\\nsecond\nn     7\n─ 2 ─\nid    b\ntext  x\nn     8\n"
    )
    assert (
        sql(query, columns=40).stdout == "id  text           n\na   first\\nsecond  7\nb   x              8\n"
    )


def test_text_cannot_steer_the_terminal(sql: Sql) -> None:
    done = sql("SELECT chr(27) || '[2Jx' AS \"[red]name\", '[bold]y' || chr(8238) AS b")
    assert done.stdout == "[red]name  b\n\\x1b[2Jx   [bold]y\\u202e\n"


def test_many_rows_and_none(sql: Sql) -> None:
    done = sql("FROM range(101)")
    assert len(done.stdout.splitlines()) == 101
    assert done.stderr == "First 100 rows; --out FILE writes all.\n"
    assert sql("FROM range(100)").stderr == ""
    done = sql("SELECT 1 AS a WHERE false")
    assert (done.stdout, done.stderr) == ("a\n", "No rows.\n")


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1 AS a;",
        "SELECT 1 AS a -- note",
        "SELECT 1 AS a; -- note; more",
        "/* one; */ SELECT 1 AS a /* two */ ; ;",
        "WITH t AS (SELECT 1 AS a) FROM t",
        "VALUES (1) ",
    ],
)
def test_one_statement_in_any_dress(sql: Sql, tmp_path: Path, query: str) -> None:
    for arguments in ((), ("--json",), ("--out", str(tmp_path / "x.csv"))):
        done = sql(query, *arguments)
        assert done.exit_code == 0, done.output
    assert (tmp_path / "x.csv").read_text().split("\n")[1] == "1"


@pytest.mark.parametrize("argument", ["--json", "--out"])
@pytest.mark.parametrize(
    "query", ["DESCRIBE queries", "SHOW TABLES", "SUMMARIZE queries", "EXPLAIN FROM runs"]
)
def test_questions_about_the_schema(sql: Sql, tmp_path: Path, query: str, argument: str) -> None:
    assert sql(query).exit_code == 0
    path = tmp_path / "x.json"
    done = sql(query, argument, *([str(path)] if argument == "--out" else []))
    if query.startswith("EXPLAIN"):
        assert done.exit_code == 1
        assert "only SELECT, DESCRIBE, SHOW and SUMMARIZE give rows to write; drop --json" in done.stderr
    else:
        assert len(json.loads(path.read_text() if argument == "--out" else done.stdout)) > 3


def test_a_plan_keeps_its_lines(sql: Sql) -> None:
    assert len(sql("EXPLAIN SELECT count(*) FROM queries").stdout.splitlines()) > 4


@pytest.mark.skipif(duckdb.__version__ < "2", reason="DuckDB 1 takes a PIVOT for two statements")
def test_a_pivot_is_shown(sql: Sql) -> None:
    pivot = "PIVOT (FROM range(3)) ON range USING count(*)"
    assert sql(pivot).stdout.split() == ["0", "1", "2", "1", "1", "1"]
    assert "name the values, FROM (PIVOT" in sql(pivot, "--json").stderr


def test_json_is_complete_and_ordered(sql: Sql) -> None:
    done = sql("SELECT range AS i, 'ü' AS t FROM range(2500) ORDER BY i DESC", "--json")
    rows = json.loads(done.stdout)
    assert [row["i"] for row in rows] == list(range(2499, -1, -1))
    assert rows[0]["t"] == "ü"
    assert sql("SELECT 1 AS a WHERE false", "--json").stdout == "[]\n"


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "no statement; give exactly one"),
        (" ; -- nothing", "no statement"),
        ("SELECT 1; SELECT 2", "2 statements; give exactly one"),
        ("SELEC 1", "syntax error"),
        ("SELECT * FROM nothing", "nothing"),
        ("SELECT * FROM queries WHERE text = $1", "SQL: "),
        ("SELECT error('told')", "told"),
        ("DELETE FROM runs", "`sql` only reads"),
        ("WITH a AS (SELECT 1) INSERT INTO queries FROM a", "`sql` only reads"),
        ("CREATE TEMP TABLE a (b INT)", "`sql` only reads"),
        ("ATTACH 'other.duckdb'", "`sql` only reads"),
        ("COPY runs TO 'runs.csv'", "--out FILE writes rows"),
        ("EXPLAIN ANALYZE DELETE FROM runs", "`sql` only reads"),
        ("no/such.sql", "cannot read no/such.sql: No such file"),
    ],
)
def test_what_cannot_run_is_told_in_one_line(sql: Sql, query: str, message: str) -> None:
    done = sql(query)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    assert message in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--out", "x.xlsx"], "cannot tell the format"), (["--out", "no/x.csv"], "no folder no")],
)
def test_out_that_cannot_be_written(sql: Sql, arguments: list[str], message: str) -> None:
    done = sql("SELECT 1", *arguments)
    assert done.exit_code == 1
    assert message in done.stderr


def test_out_holds_every_row(sql: Sql, tmp_path: Path) -> None:
    done = sql("SELECT range AS i, NULL AS n FROM range(1234)", "--out", str(tmp_path / "x.parquet"))
    assert done.stdout == f"1,234 rows in {tmp_path / 'x.parquet'}\n"
    assert pq.read_table(tmp_path / "x.parquet").num_rows == 1234


def test_a_file_may_hold_the_query(tmp_path: Path) -> None:
    (tmp_path / "q.sql").write_text("\ufeff-- which\nSELECT 'ü' AS a;\n", encoding="utf-8")
    assert read_query(str(tmp_path / "q.sql")).endswith("SELECT 'ü' AS a")
    (tmp_path / "latin.sql").write_bytes("SELECT 'ü'".encode("latin-1"))
    with pytest.raises(TierwiseError, match=r"cannot read .*: not UTF-8"):
        read_query(str(tmp_path / "latin.sql"))


def test_the_real_command(store: Store) -> None:
    with store.write(Run("ingest", {})) as connection:
        connection.execute(insert_query("red 裙"))
    query = "SELECT text FROM queries"
    for encoding, text in (("utf-8", "red 裙"), ("latin-1", "red \\u88d9")):
        done = cli("sql", query, TIERWISE_DB=str(store.path), PYTHONIOENCODING=encoding)
        assert (done.returncode, done.stdout, done.stderr) == (0, f"text\n{text}\n", "")
    message = one_line_error(cli("sql", "SELECT 1/0 + 'x'::INT", "--db", store.path))
    assert message.startswith("SQL: Conversion Error: ")


@pytest.mark.parametrize("arguments", [("--json",), ()])
def test_a_reader_that_leaves_early(store: Store, arguments: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "warehouse", "sql", "SELECT repeat('x', 100000) AS x FROM range(90)"]
    with subprocess.Popen(
        [*command, "--db", str(store.path), *arguments],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "1000000"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1


def test_the_file_is_free_afterwards(sql: Sql, store: Store) -> None:
    sql("SELECT error('x')")
    sql("SELECT 1")
    duckdb.connect(str(store.path), config={"threads": 1}).close()


def test_rows_are_printed_or_written(sql: Sql, tmp_path: Path) -> None:
    done = sql("SELECT 1", "--json", "--out", str(tmp_path / "x.csv"))
    assert done.exit_code == 2
    assert "give one" in done.stderr
    assert not (tmp_path / "x.csv").exists()
