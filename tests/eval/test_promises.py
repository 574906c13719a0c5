"""Promises: what is read, what contradicts itself, and what is proved of θ, in simulations that draw whole queries."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise, product
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from eval.decisions import cumulative, walk
from eval.metrics.counts import confusion
from eval.partition.betting import log_wealth, p_values, proved, queries_needed, walked
from eval.partition.consistent import require_consistent
from eval.partition.grid import THETAS, grid_counts
from eval.partition.objectives import OBJECTIVES, cost_objective
from eval.partition.promises import Promise, parse_promise, parse_promises, prove
from tests.eval.arrays import evidence, evidences, simulated
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from eval.evidence import Evidence
    from eval.partition.objectives import Objective
    from eval.partition.promises import Proof

    Floats = NDArray[np.float64]

MACRO_F1 = OBJECTIVES["macro_f1"]
EAGER = cost_objective("0,0,0,1;0,0,0,1;0,0,0,1;99,99,99,0")
"""Wants tier 4 for whatever may be of it."""

DRAWS = 80

kinds = st.sampled_from(["precision", "recall", "share", "accuracy"])
some_tiers = st.sets(st.integers(1, 4), min_size=1, max_size=3)
bounds = st.floats(0.0001, 0.9999)


@st.composite
def stated(draw: st.DrawFn) -> Promise:
    kind = draw(kinds)
    tiers = () if kind == "accuracy" else tuple(sorted(draw(some_tiers)))
    return Promise(kind, tiers, kind != "share" or draw(st.booleans()), draw(bounds))


def proof(of: Evidence, *texts: str, objective: Objective = MACRO_F1, confidence: float = 0.9) -> Proof:
    scores = cumulative(of.tier_probs)
    return prove(scores, of.gold, of.query, of.weight, parse_promises(texts), objective, confidence)


def wealth(of: Evidence, promises: Sequence[Promise]) -> tuple[Floats, Floats]:
    payoffs = np.stack([promise.payoff for promise in promises])
    return log_wealth(cumulative(of.tier_probs), of.gold, of.query, of.weight, payoffs), payoffs


def holding(of: Evidence, *texts: str, error: float = 0.1) -> NDArray[np.bool_]:
    return proved(*wealth(of, parse_promises(texts)), error)


def queries_of(of: Evidence, numbers: NDArray[np.int64]) -> Evidence:
    """Whole queries by number, each copy a query."""
    order = np.argsort(of.query, kind="stable")
    starts = np.searchsorted(of.query[order], np.arange(of.queries + 1))
    rows = np.concatenate([order[starts[number] : starts[number + 1]] for number in numbers])
    query = np.repeat(np.arange(len(numbers)), (starts[1:] - starts[:-1])[numbers])
    return evidence(of.tier_probs[rows], of.gold[rows], query, of.weight[rows])


# What is read.


@given(stated())
def test_a_promise_is_read_as_it_is_written(promise: Promise) -> None:
    assert parse_promise(promise.text) == promise


def test_promises_as_people_write_and_read_them() -> None:
    assert parse_promise(" recall : 4, 3 >= .6") == Promise("recall", (3, 4), True, 0.6)
    assert parse_promise("precision:3,4>=0.9").words == "precision of tiers 3 and 4 together ≥ 0.9"
    assert parse_promise("share:2<=0.2").words == "share of tier 2 ≤ 0.2"
    assert parse_promise("accuracy>=0.8").words == "accuracy ≥ 0.8"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("precision", "write it as"),
        ("precision:4>0.9", "write it as"),
        ("precision:4==0.9", "write it as"),
        ("f1:4>=0.9", "unknown 'f1'"),
        ("precision>=0.9", "name its tiers"),
        ("accuracy:4>=0.9", "of all tiers"),
        ("precision:5>=0.9", "of 1, 2, 3, 4"),
        ("precision:0>=0.9", "of 1, 2, 3, 4"),
        ("precision:34>=0.9", "of 1, 2, 3, 4"),
        ("precision:3,3>=0.9", "different"),
        ("precision:3,>=0.9", "different"),
        ("share:1,2,3,4>=0.9", "one to three"),
        ("precision:4<=0.9", "only a share"),
        ("accuracy<=0.9", "only a share"),
        ("precision:4>=0", "no bound"),
        ("precision:4>=1", "no bound"),
        ("precision:4>=0.00001", "no bound"),
        ("precision:4>=95%", "; write 0.95$"),
        ("precision:4>=97.5 %", "; write 0.975$"),
        ("precision:4>=100%", "to 0.9999$"),
        ("precision:4>=many%", "to 0.9999$"),
        ("precision:4>=nan", "no bound"),
    ],
)
def test_nonsense_is_refused_in_a_line(text: str, reason: str) -> None:
    with pytest.raises(TierwiseError, match=reason) as refused:
        parse_promise(text)
    assert repr(text) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("texts", "named"),
    [
        (["share:2<=0.1", "share:2>=0.3"], ["share:2<=0.1", "share:2>=0.3"]),
        (["share:1>=0.5", "share:4<=0.9", "share:2,3>=0.6"], ["share:1>=0.5", "share:2,3>=0.6"]),
        (
            ["share:1,2<=0.4", "share:3<=0.2", "share:4<=0.3"],
            ["share:1,2<=0.4", "share:3<=0.2", "share:4<=0.3"],
        ),
        (["share:3,4<=0.5", "precision:4>=0.9", "share:4>=0.6"], ["share:3,4<=0.5", "share:4>=0.6"]),
    ],
)
def test_what_logic_excludes_is_refused(texts: list[str], named: list[str]) -> None:
    with pytest.raises(TierwiseError, match="contradict") as refused:
        parse_promises(texts)
    assert f": {' and '.join(named)};" in str(refused.value)


def test_what_logic_allows_is_not_refused() -> None:
    for texts in (
        ["share:1>=0.5", "share:2,3>=0.5"],
        ["share:2<=0.1", "share:2<=0.2"],
        ["precision:4>=0.99", "recall:4>=0.99", "share:4<=0.01", "accuracy>=0.99"],
    ):
        require_consistent([parse_promise(text) for text in texts])


@given(st.lists(st.integers(0, 20), min_size=4, max_size=4).filter(any), st.data())
@settings(deadline=None)
def test_promises_that_some_shares_keep_are_consistent(parts: list[int], data: st.DataObject) -> None:
    shares = np.array(parts) / sum(parts)
    promises = []
    for tiers in data.draw(st.lists(some_tiers, min_size=1, max_size=5)):
        share = shares[np.array(sorted(tiers)) - 1].sum()
        if 0.01 < share < 0.99:
            at_least = data.draw(st.booleans())
            promises.append(
                Promise("share", tuple(sorted(tiers)), at_least, share * 0.999 if at_least else share * 1.001)
            )
    require_consistent(promises)


# What a promise is about.


@given(evidences(), stated())
@settings(deadline=None, max_examples=50)
def test_the_payoff_is_positive_where_the_promise_is_kept(of: Evidence, promise: Promise) -> None:
    for theta in (0.2, 0.5, 0.75):
        decided = walk(cumulative(of.tier_probs), (theta,) * 3)
        counts = confusion(of.gold, decided, of.weight)
        paid = float((promise.payoff * counts).sum())
        value, kept = promise.judged(of.gold, decided, of.weight)
        if math.isnan(value):
            assert paid == 0
            assert kept is None
        elif abs(value - promise.bound) > 1e-6:
            assert kept == (paid > 0)
            assert kept == promise.met(value)


def test_ratios_are_those_of_the_traffic() -> None:
    gold, decided, weight = np.array([4, 4, 3, 1]), np.array([4, 3, 4, 2]), np.array([1.0, 2.0, 3.0, 4.0])
    for text, value in (
        ("precision:4>=0.5", 1 / 4),
        ("recall:4>=0.2", 1 / 3),
        ("precision:3,4>=0.9", 1),
        ("share:2<=0.5", 4 / 10),
        ("share:3,4>=0.7", 6 / 10),
        ("accuracy>=0.1", 1 / 10),
    ):
        promise = parse_promise(text)
        found, kept = promise.judged(gold, decided, weight)
        assert found == pytest.approx(value)
        assert kept == (value >= promise.bound if promise.at_least else value <= promise.bound)
    for text in ("precision:1>=0.5", "recall:2>=0.5"):
        found, kept = parse_promise(text).judged(gold, decided, weight)
        assert math.isnan(found)
        assert kept is None


# How it is proved.


@given(evidences())
@settings(deadline=None, max_examples=20)
def test_counts_over_the_grid_are_those_of_the_walk(of: Evidence) -> None:
    scores = cumulative(of.tier_probs)
    counts = grid_counts(scores, of.gold, of.weight)
    for place, theta in enumerate(THETAS):
        expected = confusion(of.gold, walk(scores, (float(theta),) * 3), of.weight)
        assert counts[:, :, place] == pytest.approx(expected, abs=1e-9)
        assert ((counts[:, :, place] == 0) == (expected == 0)).all()


@given(evidences(), stated(), st.integers(0, len(THETAS) - 1))
@settings(deadline=None, max_examples=40)
def test_wealth_is_a_product_over_queries(of: Evidence, promise: Promise, place: int) -> None:
    found, payoffs = wealth(of, [promise])
    decided = walk(cumulative(of.tier_probs), (float(THETAS[place]),) * 3)
    paid = np.bincount(of.query, of.weight * payoffs[0][of.gold - 1, decided - 1])
    bets = paid / np.bincount(of.query, of.weight).max() / -payoffs[0].min()
    assert bets.min() > -1 - 1e-9
    for stake in (0, 1, 5):
        factors = 1 + 0.95 / 2**stake * bets
        assert found[0, place, stake] == pytest.approx(np.log(factors).sum(), abs=1e-6, rel=1e-6)


@given(st.lists(st.lists(st.integers(1, 4), min_size=3, max_size=3), min_size=3, max_size=3))
@settings(deadline=None, max_examples=12)
def test_wealth_does_not_grow_by_itself(golds: list[list[int]]) -> None:
    """Over all samples of two from three kinds of queries, at the very bound, every stake ends where it began."""
    tier_probs = np.array([[0.1, 0.1, 0.2, 0.6]] * 2 + [[0.1, 0.5, 0.2, 0.2]])
    value = (np.array(golds)[:, :2] == 4).mean()
    if not 0 < value < 1:
        return
    place = int(np.flatnonzero(THETAS == 0.5)[0])
    ended = []
    for drawn in product(range(3), repeat=2):
        sample = evidence(
            np.tile(tier_probs, (2, 1)), [tier for kind in drawn for tier in golds[kind]], np.arange(6) // 3
        )
        found, _ = wealth(sample, [Promise("precision", (4,), True, float(value))])
        ended.append(found[0, place])
    assert np.exp(ended).mean(axis=0) == pytest.approx(1, rel=1e-9)
    at_most = np.minimum(1, 1 / p_values(np.array(ended))).mean()
    assert at_most <= 1


def test_p_values_are_the_inverse_of_mean_wealth() -> None:
    flat = np.zeros((1, 3, 12)) + np.log([0.5, 1.0, 20.0])[:, None]
    assert p_values(flat)[0] == pytest.approx([1, 1, 1 / 20])
    lucky = np.full((1, 1, 12), -np.inf)
    lucky[..., 3] = np.log(1e6)
    assert 5e-6 < p_values(lucky)[0, 0] < 1e-4
    assert (p_values(np.full((1, 1, 12), 5000.0)) == 0).all()


@given(evidences(), st.sampled_from(["recall:4", "recall:3,4", "share:4", "share:2,3,4"]), bounds)
@settings(deadline=None, max_examples=20)
def test_p_values_of_what_only_falls_are_in_order(of: Evidence, what: str, bound: float) -> None:
    falling, _ = wealth(of, [parse_promise(f"{what}>={bound!r}")])
    assert (np.diff(falling, axis=1) <= 1e-9).all()


def by_graph(p: Floats, shares: Floats) -> NDArray[np.bool_]:
    """Algorithm 1 of Bretz et al. (2009), step by step, where weights go half to each neighbour."""
    count = len(p)
    level, alive = shares.copy(), np.ones(count, bool)
    pass_on = np.zeros((count, count))
    for place in range(count):
        neighbours = [other for other in (place - 1, place + 1) if 0 <= other < count]
        pass_on[place, neighbours] = 1 / len(neighbours) if neighbours else 0
    while (todo := alive & (p <= level)).any():
        gone = int(np.flatnonzero(todo)[-1])
        alive[gone] = False
        level = np.where(alive, level + level[gone] * pass_on[gone], 0)
        then = np.zeros_like(pass_on)
        for a, b in product(np.flatnonzero(alive), repeat=2):
            back = pass_on[a, gone] * pass_on[gone, a]
            if a != b and back < 1:
                then[a, b] = (pass_on[a, b] + pass_on[a, gone] * pass_on[gone, b]) / (1 - back)
        pass_on = then
    return ~alive


@given(st.data())
@settings(deadline=None)
def test_walking_is_the_graphical_procedure(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 9))
    # No p-value equals a level that is a sum of powers of two.
    p = np.array(
        data.draw(st.lists(st.sampled_from([0.011, 0.037, 0.063, 0.9]), min_size=count, max_size=count))
    )
    shares = np.array(
        data.draw(st.lists(st.sampled_from([0, 1 / 64, 1 / 32, 1 / 16]), min_size=count, max_size=count))
    )
    assert walked(p, shares).tolist() == by_graph(p, shares).tolist()


@pytest.mark.parametrize(("kinds_", "rate"), [(1, 0.1), (2, 0.05)])
def test_the_error_is_spent_once(kinds_: int, rate: float) -> None:
    """Were p-values of a claim that is false everywhere independent and uniform, some θ would be proved that often."""
    rng = np.random.default_rng(5)
    payoffs = np.stack([Promise(kind, (4,), True, 0.5).payoff for kind in ("precision", "recall")[:kinds_]])
    draws = 3_000
    wrong = 0
    for _ in range(draws):
        ended = np.full((kinds_, len(THETAS), 12), 50.0)
        ended[0] = -np.log(rng.random(len(THETAS)))[:, None]
        wrong += int(proved(ended, payoffs, 0.1).any())
    assert binom.sf(wrong - 1, draws, rate) > 1e-3
    assert binom.cdf(wrong, draws, 0.8 * rate) > 1e-3


# What becomes of it.


def stream(*, weighted: bool) -> Evidence:
    """Queries to draw from: six to twelve pairs alike in tier, too sure, and surest of some where they are wrong."""
    rng = np.random.default_rng(11)
    sizes = rng.integers(6, 13, size=4_000)
    query = np.repeat(np.arange(len(sizes)), sizes)
    middle = rng.choice(4, p=[0.2, 0.2, 0.2, 0.4], size=len(sizes))[query]
    gold = np.where(rng.random(len(query)) < 0.6, middle, rng.integers(4, size=len(query))) + 1
    gamma = rng.standard_gamma(0.4 + 2.5 * np.eye(4)[gold - 1])
    tier_probs = (gamma / gamma.sum(axis=1, keepdims=True)) ** 1.5
    wrong = (rng.random(len(sizes)) < 0.06)[query]
    gold[wrong] = 2
    tier_probs[wrong] = [0.0005, 0.001, 0.001, 0.9975]
    tier_probs /= tier_probs.sum(axis=1, keepdims=True)
    weight = np.minimum(rng.lognormal(0, 0.5, size=len(sizes)), 3)[query] if weighted else None
    return evidence(tier_probs, gold, query, weight)


def within(of: Evidence, promises: Sequence[Promise]) -> NDArray[np.bool_]:
    """At which thetas all promises are, on these data, [K]."""
    counts = grid_counts(cumulative(of.tier_probs), of.gold, of.weight)
    values = [(promise, promise.value(counts)) for promise in promises]
    met: NDArray[np.bool_] = np.all(
        [promise.met(found) | np.isnan(found) for promise, found in values], axis=0
    )
    return met


@pytest.mark.parametrize(
    ("texts", "queries", "weighted", "objective", "power"),
    [
        (["precision:4>=0.6"], 250, False, EAGER, 0.4),
        (["precision:3,4>=0.68", "share:2<=0.3", "recall:4>=0.4"], 300, True, EAGER, 0.7),
        (["share:2<=0.18"], 150, True, MACRO_F1, 0.9),
    ],
)
def test_promises_hold_as_often_as_was_asked(
    texts: list[str], queries: int, weighted: bool, objective: Objective, power: float
) -> None:
    confidence = 0.9
    promises, of = parse_promises(texts), stream(weighted=weighted)
    true = within(of, promises)
    made, wrong, naively_wrong = 0, 0, 0
    for seed in range(DRAWS):
        numbers = np.random.default_rng(seed).integers(of.queries, size=queries)
        drawn = queries_of(of, numbers)
        found = proof(drawn, *texts, objective=objective, confidence=confidence)
        made += found.theta is not None
        wrong += any(not true[(low <= THETAS) & (high >= THETAS)].all() for low, high in found.proved)
        # What is done without a proof: the best of what the sample shows.
        counts = grid_counts(cumulative(drawn.tier_probs), drawn.gold, drawn.weight)
        sampled = np.where(within(drawn, promises), objective.value(counts), -np.inf)
        naively_wrong += int(not true[sampled.argmax()])
    assert binom.sf(wrong - 1, DRAWS, 1 - confidence) > 1e-3
    assert made >= power * DRAWS
    assert binom.sf(naively_wrong - 1, DRAWS, 1 - confidence) < 1e-4


def test_precision_of_the_stream_is_not_monotone() -> None:
    of = stream(weighted=False)
    counts = grid_counts(cumulative(of.tier_probs), of.gold, of.weight)
    values = parse_promise("precision:4>=0.6").value(counts)
    middle, high = (values[np.searchsorted(THETAS, theta)] for theta in (0.6, 0.99))
    assert values[0] < high + 0.05 < middle - 0.3
    assert values[-1] > middle


def sample(queries: int, seed: int = 3) -> Evidence:
    return simulated(queries * 6, queries, seed=seed, spread=0.2, weighted=False)


@pytest.mark.parametrize("text", ["precision:4>=0.5", "recall:3,4>=0.6", "share:2<=0.35"])
@pytest.mark.parametrize(
    "more", ["precision:3,4>=0.6", "recall:4>=0.5", "share:4<=0.4", "share:1>=0.1", "accuracy>=0.5"]
)
def test_another_promise_never_proves_more(text: str, more: str) -> None:
    of = sample(300)
    alone, both = holding(of, text), holding(of, text, more)
    assert alone.any()
    assert not (both & ~alone).any()


def test_more_confidence_never_proves_more() -> None:
    of = sample(300)
    ever = [holding(of, "precision:4>=0.6", error=error) for error in (0.2, 0.1, 0.05, 0.001)]
    assert len({int(hold.sum()) for hold in ever}) > 1
    for less, more in pairwise(ever):
        assert not (more & ~less).any()


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=8)
def test_order_of_rows_and_names_of_queries_change_nothing(seed: int) -> None:
    rng, of = np.random.default_rng(seed), sample(150)
    of = replace(of, weight=rng.exponential(size=of.queries)[of.query])
    rows, names = rng.permutation(len(of.gold)), rng.permutation(of.queries)
    other = evidence(of.tier_probs[rows], of.gold[rows], names[of.query[rows]], of.weight[rows])
    for texts in (["precision:4>=0.5", "share:2<=0.6"], ["precision:4>=0.9"]):
        one, two = proof(of, *texts), proof(other, *texts)
        assert (one.theta, one.proved, one.queries_needed) == (two.theta, two.proved, two.queries_needed)
        assert one.values == pytest.approx(two.values, nan_ok=True)


def test_the_best_of_what_is_proved_is_chosen() -> None:
    of = sample(400)
    for objective in (MACRO_F1, EAGER, OBJECTIVES["accuracy"]):
        found = proof(of, "precision:4>=0.5", objective=objective)
        hold = holding(of, "precision:4>=0.5")
        values = objective.value(grid_counts(cumulative(of.tier_probs), of.gold, of.weight))
        assert found.theta in THETAS[hold]
        assert found.objective == pytest.approx(values[hold].max())
        assert found.objective == pytest.approx(values[found.theta == THETAS][0])
        decided = walk(cumulative(of.tier_probs), (found.theta or 0,) * 3)
        assert found.values == [found.standings[0].promise.judged(of.gold, decided, of.weight)[0]]


def test_equal_thetas_give_the_middle_of_the_longest_run() -> None:
    gold = np.tile([4, 1], 200)
    of = evidence(np.where(gold[:, None] == 4, [0.0, 0.0, 0.395, 0.605], [0.705, 0.0, 0.0, 0.295]), gold)
    found = proof(of, "precision:4>=0.6")
    assert found.theta == 0.45
    assert found.proved == ((0.3, 0.6),)
    assert found.values == [1.0]


def test_queries_that_are_needed_are_enough() -> None:
    of = sample(60)
    found = proof(of, "precision:4>=0.75")
    assert found.theta is None
    assert found.queries_needed is not None
    assert found.queries == of.queries
    copies = math.ceil(found.queries_needed / of.queries)
    assert 2 <= copies <= 20
    assert (
        proof(queries_of(of, np.tile(np.arange(of.queries), copies)), "precision:4>=0.75").theta is not None
    )
    fewer = math.floor(found.queries_needed / 1.03 / of.queries)
    assert proof(queries_of(of, np.tile(np.arange(of.queries), fewer)), "precision:4>=0.75").theta is None
    near, payoffs = wealth(of, parse_promises(["precision:4>=0.75"]))
    assert queries_needed(near * 1.5, payoffs, 0.1, 60) == pytest.approx(found.queries_needed / 1.5, rel=0.03)


def test_answers_say_what_is_in_the_way() -> None:
    of = sample(60)
    assert proof(of, "share:2<=0.5").answer.startswith("θ = ")
    assert (
        "keeps share of tier 2 ≤ 0.5 with 90 % confidence, as long as no query outweighs the heaviest of these 60; "
        "on these it is 0." in proof(of, "share:2<=0.5").answer
    )
    near = proof(of, "precision:4>=0.75", confidence=0.975)
    assert near.answer.startswith(
        "No threshold can promise precision of tier 4 ≥ 0.75 with 97.5 % confidence on these"
    )
    assert near.answer.endswith("would be needed.")
    assert near.standings[0].met
    assert math.isnan(near.values[0])
    never = proof(of, "recall:4>=0.1", "precision:2>=0.99")
    assert never.queries_needed is None
    assert not never.standings[1].met
    assert (
        f"whatever θ, the best is {never.standings[1].best:.3f} for precision of tier 2 ≥ 0.99"
        in never.answer
    )
    torn = proof(of, "recall:4>=0.95", "recall:1>=0.95")
    assert [standing.met for standing in torn.standings] == [True, True]
    assert not torn.together
    assert torn.queries_needed is None
    assert "not all at once" in torn.answer
    nothing = proof(evidence(np.eye(4)[[0, 0]], [1, 1]), "recall:4>=0.5")
    assert "none has traffic for recall of tier 4" in nothing.answer


def heavy_tailed(queries: int, heavy: Sequence[bool], weight: float = 100.0) -> Evidence:
    """Queries of one pair in tier 4 and weight 1, all right, after some of `weight`, right or not."""
    gold = np.where([*heavy, *[True] * (queries - len(heavy))], 4, 1)
    weights = np.where(np.arange(queries) < len(heavy), weight, 1.0)
    return evidence(np.tile([0.0, 0.0, 0.0, 1.0], (queries, 1)), gold, weight=weights)


@given(st.lists(st.booleans(), min_size=1, max_size=6))
@settings(deadline=None, max_examples=15)
def test_what_is_proved_is_proved_up_to_the_heaviest_query(heavy: list[bool]) -> None:
    """Of queries 1.5 % weigh a hundred times as much and are often wrong: 60 can lack them, and show no sign of them.

    One among the 60, even a right one, and they are too few to prove anything.
    """
    lacking = proof(heavy_tailed(60, []), "precision:4>=0.85", confidence=0.95)
    assert lacking.theta is not None
    assert lacking.heavy is None
    assert "as long as no query outweighs the heaviest of these 60;" in lacking.answer
    assert proof(heavy_tailed(60, heavy), "precision:4>=0.85", confidence=0.95).theta is None


def test_a_heavy_query_is_a_warning() -> None:
    found = proof(heavy_tailed(64, [True], 7.0), "precision:4>=0.5")
    assert found.theta is not None
    assert found.heavy == (
        "the heaviest of 64 queries holds 10 % of the traffic: a heavier one that is not among them could break "
        "what is promised"
    )
    assert proof(heavy_tailed(64, [True], 3.0), "precision:4>=0.5").heavy is None
    few = proof(heavy_tailed(16, [True], 2.0), "precision:4>=0.5")
    assert few.theta is not None
    assert few.heavy is None
    assert proof(heavy_tailed(60, [True]), "precision:4>=0.85").heavy is None


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=20)
def test_heaviness_is_of_queries_in_whatever_unit(seed: int) -> None:
    rng, of = np.random.default_rng(seed), sample(150)
    of = replace(of, weight=rng.pareto(1.2, size=of.queries)[of.query] + 0.1)
    found = proof(of, "share:4<=0.999")
    traffic = np.bincount(of.query, of.weight)
    assert found.heaviest == pytest.approx(traffic.max() / traffic.sum())
    assert proof(replace(of, weight=of.weight * 8), "share:4<=0.999").heaviest == pytest.approx(
        found.heaviest
    )


def test_a_promise_met_to_the_letter_is_never_proved() -> None:
    of = evidence(np.eye(4)[[3, 3]], [4, 1])
    found = proof(of, "precision:4>=0.5")
    assert found.together
    assert found.queries_needed is None
    assert "too narrowly" in found.answer


def test_what_cannot_be_asked_is_refused() -> None:
    of = sample(20)
    with pytest.raises(TierwiseError, match="confidence 1 "):
        proof(of, "recall:4>=0.5", confidence=1.0)
    with pytest.raises(TierwiseError, match="weight 0"):
        proof(replace(of, weight=np.zeros(len(of.gold))), "recall:4>=0.5")
