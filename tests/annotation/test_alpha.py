"""Krippendorff's alpha against arithmetic by hand, published examples and NLTK."""

from __future__ import annotations

import importlib
import math
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotation.review.alpha import coincidences, estimate, jaccard, nominal, ordinal, span_coincidences

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    from annotation.review.alpha import Alpha, Distance, Floats, Span

MISSING = -1

# Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), section C: four coders, twelve units.
PUBLISHED = """
    1 2 3 3 2 1 4 1 2 . . .
    1 2 3 3 2 2 4 1 2 5 . 3
    . 3 3 3 2 3 4 2 2 5 1 .
    1 2 3 3 2 4 4 1 2 5 1 .
"""

# Krippendorff, "Content Analysis", 4th edition (2019), figure 12.11, as the tests of the R package quallmer quote
# it: three coders of a continuum of length 60.
CONTINUUM: list[list[Span]] = [
    [("1", 0, 7), ("2", 7, 13), ("5", 30, 32), ("6", 32, 37), ("6", 37, 44), ("7", 44, 60)],
    [("1", 0, 7), ("3", 7, 13), ("5", 13, 21), ("6", 32, 44)],
    [("1", 0, 7), ("4", 7, 13), ("5", 13, 21), ("6", 32, 37), ("6", 37, 41), ("6", 41, 44)],
]


def counted(units: Sequence[Sequence[int]], size: int) -> Floats:
    """Counts of the values that each unit got from its annotators."""
    counts = np.zeros((len(units), size))
    for unit, answers in enumerate(units):
        for value in answers:
            if value != MISSING:
                counts[unit, value] += 1
    return counts


def alpha_of(units: Sequence[Sequence[int]], distance: Distance, size: int) -> Alpha:
    return estimate(coincidences(counted(units, size)), distance, range(len(units)))


def random_units(seed: int, missing: float, size: int) -> list[list[int]]:
    """Forty units and three annotators who mostly agree."""
    draw = np.random.default_rng(seed)
    answers = np.repeat(draw.integers(size, size=(40, 1)), 3, axis=1)
    answers = np.where(draw.random((40, 3)) < 0.4, draw.integers(size, size=(40, 3)), answers)
    units: list[list[int]] = np.where(draw.random((40, 3)) < missing, MISSING, answers).tolist()
    return units


units_of_three = st.lists(st.lists(st.integers(MISSING, 3), min_size=3, max_size=3), min_size=1, max_size=8)
distances = st.sampled_from([nominal(4), ordinal, jaccard([frozenset(s) for s in ("", "a", "ab", "bc")])])


def test_coincidences_of_a_unit() -> None:
    # v = (2, 1, 0), m = 3: vvᵀ − diag v = [[4 − 2, 2, 0], [2, 1 − 1, 0], [0, 0, 0]], over m − 1 = 2.
    # One answer, or none, makes no pair.
    found = coincidences(np.array([[2.0, 1, 0], [0, 1, 0], [0, 0, 0]]))
    assert found.tolist() == [
        [[1, 1, 0], [1, 0, 0], [0, 0, 0]],
        np.zeros((3, 3)).tolist(),
        np.zeros((3, 3)).tolist(),
    ]


def test_nominal_by_hand() -> None:
    # o_00 = 2, o_01 = o_10 = 1, o_11 = 4; n_0 = 3, n_1 = 5, n = 8. The last unit has one answer.
    # D_o = (1 + 1) / 8 = 1/4; D_e = 2 · 3 · 5 / (8 · 7) = 15/28; 1 − 1/4 · 28/15 = 8/15.
    found = alpha_of([[0, 0], [0, 1], [1, 1], [1, 1], [0, MISSING]], nominal(2), 2)
    assert found.value == pytest.approx(8 / 15)
    assert (found.units, found.pairable) == (4, 8)


def test_ordinal_by_hand() -> None:
    # n = (3, 1, 2). d_01 = (3 + 1 − 4/2)² = 4; d_02 = (3 + 1 + 2 − 5/2)² = 49/4; d_12 = (1 + 2 − 3/2)² = 9/4.
    assert ordinal(np.array([3.0, 1, 2])).tolist() == [[0, 4, 12.25], [4, 0, 2.25], [12.25, 2.25, 0]]
    # D_o = 2 · 1 · 4 / 6 = 4/3; D_e = 2 · (3·1·4 + 3·2·49/4 + 1·2·9/4) / (6 · 5) = 2 · 90 / 30 = 6; 1 − 2/9 = 7/9.
    assert alpha_of([[0, 0], [0, 1], [2, 2]], ordinal, 3).value == pytest.approx(7 / 9)


def test_jaccard_by_hand() -> None:
    sets = [frozenset[str](), frozenset("a"), frozenset("ab")]
    assert jaccard(sets).tolist() == [[0, 1, 1], [1, 0, 0.5], [1, 0.5, 0]]
    assert jaccard([frozenset("ab"), frozenset("bc")])[0, 1] == pytest.approx(1 - 1 / 3)
    # n = (2, 1, 3). D_o = 2 · 1 · 1/2 / 6 = 1/6; D_e = 2 · (2·1·1 + 2·3·1 + 1·3·1/2) / (6 · 5) = 19/30.
    # 1 − 1/6 · 30/19 = 14/19.
    assert alpha_of([[0, 0], [1, 2], [2, 2]], jaccard(sets), 3).value == pytest.approx(14 / 19)


def test_spans_by_hand() -> None:
    # Characters 0 and 1 only the first has, 2 and 3 both, 4 and 5 only the second, 6 to 9 neither.
    found = span_coincidences([[("brand", 0, 4)], [("brand", 2, 6)]], 10, ["brand"])
    assert found.tolist() == [[4 * 2, 4], [4, 2 * 2]]
    # n = (12, 8). D_o = 8/20; D_e = 2 · 12 · 8 / (20 · 19) = 48/95; 1 − 2/5 · 95/48 = 5/24.
    alpha = estimate(found[None], nominal(2), [0])
    assert alpha.value == pytest.approx(5 / 24)
    assert (alpha.units, alpha.pairable) == (1, 20)


def test_the_first_of_overlapping_spans_wins() -> None:
    overlapping: list[Span] = [("b", 2, 6), ("a", 0, 4), ("b", 3, 3)]
    apart: list[Span] = [("a", 0, 2), ("b", 2, 6)]
    assert span_coincidences([overlapping, apart], 8, "ab").tolist() == np.diag([4, 4, 8]).tolist()


@pytest.mark.parametrize("span", [(3, 2), (-1, 2), (8, 11)])
def test_a_span_outside_its_text_is_refused(span: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="text of 10 characters"):
        span_coincidences([[("a", *span)], []], 10, "a")
    with pytest.raises(KeyError):
        span_coincidences([[("c", 1, 2)], []], 10, "ab")


@pytest.mark.parametrize(
    ("distance", "value"),
    [
        (nominal(5), 0.743),
        (ordinal, 0.815),
        (np.subtract.outer(np.arange(5.0), np.arange(5.0)) ** 2, 0.849),
    ],
    ids=["nominal", "ordinal", "interval"],
)
def test_the_published_example(distance: Distance, value: float) -> None:
    coders = [
        [MISSING if v == "." else int(v) - 1 for v in row.split()] for row in PUBLISHED.split("\n")[1:-1]
    ]
    found = alpha_of(list(zip(*coders, strict=True)), distance, 5)
    assert round(found.value, 3) == value
    assert (found.units, found.pairable) == (11, 40)


def test_the_published_continuum() -> None:
    """Our coincidences with the D_e of the paper: n² − Σ L² for spans and n² − Σ L for gaps of length L."""
    kinds = "1234567"
    observed = span_coincidences(CONTINUUM, 60, kinds)
    n = observed.sum()
    themselves = np.zeros(len(observed))
    for spans in CONTINUUM:
        themselves[0] += 60 - sum(stop - start for _, start, stop in spans)
        for kind, start, stop in spans:
            themselves[1 + kinds.index(kind)] += (stop - start) ** 2
    same = observed.sum(axis=0) ** 2 - themselves
    disagreement = (n - np.trace(observed)) / n
    expected = 1 - same.sum() / (n**2 - themselves.sum())
    assert round(1 - disagreement / expected, 3) == 0.510
    # Our own D_e is a little smaller.
    assert 0.49 < estimate(observed[None], nominal(8), [0]).value < 0.51


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_nltk(seed: int, missing: float) -> None:
    sets = [frozenset(s) for s in ("", "a", "b", "ab", "abc")]

    def apart(a: frozenset[str], b: frozenset[str]) -> float:
        return 1 - len(a & b) / len(a | b) if a | b else 0.0

    def differ(a: frozenset[str], b: frozenset[str]) -> float:
        return float(a != b)

    units = random_units(seed, missing, len(sets))
    data = [
        (coder, unit, sets[value])
        for unit, answers in enumerate(units)
        for coder, value in enumerate(answers)
        if value != MISSING
    ]
    # It has no types for mypy.
    agreement = importlib.import_module("nltk.metrics.agreement")
    cases: list[tuple[Distance, Callable[[frozenset[str], frozenset[str]], float]]] = [
        (nominal(len(sets)), differ),
        (jaccard(sets), apart),
    ]
    for ours, theirs in cases:
        expected = agreement.AnnotationTask(data, distance=theirs).alpha()
        assert 0.2 < expected < 0.8
        assert alpha_of(units, ours, len(sets)).value == pytest.approx(expected)


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), min_size=2).filter(lambda values: len(set(values)) > 1), distances)
def test_perfect_agreement_is_one(values: list[int], distance: Distance) -> None:
    found = alpha_of([[value] * 3 for value in values], distance, 4)
    assert (found.value, found.pairable) == (1, 3 * len(values))


@settings(deadline=None)
@given(units_of_three, distances)
def test_never_above_one(units: list[list[int]], distance: Distance) -> None:
    found = alpha_of(units, distance, 4)
    numbers = [found.value, found.low, found.high]
    assert all(math.isnan(number) or number <= 1 for number in numbers)
    assert math.isnan(found.low) == math.isnan(found.high)


@settings(deadline=None)
@given(units_of_three, distances, st.randoms(use_true_random=False))
def test_the_order_of_units_changes_nothing(
    units: list[list[int]], distance: Distance, random: random.Random
) -> None:
    clusters = [random.randrange(3) for _ in units]
    order = random.sample(range(len(units)), len(units))
    per_unit = coincidences(counted(units, 4))
    before = estimate(per_unit, distance, clusters, resamples=50)
    after = estimate(per_unit[order], distance, [clusters[unit] for unit in order], resamples=50)
    for name in ("value", "low", "high", "units", "pairable"):
        assert getattr(after, name) == pytest.approx(getattr(before, name), nan_ok=True, abs=1e-9)


spans_of_one = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 12), st.integers(0, 12)).map(
        lambda span: (span[0], min(span[1:]), max(span[1:]))
    ),
    max_size=4,
)


@settings(deadline=None)
@given(st.lists(spans_of_one, max_size=4))
def test_runs_equal_characters_one_by_one(annotations: list[list[Span]]) -> None:
    def value(spans: list[Span], at: int) -> int:
        return next((1 + "abc".index(kind) for kind, start, stop in spans if start <= at < stop), 0)

    characters = [[value(spans, at) for spans in annotations] for at in range(12)]
    expected = coincidences(counted(characters, 4)).sum(axis=0)
    assert span_coincidences(annotations, 12, "abc") == pytest.approx(expected)
    assert span_coincidences(annotations[::-1], 12, "abc") == pytest.approx(expected)


def test_a_text_without_characters_has_no_coincidences() -> None:
    assert span_coincidences([[], []], 0, "a").tolist() == [[0, 0], [0, 0]]


def test_interval_of_two_clusters_by_hand() -> None:
    # Drawn are both, 1 − 2/8 · 56/30 = 8/15 as above; or the first twice, where n = (6, 2), D_o = 4/8 and
    # D_e = 2 · 6 · 2 / (8 · 7) = 3/7, so 1 − 7/6 = −1/6; or the second twice, which agrees. Each of these two
    # is a quarter of the resamples, so the ends of the interval.
    found = estimate(coincidences(counted([[0, 0], [0, 1], [0, 0], [1, 1]], 2)), nominal(2), [7, 7, 3, 3])
    assert [found.value, found.low, found.high] == pytest.approx([8 / 15, -1 / 6, 1])


def test_resamples_have_ordinal_distances_of_their_own() -> None:
    first, second = [[0, 1], [0, 0], [1, 2]], [[0, 0], [0, 2], [2, 2], [1, 1], [1, 1]]
    twice = sorted(alpha_of([*units, *units], ordinal, 3).value for units in (first, second))
    found = estimate(coincidences(counted([*first, *second], 3)), ordinal, [0] * 3 + [1] * 5)
    assert twice[0] < found.value < twice[1]
    assert [found.low, found.high] == pytest.approx(twice)


def test_intervals_hold_the_truth_where_clusters_are_drawn_whole() -> None:
    """Each cluster has five units that are answered alike, as far from independent as can be."""
    draw = np.random.default_rng(3)

    def population(clusters: int) -> Floats:
        truth = draw.integers(3, size=clusters)
        answers = [
            np.where(draw.random(clusters) < 0.3, draw.integers(3, size=clusters), truth) for _ in "ab"
        ]
        return coincidences(counted(np.transpose(answers).tolist(), 3))

    truth = estimate(population(100_000), nominal(3), np.arange(100_000) % 2, resamples=1).value
    # By chance they agree on 0.7² of the units on the truth and on a third of the others.
    assert truth == pytest.approx(0.49, abs=0.01)
    held: Counter[str] = Counter()
    for seed in range(100):
        units = population(60).repeat(5, axis=0)
        for name, clusters in (("cluster", np.arange(300) // 5), ("unit", np.arange(300))):
            found = estimate(units, nominal(3), clusters, resamples=200, seed=seed)
            held[name] += found.low <= truth <= found.high
            assert found.low < found.value < found.high
    assert 88 <= held["cluster"] <= 99
    assert held["unit"] < 75


def test_draws_follow_from_the_seed_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    per_unit = coincidences(counted(random_units(1, 0.2, 3), 3))
    clusters = [unit // 2 for unit in range(40)]
    found = estimate(per_unit, ordinal, clusters, seed=5)
    assert estimate(per_unit, ordinal, clusters, seed=5) == found
    assert estimate(per_unit, ordinal, clusters, seed=6).low != found.low
    # However many resamples fit into memory at once, here three.
    monkeypatch.setattr("annotation.review.alpha._CELLS", 60)
    again = estimate(per_unit, ordinal, clusters, seed=5)
    assert [again.low, again.high] == pytest.approx([found.low, found.high])


@pytest.mark.parametrize(
    ("units", "pairable"),
    [([], 0), ([[0], [1], [MISSING]], 0), ([[1, 1], [1, 1, 1], [0]], 5)],
    ids=["no units", "one answer each", "no variation"],
)
@pytest.mark.parametrize("distance", [nominal(2), ordinal, jaccard([frozenset("a"), frozenset("b")])])
def test_undefined_is_nan(units: list[list[int]], pairable: int, distance: Distance) -> None:
    found = alpha_of(units, distance, 2)
    assert np.isnan([found.value, found.low, found.high]).all()
    assert found.pairable == pairable


def test_one_cluster_with_pairs_has_no_interval() -> None:
    units = [[0, 0], [0, 1], [1, 1], [0, MISSING]]
    per_unit = coincidences(counted(units, 2))
    found = estimate(per_unit, nominal(2), [4, 4, 4, 5])
    # n = (3, 3): 1 − 2/6 · 30/18 = 4/9.
    assert found.value == pytest.approx(4 / 9)
    assert np.isnan([found.low, found.high]).all()
    assert not math.isnan(estimate(per_unit, nominal(2), [4, 4, 5, 5]).low)


def test_no_interval_where_most_resamples_are_undefined() -> None:
    # Half the draws take one cluster twice, which has no variation. Of three draws, two or more do so half of the
    # time, and all three an eighth of it.
    per_unit = coincidences(counted([[0, 0], [1, 1]], 2))
    lows = [estimate(per_unit, nominal(2), [0, 1], resamples=3, seed=seed).low for seed in range(200)]
    assert all(math.isnan(low) for low in lows if low != 1)
    assert 70 < sum(math.isnan(low) for low in lows) < 130


def test_clusters_are_as_many_as_units() -> None:
    with pytest.raises(ValueError, match="2 clusters for 3 units"):
        estimate(np.ones((3, 2, 2)), nominal(2), [0, 1])
