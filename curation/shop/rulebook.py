"""The shop's rulebook, built from the shop's own data, so that it holds all that a derivation takes for granted.

`python -m curation.shop.rulebook PATH` writes it. A rule of a need has its first phrase as its example; the others
are left out, so that finding the rule for a query that uses them takes more than looking it up.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import TYPE_CHECKING

from curation.kinds import KINDS
from curation.rulebook.rule import Example, Rule, Rulebook, Scope, When
from curation.shop.load import shop_data
from curation.shop.schema import Constraint

if TYPE_CHECKING:
    from pathlib import Path

    from curation.shop.schema import Category, Family, Need, Operator

UNITS = "units"
WISHES = "wishes"

_VERSION = 1

_CAPS = (
    Rule(
        "exact-category",
        "An item of the category asked for is Excellent where no other rule lowers it.",
        tier=4,
        when=When(relation=("match",)),
    ),
    Rule(
        "substitute",
        "Goods of another category that do the same job are Related at best.",
        tier=3,
        when=When(relation=("substitute",)),
    ),
    Rule(
        "complement",
        "Goods that go with what was asked for do not do its job: Mismatch at best.",
        tier=2,
        when=When(relation=("complement",)),
    ),
    Rule(
        "other-goods",
        "Goods of any other kind are Irrelevant, whatever values they share with the query.",
        tier=1,
        when=When(relation=("other",)),
    ),
    Rule(
        "missed-must",
        "An item that misses a must is a Mismatch at best.",
        tier=2,
        when=When(strength=("must",), outcome=("missed",)),
    ),
    Rule(
        "violated-not",
        "An item that has what the query rules out is a Mismatch at best.",
        tier=2,
        when=When(strength=("not",), outcome=("missed",)),
    ),
    Rule(
        "missed-wish",
        "An item that misses a wish is Related at best.",
        tier=3,
        when=When(strength=("wish",), outcome=("missed",)),
    ),
    Rule(
        "unstated",
        "Where an item leaves open whether it meets a requirement, it is Related at best.",
        tier=3,
        when=When(outcome=("unknown",)),
    ),
)

# Situations carry no mark by which a kind is told: ingest takes one query in five of them for a plain one.
_WITHOUT_A_MARK = ("plain", "knowledge")
_WORDS = (
    Rule(
        "negation",
        'What "without", "no", "not", "anything but", "other than" or "excluding" rules out is a not.',
        scope=Scope(kind=("negation",)),
        examples=(Example("no silicones: hair mask", "hair mask with silicones", "silicones are ruled out"),),
    ),
    Rule(
        "alternative",
        "An alternative, a dupe or something instead of a product is by another brand and cheaper: not brand: the one "
        "named, must price: under the one named. What it is to have as well is a must.",
        scope=Scope(kind=("alternative",)),
        examples=(
            Example(
                "cheaper alternative to Torvanka Dune parka (380.90 €), also in black",
                "Tindrake parka, black, 120.90 €",
                "another brand, under 380.90 €, black",
            ),
        ),
    ),
    Rule(
        "question",
        "What a question asks of the goods is a must, like what stands before the noun.",
        scope=Scope(kind=("question",)),
        examples=(
            Example("Are there parkas that are waterproof?", "waterproof parka", "waterproof is a must"),
        ),
    ),
    Rule(
        "knowledge",
        "A situation or a kind of person stands for what it demands; that is a must, or a not where it rules out.",
        scope=Scope(kind=_WITHOUT_A_MARK),
        examples=(
            Example(
                "hiking boots for a vegan", "hiking boots of mesh", "a vegan rules out leather and suede"
            ),
        ),
    ),
    Rule(
        WISHES,
        'What follows "ideally" or "preferably", or goes with "if possible" or "would be nice", is a wish.',
        scope=Scope(kind=KINDS),
        examples=(
            Example("parka, ideally in red", "parka in black", "misses the wish, which leaves it Related"),
        ),
    ),
    Rule(
        UNITS,
        "Values are the same in other units: 1 in = 2.54 cm, 1 lb = 0.454 kg, 1 oz = 28.35 g, 1 fl oz = 29.57 ml, "
        "°F = 1.8 × °C + 32.",
        scope=Scope(kind=KINDS),
        examples=(Example("11 in frying pan", "frying pan, 28 cm", "11 in is 28 cm"),),
    ),
)


@cache
def shop_rulebook() -> Rulebook:
    """Rules that give every pair of the shop its tier, and all that its queries take for granted."""
    rules = [*_CAPS, *_WORDS]
    for family in shop_data().families:
        rules += [
            _substitutes(family),
            _complements(family),
            *(_needed(family, need) for need in (*family.needs, *family.questions)),
        ]
    return Rulebook("shop", _VERSION, "Which tier an item of the made-up shop gets, and why.", tuple(rules))


def write(path: Path) -> None:
    """Write the rulebook as YAML."""
    from curation.rulebook.reading import to_yaml

    path.write_text(to_yaml(shop_rulebook()), encoding="utf-8")


def family_rule(family: Family, relation: str) -> str:
    """Name of the rule that tells which categories are of the `relation`, substitute or complement, to a family's."""
    return f"{family.name}-{relation}s"


@cache
def need_rule(family: Family, need: Need) -> str:
    """Name of the rule for one of the family's needs or questions."""
    about = [family.name] if need.fact else [family.name, "ask"]
    before = "="
    for slot, operator, value in need.constraints:
        about.append(("" if operator == before else _OPERATORS[operator]) + _short(family, slot, value))
        before = operator
    return re.sub(r"[^a-z0-9]+", "-", _ascii(" ".join(about)).lower()).strip("-")


_OPERATORS: dict[Operator, str] = {"=": "", "!=": "not ", "<": "under ", ">": "over "}


def _short(family: Family, slot: str, value: str) -> str:
    named = [each for each in family.slot(slot).values if each.name == value]
    short = named[0].brief if named and not named[0].words else value
    return re.sub(r"^-(?=\d)", "minus ", short)


def _ascii(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


def _substitutes(family: Family) -> Rule:
    names = [category.plurals[0] for category in family.categories]
    return Rule(
        family_rule(family, "substitute"),
        f"{_capital(_and(names))} stand in for each other: substitute.",
        scope=Scope(category=_names(family.categories)),
        when=When(relation=("substitute",)),
        examples=(Example(names[0], family.categories[1].name, "another category for the same job"),),
    )


def _complements(family: Family) -> Rule:
    names = [category.plurals[0] for category in family.categories]
    partners = shop_data().family(family.complement).categories
    others = [category.plurals[0] for category in partners]
    return Rule(
        family_rule(family, "complement"),
        f"{_capital(_and(others))} go with {_and(names)} and replace none of them: complement.",
        scope=Scope(category=_names(family.categories)),
        when=When(relation=("complement",)),
        examples=(Example(names[0], partners[0].name, "goes with them"),),
    )


def _needed(family: Family, need: Need) -> Rule:
    category = family.categories[0]
    phrase = need.phrases[0]
    demands = " and ".join(
        f"{'not' if operator == '!=' else 'must'} {slot}: {_OPERATORS[operator] if operator in '<>' else ''}{value}"
        for slot, operator, value in need.constraints
    )
    if need.fact:
        goods = _and([each.plurals[0] for each in family.categories])
        text = f"{_capital(goods)}: {need.fact}, which asks for {demands}."
        query = f"{category.plurals[0]} for {phrase}"
    else:
        query = f"Which {category.plurals[0]} {phrase}?"
        text = f'"{query}" asks for {demands}.'
    slots = tuple(dict.fromkeys(slot for slot, _, _ in need.constraints))
    return Rule(
        need_rule(family, need),
        text,
        scope=Scope(
            category=_names(family.categories),
            kind=_WITHOUT_A_MARK if need.fact else ("question",),
            attribute=slots,
        ),
        examples=(
            Example(query, f"{category.name}, {_and([_having(family, need, slot) for slot in slots])}"),
        ),
    )


def _having(family: Family, need: Need, slot: str) -> str:
    """A value of the slot that meets the need, as a list of values states it."""
    asked = [Constraint("must", *each) for each in need.constraints if each[0] == slot]
    value = next(each for each in family.slot(slot).values if all(one.holds(each.name) for one in asked))
    return value.brief.format(v=value.name)


def _names(categories: tuple[Category, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for each in categories for name in (*each.names, *each.plurals)))


def _and(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


if __name__ == "__main__":
    import sys
    from pathlib import Path

    write(Path(sys.argv[1]))
