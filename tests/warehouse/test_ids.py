"""Content ids: Python and SQL agree, and no two lists of fields share one."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from warehouse.ids import Field, content_id, sql_content_id

if TYPE_CHECKING:
    import duckdb

unicode_text = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
any_field = st.one_of(unicode_text, st.integers(-(2**63), 2**63 - 1), st.uuids(), st.none())
# Texts that look like parts of an encoding.
treacherous = st.one_of(st.none(), st.text("01:-é", max_size=4))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(any_field, max_size=5))
def test_sql_and_python_give_the_same_id(schema: duckdb.DuckDBPyConnection, fields: list[Field]) -> None:
    expression = sql_content_id("query", *(f"${number}" for number in range(1, len(fields) + 1)))
    (found,) = schema.execute(f"SELECT {expression}", fields).fetchall()
    assert found == (content_id("query", *fields),)


@given(st.lists(treacherous, max_size=4), st.lists(treacherous, max_size=4))
def test_only_equal_fields_share_an_id(one: list[str | None], other: list[str | None]) -> None:
    assert (content_id("kind", *one) == content_id("kind", *other)) == (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [(("ab", "c"), ("a", "bc")), (("1:a",), ("a",)), ((None,), ("-",)), ((None,), ()), (("",), ())],
)
def test_neighbours_in_the_encoding_differ(one: tuple[Field, ...], other: tuple[Field, ...]) -> None:
    assert content_id("kind", *one) != content_id("kind", *other)


def test_the_kind_is_part_of_the_id() -> None:
    assert content_id("query", "x") != content_id("item", "x")


def test_ids_never_change() -> None:
    # Stores hold these: another encoding would double every row at the next ingest.
    assert content_id("query", "red dress", "us") == uuid.UUID("bff34495-251b-5204-6c52-9c083653af24")
    assert content_id("x", None, 16, uuid.UUID(int=1), "naïve 裙") == uuid.UUID(
        "d0e7ffba-3fa8-7269-84d3-52bc6bf9cc2f"
    )
