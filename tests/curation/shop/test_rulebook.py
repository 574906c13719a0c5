import re
import subprocess
import sys
from datetime import date
from pathlib import Path

from curation.rulebook.check import check_rulebook
from curation.rulebook.logic import decide
from curation.rulebook.reading import built_in, read_rulebook, to_yaml
from curation.rulebook.rule import Rule
from curation.shop import KINDS, LABELS, ShopRow
from curation.shop.derivations import Derivation, steps
from curation.shop.load import shop_data
from curation.shop.rulebook import UNITS, need_rule, shop_rulebook
from curation.shop.units import imperial

FILE = built_in("shop")


def test_the_file_is_what_the_data_gives() -> None:
    renew = f"the shop's data and its rulebook differ: python -m curation.shop.rulebook {FILE}"
    assert FILE.read_text(encoding="utf-8") == to_yaml(shop_rulebook()), renew
    assert read_rulebook(FILE) == shop_rulebook()


def test_the_module_writes_the_file(tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    subprocess.run([sys.executable, "-m", "curation.shop.rulebook", path], check=True)
    assert path.read_bytes() == FILE.read_bytes()


def test_nothing_is_wrong_with_it() -> None:
    assert check_rulebook(shop_rulebook(), date(2026, 7, 1)) == []


def test_its_logic_gives_every_pair_its_tier(pairs: list[tuple[ShopRow, Derivation]]) -> None:
    seen = set()
    for row, derivation in pairs:
        decision = decide(
            shop_rulebook().rules,
            steps(derivation),
            kind=row.kind,
            locale="us",
            categories={derivation.asked, row.attributes["category"]},
        )
        assert decision.tier == 4 - LABELS.index(row.label), row.derivation
        assert not decision.contradictions
        seen.add((row.kind, derivation.relation, row.label))
    assert {(kind, label) for kind, _, label in seen} == {(kind, label) for kind in KINDS for label in LABELS}
    assert {relation for _, relation, _ in seen} == {"match", "substitute", "complement", "other"}


def test_names_are_short_and_speak_of_their_family() -> None:
    names = [rule.name for rule in shop_rulebook().rules]
    assert len(names) == len(set(names))
    assert max(map(len, names)) <= 30
    assert {"footwear-lugged-sole", "footwear-ask-not-leather-suede", "jackets-under-minus-7-c"} <= set(names)
    assert sum(rule.tier is not None for rule in shop_rulebook().rules) <= 10


def said_by(rule: Rule) -> str:
    return "\n".join([rule.text, *(each.query + each.item + each.why for each in rule.examples)])


def test_each_need_has_a_rule_that_shows_its_first_phrase_only() -> None:
    for family in shop_data().families:
        for need in (*family.needs, *family.questions):
            rule = shop_rulebook().by_name[need_rule(family, need)]
            assert need.fact in rule.text
            assert need.phrases[0] in said_by(rule)
            assert not any(phrase in said_by(rule) for phrase in need.phrases[1:])
            assert set(rule.scope.attribute) == {slot for slot, _, _ in need.constraints}
            assert {category.name for category in family.categories} <= set(rule.scope.category)
            assert rule.scope.kind == (("plain", "knowledge") if need.fact else ("question",))


def test_demands_stand_in_the_words_of_rationales() -> None:
    by_name = shop_rulebook().by_name
    assert by_name["footwear-lugged-sole"].text.endswith("must sole: lugged sole.")
    assert by_name["footwear-under-360-g"].text.endswith("must weight: under 360 g.")
    assert by_name["jackets-not-down-wool"].text.endswith("not filling: down and not filling: wool.")


def test_units_are_those_of_the_shop() -> None:
    told = re.findall(r"1 ([a-z ]+) = ([\d.]+ [a-z]+)", shop_rulebook().by_name[UNITS].text)
    assert [unit for unit, _ in told] == ["in", "lb", "oz", "fl oz"]
    assert all(imperial(metric) == f"1 {unit}" for unit, metric in told)
    assert imperial("10 °C") == f"{1.8 * 10 + 32:.0f} °F"
