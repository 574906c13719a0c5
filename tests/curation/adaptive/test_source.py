from __future__ import annotations

from collections import Counter, defaultdict
from random import Random
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.adaptive.designs import Design, learn_design
from curation.adaptive.source import AdaptiveSource, pilot_share
from curation.drawing import Progress
from curation.sampling_plan import Rendered, Task

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from curation.adaptive.policy import Policy, State

CONFIGURATION = UUID(int=7)
GOLD = 3


class Shelf:
    """Pairs with fixed outcomes, some of them drawn before; in the place of a plan."""

    def __init__(self, outcomes: list[list[bool]], drawn: Mapping[int, int]) -> None:
        draw = Random(len(outcomes))
        self.outcomes = {str(UUID(int=draw.getrandbits(128))): row for row in outcomes}
        self.drawn = dict(zip(self.outcomes, (drawn.get(i, 0) for i in range(len(outcomes))), strict=True))

    def tasks(self, *, complete: bool = False) -> Iterator[Task]:
        for pair, row in self.outcomes.items():
            there = self.drawn[pair]
            indices = {100 + index: index for index in range(there, len(row))}
            if indices or complete:
                known = {index: row[index] for index in range(there)}
                yield Task(pair, "version", "prompt", Rendered(()), indices, GOLD, known)


def run(
    shelf: Shelf,
    design: Design,
    *,
    at_once: int = 8,
    policy: Policy | None = None,
    fails: str | None = None,
) -> tuple[dict[str, list[int]], Progress, Policy | None]:
    """Draw until there is nothing more to draw; the indices drawn of each pair, in order."""
    progress = Progress(0)
    learned: list[Policy] = []

    def learn(counts: Mapping[State, int]) -> Policy:
        found, _, _ = learn_design(
            design, CONFIGURATION, counts, pilot_share(len(shelf.outcomes)), 0.2, "run"
        )
        learned.append(found)
        return found

    source = AdaptiveSource(shelf, len(shelf.outcomes), design, policy, learn, progress)
    drawn: dict[str, list[int]] = defaultdict(list)
    flying: list[Task] = []
    while True:
        while len(flying) < at_once and (task := next(source, None)) is not None:
            flying.append(task)
        if not flying:
            break
        task = flying.pop(0)
        if task.pair_id == fails:
            source.answered(task, [], failed=True)
            continue
        indices = list(task.indices.values())
        assert indices
        drawn[task.pair_id] += indices
        row = shelf.outcomes[task.pair_id]
        source.answered(task, [(i, GOLD if row[i] else None) for i in indices], failed=False)
    assert len(learned) <= 1
    return drawn, progress, learned[0] if learned else policy


def made_up(pairs: int, n: int, seed: int = 0) -> list[list[bool]]:
    draw = Random(seed)
    rates = [draw.choice([0.0, 0.1, 0.5, 0.9, 1.0]) for _ in range(pairs)]
    return [[draw.random() < rate for _ in range(n)] for rate in rates]


def stop(policy: Policy, row: list[bool]) -> int:
    n = policy.first
    while more := policy.more[n, sum(row[:n])]:
        n += more
    return n


@given(
    st.integers(1, 120),
    st.integers(1, 10),
    st.sampled_from(["bands", "groups"]),
    st.integers(1, 30),
    st.dictionaries(st.integers(0, 119), st.integers(0, 10)),
)
@settings(deadline=None, max_examples=40)
def test_each_pair_gets_what_its_policy_asks_for_and_nothing_twice(
    pairs: int, n: int, target: str, at_once: int, before: dict[int, int]
) -> None:
    shelf = Shelf(made_up(pairs, n), {pair: min(there, n) for pair, there in before.items()})
    drawn, progress, policy = run(shelf, Design(n, target, 0.95), at_once=at_once)  # type: ignore[arg-type]
    assert policy is not None
    spared = 0
    for pair, row in shelf.outcomes.items():
        there = shelf.drawn[pair]
        pilot = int(pair[:8], 16) < pilot_share(pairs) * 16**8
        wanted = n if pilot else stop(policy, row)
        assert sorted(drawn[pair]) == list(range(there, max(there, wanted)))
        if not pilot and there < n:
            spared += n - max(there, wanted)
    assert progress.spared == spared


def test_a_run_that_goes_on_by_a_known_policy_draws_the_rest_alone() -> None:
    outcomes = made_up(300, 16)
    whole, _, policy = run(Shelf(outcomes, {}), Design(16, "bands", 0.95))
    assert policy is not None
    shelf = Shelf(outcomes, {})
    # Stopped in the middle: every pair has some of what it gets.
    shelf.drawn = {pair: len(whole[pair]) * (index % 3) // 2 for index, pair in enumerate(shelf.outcomes)}
    rest, _, _ = run(shelf, Design(16, "bands", 0.95), policy=policy)
    pilot = {pair for pair in shelf.outcomes if int(pair[:8], 16) < pilot_share(300) * 16**8}
    for pair in shelf.outcomes.keys() - pilot:
        assert sorted([*range(shelf.drawn[pair]), *rest[pair]]) == sorted(whole[pair])


def test_a_pair_that_fails_is_not_asked_again_and_holds_nothing_up() -> None:
    for fails in (0, -1):
        shelf = Shelf(made_up(100, 8), {})
        pair = sorted(shelf.outcomes)[fails]
        drawn, _, policy = run(shelf, Design(8, "bands", 0.95), fails=pair)
        assert policy is not None
        assert set(drawn) == shelf.outcomes.keys() - {pair}


def test_fewer_samples_are_drawn_and_most_bands_are_right() -> None:
    shelf = Shelf(made_up(1_000, 16), {})
    drawn, _, _ = run(shelf, Design(16, "groups", 0.95))
    counts = Counter(len(indices) for indices in drawn.values())
    assert sum(n * pairs for n, pairs in counts.items()) / 16_000 < 0.55


@pytest.mark.parametrize(("pairs", "pilot"), [(1, 1), (15, 15), (100, 20), (1_000, 100), (10**8, 200)])
def test_the_pilot_is_a_tenth_but_not_too_few_nor_too_many(pairs: int, pilot: int) -> None:
    assert pilot_share(pairs) * pairs == pytest.approx(pilot)
