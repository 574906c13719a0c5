import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.shop import ShopRow
from curation.shop.derivations import Derivation, Finding, parse_derivation, used_rules
from curation.shop.load import shop_data
from curation.shop.rulebook import shop_rulebook
from curation.shop.schema import Constraint

INTENT = "question: hiking boots; must size = EU 44; must sole = lugged sole; prefer weight < 270 g"
DERIVATION = (
    "given 9.5 oz = 270 g; category = hiking boots: match (hiking boots); must sole = lugged sole: met (lugged sole); "
    "must size = EU 44: met (EU 44); prefer weight < 270 g: missed (420 g) => Related"
)


def test_a_derivation_is_read_in_the_order_of_its_intent() -> None:
    assert parse_derivation(INTENT, DERIVATION) == Derivation(
        kind="question",
        asked="hiking boots",
        item="hiking boots",
        relation="match",
        requirements=(
            Constraint("must", "size", "=", "EU 44"),
            Constraint("must", "sole", "=", "lugged sole"),
            Constraint("prefer", "weight", "<", "270 g"),
        ),
        findings=(Finding(True, "EU 44"), Finding(True, "lugged sole"), Finding(False, "420 g")),
        facts=("9.5 oz = 270 g",),
        label="Related",
    )


def test_all_of_both_texts_is_read(pairs: list[tuple[ShopRow, Derivation]]) -> None:
    for row, read in pairs:
        assert f"{read.kind}: {read.asked}; {'; '.join(map(str, read.requirements))}" == row.intent
        clauses = [f"given {fact}" for fact in read.facts]
        clauses.append(f"category = {read.asked}: {read.relation} ({read.item})")
        if read.relation in {"match", "substitute"}:
            for constraint, finding in zip(read.requirements, read.findings, strict=True):
                clauses.append(f"{constraint}: {'met' if finding.met else 'missed'} ({finding.actual})")
        written, _, label = row.derivation.partition(" => ")
        assert sorted(written.split("; ")) == sorted(clauses)
        assert (read.label, read.kind, read.item) == (label, row.kind, row.attributes["category"])


def test_the_data_has_nothing_that_parts_clauses() -> None:
    data = shop_data()
    texts = [brand.name for brand in data.brands]
    for family in data.families:
        texts += [name for category in family.categories for name in category.names]
        texts += [need.fact for need in family.needs]
        texts += [value.name for slot in family.slots for value in slot.values]
    assert not [text for text in texts if any(mark in text for mark in (";", "(", ")", ": ", "=", "<", ">"))]


@pytest.mark.parametrize(
    ("intent", "derivation", "message"),
    [
        ("", DERIVATION, "'' is no intent"),
        ("hiking boots", DERIVATION, "no intent"),
        (INTENT.replace("question", "riddle"), DERIVATION, "no intent"),
        (INTENT.replace("size =", "size ="[:-1]), DERIVATION, "no intent"),
        (INTENT.replace("prefer weight <", "prefer weight !="), DERIVATION, "no intent"),
        (INTENT, "", "'' is no derivation"),
        (INTENT, "the boots are fine", "no derivation"),
        (INTENT, DERIVATION.removesuffix(" => Related"), "no derivation"),
        (INTENT, DERIVATION.replace("Related", "Good"), "no derivation"),
        (INTENT, DERIVATION.replace("match", "equal"), "no derivation"),
        (INTENT, DERIVATION.replace("missed (420 g)", "missed"), "no derivation"),
        (INTENT, DERIVATION.replace("= hiking boots:", "= parka:"), "does not follow"),
        (
            INTENT.replace("hiking boots", "gum boots"),
            DERIVATION.replace("hiking boots", "gum boots"),
            "follow",
        ),
        (INTENT, DERIVATION.replace("must size = EU 44: met (EU 44); ", ""), "does not follow"),
        (INTENT.replace("EU 44", "EU 42"), DERIVATION, "does not follow"),
        (INTENT, DERIVATION.replace("missed (420 g)", "met (420 g)"), "does not follow"),
        (INTENT, DERIVATION.replace("missed (420 g)", "missed (heavy)"), "heavy"),
        (INTENT, DERIVATION.replace("match (hiking boots)", "other (parka)"), "does not follow"),
        (INTENT.replace("size", "width"), DERIVATION.replace("size", "width"), "does not follow"),
    ],
)
def test_what_is_no_derivation_is_refused(intent: str, derivation: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_derivation(intent, derivation)


@given(
    st.text(),
    st.lists(
        st.sampled_from(["given ", "category = ", "parka", ": ", "match", " (", ")", "; ", " => ", "Related"])
    ),
)
def test_any_other_text_is_refused(text: str, pieces: list[str]) -> None:
    for derivation in (text, "".join(pieces)):
        with pytest.raises(ValueError, match="no derivation"):
            parse_derivation(INTENT, derivation)


def test_rules_are_those_on_the_way_from_query_to_label() -> None:
    assert used_rules(parse_derivation(INTENT, DERIVATION)) == (
        *("question", "footwear-ask-lugged-sole", "units", "wishes", "missed-wish"),
    )
    knowledge = parse_derivation(
        "knowledge: hair mask; must hair = oily hair; must scent = unscented",
        "given fragrance allergy and migraine rule out every scent; given shining roots mean oily hair; "
        "category = hair mask: other (moka pot) => Irrelevant",
    )
    assert used_rules(knowledge) == (
        *("knowledge", "conditioner-oily-hair", "conditioner-unscented", "other-goods"),
    )
    substitute = parse_derivation(
        "negation: wok; must material != copper; prefer hob = all hobs",
        "category = wok: substitute (frying pan); must material != copper: met (cast iron); "
        "prefer hob = all hobs: missed (gas and electric only) => Related",
    )
    assert used_rules(substitute) == ("negation", "wishes", "pans-substitutes", "substitute", "missed-wish")
    mismatch = parse_derivation(
        "plain: wok; must hob = all hobs; must material != copper",
        "category = wok: substitute (frying pan); must material != copper: missed (copper); "
        "must hob = all hobs: missed (gas and electric only) => Mismatch",
    )
    assert used_rules(mismatch) == ("pans-substitutes", "missed-must", "violated-not")


def test_every_rule_used_is_in_the_rulebook(pairs: list[tuple[ShopRow, Derivation]]) -> None:
    used = {name for _, derivation in pairs for name in used_rules(derivation)}
    assert used <= shop_rulebook().by_name.keys()
    assert len(used) > 100
    for _, derivation in pairs:
        by_fact = [name for name in used_rules(derivation) if name.startswith(f"{derivation.family.name}-")]
        facts = [fact for fact in derivation.facts if " = " not in fact]
        assert len(by_fact) >= len(facts)
        assert derivation.kind == "knowledge" or not facts
