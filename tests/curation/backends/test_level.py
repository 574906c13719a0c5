"""The level against a made-up server that answers as fast as it can, on a clock of its own."""

from __future__ import annotations

import heapq
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.backends.openai.level import FIRST, ROUNDS, Level


class Clock:
    """Seconds that pass when told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Work:
    """A server that works on `at_once` requests, about a second each."""

    def __init__(self, level: Level, clock: Clock, at_once: int) -> None:
        self.level, self.clock = level, clock
        self.open: list[float] = []
        self.free_at = [clock.now] * at_once
        self.draw = Random(at_once)

    def answer(self, answers: int, demand: int = 10**9) -> int:
        """Answer so many; return the most requests that it was given at once."""
        most = 0
        for _ in range(answers):
            while len(self.open) < min(self.level.limit, demand):
                ends = max(self.clock.now, heapq.heappop(self.free_at)) + self.draw.uniform(0.5, 1.5)
                heapq.heappush(self.free_at, ends)
                heapq.heappush(self.open, ends)
            most = max(most, len(self.open))
            self.clock.now = heapq.heappop(self.open)
            self.level.answered(len(self.open) + 1)
        return most


def run(level: Level, clock: Clock, answers: int, at_once: int, demand: int = 10**9) -> int:
    return Work(level, clock, at_once).answer(answers, demand)


@given(st.integers(FIRST, 300), st.integers(0, 2_000))
def test_the_level_of_a_server_is_found_from_below(at_once: int, more: int) -> None:
    clock = Clock()
    level = Level(512, clock=clock)
    run(level, clock, 12_000 + more, at_once)
    # While a higher one is tried it may be twice of that.
    assert at_once / 2 <= level.limit <= 4 * at_once


def test_a_level_that_yields_nothing_is_left_for_a_while() -> None:
    clock = Clock()
    level = Level(512, clock=clock)
    work = Work(level, clock, FIRST)
    limits = [level.limit for _ in range(20_000) if work.answer(1)]
    assert set(limits) == {FIRST, 2 * FIRST}
    # A measurement of twice the level, and then as many of the level as are waited for.
    assert limits.count(2 * FIRST) / len(limits) < 3 / ROUNDS


def test_the_level_does_not_rise_while_there_is_less_to_do() -> None:
    clock = Clock()
    level = Level(512, clock=clock)
    assert run(level, clock, 2_000, 300, FIRST - 1) == FIRST - 1
    assert level.limit == FIRST


def test_a_server_that_has_too_much_is_given_half_once_for_what_is_open() -> None:
    clock = Clock()
    level = Level(512, clock=clock)
    run(level, clock, 10_000, 200)
    before, begun = level.limit, clock.now
    for _ in range(before):
        clock.now += 0.001
        level.too_much(begun)
    assert level.limit == before // 2
    level.too_much(clock.now)
    assert level.limit == before // 4
    for _ in range(20):
        clock.now += 1
        level.too_much(clock.now)
    assert level.limit == 2


@pytest.mark.parametrize("most", [1, 5, FIRST, 40])
def test_a_level_never_exceeds_what_it_may_be(most: int) -> None:
    clock = Clock()
    level = Level(most, clock=clock)
    assert run(level, clock, 5_000, 500) == most == level.limit
    level.too_much(clock.now)
    assert level.limit <= most
    level.restart()
    assert level.limit == min(FIRST, most)
