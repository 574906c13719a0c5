from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.backends import Usage
from curation.budget import UNLIMITED, Budget, Price, parse_budget
from warehouse.errors import TierwiseError

PRICE = "prompt=0.5,completion=2"


def test_a_budget_is_read_with_its_price() -> None:
    assert parse_budget(None, None) == UNLIMITED
    assert parse_budget("tokens=5000", None) == Budget(tokens=5000)
    assert parse_budget("usd=2.50", PRICE) == Budget(usd=2.5, price=Price(0.5, 2.0))
    assert parse_budget("minutes=30", "hour=2.5") == Budget(minutes=30.0, price=Price(hour=2.5))
    assert parse_budget("tokens=1e6,usd=3", PRICE) == Budget(1_000_000, 3.0, price=Price(0.5, 2.0))


@pytest.mark.parametrize(
    ("budget", "price", "message"),
    [
        ("5000", None, "'5000' is not tokens=AMOUNT or usd=AMOUNT or minutes=AMOUNT"),
        ("tokens=many", None, "'tokens=many' is not"),
        ("tokens=-1", None, "'tokens=-1' is not"),
        ("tokens=1,tokens=2", None, "'tokens=2' is not"),
        ("", None, "'' is not"),
        ("usd=nan", PRICE, "'usd=nan' is not"),
        ("usd=1", None, "needs --price"),
        ("tokens=1", "prompt=1", "name both"),
        ("tokens=1", "cached=1,hour=2", "name both"),
        ("tokens=1", "prompt=1,answers=2", "'answers=2' is not"),
    ],
)
def test_what_is_no_budget_is_refused(budget: str, price: str | None, message: str) -> None:
    with pytest.raises(TierwiseError, match=message):
        parse_budget(budget, price)


def test_a_budget_of_zero_is_spent_at_once() -> None:
    assert Budget(tokens=0).is_spent(Usage())
    assert Budget(usd=0.0, price=Price(1, 1)).is_spent(Usage())
    assert Budget(minutes=0.0).is_spent(Usage())
    assert not UNLIMITED.is_spent(Usage(10**12, 0, 10**12, 1e12))


def test_money_counts_both_kinds_of_tokens() -> None:
    budget = parse_budget("usd=2", PRICE)
    assert not budget.is_spent(Usage(1_000_000, completion_tokens=500_000))
    assert budget.is_spent(Usage(1_000_000, completion_tokens=750_000))


def test_cached_tokens_and_hours_have_their_price() -> None:
    usage = Usage(1_000_000, 400_000, 500_000, 1_800)
    assert Price(0.5, 2.0).usd(usage) == pytest.approx(1.5)
    assert Price(0.5, 2.0, cached=0.25).usd(usage) == pytest.approx(0.3 + 0.1 + 1.0)
    assert Price(hour=3.0).usd(usage) == pytest.approx(1.5)


def test_minutes_are_those_that_the_model_works() -> None:
    budget = parse_budget("minutes=1.5", None)
    assert not budget.is_spent(Usage(seconds=89.9))
    assert budget.is_spent(Usage(seconds=90.0))


usages = st.builds(
    lambda prompt, cached, completion, seconds: Usage(prompt, min(cached, prompt), completion, seconds),
    *(st.integers(0, 200),) * 3,
    st.integers(0, 600),
)


@given(
    st.sampled_from(
        [
            Budget(tokens=700),
            Budget(minutes=20.0),
            Budget(usd=1.0, price=Price(1_000, 3_000, 500)),
            Budget(usd=4.0, price=Price(hour=10.0)),
            Budget(tokens=500, minutes=25.0),
        ]
    ),
    st.lists(usages),
)
def test_what_is_left_is_spent_when_the_whole_is(whole: Budget, spendings: list[Usage]) -> None:
    left = whole
    used = Usage()
    for usage in spendings:
        # Of money a rounding may be left.
        if whole.usd is not None and whole.price and abs(whole.price.usd(used + usage) - whole.usd) < 1e-9:
            return
        used += usage
        left = left.less(usage)
        assert left.is_spent(Usage()) == whole.is_spent(used)
