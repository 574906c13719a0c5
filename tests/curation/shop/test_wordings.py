from dataclasses import astuple, replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.rationales.rationale import OUTCOMES, Check, Rationale, Requirement
from curation.shop import ShopRow, generate
from curation.shop.derivations import Derivation, parse_derivation
from curation.shop.load import shop_data
from curation.shop.schema import Family
from curation.shop.units import imperial
from curation.shop.values import forms
from curation.shop.wordings import Steps, steps_right, word, wordings

PAIRS = [(row, parse_derivation(row.intent, row.derivation)) for row in generate(2_400, seed=23)]
ASKED = [(row, derivation) for row, derivation in PAIRS if derivation.findings]
SETS = pytest.mark.parametrize("held_out", [False, True])

BOOTS = parse_derivation(
    "question: hiking boots; must size = EU 44; must sole = lugged sole; prefer weight < 270 g",
    "given 9.5 oz = 270 g; category = hiking boots: match (hiking boots); must sole = lugged sole: met (lugged sole); "
    "must size = EU 44: met (EU 44); prefer weight < 270 g: missed (420 g) => Related",
)
QUERY = "Which trekking boots EU 44 grip on mud? Preferably under 9.5 oz a shoe."
ITEM = (
    "Feather Hiking Boots by Brislowe (dark blue, EU 44)\nLugged sole instead of a road sole. 420 g a shoe."
)


def boots(seed: int, held_out: bool = False) -> Rationale:
    return word(BOOTS, QUERY, ITEM, Random(seed), held_out)


@SETS
def test_what_is_worded_is_right(
    held_out: bool, pairs: list[tuple[ShopRow, Derivation]], texts: list[str]
) -> None:
    for seed, ((row, derivation), text) in enumerate(zip(pairs, texts, strict=True)):
        rationale = word(derivation, row.query, text, Random(seed), held_out)
        assert Rationale.parse(rationale.render()) == rationale
        assert steps_right(rationale, derivation).all, (rationale.render(), row.derivation)
        assert rationale.tier == derivation.tier


def test_the_two_sets_share_no_template() -> None:
    train, held_out = wordings(held_out=False), wordings(held_out=True)
    assert train.keys() == held_out.keys()
    assert {each for one in train.values() for each in one}.isdisjoint(
        each for one in held_out.values() for each in one
    )
    kept = sum(map(len, held_out.values()))
    assert 0.25 < kept / (kept + sum(map(len, train.values()))) < 0.4


def test_held_out_texts_are_none_of_those_for_training() -> None:
    trained = {line for seed in range(200) for line in boots(seed).render().splitlines()}
    told = {line for seed in range(200) for line in boots(seed, held_out=True).render().splitlines()}
    assert {line.split(":")[0] for line in trained & told} == {"must sole", "must size", "Rules"}


def test_a_seed_gives_one_text_and_seeds_give_many() -> None:
    assert boots(5) == boots(5)
    assert len({boots(seed).render() for seed in range(50)}) > 40


def test_values_are_quoted_from_query_and_item() -> None:
    for seed in range(40):
        rationale = boots(seed)
        assert "trekking boots" in rationale.intent
        assert "9.5 oz = 270 g" in rationale.intent
        assert rationale.requirements[2].value in {"under 9.5 oz", "less than 9.5 oz"}
        assert "Brislowe" in rationale.item
        assert "EU 44" in rationale.item
        assert "420 g a shoe" in rationale.item
        assert "14.8 oz" in rationale.item
        assert "420 g" in rationale.checks[2].evidence
    navy = parse_derivation(
        "plain: parka; must colour = navy; must rain = waterproof",
        "category = parka: match (parka); must colour = navy: met (navy); must rain = waterproof: missed "
        "(water-repellent) => Mismatch",
    )
    title = "Parka Tindrake Everyday | dark blue, size M | see also rainproof navy backpacks"
    rationale = word(navy, "rainproof parka in navy", f"{title}\nMade showerproof.", Random(0))
    assert [each.value for each in rationale.requirements] == ["navy", "rainproof"]
    assert "dark blue" in rationale.checks[0].evidence
    assert "showerproof" in rationale.checks[1].evidence


def test_brands_are_told_from_phones() -> None:
    case = parse_derivation(
        "plain: phone case; must phone = Auvessa Slate",
        "category = phone case: match (phone case); must phone = Auvessa Slate: met (Auvessa Slate) => Excellent",
    )
    for title in ("Dune Phone Case by Cliptide (for Auvessa Slate, red)", "Cliptide Dune – Phone Case, red"):
        item = word(case, "phone case for Auvessa Slate", title, Random(1)).item
        assert "Cliptide" in item
        assert item.count("Auvessa") == 1
    unknown = word(case, "phone case for Auvessa Slate", "Phone Case for Auvessa Slate", Random(1))
    assert unknown.item.count("Auvessa") == 1


@SETS
def test_each_value_of_the_shop_is_read_in_every_wording(held_out: bool) -> None:
    templates = wordings(held_out=held_out)
    for family in shop_data().families:
        for slot in family.slots:
            known = forms(family, slot.name)
            for value in slot.values:
                listed = {value.brief.format(v=each) for each in value.words or ("",)}
                for form in {value.name, *value.words, *map(imperial, value.words), *listed}:
                    for template in templates["evidence"]:
                        assert known.named(template.format(v=form)) == {value.name}, (family.name, form)


def wrong(rationale: Rationale, derivation: Derivation) -> set[str]:
    steps = steps_right(rationale, derivation)
    return {name for name in Steps.__slots__ if not getattr(steps, name)}


def another(family: Family, slot: str, value: str) -> str:
    """The usual form of another value of the slot."""
    if slot == "price":
        return "9999.90 €"
    if slot == "brand":
        return next(brand.name for brand in shop_data().brands if brand.name != value)
    other = next(each.name for each in family.slot(slot).values if each.name != value)
    return forms(family, slot).usual(other)


CHOICES = st.tuples(st.sampled_from(ASKED), st.integers(0, 2**32), st.booleans(), st.integers(0, 9))
Choice = tuple[tuple[ShopRow, Derivation], int, bool, int]


def drawn(choice: Choice) -> tuple[Rationale, Derivation, int]:
    """A rationale, its derivation and the number of one of its requirements."""
    (row, derivation), seed, held_out, place = choice
    rationale = word(derivation, row.query, row.title, Random(seed), held_out)
    return rationale, derivation, place % len(derivation.requirements)


@given(CHOICES)
def test_an_outcome_turned_round_makes_the_checks_wrong(choice: Choice) -> None:
    rationale, derivation, place = drawn(choice)
    for turned in OUTCOMES:
        if turned == rationale.checks[place].outcome:
            continue
        checks = list(rationale.checks)
        checks[place] = Check(turned, checks[place].attribute, checks[place].evidence)
        assert wrong(replace(rationale, checks=tuple(checks)), derivation) == {"checks"}


@given(CHOICES, st.sampled_from(["{v}", "says {v}", "{v}, not {w}", "something"]))
def test_another_value_in_evidence_makes_the_checks_wrong(choice: Choice, evidence: str) -> None:
    rationale, derivation, place = drawn(choice)
    slot, actual = derivation.requirements[place].slot, derivation.findings[place].actual
    other = another(derivation.family, slot, actual)
    checks = list(rationale.checks)
    said = evidence.format(v=other, w=forms(derivation.family, slot).usual(actual))
    checks[place] = Check(checks[place].outcome, slot, said)
    assert wrong(replace(rationale, checks=tuple(checks)), derivation) == {"checks"}


@given(CHOICES)
def test_a_check_left_out_makes_the_checks_wrong(choice: Choice) -> None:
    rationale, derivation, place = drawn(choice)
    checks = rationale.checks[:place] + rationale.checks[place + 1 :]
    assert wrong(replace(rationale, checks=checks), derivation) == {"checks"}


@given(CHOICES)
def test_another_requirement_makes_the_requirements_wrong(choice: Choice) -> None:
    rationale, derivation, place = drawn(choice)
    before, asked, after = (
        rationale.requirements[:place],
        rationale.requirements[place],
        rationale.requirements[place + 1 :],
    )
    constraint = derivation.requirements[place]
    other = another(derivation.family, constraint.slot, constraint.value)
    turned = "more than" if constraint.operator == "<" else "less than"
    usual = forms(derivation.family, constraint.slot).usual(constraint.value)
    for changed in (
        (),
        (asked, asked),
        (replace(asked, value=other),),
        (replace(asked, value=f"{turned} {usual}"),),
        (replace(asked, attribute="voltage"),),
        (replace(asked, strength="wish" if asked.strength == "must" else "must"),),
    ):
        requirements = before + changed + after
        assert wrong(replace(rationale, requirements=requirements), derivation) == {"requirements"}


@given(CHOICES)
def test_relation_rules_and_tier_are_held_against_the_truth(choice: Choice) -> None:
    rationale, derivation, _ = drawn(choice)
    assert wrong(replace(rationale, relation="other"), derivation) == {"relation"}
    assert wrong(replace(rationale, rules=rationale.rules[1:]), derivation) == {"rules"}
    assert wrong(replace(rationale, rules=(*rationale.rules, "made-up")), derivation) == {"rules"}
    assert wrong(replace(rationale, tier=rationale.tier % 4 + 1), derivation) == {"tier"}


def test_order_units_and_words_do_not_matter() -> None:
    rationale = replace(
        boots(0),
        requirements=(
            Requirement("wish", "weight", "Below 270 g"),
            Requirement("must", "sole", "a lugged sole"),
            Requirement("must", "size", "EU 44"),
        ),
        checks=(
            Check("missed", "weight", "14.8 oz (420 g)"),
            Check("met", "sole", "Lugged sole"),
            Check("met", "size", "in EU 44"),
        ),
        rules=tuple(reversed(boots(0).rules)),
    )
    assert all(astuple(steps_right(rationale, BOOTS)))


@given(st.text(st.sampled_from("lugged sole 420g ız.İıſK-,'€°"), min_size=1).map(str.strip).filter(bool))
def test_any_text_can_be_held_against_the_truth(text: str) -> None:
    rationale = replace(boots(0), checks=(Check("met", "sole", text),), requirements=())
    assert not steps_right(rationale, BOOTS).requirements
    for slot in ("sole", "weight", "price", "brand", "size"):
        assert steps_right(replace(rationale, checks=(Check("met", slot, text),)), BOOTS).checks is False


def test_checks_of_goods_that_the_category_settles_are_not_called_right() -> None:
    pan = parse_derivation(
        "plain: wok; must hob = all hobs", "category = wok: complement (pan lid) => Mismatch"
    )
    rationale = word(pan, "induction wok", "Pan Lid Bratello Alba | 28 cm", Random(2))
    assert rationale.checks == ()
    checked = replace(rationale, checks=(Check("missed", "hob", "not for induction"),))
    assert wrong(checked, pan) == {"checks"}
