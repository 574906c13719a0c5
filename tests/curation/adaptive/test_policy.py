from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.adaptive.policy import GROUPS, Policy, Target, make_policy
from curation.adaptive.prior import GRID, learn_prior
from curation.difficulty import band

priors = st.lists(st.integers(0, 20), min_size=9, max_size=9).map(
    lambda counts: learn_prior({(8, c): count for c, count in enumerate(counts) if count})
)
designs = st.fixed_dictionaries(
    {
        "n": st.integers(4, 9),
        "first": st.integers(1, 4),
        "target": st.sampled_from(["bands", "groups"]),
        "agreement": st.floats(0.5, 0.995),
        "asking_cost": st.floats(0, 3),
    }
)


def stop(policy: Policy, correct: tuple[bool, ...]) -> int:
    """Samples after which a pair with these outcomes is left."""
    n = policy.first
    while more := policy.more[n, sum(correct[:n])]:
        n += more
    return n


def named(target: Target, name: str) -> str:
    return GROUPS[name] if target == "groups" else name


def test_a_prior_is_a_distribution_that_rules_nothing_out() -> None:
    weights = learn_prior({(4, 4): 100})
    assert weights.sum() == pytest.approx(1)
    assert (weights > 0).all()
    assert weights[-20:].sum() > 0.8
    assert learn_prior({}) == pytest.approx(np.full(len(GRID), 1 / len(GRID)))


def test_a_prior_finds_two_kinds_of_pairs() -> None:
    draw = np.random.default_rng(3)
    counts: dict[tuple[int, int], int] = {}
    for rate, pairs in ((0.1, 600), (0.9, 400)):
        for c in draw.binomial(8, rate, pairs):
            counts[8, int(c)] = counts.get((8, int(c)), 0) + 1
    weights = learn_prior(counts)
    assert weights[GRID < 0.5].sum() == pytest.approx(0.6, abs=0.05)
    assert weights[(GRID > 0.3) & (GRID < 0.7)].sum() < 0.05


@given(priors, designs)
@settings(deadline=None, max_examples=30)
def test_what_a_policy_expects_is_what_comes_of_all_sequences(
    prior: np.ndarray, asked: dict[str, Any]
) -> None:
    policy = make_policy(prior, **asked)
    n, target = asked["n"], asked["target"]
    samples = agreement = 0.0
    for correct in product([False, True], repeat=n):
        probability = float(prior @ (GRID ** sum(correct) * (1 - GRID) ** (n - sum(correct))))
        stopped = stop(policy, correct)
        state = stopped, sum(correct[:stopped])
        samples += probability * stopped
        agreement += probability * (
            named(target, policy.bands[state]) == named(target, band(n, sum(correct)))
        )
    assert policy.samples == pytest.approx(samples)
    assert policy.agreement == pytest.approx(agreement)
    assert agreement >= asked["agreement"] - 1e-9
    assert all(0 <= more <= n - m for (m, _), more in policy.more.items())


@given(priors, designs, st.floats(0, 1), st.sampled_from([0.0, 0.1, 1.0]))
@settings(deadline=None, max_examples=60)
def test_pass_at_k_is_unbiased_whatever_the_solve_rate(
    prior: np.ndarray,
    asked: dict[str, Any],
    rate: float,
    pilot: float,
) -> None:
    policy = replace(make_policy(prior, **asked), pilot=pilot)
    n = asked["n"]
    means = np.zeros(policy.first)
    for correct in product([False, True], repeat=n):
        probability = rate ** sum(correct) * (1 - rate) ** (n - sum(correct))
        for stopped, share in ((n, pilot), (stop(policy, correct), 1 - pilot)):
            if share:
                estimate = policy.pass_at_k[stopped, sum(correct[:stopped])]
                means += share * probability * np.array(estimate)
    assert means == pytest.approx([1 - (1 - rate) ** k for k in range(1, policy.first + 1)])


def test_a_dearer_question_is_asked_less_often() -> None:
    prior = learn_prior({(8, c): 50 for c in range(9)})
    waves = []
    for cost in (0.0, 4.0):
        policy = make_policy(prior, n=16, first=4, target="bands", agreement=0.95, asking_cost=cost)
        reached = {(4, c) for c in range(5)}
        count = 0
        while reached := {
            (n + k, c + j) for n, c in reached if (k := policy.more[n, c]) for j in range(k + 1)
        }:
            count += 1
        waves.append(count)
    assert waves[1] < waves[0]


@pytest.mark.parametrize(("target", "most"), [("bands", 0.76), ("groups", 0.55)])
def test_agreement_with_all_samples_is_what_was_asked_for_at_a_share_of_them(
    target: Target, most: float
) -> None:
    """Of pairs like those that a tuned model has: many solved or unsolved, the rest between."""
    draw = np.random.default_rng(0)
    rates = draw.permutation(np.concatenate([draw.beta(0.5, 0.5, 1_500), np.ones(300), np.zeros(200)]))
    outcomes = draw.random((len(rates), 16)) < rates[:, None]
    pilot = outcomes[:200].sum(axis=1)
    prior = learn_prior({(16, c): int((pilot == c).sum()) for c in range(17)})
    policy = make_policy(prior, n=16, first=4, target=target, agreement=0.95, asking_cost=0.2)
    stops = [stop(policy, tuple(row)) for row in outcomes[200:]]
    right = [
        named(target, policy.bands[n, row[:n].sum()]) == named(target, band(16, row.sum()))
        for n, row in zip(stops, outcomes[200:], strict=True)
    ]
    assert (sum(right) + 200) / len(outcomes) >= 0.95
    assert (sum(stops) + 200 * 16) / outcomes.size <= most


def test_all_samples_are_drawn_where_nothing_less_will_do() -> None:
    prior = np.zeros(len(GRID))
    prior[100] = 1.0
    policy = make_policy(prior, n=8, first=2, target="bands", agreement=0.999, asking_cost=0.0)
    assert policy.agreement >= 0.999
    assert policy.samples > 6
