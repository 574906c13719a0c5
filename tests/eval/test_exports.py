"""The three exports and what they decide, alike on every input."""

from __future__ import annotations

import ast
import builtins
import json
import math
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.decisions import cumulative
from eval.partition.exports import Deployed, decide, read_partition, to_json, to_python, to_sql
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Tiers = Callable[[Deployed, pa.Table], list[int | None]]

DEPLOYED = Deployed(
    partition_id="0c5e53d6-6f3b-5c1e-9f0e-6a1b62f1f5d0",
    predictor="sure",
    objective="macro_f1",
    kind="per-boundary",
    thetas=(0.7, 0.1 + 0.2, 0.1),
    fit_split="calibration_v1",
    judge_split="eval_v1",
    same_split=False,
    promises=[{"promise": "precision of tier 4 >= 0.95", "kept": True}],
    created_at="2026-01-31T12:00:00",
)
PROBABILITIES = 100_000

ODD = [0.0, -0.0, 5e-324, 1e-310, 2.2250738585072014e-308, 1e-17, 0.1, 0.3, 0.5, 1.0, 3.0, 1e16, 8e307, 1e308]
BUILTINS = ("all", "float", "TypeError", "ValueError", "OverflowError")
BROKEN = [math.nan, math.inf, -math.inf, -5e-324, -1e-9, -0.25]


def inputs() -> NDArray[np.float64]:
    """Rows [N, 4] that sum to 1 or not, ties, zeros, denormal and enormous numbers, and what is invalid."""
    rng = np.random.default_rng(0)
    count = PROBABILITIES // 5
    probable = rng.dirichlet([0.4] * 4, size=count)
    blocks = [
        probable,
        np.round(rng.dirichlet([1.0] * 4, size=count), 2),
        rng.integers(0, 4, size=(count, 4)) * rng.choice([1e-320, 1e-3, 0.1, 1.0, 7.0], size=(count, 1)),
        rng.choice(ODD, size=(count, 4)),
        rng.choice(ODD + BROKEN, size=(count, 4), p=[0.94 / 14] * 14 + [0.01] * 6),
    ]
    return np.concatenate(blocks)


ROWS = inputs()


def at_ties() -> list[tuple[float, float, float]]:
    """Thetas that rows of `ROWS` reach exactly, and their neighbours."""
    with np.errstate(all="ignore"):
        scores = cumulative(ROWS)
    fits = np.flatnonzero(((scores > 0) & (scores < 1)).all(axis=0))
    found = []
    for four, three, two in np.random.default_rng(1).choice(fits, size=(3, 3)):
        exactly = (scores[0, four], scores[1, three], scores[2, two])
        above = tuple(np.nextafter(theta, 1) for theta in exactly)
        assert sum((decide(ROWS, exactly) != decide(ROWS, above)).tolist()) >= 3
        found.append((float(exactly[0]), float(exactly[1]), float(exactly[2])))
    return found


THETAS = [
    (0.5, 0.5, 0.5),
    DEPLOYED.thetas,
    (1.0, 1.0, 1.0),
    (5e-324, 5e-324, 5e-324),
    (1.0, 0.5, 1e-300),
    *at_ties(),
]


@pytest.fixture(scope="module", name="sql")
def of_sql() -> Iterator[Tiers]:
    """The tiers of the columns p1 to p4 of a table, in DuckDB."""
    with duckdb.connect() as connection:

        def tiers(deployed: Deployed, table: pa.Table) -> list[int | None]:
            connection.register("probabilities", table)
            found = connection.execute(f"SELECT {to_sql(deployed)} AS tier FROM probabilities").fetchall()
            return [row[0] for row in found]

        yield tiers


def of_python(deployed: Deployed) -> Callable[..., int | None]:
    scope: dict[str, Any] = {"__builtins__": {name: vars(builtins)[name] for name in BUILTINS}}
    exec(to_python(deployed), scope)
    tier: Callable[..., int | None] = scope["tier"]
    return tier


def of_json(deployed: Deployed, rows: NDArray[np.float64]) -> list[int | None]:
    return [tier or None for tier in decide(rows, read_partition(to_json(deployed))).tolist()]


def as_table(rows: Sequence[Sequence[Any]], kind: pa.DataType | None = None) -> pa.Table:
    columns = list(zip(*rows, strict=True))
    return pa.table({f"p{tier}": pa.array(columns[tier - 1], kind or pa.float64()) for tier in (1, 2, 3, 4)})


@pytest.mark.parametrize("thetas", THETAS, ids=str)
def test_all_decide_alike(thetas: tuple[float, float, float], sql: Tiers) -> None:
    deployed = replace(DEPLOYED, thetas=thetas)
    expected = of_json(deployed, ROWS)
    tier = of_python(deployed)
    rows = ROWS.tolist()
    assert len(rows) == PROBABILITIES
    assert [tier(*row) for row in rows] == expected
    assert sql(deployed, as_table(rows)) == expected
    assert set(expected) == {None, 1, 2, 3, 4}


@given(
    rows=st.lists(st.tuples(*[st.floats() | st.sampled_from(ODD + BROKEN)] * 4), min_size=1, max_size=20),
    thetas=st.tuples(*[st.floats(0, 1, exclude_min=True)] * 3),
)
@settings(deadline=None, max_examples=60)
def test_all_decide_alike_whatever_the_numbers(
    rows: list[tuple[float, float, float, float]],
    thetas: tuple[float, float, float],
    sql: Tiers,
) -> None:
    with np.errstate(all="ignore"):
        reached = cumulative(np.array(rows))[:, 0]
    usable = (reached > 0) & (reached <= 1)
    first, second, third = np.where(usable, reached, thetas).tolist()
    deployed = replace(DEPLOYED, thetas=(first, second, third))
    expected = of_json(deployed, np.array(rows))
    assert [of_python(deployed)(*row) for row in rows] == expected
    assert sql(deployed, as_table(rows)) == expected


def test_what_is_invalid_has_no_tier(sql: Tiers) -> None:
    tier = of_python(DEPLOYED)
    good = [0.1, 0.2, 0.3, 0.4]
    for place in range(4):
        for bad in (None, *BROKEN):
            row: list[float | None] = [*good[:place], bad, *good[place + 1 :]]
            assert tier(*row) is None, row
            assert sql(DEPLOYED, as_table([row, good])) == [None, 3], row
            assert decide(np.array([row], float), DEPLOYED.thetas).tolist() == [0], row
    for numbers in ([0.0] * 4, [-0.0] * 4, [1e308, 1e308, 0, 0], [0, 0, 1e308, 1e308]):
        assert tier(*numbers) is None, numbers
        assert sql(DEPLOYED, as_table([numbers])) == [None], numbers
        assert decide(np.array([numbers], float), DEPLOYED.thetas).tolist() == [0], numbers
    assert tier(10**400, 0, 0, 1) is None


def test_rows_that_do_not_sum_to_one_are_decided_as_if_they_did(sql: Tiers) -> None:
    for scale in (1e-300, 0.25, 1.0, 64.0, 1e300):
        row = [0.1 * scale, 0.2 * scale, 0.4 * scale, 0.3 * scale]
        assert of_python(DEPLOYED)(*row) == 3
        assert sql(DEPLOYED, as_table([row])) == [3]


@pytest.mark.parametrize(
    "kind", [pa.int32(), pa.int64(), pa.float32(), pa.float64(), pa.decimal128(5, 2)], ids=str
)
def test_columns_of_other_numbers_are_taken_for_doubles(kind: pa.DataType, sql: Tiers) -> None:
    rows = np.random.default_rng(0).integers(0, 4, size=(500, 4))
    table = as_table(rows.tolist(), kind)
    for theta in (0.2, 1 / 3, 0.5):
        deployed = replace(DEPLOYED, thetas=(theta, theta, theta))
        expected = of_json(deployed, rows.astype(float))
        assert sql(deployed, table) == expected
        columns = [table.column(f"p{tier}").to_pylist() for tier in (1, 2, 3, 4)]
        assert [of_python(deployed)(*row) for row in zip(*columns, strict=True)] == expected


def test_whatever_is_no_probability_has_no_tier_in_python() -> None:
    tier = of_python(DEPLOYED)
    for bad in (
        *(
            None,
            pd.NA,
            pd.NaT,
            Decimal("NaN"),
            Decimal("sNaN"),
            Decimal("-Infinity"),
            Decimal("-0.1"),
            Decimal("1e400"),
        ),
        *(np.float32("nan"), "abc", "", "nan", "-0.1", "1e400", b"", 10**400, 1j, [0.5], [], {}, object()),
        *(np.array([0.1, 0.2]), pd.Series([0.1, 0.2])),
    ):
        for place in range(4):
            row: list[Any] = [0.1, 0.2, 0.3, 0.4]
            row[place] = bad
            assert tier(*row) is None, row


def test_texts_and_truths_are_decided_as_sql_casts_them(sql: Tiers) -> None:
    texts = [
        ("0.1", "0.2", "0.4", "0.3"),
        ("1e-1", " 0.2 ", "+.4", "0.3"),
        ("0", "0", "0", "1"),
        ("nan", "0", "0", "1"),
        ("0", "0", "0", "inf"),
        ("0", "-1", "0", "1"),
        ("0", "0", "0", None),
        ("0.1", "0.6", "0.2", "0.1"),
    ]
    expected = [3, 3, 4, None, None, None, None, 3]
    assert [of_python(DEPLOYED)(*row) for row in texts] == expected
    assert sql(DEPLOYED, as_table(texts, pa.string())) == expected
    truths = [(False, False, False, True), (True, True, False, False), (False,) * 4, (True,) * 4]
    for theta in (0.3, 0.6):
        deployed = replace(DEPLOYED, thetas=(theta,) * 3)
        found = [of_python(deployed)(*row) for row in truths]
        assert found == sql(deployed, as_table(truths, pa.bool_()))
        assert found == of_json(deployed, np.array(truths, float))


def test_python_needs_nothing_else(tmp_path: Path) -> None:
    text = to_python(DEPLOYED)
    tree = ast.parse(text)
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert len(text.splitlines()) <= 25
    module = tmp_path / "partition.py"
    module.write_text(
        text + "\nprint(tier(0.1, 0.2, 0.4, 0.3), tier(0, 0, 0, None), tier(0, 0, '?', '1'))\n",
        encoding="utf-8",
    )
    done = subprocess.run([sys.executable, "-I", module], capture_output=True, text=True, check=True)
    assert done.stdout == "3 None None\n"


def test_numbers_of_numpy_are_written_as_plain_ones() -> None:
    theta = np.float64(0.1)
    deployed = replace(DEPLOYED, thetas=(theta, theta, theta))
    for export in (to_json, to_sql, to_python):
        assert "np" not in export(deployed)
        assert export(deployed) == export(replace(deployed, thetas=(0.1, 0.1, 0.1)))


NAMES = st.text(max_size=30) | st.sampled_from(
    [
        "a\nDROP TABLE x",
        "a\r\nreturn 4",
        "*/ 4 /*",
        "'; --",
        '"""',
        "\x00",
        "a\u2028b\u0085c\x0bd\x0ce",
        "\ud800",
        "\\",
    ]
)


@given(predictor=NAMES, split=NAMES)
@settings(deadline=None, max_examples=60)
def test_no_name_breaks_out_of_its_comment(predictor: str, split: str, sql: Tiers) -> None:
    deployed = replace(DEPLOYED, predictor=predictor, fit_split=split, judge_split=split, same_split=True)
    for export, mark in ((to_sql, "--"), (to_python, "#")):
        plain = export(replace(DEPLOYED, same_split=True)).splitlines()
        lines = export(deployed).splitlines()
        assert all(line.startswith(mark) for line in lines[:3])
        assert lines[3:] == plain[3:]
        assert lines[2] == plain[2]
    assert of_python(deployed)(0.1, 0.2, 0.4, 0.3) == 3
    assert sql(deployed, as_table([(0.1, 0.2, 0.4, 0.3)])) == [3]
    document = json.loads(to_json(deployed))
    assert (document["predictor"], document["fit_split"]) == (predictor, split)


def test_what_was_judged_where_it_was_fitted_is_marked() -> None:
    same = replace(DEPLOYED, judge_split=DEPLOYED.fit_split, same_split=True)
    flattered = "Judged on the split it was fitted on"
    for export in (to_sql, to_python):
        assert flattered in export(same)
        assert flattered not in export(DEPLOYED)
        assert "fitted for macro_f1 on calibration_v1, judged on eval_v1" in export(DEPLOYED)
    assert json.loads(to_json(same))["same_split"] is True
    assert json.loads(to_json(DEPLOYED))["same_split"] is False


TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "number": (int, float),
    "boolean": bool,
}
CHECKED = {
    *("type", "const", "enum", "minLength", "exclusiveMinimum", "maximum", "items"),
    *("properties", "required", "additionalProperties", "$ref"),
}
SAID = {"$schema", "title", "description", "format", "$defs"}


def violations(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> list[str]:
    """What of `schema` does not hold of `value`; knows the keywords that the shipped schema uses, and no other."""
    assert schema.keys() <= CHECKED | SAID
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    kind = schema.get("type")
    if kind is not None and (
        not isinstance(value, TYPES[kind]) or (kind == "number" and isinstance(value, bool))
    ):
        return [f"{value!r} is no {kind}"]
    found = (
        [f"{value!r} is not {schema['const']!r}"] if "const" in schema and value != schema["const"] else []
    )
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{value!r} is none of {schema['enum']}")
    if "minLength" in schema and len(value) < schema["minLength"]:
        found.append("too short")
    if "exclusiveMinimum" in schema and not value > schema["exclusiveMinimum"]:
        found.append("too small")
    if "maximum" in schema and not value <= schema["maximum"]:
        found.append("too large")
    if "items" in schema:
        found += [each for item in value for each in violations(item, schema["items"], root)]
    if "properties" in schema:
        found += [f"{name} is missing" for name in schema["required"] if name not in value]
        found += [f"{name} is unknown" for name in value if name not in schema["properties"]]
        for name in value.keys() & schema["properties"].keys():
            found += violations(value[name], schema["properties"][name], root)
    return found


def test_documents_are_as_the_shipped_schema_says() -> None:
    schema = json.loads(files("eval.partition").joinpath("partition-v1.schema.json").read_text())
    assert not schema["additionalProperties"]
    document = json.loads(to_json(DEPLOYED))
    assert violations(document, schema, schema) == []
    assert document.keys() == schema["properties"].keys()
    for change in (
        {"version": 2},
        {"format": "other"},
        {"kind": "argmax"},
        {"thetas": {"4": 0.5, "3": 0.5}},
        {"thetas": {"4": 0.5, "3": 0.5, "2": 0}},
        {"thetas": {"4": 1.5, "3": 0.5, "2": 0.5}},
        {"thetas": [0.5, 0.5, 0.5]},
        {"promises": ["kept"]},
        {"same_split": "no"},
        {"more": 1},
    ):
        assert violations(document | change, schema, schema), change
    del document["rule"]
    assert violations(document, schema, schema) == ["rule is missing"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "not JSON"),
        ("[]", 'lacks "format"'),
        ("{}", 'lacks "format"'),
        ('{"format": "tierwise-partition"}', "has version None"),
        (
            '{"format": "tierwise-partition", "version": 2}',
            "has version 2, and this Tierwise reads version 1",
        ),
        ('{"format": "tierwise-partition", "version": 1}', "has thetas None"),
        (
            '{"format": "tierwise-partition", "version": 1, "thetas": {"4": 0.5, "3": 0.5}}',
            "needs one above 0",
        ),
        (
            '{"format": "tierwise-partition", "version": 1, "thetas": {"4": 1, "3": 1, "2": 0}}',
            "needs one above 0",
        ),
        ('{"format": "tierwise-partition", "version": 1, "thetas": {"4": 1, "3": 1, "2": NaN}}', "needs one"),
        (
            '{"format": "tierwise-partition", "version": 1, "thetas": {"4": 1, "3": 1, "2": true}}',
            "needs one",
        ),
    ],
)
def test_documents_that_are_none_are_refused(text: str, told: str) -> None:
    with pytest.raises(TierwiseError, match=told):
        read_partition(text)


def test_thetas_are_read_as_they_were_written() -> None:
    for thetas in THETAS:
        assert read_partition(to_json(replace(DEPLOYED, thetas=thetas))) == thetas
