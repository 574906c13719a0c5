"""Derivations read back from the two texts that a store keeps of them: a query's intent and a judgment's reason."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, cast

from curation.rationales.rationale import TIERS_BY_NAME, Check, Rationale, Requirement
from curation.rulebook.logic import decide
from curation.shop.load import shop_data
from curation.shop.rows import KINDS
from curation.shop.rulebook import UNITS, WISHES, family_rule, need_rule, shop_rulebook
from curation.shop.schema import Constraint
from curation.shop.units import imperial

if TYPE_CHECKING:
    from curation.rationales.rationale import Relation, Strength
    from curation.shop.schema import Category, Family, Kind, Label, Need, Operator
    from curation.shop.schema import Strength as ShopStrength

# No name, value or fact of the shop has a semicolon, a colon before a space, or brackets; no wish rules out.
_CONSTRAINT = r"(must|prefer(?! \w+ !=)) (\w+) (=|!=|<|>) ([^;()]+?)"
_CHECK = rf"; {_CONSTRAINT}: (met|missed) \(([^;()]+)\)"
_INTENT = re.compile(rf"({'|'.join(KINDS)}): ([^;()]+)((?:; {_CONSTRAINT})+)")
_CHECKS = re.compile(_CHECK)
_CONSTRAINTS = re.compile(rf"; {_CONSTRAINT}(?=;|$)")
_DERIVATION = re.compile(
    r"(?P<facts>(?:given [^;()]+; )*)category = (?P<asked>[^;:()]+): "
    r"(?P<relation>match|substitute|complement|other) \((?P<item>[^;()]+)\)"
    rf"(?P<checks>(?:{_CHECK})*) => (?P<label>{'|'.join(TIERS_BY_NAME)})"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether an item meets a constraint, and its value there."""

    met: bool
    actual: str


@dataclass(frozen=True, slots=True)
class Derivation:
    """How a label of the shop follows.

    Attributes:
        kind: Kind of the query.
        asked: Name of the category asked for.
        item: Name of the item's category.
        relation: How the item's category stands to the one asked for.
        requirements: What the query asks, in the order of its intent.
        findings: One for each requirement; none where the category settles the label (complement and other).
        facts: What the query takes for granted.
        label: The label.
    """

    kind: Kind
    asked: str
    item: str
    relation: Relation
    requirements: tuple[Constraint, ...]
    findings: tuple[Finding, ...]
    facts: tuple[str, ...]
    label: Label

    @property
    def family(self) -> Family:
        """Family of the category asked for."""
        return shop_data().family(categories()[self.asked].family)

    @property
    def tier(self) -> int:
        """The label's tier."""
        return TIERS_BY_NAME[self.label]


@cache
def categories() -> dict[str, Category]:
    """The shop's categories by name."""
    return {each.name: each for family in shop_data().families for each in family.categories}


def strength(constraint: Constraint) -> Strength:
    """A constraint's strength as rationales have it."""
    if constraint.strength == "prefer":
        return "wish"
    return "not" if constraint.operator == "!=" else "must"


def parse_derivation(intent: str, derivation: str) -> Derivation:
    """Read what `Intent.name` and `Query.judge` wrote.

    Raises:
        ValueError: One of the texts is no such thing, or they do not go together.
    """
    asked, reason = _INTENT.fullmatch(intent), _DERIVATION.fullmatch(derivation)
    if not asked or not reason:
        text = derivation if asked else intent
        raise ValueError(f"{text!r} is no {'derivation' if asked else 'intent'} of the shop")
    kind, category = asked[1], asked[2]
    requirements = tuple(_constraint(found) for found in _CONSTRAINTS.findall(asked[3]))
    findings = {
        _constraint(found): Finding(found[4] == "met", found[5])
        for found in _CHECKS.findall(reason["checks"])
    }
    parsed = Derivation(
        cast("Kind", kind),
        category,
        reason["item"],
        cast("Relation", reason["relation"]),
        requirements,
        tuple(findings[each] for each in requirements if each in findings),
        tuple(re.findall(r"given ([^;]+); ", reason["facts"])),
        cast("Label", reason["label"]),
    )
    settled = parsed.relation in {"complement", "other"}
    if (
        reason["asked"] != category
        or not {category, parsed.item} <= categories().keys()
        or not {each.slot for each in requirements} <= {"brand", "price", *_slots(parsed.family)}
        or set(findings) != (set() if settled else set(requirements))
        or any(constraint.holds(finding.actual) != finding.met for constraint, finding in findings.items())
    ):
        raise ValueError(f"{derivation!r} does not follow from {intent!r}")
    return parsed


def steps(derivation: Derivation) -> Rationale:
    """The derivation as a rationale in the shop's own terms, its rules left out."""
    found = zip(derivation.requirements, derivation.findings, strict=False)
    return Rationale(
        derivation.asked,
        tuple(
            Requirement(strength(each), each.slot, f"{each.operator} {each.value}")
            for each in derivation.requirements
        ),
        derivation.item,
        derivation.relation,
        "",
        tuple(
            Check("met" if each.met else "missed", constraint.slot, each.actual) for constraint, each in found
        ),
        (),
        derivation.tier,
        "",
    )


def used_rules(derivation: Derivation) -> tuple[str, ...]:
    """Names of the rules of `shop_rulebook` that lead from query to label, in the order of thought.

    A question's rule counts wherever the question asks for what the rule is about: derivations do not tell in which
    words it does so.
    """
    family = derivation.family
    names: list[str] = [] if derivation.kind == "plain" else [derivation.kind]
    names += [need_rule(family, need) for need in family.needs if need.fact in derivation.facts]
    if derivation.kind == "question":
        names += [need_rule(family, need) for need in family.questions if _asks(derivation, need)]
    if any(_is_conversion(fact) for fact in derivation.facts):
        names.append(UNITS)
    if any(each.strength == "prefer" for each in derivation.requirements):
        names.append(WISHES)
    if derivation.relation in {"substitute", "complement"}:
        names.append(family_rule(family, derivation.relation))
    decision = decide(
        shop_rulebook().rules,
        steps(derivation),
        kind=derivation.kind,
        locale="",
        categories=(derivation.asked, derivation.item),
    )
    return (*names, *decision.deciding)


def _constraint(found: tuple[str, ...]) -> Constraint:
    return Constraint(cast("ShopStrength", found[0]), found[1], cast("Operator", found[2]), found[3])


def _slots(family: Family) -> set[str]:
    return {slot.name for slot in family.slots}


def _asks(derivation: Derivation, need: Need) -> bool:
    return {Constraint("must", *each) for each in need.constraints} <= set(derivation.requirements)


def _is_conversion(fact: str) -> bool:
    other, _, metric = fact.partition(" = ")
    return bool(metric) and imperial(metric) == other
