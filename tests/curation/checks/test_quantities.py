from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.checks.quantities import Quantity, comparable, quantities, same


def only(text: str) -> Quantity:
    (found,) = quantities(text)
    return found


@pytest.mark.parametrize(
    ("text", "number", "unit"),
    [
        ("13.5 fl oz", 13.5, "fluid_ounce"),
        ('12"', 12, "inch"),
        ("6 ft", 6, "foot"),
        ("10'", 10, "foot"),
        ("1,200 g", 1200, "gram"),
        ("14,90 €", 14.9, "EUR"),
        ("$13.41", 13.41, "USD"),
        ("-5 °C", -5, "degree_Celsius"),
        ("26l", 26, "liter"),
        ("38-inch", 38, "inch"),
        ("EU 44", 44, ""),
    ],
)
def test_reads_number_and_unit(text: str, number: float, unit: str) -> None:
    found = only(text)
    assert (found.number, found.unit) == (number, unit)


def test_spans_hold_number_and_unit() -> None:
    text = "a bag of 26 l, 1.2 kg"
    assert [text[each.start : each.stop] for each in quantities(text)] == ["26 l", "1.2 kg"]


def test_model_numbers_are_no_quantities() -> None:
    assert quantities("GU10 M5A78L 4K") == ()


def test_a_range_shares_its_unit() -> None:
    assert [each.unit for each in quantities("10 x 12 x 3 in")] == ["inch"] * 3
    assert [(each.number, each.unit) for each in quantities("EU 35-38")] == [(35, ""), (38, "")]


def test_in_may_be_a_preposition() -> None:
    assert only("size 4 in black").is_doubtful
    assert not only("14.2 in wide").is_doubtful
    assert not only("width 14 in").is_doubtful


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("36 cm", "14.2 in"),
        ("28 cm", "11 in"),
        ("100 ml", "3.4 fl oz"),
        ("1.2 kg", "1200 g"),
        ("-5 °C", "23 °F"),
        ("24.9", "24.90 €"),
        ("16 oz", "1 lb"),
    ],
)
def test_same_amount(a: str, b: str) -> None:
    assert same(only(a), only(b))
    assert same(only(b), only(a))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("54 cm", "60 cm"),
        ("13.41 €", "14.90 €"),
        ("36 mm", "36 cm"),
        ("5 W", "5 lm"),
        ("5 €", "$5"),
        ("183 cm", "7 ft"),
        ("3.1 fl oz", "3"),
    ],
)
def test_another_amount(a: str, b: str) -> None:
    assert not same(only(a), only(b))


def test_units_of_one_dimension_are_comparable() -> None:
    assert comparable(only("5 oz"), only("2 kg"))
    assert not comparable(only("5 fl oz"), only("2 kg"))


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    for each in quantities(text):
        assert 0 <= each.start < each.stop <= len(text)


@given(st.integers(1, 5000), st.sampled_from(["cm", "in", "g", "oz", "ml", "fl oz", "€", "°C"]))
def test_ten_per_cent_more_is_never_the_same(number: int, unit: str) -> None:
    assert same(only(f"{number} {unit}"), only(f"{number} {unit}"))
    assert not same(only(f"{number * 10} {unit}"), only(f"{number * 11} {unit}"))
