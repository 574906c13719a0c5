"""The macros that analysts call, against their definitions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    import uuid

    import duckdb

in_sql = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def evaluate(connection: duckdb.DuckDBPyConnection, expression: str, *values: Any) -> Any:
    row = connection.execute(f"SELECT {expression}", values).fetchone()
    assert row is not None
    return row[0]


def test_pass_at_k_is_the_unbiased_estimator_for_every_small_n(schema: duckdb.DuckDBPyConnection) -> None:
    found = {
        (n, c, k): value
        for n, c, k, value in schema.execute(
            "SELECT n, c, k, pass_at_k(n, c, k) FROM range(1, 18) a(n), range(0, 18) b(c), range(1, 18) d(k) "
            "WHERE c <= n AND k <= n"
        ).fetchall()
    }
    assert found == {
        (n, c, k): pytest.approx(1 - math.comb(n - c, k) / math.comb(n, k), abs=1e-12)
        for n in range(1, 18)
        for c in range(n + 1)
        for k in range(1, n + 1)
    }


@in_sql
@given(st.data())
def test_pass_at_k_for_large_n(schema: duckdb.DuckDBPyConnection, data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 2_000))
    c = data.draw(st.integers(0, n))
    k = data.draw(st.integers(1, n))
    expected = 1 - math.comb(n - c, k) / math.comb(n, k)
    assert evaluate(schema, "pass_at_k(?, ?, ?)", n, c, k) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("n", "c", "k"), [(4, 2, 5), (4, 2, 0), (0, 0, 1), (None, 1, 1), (4, None, 1), (4, 1, None), (4, 5, 1)]
)
def test_pass_at_k_is_null_where_it_is_not_defined(
    schema: duckdb.DuckDBPyConnection, n: int | None, c: int | None, k: int | None
) -> None:
    assert evaluate(schema, "pass_at_k(?, ?, ?)", n, c, k) is None


def test_pass_at_k_takes_the_columns_of_the_store(schema: duckdb.DuckDBPyConnection) -> None:
    assert evaluate(schema, "typeof(pass_at_k(4::INTEGER, 1::INTEGER, 2))") == "DOUBLE"


def band(n: int, c: int) -> str:
    if c == n:
        return "solved"
    if c / n >= 3 / 4:
        return "easy"
    if c / n >= 3 / 8:
        return "medium"
    return "hard" if c > 0 else "unsolved"


@in_sql
@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))))
def test_difficulty_band(schema: duckdb.DuckDBPyConnection, counts: tuple[int, int]) -> None:
    assert evaluate(schema, "difficulty_band(?, ?)", *counts) == band(*counts)


@pytest.mark.parametrize(
    ("n", "c", "expected"),
    [
        (8, 0, "unsolved"),
        (8, 1, "hard"),
        (8, 2, "hard"),
        (8, 3, "medium"),
        (8, 5, "medium"),
        (8, 6, "easy"),
        (8, 7, "easy"),
        (8, 8, "solved"),
        (1, 1, "solved"),
        (1, 0, "unsolved"),
        (0, 0, None),
        (None, 1, None),
        (4, None, None),
    ],
)
def test_difficulty_band_at_its_edges(
    schema: duckdb.DuckDBPyConnection, n: int | None, c: int | None, expected: str | None
) -> None:
    assert evaluate(schema, "difficulty_band(?::INTEGER, ?::INTEGER)", n, c) == expected


@pytest.mark.parametrize(
    ("tier", "name"), [(4, "Excellent"), (3, "Related"), (2, "Mismatch"), (1, "Irrelevant"), (5, None)]
)
def test_tier_name(schema: duckdb.DuckDBPyConnection, tier: int, name: str | None) -> None:
    assert evaluate(schema, "tier_name(?)", tier) == name


@in_sql
@given(st.uuids(), st.integers(1, 1_000))
def test_query_bucket_is_the_first_32_bits(
    schema: duckdb.DuckDBPyConnection, query_id: uuid.UUID, buckets: int
) -> None:
    expected = (query_id.int >> 96) % buckets
    assert evaluate(schema, "query_bucket(?, ?)", query_id, buckets) == expected
