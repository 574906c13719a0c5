"""The curriculum: its weight against the closed form, its draws, forgetting, and going on from a state."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import betabinom

from training.curriculum import Curriculum, mixing_probability
from warehouse.errors import TierwiseError

POSITIVE = st.floats(1e-3, 1e6)


def build(counts: list[tuple[int, int]], **options: Any) -> Curriculum:
    ids = [f"pair {i}" for i in range(len(counts))]
    return Curriculum(ids, [n for n, _ in counts], [c for _, c in counts], **{"group_size": 8, **options})


@given(POSITIVE, POSITIVE, st.integers(2, 64))
def test_the_weight_is_what_the_beta_binomial_gives(a: float, b: float, group: int) -> None:
    weight = mixing_probability(np.array([a]), np.array([b]), group)[0]
    expected = 1 - betabinom.pmf(0, group, a, b) - betabinom.pmf(group, group, a, b)
    assert 0 < weight <= 1
    assert weight == pytest.approx(expected, abs=1e-6)


@given(st.integers(2, 32), st.floats(0.5, 100))
def test_the_weight_is_largest_in_the_middle_and_symmetric(group: int, evidence: float) -> None:
    rates = np.linspace(0.01, 0.99, 99)
    weights = mixing_probability(rates * evidence, (1 - rates) * evidence, group)
    assert weights.argmax() == 49
    assert (np.diff(weights[:50]) > 0).all()
    np.testing.assert_allclose(weights, weights[::-1], atol=1e-12)


def test_two_samples_mix_with_twice_the_expected_variance() -> None:
    a, b = np.array([0.5, 2.0, 7.0]), np.array([0.5, 9.0, 1.0])
    np.testing.assert_allclose(mixing_probability(a, b, 2), 2 * a * b / ((a + b) * (a + b + 1)))


@given(st.integers(2, 40), st.integers(1, 8), st.integers(0, 99))
def test_a_uniform_curriculum_draws_all_before_any_again(prompts: int, k: int, seed: int) -> None:
    curriculum = build([(8, 8)] * (prompts - 1) + [(8, 4)], uniform=True, seed=seed)
    k = min(k, prompts)
    drawn: list[int] = []
    for _ in range(prompts // k):
        curriculum.begin_window()
        drawn += curriculum.draw(k)
        curriculum.observe(drawn[-1], 8, 0)
    assert len(set(drawn)) == len(drawn)
    curriculum.begin_window()
    assert len(set(curriculum.draw(k))) == k


def test_offline_counts_weigh_one_group_at_most() -> None:
    curriculum = build([(0, 0), (4, 1), (8, 2), (64, 16)])
    a, b = curriculum.posterior
    np.testing.assert_allclose(a, [0.5, 1.5, 2.5, 2.5])
    np.testing.assert_allclose(b, [0.5, 3.5, 6.5, 6.5])


def test_observations_halve_in_a_half_life_and_the_prior_stays() -> None:
    curriculum = build([(8, 8), (0, 0)], half_life=4)
    curriculum.observe(1, 8, 2)
    for _ in range(4):
        curriculum.begin_window()
    a, b = curriculum.posterior
    np.testing.assert_allclose(a, [8.5, 1.5])
    np.testing.assert_allclose(b, [0.5, 3.5])


def test_prompts_always_or_never_solved_rest_and_come_back() -> None:
    curriculum = build([(0, 0)] * 4, half_life=2)
    assert curriculum.resting == 0
    for _ in range(3):
        curriculum.begin_window()
        curriculum.observe(0, 8, 0)
        curriculum.observe(1, 8, 8)
        curriculum.observe(2, 8, 4)
    weights = curriculum.weights
    assert weights[2] > weights[3] > weights[0] == pytest.approx(weights[1])
    assert curriculum.resting == 2
    for _ in range(20):
        curriculum.begin_window()
    assert curriculum.resting == 0
    np.testing.assert_allclose(curriculum.weights, weights[3], rtol=0.1)


@given(st.integers(1, 30), st.lists(st.integers(0, 12), max_size=6), st.integers(0, 3))
def test_no_prompt_is_drawn_twice_in_a_window(prompts: int, draws: list[int], seed: int) -> None:
    curriculum = build([(8, i % 9) for i in range(prompts)], seed=seed)
    for _ in range(2):
        curriculum.begin_window()
        drawn: list[int] = []
        for k in draws:
            left = prompts - len(drawn)
            assert curriculum.undrawn == left
            found = curriculum.draw(k)
            assert len(found) == min(k, left)
            drawn += found
        assert len(set(drawn)) == len(drawn)
        assert set(drawn) <= set(range(prompts))


def test_draws_follow_the_weights() -> None:
    curriculum = build([(8, 0), (8, 4), (8, 7), (0, 0)])
    counts = np.zeros(4)
    for _ in range(20_000):
        curriculum.begin_window()
        counts[curriculum.draw(1)[0]] += 1
    weights = curriculum.weights
    np.testing.assert_allclose(weights, curriculum.mixing**2)
    np.testing.assert_allclose(counts / counts.sum(), weights / weights.sum(), atol=0.015)


OPERATIONS = st.lists(
    st.one_of(
        st.just(("window",)),
        st.tuples(st.just("draw"), st.integers(0, 5)),
        st.tuples(st.just("observe"), st.integers(0, 9), st.integers(0, 8)),
    ),
    max_size=12,
)


def run(curriculum: Curriculum, operations: list[tuple[Any, ...]]) -> list[list[int]]:
    drawn = []
    for name, *arguments in operations:
        if name == "window":
            curriculum.begin_window()
        elif name == "draw":
            drawn.append(curriculum.draw(*arguments))
        else:
            curriculum.observe(arguments[0], 8, arguments[1])
    return drawn


@given(OPERATIONS, OPERATIONS, st.integers(0, 5))
def test_a_loaded_state_goes_on_bit_for_bit(
    before: list[tuple[Any, ...]], after: list[tuple[Any, ...]], seed: int
) -> None:
    counts = [(8, i % 9) for i in range(10)]
    original = build(counts, seed=seed, half_life=3)
    run(original, before)
    restored = build(counts, seed=99, half_life=3)
    restored.load_state_dict(json.loads(json.dumps(original.state_dict())))
    assert run(restored, after) == run(original, after)
    assert restored.state_dict() == original.state_dict()
    for ours, theirs in zip(restored.posterior, original.posterior, strict=True):
        assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize(
    "other",
    [
        build([(8, 4)] * 4),
        build([(8, 4), (8, 4), (8, 5)]),
        build([(8, 4)] * 3, group_size=4),
        build([(8, 4)] * 3, half_life=5),
        build([(8, 4)] * 3, uniform=True),
        Curriculum(["a", "b", "c"], [8] * 3, [4] * 3, group_size=8),
    ],
)
def test_the_state_of_another_curriculum_is_refused(other: Curriculum) -> None:
    curriculum = build([(8, 4)] * 3)
    with pytest.raises(TierwiseError, match="the checkpoint's curriculum has other prompts"):
        curriculum.load_state_dict(other.state_dict())


@pytest.mark.parametrize(
    ("counts", "options", "message"),
    [
        ([(8, 9)], {}, "pair 0: 9 of 8 solved"),
        ([(8, -1)], {}, "pair 0: -1 of 8 solved"),
        ([(8, 1)], {"group_size": 1}, "group size 1"),
        ([(8, 1)], {"half_life": 0}, "half-life 0"),
    ],
)
def test_impossible_arguments(counts: list[tuple[int, int]], options: dict[str, Any], message: str) -> None:
    with pytest.raises(TierwiseError, match=message):
        build(counts, **options)


def test_lengths_must_agree() -> None:
    with pytest.raises(TierwiseError, match="2 prompts with 1 and 2 offline counts"):
        Curriculum(["a", "b"], [1], [1, 0], group_size=2)
