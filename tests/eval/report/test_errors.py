"""Which errors are shown."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.decisions import argmax
from eval.report.errors import PER_QUERY, choose
from tests.eval.arrays import evidence


@st.composite
def decided(draw: st.DrawFn) -> tuple[list[list[int]], list[int], list[int], list[int], list[int]]:
    """Parts of probabilities, gold, decided tiers, queries and kinds of up to 60 pairs."""
    count = draw(st.integers(1, 60))

    def several(values: st.SearchStrategy[int]) -> list[int]:
        return draw(st.lists(values, min_size=count, max_size=count))

    tiers = st.integers(1, 4)
    parts = [[1 + draw(st.integers(0, 3)) for _ in range(4)] for _ in range(count)]
    return parts, several(tiers), several(tiers), several(st.integers(0, 6)), several(st.integers(0, 2))


@settings(deadline=None, max_examples=40)
@given(decided(), st.sets(st.integers(0, 59)), st.integers(1, 50))
def test_shown_are_errors_few_of_a_query_and_as_many_as_can_be(
    made: tuple[list[list[int]], list[int], list[int], list[int], list[int]],
    doubted: set[int],
    shown: int,
) -> None:
    parts, gold, predicted, query, kind = made
    probs = np.array(parts, float)
    found = evidence(probs / probs.sum(axis=1, keepdims=True), gold, query, kind=kind)
    tiers = np.array(predicted)
    suspects = dict.fromkeys(sorted(doubted), "a scorer suggests tier 2")
    chosen = choose(found, tiers, suspects, shown)
    wrong = np.flatnonzero(tiers != found.gold)
    assert set(chosen) <= set(wrong.tolist())
    of_query = Counter(found.query[list(chosen)].tolist())
    assert max(of_query.values(), default=0) <= PER_QUERY
    possible = Counter(found.query[wrong].tolist())
    assert len(chosen) == min(shown, sum(min(count, PER_QUERY) for count in possible.values()))
    assert choose(found, tiers, suspects, shown) == chosen


def test_far_off_and_sure_comes_first_then_doubted_gold_then_what_was_moved() -> None:
    probs = np.array(
        [
            [0.1, 0.5, 0.2, 0.2],  # right
            [0.0, 0.0, 0.1, 0.9],  # far off, sure
            [0.2, 0.2, 0.2, 0.4],  # far off, less sure
            [0.0, 0.0, 0.4, 0.6],  # near, doubted
            [0.0, 0.1, 0.5, 0.4],  # right until the partition
            [0.0, 0.1, 0.4, 0.5],  # near
        ]
    )
    gold = [2, 1, 2, 3, 3, 3]
    predicted = np.array([2, 4, 4, 4, 4, 4])
    found = evidence(probs, gold, kind=[0] * 6)
    chosen = choose(found, predicted, {3: "bag-of-words suggests tier 4", 0: "not wrong at all"})
    assert [*chosen] == [1, 2, 3, 4, 5]
    assert chosen[1] == "Far off: tier 4 in place of 1, with a probability of 0.90 against 0.00"
    assert chosen[3] == "Gold is doubted: bag-of-words suggests tier 4"
    assert chosen[4].startswith("Moved away from gold: 3 was the most probable tier")
    assert chosen[5] == "One of 3 pairs of gold 3 decided 4 in queries of kind a"


def test_errors_are_spread_over_kinds_and_confusions() -> None:
    # 300 pairs of one confusion in kind a, and a single one of each of two others.
    gold = [4] * 300 + [4, 2]
    probs = np.tile([0.0, 0.0, 0.6, 0.4], (302, 1))
    found = evidence(probs, gold, kind=[0] * 300 + [1, 1])
    chosen = choose(found, argmax(probs), {})
    assert len(chosen) == 50
    assert {300, 301} <= set(chosen)
