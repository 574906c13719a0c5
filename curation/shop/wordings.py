"""Derivations put into words as rationales, and rationales held against derivations.

`data/wordings.toml` has two sets of templates that share none: what is trained on one can be tested on the other.
Values are quoted as query and item have them.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import astuple, dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from curation.rationales.rationale import Check, Rationale, Requirement
from curation.shop.derivations import categories, strength, used_rules
from curation.shop.load import shop_data
from curation.shop.units import imperial
from curation.shop.values import Forms, forms, in_list

if TYPE_CHECKING:
    from random import Random

    from curation.rationales.rationale import Strength
    from curation.shop.derivations import Derivation
    from curation.shop.schema import Constraint, Family

Templates = dict[str, tuple[str, ...]]

# Goods that are named beside the item have values of their own.
_ECHO = re.compile(r"\b(?:see also|also in this shop:|others bought) .*", re.IGNORECASE)


@cache
def wordings(*, held_out: bool) -> Templates:
    """The templates by their names in `data/wordings.toml`."""
    import tomllib

    text = files("curation.shop").joinpath("data", "wordings.toml").read_text(encoding="utf-8")
    tables = tomllib.loads(text)
    return {name: tuple(each) for name, each in tables["held-out" if held_out else "train"].items()}


def word(
    derivation: Derivation, query_text: str, item_text: str, rng: Random, held_out: bool = False
) -> Rationale:
    """The derivation as a rationale.

    Args:
        derivation: What is to be said.
        query_text: The query, quoted where it names a value.
        item_text: The title, or title and description, quoted likewise; the title gives the brand.
        rng: Chooses among templates.
        held_out: Use the held-out templates instead of those for training.
    """
    writer = _Writer(derivation, query_text, _ECHO.sub("", item_text), rng, wordings(held_out=held_out))
    return writer.rationale()


class _Writer:
    """One derivation, the texts it quotes and the templates at hand."""

    def __init__(
        self, derivation: Derivation, query_text: str, item_text: str, rng: Random, templates: Templates
    ) -> None:
        self.derivation = derivation
        self.family = derivation.family
        self.query_text = query_text
        self.item_text = item_text
        self.rng = rng
        self.templates = templates

    def rationale(self) -> Rationale:
        made = self.derivation
        requirements = tuple(self.requirement(each) for each in made.requirements)
        asked, item = self.noun(), made.item
        found = [
            (constraint, finding, self.item_form(constraint.slot, finding.actual))
            for constraint, finding in zip(made.requirements, made.findings, strict=False)
        ]
        return Rationale(
            self.intent(asked),
            requirements,
            self.item([(constraint, finding.actual, form) for constraint, finding, form in found]),
            made.relation,
            self.say(made.relation, item=item, asked=asked),
            tuple(
                Check("met" if finding.met else "missed", constraint.slot, self.say("evidence", v=form))
                for constraint, finding, form in found
            ),
            used_rules(made),
            made.tier,
            self.verdict(),
        )

    def say(self, name: str, **fields: str) -> str:
        return self.rng.choice(self.templates[name]).format(**fields)

    def noun(self) -> str:
        """The category asked for, as the query names it."""
        asked = self.derivation.asked
        return _nouns(asked).said(asked, self.query_text) or asked

    def intent(self, noun: str) -> str:
        facts = " and ".join(self.derivation.facts)
        said = self.say(self.derivation.kind, noun=noun)
        return said + (self.say("given", f=facts) if facts else "")

    def query_form(self, constraint: Constraint) -> str:
        known = forms(self.family, constraint.slot)
        return known.said(constraint.value, self.query_text) or known.usual(constraint.value)

    def item_form(self, slot: str, value: str) -> str:
        known = forms(self.family, slot)
        return known.said(value, self.item_text) or known.usual(value)

    def requirement(self, constraint: Constraint) -> Requirement:
        value = self.query_form(constraint)
        if constraint.operator in "<>":
            value = self.say("less" if constraint.operator == "<" else "more", v=value)
        return Requirement(strength(constraint), constraint.slot, value)

    def item(self, found: list[tuple[Constraint, str, str]]) -> str:
        """The item with its brand and its values where something is asked of them, each once."""
        brand = _brand(self.item_text)
        said = self.say("item", item=self.derivation.item, brand=brand) if brand else ""
        said = said or self.say("unbranded", item=self.derivation.item)
        values = {
            constraint.slot: self.listed(constraint, value, form)
            for constraint, value, form in found
            if not (brand and constraint.slot == "brand")
        }
        return said + (self.say("values", v=", ".join(values.values())) if values else "")

    def listed(self, constraint: Constraint, value: str, form: str) -> str:
        """A value as lists have it, in the query's units as well where those are others."""
        if constraint.slot in {"brand", "price"}:
            return form
        text = in_list(self.family.slot(constraint.slot).lookup(value), form)
        converted = imperial(value)
        if converted == value or (form == value) == (self.query_form(constraint) == constraint.value):
            return text
        return self.say("converted", v=text, w=converted if form == value else value)

    def verdict(self) -> str:
        made = self.derivation
        missed = [
            constraint
            for constraint, finding in zip(made.requirements, made.findings, strict=False)
            if not finding.met
        ]
        hard = [each for each in missed if each.strength == "must"]
        if made.relation in {"complement", "other"}:
            return self.say("extra" if made.relation == "complement" else "stranger")
        if hard:
            return self.say("must", slots=_slots(hard))
        if made.relation == "substitute":
            return self.say("stand-in")
        return self.say("wish", slots=_slots(missed)) if missed else self.say("all")


def _slots(constraints: list[Constraint]) -> str:
    return " and ".join(dict.fromkeys(each.slot for each in constraints))


@cache
def _nouns(category: str) -> Forms:
    named = categories()[category]
    return Forms({category: [*named.names, *named.plurals]}, {})


@cache
def _brands() -> re.Pattern[str]:
    """A brand where titles have it: before a line or after `by`, for phones bear names of brands too."""
    brands = "|".join(re.escape(brand.name) for brand in shop_data().brands)
    lines = "|".join(re.escape(line) for line in shop_data().phrases["lines"])
    return re.compile(rf"(?:({brands}) (?:{lines})\b)|\bby ({brands})(?!\w)")


def _brand(item_text: str) -> str | None:
    found = _brands().search(item_text)
    return found and (found[1] or found[2])


@dataclass(frozen=True, slots=True)
class Steps:
    """Which steps of a rationale are right.

    Attributes:
        requirements: All that the query asks, and nothing else.
        relation: How the item's category stands to the one asked for.
        checks: One for each requirement, with its outcome and the item's value; none where the category settles it.
        rules: All that the derivation uses, and no other.
        tier: The tier.
    """

    requirements: bool
    relation: bool
    checks: bool
    rules: bool
    tier: bool

    @property
    def all(self) -> bool:
        """Whether every step is."""
        return all(astuple(self))


def steps_right(rationale: Rationale, derivation: Derivation) -> Steps:
    """Hold a rationale against the truth, in whatever words of the shop it is; order does not matter."""
    family = derivation.family
    asked = Counter(
        (strength(each), each.slot, each.operator, _values(family, each.slot, each.value))
        for each in derivation.requirements
    )
    found = Counter(
        ("met" if finding.met else "missed", each.slot, _values(family, each.slot, finding.actual))
        for each, finding in zip(derivation.requirements, derivation.findings, strict=False)
    )
    return Steps(
        Counter(_read(family, each) for each in rationale.requirements) == asked,
        rationale.relation == derivation.relation,
        Counter(
            (each.outcome, each.attribute, _values(family, each.attribute, each.evidence))
            for each in rationale.checks
        )
        == found,
        set(rationale.rules) == set(used_rules(derivation)),
        rationale.tier == derivation.tier,
    )


def _read(family: Family, requirement: Requirement) -> tuple[Strength, str, str, frozenset[str]]:
    operator, text = "!=" if requirement.strength == "not" else "=", requirement.value
    if found := _bounds().fullmatch(text):
        operator, text = ("<" if found["less"] else ">"), found["less"] or found["more"]
    return requirement.strength, requirement.attribute, operator, _values(family, requirement.attribute, text)


@cache
def _bounds() -> re.Pattern[str]:
    ways = {
        name: "|".join(
            re.escape(template).replace(re.escape("{v}"), "")
            for held_out in (False, True)
            for template in wordings(held_out=held_out)[name]
        )
        for name in ("less", "more")
    }
    return re.compile(rf"(?:{ways['less']})(?P<less>.+)|(?:{ways['more']})(?P<more>.+)", re.IGNORECASE)


def _values(family: Family, slot: str, text: str) -> frozenset[str]:
    """The values of the slot that `text` names; none where the family has no such slot."""
    try:
        return forms(family, slot).named(text)
    except KeyError:
        return frozenset()
