"""What is planted for the benchmark of checks as a whole, and the texts without a fault."""

import re
from collections import Counter
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.hallucination.drafts import paraphrases, spellings
from benchmarks.hallucination.pairs import Pair, Part
from benchmarks.hallucination.planting import (
    CLEAN,
    COPIED,
    DEVELOPMENT,
    FAULTS,
    FROZEN,
    REPORTED,
    VARIANTS,
    Planted,
    frozen_hash,
    plant,
)
from benchmarks.hallucination.quantities import (
    Quantity,
    in_multiples,
    in_other_units,
    off_by_a_tenth,
    quantities,
    read,
)
from curation.grading import parse
from curation.rationales.rationale import Rationale
from curation.rationales.reading import Reject, read_answer
from curation.rulebook.reading import built_in, read_rulebook
from curation.shop import KINDS, LABELS, generate
from curation.shop.rulebook import shop_rulebook
from curation.shop.units import imperial
from curation.shop.values import forms
from curation.shop.wordings import wordings
from tests.curation.shop.planted import (
    PARTS,
    SIZE,
    body,
    claims_of_item_line,
    digit,
    line_of_span,
    of,
    planted_parts,
    read_back,
    selected,
    wrong,
)


@pytest.fixture(scope="module")
def parts() -> dict[str, list[Planted]]:
    return planted_parts()


@pytest.fixture(scope="module")
def texts(parts: dict[str, list[Planted]]) -> list[Planted]:
    """All texts of both parts."""
    return [each for part in parts.values() for each in part]


def test_each_fault_and_each_variant_comes_as_often_as_asked_for(parts: dict[str, list[Planted]]) -> None:
    assert len(FAULTS) == 11
    for texts in parts.values():
        counts = Counter(each.fault for each in texts)
        assert counts == {None: 11 * SIZE} | dict.fromkeys(FAULTS, SIZE)
        variants = Counter((each.fault, each.variant) for each in texts)
        assert {(each.fault, each.name) for each in VARIANTS} <= variants.keys()
        for fault in FAULTS:
            of_fault = [count for (named, _), count in variants.items() if named == fault]
            assert len(of_fault) >= 2
            assert max(of_fault) - min(of_fault) <= 1
        assert {name for name, _ in CLEAN} == {each.variant for each in texts if not each.fault}


def test_kinds_tiers_and_forms_are_in_balance(texts: list[Planted]) -> None:
    for some in (of(texts, None), [each for each in texts if each.fault]):
        cells = Counter((each.pair.row.kind, each.pair.row.label) for each in some)
        assert cells.keys() == {(kind, label) for kind in KINDS for label in LABELS}
        assert max(cells.values()) <= 2 * min(cells.values())
        forms_ = Counter(each.form for each in some)
        assert min(forms_.values()) > 0.4 * len(some)


def test_a_seed_gives_the_same_texts_and_another_seed_others() -> None:
    once = plant(1, 5, DEVELOPMENT)
    assert once == plant(1, 5, DEVELOPMENT)
    assert {each.text for each in once}.isdisjoint(each.text for each in plant(1, 6, DEVELOPMENT))


def test_the_parts_share_no_query_intent_and_wording(parts: dict[str, list[Planted]]) -> None:
    def said(texts: list[Planted]) -> set[str]:
        """Lines that hold phrases."""
        kept = re.compile(r"Query|Item|Category|Verdict|check ")
        return {
            re.sub(r"Verdict: \w+, ", "", line)
            for each in texts
            if each.variant != "decorated"
            for line in body(each).split("\n")
            if kept.match(line)
        }

    def intents(texts: list[Planted]) -> set[str]:
        return {each.pair.row.intent.partition(": ")[2] for each in texts}

    development, reported = parts["development"], parts["reported"]
    assert {each.pair.query for each in development}.isdisjoint(each.pair.query for each in reported)
    assert intents(development).isdisjoint(intents(reported))
    assert said(development).isdisjoint(said(reported))
    for texts in (development, reported):
        # One intent each, so that no clean text looks like a copy of another one.
        assert len(intents(texts)) == len(texts)


def test_no_phrase_stands_in_two_tables() -> None:
    tables = [
        {phrase for name, phrases in each.items() if name not in {"less", "more"} for phrase in phrases}
        for each in (
            paraphrases(DEVELOPMENT),
            paraphrases(REPORTED),
            wordings(held_out=False),
            wordings(held_out=True),
        )
    ]
    for number, table in enumerate(tables):
        assert all(table.isdisjoint(other) for other in tables[number + 1 :])
    for part in PARTS:
        assert min(map(len, paraphrases(part).values())) >= 1
        assert all(
            len(phrases) >= 4 for name, phrases in paraphrases(part).items() if name not in {"less", "more"}
        )


@pytest.mark.parametrize("part", PARTS, ids=[part.name for part in PARTS])
def test_what_is_called_invented_stands_nowhere_in_the_shop(part: Part) -> None:
    table = paraphrases(part)
    goods = "\n".join(f"{row.title} {row.description} {row.query}" for row in generate(4_000, 3)).casefold()
    assert not [phrase for phrase in table["invented"] if phrase.casefold() in goods]
    books = {*shop_rulebook().by_name, *read_rulebook(built_in("general")).by_name}
    assert books.isdisjoint(table["rules"])


def test_spans_stand_where_something_is_planted(texts: list[Planted]) -> None:
    for each in texts:
        if each.fault in {None, "step dropped"}:
            assert each.span is None
        else:
            assert selected(each).strip()
        assert not re.search("[\ue000\ue001]", each.text)
        assert bool(each.expected) == bool(each.fault)


def test_all_that_the_item_lines_say_besides_is_true(texts: list[Planted]) -> None:
    for each in texts:
        if each.fault == COPIED or (each.fault, each.variant) == ("step dropped", "item"):
            continue
        claimed = claims_of_item_line(each)
        planted_slot = line_of_span(each).partition(":")[0].partition(" ")[2] if each.span else ""
        assert {slot for slot, _ in claimed} <= {planted_slot}, each.text
        if each.fault != "brand swapped":
            assert each.pair.brand in each.text or each.variant == "item", each.text


def test_texts_without_a_fault_have_none(texts: list[Planted]) -> None:
    to_british = {american: british for british, american in spellings().items()}
    for each in of(texts, None):
        rationale = read_back(each)
        if each.variant == "other spelling":
            american = re.compile(rf"\b(?:{'|'.join(to_british)})\b")
            respelt = american.sub(lambda found: to_british[found[0]], body(each))
            assert respelt != body(each)
            rationale = Rationale.parse(respelt)
        if each.variant == "other multiple of the unit":
            rationale = with_stated_multiples(each)
        assert not wrong(each, rationale), each.text
        assert digit(each) == rationale.tier == each.pair.derivation.tier
        assert set(rationale.rules) <= set(each.pair.rules)
        assert each.expected == frozenset()


def test_a_reader_of_answers_takes_the_clean_ones_and_no_broken_form(texts: list[Planted]) -> None:
    for each in texts:
        answer_ = read_answer(each.text, each.form, f"{each.pair.query} {each.pair.title}")
        if each.fault == "order broken" or each.variant in {"digit alone", "item", "category", "rules"}:
            assert isinstance(answer_, Reject)
        else:
            assert answer_ == read_back(each)
        assert parse(each.text, each.form).tier == digit(each)


def with_stated_multiples(planted: Planted) -> Rationale:
    """The rationale with the one amount that was said in another unit as the item states it."""
    text, pair = body(planted), planted.pair
    for slot in pair.family.slots:
        stated = read(pair.form(slot.name, pair.value(slot.name)))
        multiple = in_multiples(stated) if stated else None
        if stated and multiple and str(multiple) in text:
            assert multiple.amount == pytest.approx(stated.amount, rel=1e-9)
            return Rationale.parse(text.replace(str(multiple), str(stated)))
    raise AssertionError(text)


def test_other_units_are_those_that_the_item_does_not_state(texts: list[Planted]) -> None:
    for each in of(texts, None, "other system of units"):
        pair = each.pair
        said = [
            slot.name
            for slot in pair.family.slots
            for form in {pair.value(slot.name), imperial(pair.value(slot.name))}
            if form != pair.form(slot.name, pair.value(slot.name)) and form in body(each).split("\nItem")[1]
        ]
        assert said, each.text


def test_decorated_texts_are_decorated_and_more_values_are_more(texts: list[Planted]) -> None:
    for each in of(texts, None, "decorated"):
        assert all(re.match(r"(?:- |\* |\d+\. |\*\*|[A-Z]+\b)", line) for line in body(each).split("\n"))
        assert body(each) != read_back(each).render()
    for each in of(texts, None, "more values"):
        pair, line = each.pair, read_back(each).item
        asked = {constraint.slot for constraint in pair.derivation.requirements if pair.derivation.findings}
        more = [
            slot.name
            for slot in pair.family.slots
            if slot.name not in asked and pair.value(slot.name) in forms(pair.family, slot.name).named(line)
        ]
        assert more, each.text


def test_a_check_sees_what_a_store_has_of_the_pair(texts: list[Planted]) -> None:
    for each in texts:
        pair = each.pair
        assert (pair.query, pair.title, pair.brand, pair.price) == (
            pair.row.query,
            pair.row.title,
            pair.row.brand,
            pair.row.price,
        )
        assert "<" not in pair.description
        assert pair.row.attributes["see_also"] in pair.item_text
        assert pair.row.attributes["see_also"] not in pair.own_text
        assert set(pair.rules) <= set(shop_rulebook().by_name)
        assert pair.kind == pair.row.kind or {pair.kind, pair.row.kind} == {"knowledge", "plain"}
    assert {field.name for field in fields(Pair)} == {
        *("query", "kind", "locale", "title", "description", "brand", "price", "rules", "row")
    }


QUANTITIES = st.builds(
    lambda number, decimals, unit: Quantity(f"{number:.{decimals}f}", unit),
    st.floats(0.1, 5_000),
    st.integers(0, 2),
    st.sampled_from(("mm", "cm", "in", "g", "oz", "lb", "kg", "ml", "fl oz", "l", "lm", "°C", "°F", "€")),
)


@given(QUANTITIES, QUANTITIES)
def test_changed_quantities_are_neither_the_stated_one_nor_close_to_another(
    quantity: Quantity, other: Quantity
) -> None:
    text = f"has {quantity}, and {other}."
    assert quantities(text) == [quantity, other]
    assert read(str(quantity)) == quantity
    for changed in off_by_a_tenth(quantity, text):
        assert changed.unit == quantity.unit
        assert changed.number not in {quantity.number, other.number}
        assert 0.07 <= abs(float(changed.number) / float(quantity.number) - 1) <= 0.13
        assert len(changed.number.partition(".")[2]) == len(quantity.number.partition(".")[2])
        assert not changed.is_close(other)
        assert not other.is_close(changed)
    for of_dimension in (False, True):
        for changed in in_other_units(quantity, text, of_dimension=of_dimension):
            assert changed.number == quantity.number
            assert changed.unit != quantity.unit
            assert not changed.is_close(quantity)
            assert not changed.is_close(other)


@pytest.mark.parametrize(
    ("stated", "multiple"),
    [("1.2 kg", "1200 g"), ("420 g", "0.42 kg"), ("350 ml", "0.35 l"), ("28 cm", "280 mm"), ("18 l", None)],
)
def test_multiples_are_exact(stated: str, multiple: str | None) -> None:
    quantity = read(stated)
    assert quantity is not None
    found = in_multiples(quantity)
    assert (str(found) if found else None) == multiple


def test_the_same_amount_is_close_in_every_unit_and_another_is_not() -> None:
    assert Quantity("22", "in").is_close(Quantity("56", "cm"))
    assert Quantity("41", "°F").is_close(Quantity("5", "°C"))
    assert not Quantity("24", "in").is_close(Quantity("56", "cm"))
    assert not Quantity("5", "g").is_close(Quantity("5", "ml"))


def test_the_generator_and_the_shop_are_those_that_were_frozen() -> None:
    """After a change on purpose: ``python -m benchmarks.hallucination.planting``, before any check is measured."""
    assert frozen_hash() == FROZEN.read_text(encoding="ascii").strip()
