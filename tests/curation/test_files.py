from __future__ import annotations

import csv
import datetime as dt
import io
import json
import re
import tracemalloc
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curation.ingest import csvfile
from curation.ingest import text as text_files
from curation.ingest.files import open_table
from curation.ingest.tables import CELL_LIMIT, Reject
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from pathlib import Path

cells = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12
) | st.sampled_from(
    ["", " ", "a\nb", "a\r\nb\r\n", "\r", '"', ',"', "\u2028", "\x85x", "\ufeff", "5'<6", "=1+1"]
)
in_place = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def read(
    path: Path, *columns: str, delimiter: str | None = None
) -> tuple[list[tuple[Any, ...]], list[Reject]]:
    """Rows as (line, cells…), and rejects."""
    rows: list[tuple[Any, ...]] = []
    rejects: list[Reject] = []
    for batch in open_table(path, delimiter).batches(columns):
        cells = (batch.columns[column].to_pylist() for column in columns)
        rows += zip(batch.lines.to_pylist(), *cells, strict=True)
        rejects += batch.rejects
    return rows, rejects


def lines_before(text: str) -> int:
    return len(re.findall("\r\n|\r|\n", text))


@given(
    rows=st.lists(st.tuples(cells, cells, st.integers(0, 2)), min_size=1, max_size=8),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    bom=st.booleans(),
    last_end=st.booleans(),
    block=st.integers(1, 40),
)
@in_place
def test_csv_cells_and_lines_come_back(
    rows: list[tuple[str, str, int]], end: str, bom: bool, last_end: bool, block: int, tmp_path: Path
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerow(["a", "b"])
    expected = []
    for a, b, blank_lines in rows:
        text.write(end * blank_lines)
        expected.append((1 + lines_before(text.getvalue()), a, b))
        writer.writerow([a, b])
    written = text.getvalue() if last_end else text.getvalue().removesuffix(end)
    path = tmp_path / "t.csv"
    path.write_bytes(("\ufeff" * bom + written).encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_files, "BLOCK", block)
        assert read(path, "a", "b") == (expected, [])


def test_only_the_line_that_opens_a_stray_quote_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('a,b\n1,one\n2,"two\n3,three\n4,"four"\n5,"fi"ve\n6,six\n7\n8,"eig\nht"\n')
    rows, rejects = read(path, "a", "b")
    assert rows == [
        (2, "1", "one"),
        (4, "3", "three"),
        (5, "4", "four"),
        (7, "6", "six"),
        (9, "8", "eig\nht"),
    ]
    assert [(r.line, r.reason, r.raw) for r in rejects] == [
        (3, "malformed quoting", json.dumps('2,"two')),
        (6, "malformed quoting", json.dumps('5,"fi"ve')),
        (8, "wrong number of cells", '["7"]'),
    ]


@given(
    lines=st.lists(
        st.sampled_from(['ok,"fine"', "ok,fine", 'bad,"x"y', 'bad,"open']), min_size=2, max_size=30
    )
)
@in_place
def test_a_stray_quote_costs_no_other_row(lines: list[str], tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["a,b", *lines, 'ok,"fine"']) + "\n")
    try:
        rows, rejects = read(path, "a", "b")
    except TierwiseError as error:
        assert "never closed" in str(error)  # noqa: PT017
        return
    good = [n for n, line in enumerate([*lines, "ok"], 2) if line.startswith("ok")]
    assert [row[0] for row in rows] == good
    assert {r.line for r in rejects} == set(range(2, len(lines) + 3)) - set(good)


@given(
    body=st.text(st.sampled_from('a,"\n\r ü'), max_size=60)
    | st.lists(st.sampled_from(['a,"b"', 'a,"b\nc"', 'a,""', 'a,"b""c"', 'a"b,c', "a", 'a,b"', ""])).map(
        "\n".join
    ),
    block=st.integers(1, 30),
)
@in_place
def test_arrow_reads_what_csv_reads(body: str, block: int, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(("x,y\n" + body).encode())

    def outcome() -> tuple[Any, Any] | str:
        try:
            return read(path, "x", "y")
        except TierwiseError as error:
            return str(error)

    whole = outcome()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_files, "BLOCK", block)
        assert outcome() == whole
        patch.setattr(csvfile, "_is_plain", lambda *_: False)
        assert outcome() == whole


def test_tabs_and_other_delimiters(tmp_path: Path) -> None:
    tsv = tmp_path / "t.tsv"
    tsv.write_text("a\tb\n1,5\t2\n")
    assert read(tsv, "b", "a") == ([(2, "2", "1,5")], [])
    other = tmp_path / "t.txt"
    other.write_text("a;b\n1,5;2\n")
    assert read(other, "a", delimiter=";") == ([(2, "1,5")], [])


def test_parquet_types_become_text(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    moment = dt.datetime(2024, 5, 1, 12, 30, 0, 5)
    columns: dict[str, tuple[Any, list[Any], list[str | None]]] = {
        "float": (pa.float64(), [4.0, float("nan")], ["4", None]),
        "half": (pa.float32(), [4.5, None], ["4.5", None]),
        "decimal": (pa.decimal128(6, 2), [Decimal("12.50"), None], ["12.50", None]),
        "flag": (pa.bool_(), [True, False], ["true", "false"]),
        "nanos": (pa.timestamp("ns"), [1, None], ["1970-01-01 00:00:00.000000001", None]),
        "zoned": (pa.timestamp("us", "UTC"), [moment, None], ["2024-05-01 12:30:00.000005Z", None]),
        "day": (pa.date32(), [dt.date(2024, 5, 1), None], ["2024-05-01", None]),
        "list": (pa.list_(pa.string()), [["ü", None], []], ['["ü", null]', "[]"]),
        "struct": (pa.struct([("a", pa.int64())]), [{"a": 1}, None], ['{"a": 1}', None]),
        "coded": (pa.dictionary(pa.int8(), pa.string()), ["x", None], ["x", None]),
    }
    arrays = [pa.array(values, kind) for kind, values, _ in columns.values()]
    pq.write_table(pa.Table.from_arrays(arrays, names=list(columns)), tmp_path / "t.parquet")
    table = open_table(tmp_path / "t.parquet")
    (batch,) = table.batches(list(columns))
    assert {name: cells.to_pylist() for name, cells in batch.columns.items()} == {
        name: texts for name, (_, _, texts) in columns.items()
    }
    assert batch.lines.to_pylist() == [1, 2]
    assert json.loads(batch.raw(0))["list"] == '["ü", null]'


def test_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    lines = [
        '{"a": "one"}',
        "",
        '{"b": 4.0, "a": true}',
        "[1]",
        '{"a": ',
        '{"a": "\\ud800"}',
        '{"a": "\\u0000"}',
        '{"a": "\\\\u0000", "b": {"x": "é"}}',
        f'{{"a": {"9" * 5000}}}',
        "[" * 100_000,
        '{"a": null, "b": NaN}',
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    rows, rejects = read(path, "a", "b")
    assert rows == [(1, "one", None), (3, "true", "4"), (8, "\\u0000", '{"x": "é"}'), (11, None, None)]
    assert [(r.line, r.reason) for r in rejects] == [
        (4, "not a JSON object"),
        (5, "not JSON"),
        (6, "not text"),
        (7, "not text"),
        (9, "not JSON"),
        (10, "not JSON"),
    ]
    assert rejects[0].raw == "[1]"


def test_json_lines_name_a_column_that_the_first_row_lacks(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text("oops\n" + '{"a": 1}\n' * 5 + '{"b": 2}\n')
    assert list(open_table(path).columns) == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.csv", b"a\n\xff\xfe\n", "line 2: byte 0xff is not UTF-8"),
        ("t.csv", b"a\r\nb\rc\xe9\n", "line 3: byte 0xe9 is not UTF-8"),
        ("t.csv", "a,b\n".encode("utf-16"), "is UTF-16"),
        ("t.csv", "a,b\n1,2\n".encode("utf-16-le"), "line 1: NUL byte"),
        ("t.csv", b"a\n1\n2\n3\x00\n", "line 4: NUL byte"),
        ("t.csv", b'a\n1\n2\n"3\n4\n', "line 4: a quote opened here is never closed"),
        ("t.csv", b"a\n1\n" + b"x" * (CELL_LIMIT + 1), "line 3: a cell is longer"),
        ("t.csv", b"\n\n", "no header"),
        ("t.jsonl", b"[1]\n[2]\n", "line 1: a list; give one JSON object a line"),
        ("t.jsonl", b'{"a": "' + b"x" * (CELL_LIMIT + 1) + b'"}', "line 1: a cell is longer"),
    ],
)
def test_a_broken_file_is_told_in_one_line(name: str, content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TierwiseError) as failure:
        read(tmp_path / name, "a")
    assert said in str(failure.value)
    assert str(tmp_path / name) in str(failure.value)


@pytest.mark.parametrize(
    ("cut", "said"), [(-9, "not a complete Parquet file"), (slice(4, 60), "cannot read past row 0")]
)
def test_a_damaged_parquet_file(cut: int | slice, said: str, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": [f"text {i}" for i in range(1_000)]}), path)
    content = bytearray(path.read_bytes())
    if isinstance(cut, slice):
        content[cut] = b"\xff" * (cut.stop - cut.start)
    else:
        del content[cut:]
    path.write_bytes(content)
    with pytest.raises(TierwiseError, match=said):
        read(path, "a")


def test_a_parquet_cell_that_cannot_be_kept(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for cell in ("x" * (CELL_LIMIT + 1), "a\0"):
        pq.write_table(pa.table({"a": ["ok", cell]}), tmp_path / "t.parquet")
        with pytest.raises(TierwiseError, match="row 2: a NUL"):
            read(tmp_path / "t.parquet", "a")


def test_a_file_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = tmp_path / "t.csv"
    path.write_text("a\n1\n")
    # Root reads what it may not.
    monkeypatch.setattr(type(path), "open", refuse)
    with pytest.raises(TierwiseError, match=r"cannot read .*t.csv: Permission denied"):
        open_table(path)


@pytest.mark.parametrize("line_end", ["", "\n"])
def test_memory_stays_flat(line_end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_files, "BLOCK", 1 << 16)
    monkeypatch.setattr(text_files, "LINE_LIMIT", 1 << 17)
    path = tmp_path / ("t.csv" if line_end else "t.jsonl")
    path.write_text("x,y" + f"{line_end}{'a cell of some length ' * 8},y" * 40_000)
    tracemalloc.start()
    try:
        if line_end:
            assert sum(len(batch.lines) for batch in open_table(path).batches(["x"])) == 40_000
        else:
            with pytest.raises(TierwiseError, match="is there one row a line"):
                open_table(path)
        assert tracemalloc.get_traced_memory()[1] < path.stat().st_size / 4
    finally:
        tracemalloc.stop()
