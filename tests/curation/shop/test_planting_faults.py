"""Faults planted for the benchmark of checks: each is the only thing wrong in its text."""

import re

import pytest

from benchmarks.hallucination.pairs import Pair
from benchmarks.hallucination.planting import COPIED, Planted
from benchmarks.hallucination.quantities import Quantity
from curation.rationales.rationale import FormError, Rationale
from curation.rulebook.reading import built_in, read_rulebook
from curation.shop.load import shop_data
from curation.shop.rulebook import shop_rulebook
from curation.shop.units import imperial
from curation.shop.values import forms
from tests.curation.shop.planted import (
    answer,
    body,
    changed_checks,
    digit,
    following_tier,
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


def test_the_verdict_follows_from_the_steps_unless_it_is_flipped(texts: list[Planted]) -> None:
    for each in texts:
        if each.fault in {COPIED, "order broken"} or each.variant in {"item", "category", "rules"}:
            continue
        if each.fault == "verdict flipped":
            assert following_tier(each) == each.pair.derivation.tier != digit(each)
        else:
            assert following_tier(each) == digit(each) == read_back(each).tier


def test_a_flipped_verdict_is_the_only_thing_wrong(texts: list[Planted]) -> None:
    for each in of(texts, "verdict flipped"):
        rationale = read_back(each)
        if each.variant == "digit alone":
            assert not wrong(each)
            assert selected(each) == str(digit(each)) != str(rationale.tier)
        else:
            assert wrong(each) == {"tier"}
            assert rationale.tier == digit(each)
            assert selected(each) in {"Excellent", "Related", "Mismatch", "Irrelevant"}


@pytest.mark.parametrize(
    "fault", ["colour swapped", "number off by 10 %", "unit changed", "brand swapped", "claim negated"]
)
def test_a_false_claim_changes_one_slot_and_what_follows_from_it(texts: list[Planted], fault: str) -> None:
    for each in of(texts, fault):
        rationale, derivation = read_back(each), each.pair.derivation
        assert rationale.relation == derivation.relation
        if each.variant == "in a requirement":
            differing = [
                constraint.slot
                for constraint, said in zip(derivation.requirements, rationale.requirements, strict=True)
                if selected(each) in said.value
            ]
            assert len(differing) == 1
            # The shop reads prices without their currency.
            assert "requirements" in wrong(each) or selected(each).endswith("$")
            slots = {derivation.requirements[number].slot for number in changed_checks(each)}
            assert slots <= set(differing)
            continue
        assert "requirements" not in wrong(each), each.text
        slots = {derivation.requirements[number].slot for number in changed_checks(each)}
        if line_of_span(each).startswith("Item"):
            assert slots <= ({"brand"} if fault == "brand swapped" else set()), each.text
        elif not selected(each).endswith("$"):
            assert slots == {line_of_span(each).partition(":")[0].partition(" ")[2]}, each.text
        if not slots:
            assert not wrong(each), each.text


def foreign_words(planted: Planted) -> bool:
    return not re.search(rf"\b{re.escape(selected(planted))}\b", planted.pair.text, re.IGNORECASE)


def test_swapped_colours_are_false(texts: list[Planted]) -> None:
    for each in of(texts, "colour swapped"):
        pair = each.pair
        slot = next(slot.name for slot in pair.family.slots if slot.name in {"colour", "look"})
        known = forms(pair.family, slot)
        (value,) = known.named(selected(each))
        assert value != pair.value(slot)
        assert value not in known.named(pair.own_text)
        if each.variant.startswith("foreign"):
            assert value not in known.named(pair.text)
        elif each.variant == "the one asked for":
            assert re.fullmatch(r"check .*, met", line_of_span(each))
            assert value in known.named(pair.query)
        else:
            assert value in known.named(pair.item_text)


@pytest.mark.parametrize(
    ("slot", "true", "implied"),
    [
        ("rain", "waterproof", "water-repellent"),
        ("rain", "water-repellent", "unproofed"),
        ("frost", "winter-proof", "three-season"),
        ("material", "suede", "leather"),
        ("burrs", "titanium-coated burrs", "steel burrs"),
        ("noise", "noise cancelling", "passive"),
    ],
)
def test_what_the_items_value_may_imply_is_not_planted(
    texts: list[Planted], slot: str, true: str, implied: str
) -> None:
    having = [each for each in texts if each.span and each.pair.row.attributes.get(slot) == true]
    assert having
    for each in having:
        if "grounding" in each.expected and each.fault != COPIED:
            assert implied not in forms(each.pair.family, slot).named(selected(each)), each.text


def first_quantity(text: str) -> Quantity:
    found = re.match(r"\D*?(-?\d+(?:\.\d+)?) (fl oz|[^\s,;]+)", text)
    assert found, text
    return Quantity(found[1], found[2])


def quantities_stated(pair: Pair) -> list[Quantity]:
    found = re.findall(
        r"(-?\d+(?:\.\d+)?) (fl oz|mm|cm|in|kg|g|lb|oz|ml|lm|l|°C|°F|€|pairs)(?!\w)", pair.text
    )
    return [Quantity(*each) for each in found] + [Quantity(f"{pair.price:.2f}", "€")]


def test_numbers_are_a_tenth_off_and_stated_nowhere(texts: list[Planted]) -> None:
    for each in of(texts, "number off by 10 %"):
        changed = first_quantity(selected(each))
        decimals = len(changed.number.partition(".")[2])
        ratios = [
            (abs(float(changed.number) / float(other.number) - 1), len(other.number.partition(".")[2]))
            for other in quantities_stated(each.pair)
            if other.unit == changed.unit and float(other.number)
        ]
        assert any(0.07 <= ratio <= 0.13 and rounded == decimals for ratio, rounded in ratios), each
        assert all(ratio > 0.025 for ratio, _ in ratios), each
        assert not re.search(rf"(?<![\d.]){re.escape(changed.number)}(?![\d.])", each.pair.text)
        for value in [value.name for slot in each.pair.family.slots for value in slot.values]:
            true = value in each.pair.row.attributes.values()
            assert not (true and str(changed) in {value, imperial(value)})


def test_units_are_others_and_the_number_stays(texts: list[Planted]) -> None:
    for each in of(texts, "unit changed"):
        changed = first_quantity(selected(each))
        assert str(changed) not in each.pair.text
        numbers = {other.number for other in quantities_stated(each.pair)} | {f"{each.pair.price:.2f}"}
        stated = [other for other in quantities_stated(each.pair) if other.number == changed.number]
        assert changed.number in numbers or re.search(rf"\b{re.escape(changed.number)} ", each.pair.text)
        assert all(other.unit != changed.unit for other in stated)
        dimensions = {other.dimension for other in stated if other.unit != "pairs"}
        if each.variant == "to another dimension":
            assert changed.dimension not in dimensions
        elif changed.unit != "$":
            assert changed.dimension in dimensions


def test_swapped_brands_are_not_the_items(texts: list[Planted]) -> None:
    for each in of(texts, "brand swapped"):
        brand, pair = selected(each), each.pair
        assert brand in {known.name for known in shop_data().brands} - {pair.brand}
        assert line_of_span(each).startswith("Item: ")
        if each.variant == "foreign to the pair":
            assert foreign_words(each)
        elif each.variant == "the one the query names":
            assert brand in pair.query
        else:
            assert pair.row.attributes["phone"].startswith(brand)


def test_a_turned_outcome_is_turned_alone(texts: list[Planted]) -> None:
    for each in of(texts, "claim negated", "outcome turned"):
        (number,) = changed_checks(each)
        outcome, attribute, values = answer(each, number)
        check = read_back(each).checks[number]
        assert check.outcome == selected(each) != outcome
        assert (check.attribute, forms(each.pair.family, attribute).named(check.evidence)) == (
            attribute,
            values,
        )


def test_negated_features_contradict_the_item(texts: list[Planted]) -> None:
    for each in of(texts, "claim negated", "denied", "affirmed"):
        pair, words = each.pair, selected(each)
        named = {
            slot.name: forms(pair.family, slot.name).named(words)
            for slot in pair.family.slots
            if forms(pair.family, slot.name).named(words)
        }
        assert named, words
        assert all(pair.value(slot) not in values for slot, values in named.items())
        if each.variant == "denied value affirmed":
            assert any(
                values & forms(pair.family, slot).named(pair.own_text) for slot, values in named.items()
            )
        elif each.variant == "feature denied":
            assert re.search(r"\b(?:no|not|hand wash|un\w+)\b|-free", words), words
        else:
            assert not re.search(r"\b(?:no|not|hand wash|unlined)\b|-free", words), words


def test_invented_attributes_stand_in_neither_text(texts: list[Planted]) -> None:
    for each in of(texts, "attribute invented"):
        assert foreign_words(each)
        if each.variant == "requirement":
            rationale, required = read_back(each), each.pair.derivation.requirements
            assert len(rationale.requirements) == len(required) + 1
            assert rationale.requirements[-1].value == selected(each)
            assert rationale.requirements[-1].attribute not in {constraint.slot for constraint in required}
            assert not changed_checks(each)
            if rationale.checks:
                assert rationale.checks[-1].outcome == "missed"
                attribute = rationale.checks[-1].attribute
                known = forms(each.pair.family, attribute)
                assert known.named(rationale.checks[-1].evidence) == {each.pair.value(attribute)}
        else:
            assert not wrong(each)
            assert line_of_span(each).startswith("Item: ")


def test_a_misquoted_rule_is_the_only_thing_wrong(texts: list[Planted]) -> None:
    book = shop_rulebook().by_name
    general = read_rulebook(built_in("general")).by_name
    for each in of(texts, "rule misquoted"):
        name, rationale, pair = selected(each), read_back(each), each.pair
        assert wrong(each) == {"rules"}
        assert name in rationale.rules
        if each.variant in {"of no rulebook", "nearly right name"}:
            assert name not in {*book, *general}
        elif each.variant == "of other goods, not shown":
            assert name in book
            assert name not in pair.rules
            named = {pair.derivation.asked, pair.derivation.item}
            assert named.isdisjoint(book[name].scope.category)
        else:
            assert name in pair.rules
            when = book[name].when
            outcomes = {check.outcome for check in rationale.checks}
            shown = [
                (requirement.strength, check.outcome if check else "unknown")
                for requirement, check in rationale.answers()
            ]
            if when.of_requirements:
                assert not [
                    (strength, outcome)
                    for strength, outcome in shown
                    if (not when.strength or strength in when.strength) and outcome in when.outcome
                ], (name, outcomes)
            else:
                assert rationale.relation not in when.relation
        replaced = each.variant in {"nearly right name", "condition unmet, same tier"}
        others = [rule for rule in rationale.rules if rule != name]
        assert set(others) <= set(pair.rules)
        if not replaced:
            assert not wrong_rules_without(each, name)


def wrong_rules_without(planted: Planted, name: str) -> set[str]:
    """What is wrong in the steps once a rule is no longer cited."""
    lines = body(planted).split("\n")
    cited = lines[-2].removeprefix("Rules: ").split(", ")
    lines[-2] = f"Rules: {', '.join(rule for rule in cited if rule != name)}"
    return wrong(planted, Rationale.parse("\n".join(lines)))


def test_a_dropped_step_is_missing_and_all_others_are_right(texts: list[Planted]) -> None:
    for each in of(texts, "step dropped"):
        lines = body(each).split("\n")
        derivation = each.pair.derivation
        full = 5 + len(derivation.requirements) + len(derivation.findings)
        assert len(lines) == full - 1
        if each.variant in {"item", "category", "rules"}:
            with pytest.raises(FormError, match=f"no step {each.variant.capitalize()}"):
                read_back(each)
        elif each.variant == "check":
            assert [check for _, check in read_back(each).answers()].count(None) == 1
            assert wrong(each) == {"checks"}
        else:
            assert wrong(each) == {"requirements"}
            asked = {requirement.attribute for requirement in read_back(each).requirements}
            assert len({check.attribute for check in read_back(each).checks} - asked) == 1
        assert digit(each) == derivation.tier


def test_a_broken_order_is_all_that_is_wrong(texts: list[Planted]) -> None:
    places = ("Query", "must|not|wish", "Item", "Category", "check", "Rules", "Verdict")

    def place(line: str) -> int:
        return next(n for n, keys in enumerate(places) if re.match(rf"(?:{keys})\b", line))

    for each in of(texts, "order broken"):
        with pytest.raises(FormError):
            read_back(each)
        lines = body(each).split("\n")
        assert [place(line) for line in lines] != sorted(place(line) for line in lines)
        assert not wrong(each, Rationale.parse("\n".join(sorted(lines, key=place))))
        assert digit(each) == each.pair.derivation.tier
        assert set(selected(each).split("\n")) < set(lines)


def test_a_copied_rationale_stands_among_the_clean_ones_and_is_false_of_its_pair(
    parts: dict[str, list[Planted]],
) -> None:
    for texts in parts.values():
        clean = {each.text: each for each in of(texts, None)}
        for each in of(texts, COPIED):
            original = clean[each.text]
            assert selected(each) == body(each)
            assert original.pair.query != each.pair.query
            same = original.pair.derivation.asked == each.pair.derivation.asked
            assert same == (each.variant == "of the same category")
            assert "requirements" in wrong(each)
            assert original.pair.brand not in each.pair.text
            assert not wrong(original)
