from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.budget import UNLIMITED, Budget, Price, parse_budget
from warehouse.errors import TierwiseError

PRICE = "prompt=0.5,completion=2"


def test_a_budget_is_read_with_its_price() -> None:
    assert parse_budget(None, None) == UNLIMITED
    assert parse_budget("tokens=5000", None) == Budget(tokens=5000)
    assert parse_budget("usd=2.50", PRICE) == Budget(usd=2.5, price=Price(0.5, 2.0))
    assert parse_budget("tokens=1e6,usd=3", PRICE) == Budget(1_000_000, 3.0, Price(0.5, 2.0))


@pytest.mark.parametrize(
    ("budget", "price", "message"),
    [
        ("5000", None, "'5000' is not tokens=AMOUNT or usd=AMOUNT"),
        ("tokens=many", None, "'tokens=many' is not"),
        ("tokens=-1", None, "'tokens=-1' is not"),
        ("tokens=1,tokens=2", None, "'tokens=2' is not"),
        ("", None, "'' is not"),
        ("usd=nan", PRICE, "'usd=nan' is not"),
        ("usd=1", None, "needs --price"),
        ("tokens=1", "prompt=1", "name both"),
        ("tokens=1", "prompt=1,answers=2", "'answers=2' is not"),
    ],
)
def test_what_is_no_budget_is_refused(budget: str, price: str | None, message: str) -> None:
    with pytest.raises(TierwiseError, match=message):
        parse_budget(budget, price)


def test_a_budget_of_zero_is_spent_at_once() -> None:
    assert Budget(tokens=0).is_spent(0, 0)
    assert Budget(usd=0.0, price=Price(1, 1)).is_spent(0, 0)
    assert not UNLIMITED.is_spent(10**12, 10**12)


def test_money_counts_both_kinds_of_tokens() -> None:
    budget = parse_budget("usd=2", PRICE)
    assert budget.usd_of(1_000_000, 500_000) == 1.5
    assert not budget.is_spent(1_000_000, 500_000)
    assert budget.is_spent(1_000_000, 750_000)


@given(st.integers(0, 1000), st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200))))
def test_what_is_left_is_spent_when_the_whole_is(tokens: int, spendings: list[tuple[int, int]]) -> None:
    whole = left = Budget(tokens=tokens)
    prompt = completion = 0
    for more_prompt, more_completion in spendings:
        prompt, completion = prompt + more_prompt, completion + more_completion
        left = left.less(more_prompt, more_completion)
        assert left.is_spent(0, 0) == whole.is_spent(prompt, completion)
