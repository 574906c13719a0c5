from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curation.resolution import DECISION, resolve_tiers, sql_standing
from warehouse.ids import content_id
from warehouse.ledger import Run
from warehouse.migrations import bring_up_to_date

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Judged = tuple[int, float | None]
START = datetime(2024, 1, 1)


@pytest.fixture(scope="module")
def store() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        bring_up_to_date(connection)
        yield connection


class Pair:
    """A pair of its own in the store; judgments are given in runs a second apart."""

    def __init__(self, store: duckdb.DuckDBPyConnection) -> None:
        self.store = store
        self.pair_id = uuid.uuid4()
        self.judged = 0
        filler = [uuid.uuid4() for _ in range(4)]
        store.execute(
            "INSERT INTO pairs (pair_id, query_id, item_id, item_version_id, source, weight, run_id) "
            "VALUES ($1, $2, $3, $4, 's', 1, $5)",
            [self.pair_id, *filler],
        )

    def judge(
        self,
        tier: int,
        confidence: float | None = None,
        *,
        key: str | None = None,
        at: datetime | None = None,
        source: str = "s",
    ) -> tuple[uuid.UUID, uuid.UUID]:
        """Returns judgment and item version."""
        self.judged += 1
        run = Run("ingest", {}, started_at=START + timedelta(seconds=self.judged))
        run.end("finished")
        run.save(self.store)
        judgment, version = content_id("judgment", self.pair_id, self.judged), uuid.uuid4()
        self.store.execute(
            "INSERT INTO judgments (judgment_id, pair_id, item_version_id, tier, confidence, source, source_file, "
            "source_row, source_key, judged_at, run_id) VALUES ($1, $2, $3, $4, $5, $6, 'f', 1, $7, $8, $9)",
            [
                judgment,
                self.pair_id,
                version,
                tier,
                confidence,
                source,
                key or str(self.judged),
                at,
                run.run_id,
            ],
        )
        return judgment, version

    def resolve(self) -> int:
        return resolve_tiers(self.store, f"SELECT '{self.pair_id}'::UUID AS pair_id")

    def outcome(self, columns: str = "tier, confidence") -> tuple[Any, ...]:
        row = self.store.execute(f"SELECT {columns} FROM pairs WHERE pair_id = $1", [self.pair_id]).fetchone()
        assert row is not None
        return row


@pytest.mark.parametrize(
    ("judgments", "tier", "confidence"),
    [
        ([(3, None)], 3, 1.0),
        ([(3, 0.4)], 3, 0.4),
        ([(2, 0.0)], 2, 0.0),
        ([(4, 0.5), (4, 1.0)], 4, 0.75),
        ([(4, 1.0), (3, 1.0)], None, None),
        ([(4, 0.8), (3, 0.4)], 4, 0.4),
        ([(4, 0.6), (3, 0.4)], 4, 0.3),
        ([(4, 0.59), (3, 0.41)], None, None),
        ([(4, None), (4, None), (4, None), (1, None), (1, None)], 4, 0.6),
        ([(4, None), (4, None), (3, None), (1, None)], None, None),
        ([(4, 0.0), (3, 0.0)], None, None),
        # 0.1 + 0.7 + 0.1 is a little less than 0.9 in floating point.
        ([(4, 0.1), (4, 0.7), (4, 0.1), (3, 0.6)], 4, 0.225),
        ([(4, 0.1), (4, 0.1), (4, 0.1), (3, 0.2)], 4, 0.075),
    ],
)
def test_the_rule(
    store: duckdb.DuckDBPyConnection, judgments: Sequence[Judged], tier: int | None, confidence: float | None
) -> None:
    pair = Pair(store)
    for judged in judgments:
        pair.judge(*judged)
    pair.resolve()
    assert pair.outcome() == (tier, confidence if confidence is None else pytest.approx(confidence))
    assert pair.resolve() == 0


confidences = st.none() | st.sampled_from([0.1, 0.2, 0.3, 0.6, 0.7])
judgments = st.lists(st.tuples(st.integers(1, 4), confidences), min_size=1, max_size=7)


@given(orders=judgments.flatmap(lambda given: st.tuples(st.just(given), st.permutations(given))))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_order_decides_nothing(
    store: duckdb.DuckDBPyConnection, orders: tuple[list[Judged], list[Judged]]
) -> None:
    outcomes = []
    for order in orders:
        pair = Pair(store)
        for judged in order:
            pair.judge(*judged)
        pair.resolve()
        outcomes.append(pair.outcome())
    assert outcomes[0] == outcomes[1]


@given(others=judgments, decided=st.lists(st.integers(1, 4), min_size=1, max_size=3), after=judgments)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_newest_decision_stands_over_whatever_others_say(
    store: duckdb.DuckDBPyConnection, others: list[Judged], decided: list[int], after: list[Judged]
) -> None:
    pair = Pair(store)
    for judged in others:
        pair.judge(*judged)
    for tier in decided:
        behind = pair.judge(tier, 1.0, key="#1", source=DECISION)
    for judged in after:
        pair.judge(*judged)
    pair.resolve()
    assert pair.outcome() == (decided[-1], 1.0)
    assert pair.outcome("judgment_id, item_version_id") == behind


def test_the_newest_of_a_source_row_stands(store: duckdb.DuckDBPyConnection) -> None:
    pair = Pair(store)
    pair.judge(4, key="a")
    pair.judge(2, key="a")
    other, _ = pair.judge(2, key="b")
    pair.resolve()
    assert pair.outcome() == (2, 1.0)
    this = f"SELECT '{pair.pair_id}'::UUID AS pair_id"
    standing = store.execute(f"SELECT tier FROM ({sql_standing(this)})").fetchall()
    assert standing == [(2,), (2,)]
    assert pair.outcome("judgment_id") != (other,)


def test_newest_is_by_when_it_was_judged(store: duckdb.DuckDBPyConnection) -> None:
    pair = Pair(store)
    pair.judge(4, key="a", at=START - timedelta(days=1))
    pair.judge(2, key="a", at=START - timedelta(days=2))
    pair.resolve()
    assert pair.outcome() == (4, 1.0)
    pair.judge(1, key="a")
    pair.resolve()
    assert pair.outcome() == (1, 1.0)


def test_the_pair_keeps_the_version_of_the_judgment_behind_its_tier(store: duckdb.DuckDBPyConnection) -> None:
    pair = Pair(store)
    pair.judge(3, 0.2)
    pair.judge(4, 0.3)
    behind = pair.judge(4, 0.9)
    pair.resolve()
    assert pair.outcome("judgment_id, item_version_id") == behind
    # One more of the same opinion changes nothing that grades and splits hang on.
    pair.judge(4, 0.9)
    pair.resolve()
    assert pair.outcome("judgment_id, item_version_id") == behind


def test_a_conflict_keeps_the_version_judged_first(store: duckdb.DuckDBPyConnection) -> None:
    pair = Pair(store)
    _, first = pair.judge(3)
    pair.judge(4)
    pair.resolve()
    assert pair.outcome("tier, judgment_id, item_version_id") == (None, None, first)
