"""Metrics of samples on arrays: pass@k by hand, shares, weights, intervals."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.checks.finding import KINDS
from curation.configurations import ConfigurationInStore
from eval.evidence import Attribute
from eval.metrics.bootstrap import interval, resample_counts
from eval.samples.measure import left_out, measure, measure_slices, offered, pass_at_k
from eval.samples.sampled import Sampled
from warehouse.views import MACROS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eval.metrics.measure import Measured


def counted(n: Sequence[int], c: Sequence[int], **more: Any) -> Sampled:
    """Pairs with `n` samples, c of them correct; each a query of its own, of weight 1, unless told otherwise.

    `gold` are names of tiers; `erring` counts of samples with an error, all of them of the kind verdict.
    """
    nothing = [0] * len(n)
    arrays: dict[str, Any] = {
        name: np.asarray(more.pop(name, default), np.int64)
        for name, default in (
            *(("unparsable", nothing), ("unfinished", nothing), ("tokens", n), ("agreeing", c)),
            ("checked", n),
        )
    }
    erring = np.asarray(more.pop("erring", nothing), np.int64)
    names, codes = np.unique(more.pop("gold", ["1"] * len(n)), return_inverse=True)
    return Sampled(
        configuration=ConfigurationInStore("c" * 36, "c", "answer-first", "judgments"),
        split="eval_v1",
        role="eval",
        query=np.unique(more.pop("query", range(len(n))), return_inverse=True)[1],
        weight=np.asarray(more.pop("weight", [1.0] * len(n)), float),
        attributes={"gold": Attribute(tuple(names.tolist()), codes)},
        n=np.asarray(n, np.int64),
        c=np.asarray(c, np.int64),
        erring={kind: erring if kind in ("any", "verdict") else 0 * erring for kind in ("any", *KINDS)},
        failed={},
        gold_changed=0,
        **arrays,
        **more,
    )


def by_name(found: list[Measured]) -> dict[str, Measured]:
    return {each.metric: each for each in found}


@given(st.integers(1, 8).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_pass_at_k_is_the_share_of_draws_with_a_correct_sample(drawn: tuple[int, int, int]) -> None:
    n, c, k = drawn
    draws = [any(draw) for draw in itertools.combinations([True] * c + [False] * (n - c), k)]
    (found,) = pass_at_k(np.array([n]), np.array([c]), k)
    assert found == pytest.approx(sum(draws) / len(draws), abs=1e-12)


def test_pass_at_k_is_what_the_macro_gives() -> None:
    macro = next(macro for macro in MACROS if macro.name == "pass_at_k")
    with duckdb.connect() as connection:
        connection.execute(macro.create())
        rows = connection.execute(
            "SELECT n, c, k, pass_at_k(n, c, k) FROM (VALUES (1), (7), (64), (1000)) a(n), "
            "(VALUES (0), (1), (5), (63), (1000)) b(c), (VALUES (1), (2), (32), (1000)) d(k) WHERE c <= n AND k <= n"
        ).fetchall()
    assert len(rows) > 30
    for n, c, k, expected in rows:
        assert pass_at_k(np.array([n]), np.array([c]), k)[0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("n", "ks", "without"),
    [
        ([1, 1], (1,), {}),
        ([7, 4], (1, 2, 4), {}),
        ([8, 8], (1, 2, 4, 8), {}),
        ([16, 3, 7, 8], (1, 2), {4: 1, 8: 2, 16: 3}),
    ],
)
def test_every_k_that_all_pairs_can_give_is_measured(
    n: list[int], ks: tuple[int, ...], without: dict[int, int]
) -> None:
    of = counted(n, [0] * len(n))
    assert offered(of) == ks
    assert left_out(of) == without
    names = [each.metric for each in measure(of, resamples=5, seed=0) if each.metric.startswith("pass")]
    assert names == [f"pass_{k}" for k in ks]


def test_means_are_over_pairs_and_shares_over_samples_both_by_weight() -> None:
    of = counted(
        [4, 2, 2],
        [1, 2, 0],
        weight=[1, 3, 2],
        unparsable=[2, 0, 1],
        unfinished=[1, 1, 0],
        tokens=[40, 10, 30],
        agreeing=[2, 2, 1],
        checked=[4, 1, 0],
        erring=[1, 1, 0],
    )
    found = by_name(measure(of, resamples=5, seed=0))
    assert {name: each.value for name, each in found.items()} == pytest.approx(
        {
            "pass_1": (1 * 0.25 + 3 * 1 + 2 * 0) / 6,
            "pass_2": (1 * 0.5 + 3 * 1 + 2 * 0) / 6,
            "unparsable": (2 + 2) / (4 + 6 + 4),
            "unfinished": (1 + 3) / (4 + 6 + 4),
            "hallucination_rate": (1 + 3) / (4 + 3),
            "hallucination_rate.verdict": (1 + 3) / (4 + 3),
            **{f"hallucination_rate.{kind}": 0 for kind in KINDS if kind != "verdict"},
            "completion_tokens": (40 + 30 + 60) / (4 + 6 + 4),
            "self_agreement": (0.5 + 3 + 1) / 6,
        }
    )
    assert (found["pass_1"].pairs, found["hallucination_rate"].pairs) == (3, 2)


def test_what_is_undefined_says_why() -> None:
    found = by_name(measure(counted([1, 1], [1, 0], checked=[0, 0]), resamples=20, seed=0))
    assert found["hallucination_rate.copy"].reason == "no sample was checked"
    assert found["self_agreement"].reason == "no pair has two samples"
    assert math.isnan(found["self_agreement"].value)
    assert (found["self_agreement"].pairs, found["self_agreement"].queries) == (0, 0)
    assert found["pass_1"].reason is None
    of_one = by_name(measure(counted([2, 2], [1, 0], query=[0, 0]), resamples=20, seed=0))
    assert of_one["pass_2"].value == 0.5
    assert math.isnan(of_one["pass_2"].low)
    assert of_one["pass_2"].reason == "no interval: it takes two queries"
    for each in measure(counted([2, 2], [1, 0], weight=[0, 0]), resamples=20, seed=0):
        assert math.isnan(each.value)
        assert each.reason == "all weights are 0"


def test_a_slice_is_measured_as_if_it_were_all() -> None:
    rows = {"n": [4, 3, 2, 2], "c": [1, 2, 0, 2], "query": [0, 0, 1, 2], "weight": [1, 3, 2, 1]}
    of = counted(**rows, gold=["3", "1", "3", "3"])
    slices = measure_slices(of, resamples=30, seed=4)
    assert list(slices) == [("gold", "1"), ("gold", "3")]
    alone = counted(**{name: [values[i] for i in (0, 2, 3)] for name, values in rows.items()})
    assert slices["gold", "3"] == measure(alone, resamples=30, seed=4)
    # The values of k are those of the whole, also where a slice could give more.
    assert [m.metric for m in slices["gold", "1"]] == [m.metric for m in measure(of, resamples=1, seed=0)]
    assert measure_slices(counted([1], [1]), resamples=5, seed=0) == {}


@st.composite
def samples(draw: st.DrawFn) -> Sampled:
    """A few queries with pairs of different numbers of samples, some without a checked one."""
    count = draw(st.integers(2, 20))

    def up_to(most: list[int]) -> list[int]:
        return [draw(st.integers(0, each)) for each in most]

    n = [draw(st.integers(1, 9)) for _ in range(count)]
    checked = up_to(n)
    return counted(
        n,
        up_to(n),
        unparsable=up_to(n),
        tokens=[draw(st.integers(1, 400)) for _ in range(count)],
        agreeing=up_to(n),
        checked=checked,
        erring=up_to(checked),
        query=[draw(st.integers(0, 7)) for _ in range(count)],
        weight=[draw(st.sampled_from([0.25, 1.0, 3.0])) for _ in range(count)],
    )


@given(samples())
@settings(deadline=None, max_examples=60)
def test_intervals_contain_the_value(of: Sampled) -> None:
    for found in measure(of, resamples=400, seed=1):
        if not math.isnan(found.low):
            assert found.low - 1e-9 <= found.value <= found.high + 1e-9, found


@given(samples())
@settings(deadline=None, max_examples=30)
def test_a_resample_is_what_its_repeated_pairs_would_give(of: Sampled) -> None:
    seed, resamples = 3, 8
    (block,) = resample_counts(of.queries, resamples, seed)
    naive = []
    for times in block.astype(int):
        pairs = np.repeat(np.arange(len(of.n)), times[of.query])
        each = by_name(
            measure(
                counted(
                    of.n[pairs].tolist(),
                    of.c[pairs].tolist(),
                    tokens=of.tokens[pairs],
                    agreeing=of.agreeing[pairs],
                    checked=of.checked[pairs],
                    erring=of.erring["any"][pairs],
                    weight=of.weight[pairs],
                ),
                resamples=1,
                seed=0,
            )
        )
        naive.append({name: found.value for name, found in each.items()})
    for found in measure(of, resamples=resamples, seed=seed):
        if found.metric == "unparsable" or math.isnan(found.value):
            continue
        low, high, reason = interval(np.array([each[found.metric] for each in naive]), found.queries)
        assert (found.low, found.high) == pytest.approx((low, high), abs=1e-9, nan_ok=True), found.metric
        assert found.reason == reason
