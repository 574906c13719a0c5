"""Queries, each with the constraints that its words stand for, and the logic that turns them into tiers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from curation.shop import wordings
from curation.shop.data import FAMILIES
from curation.shop.schema import must, prefer

if TYPE_CHECKING:
    from random import Random

    from curation.shop.catalogue import Item
    from curation.shop.schema import Category, Constraint, Family, Kind, Label, Slot, Value

Relation = Literal["match", "substitute", "complement", "other"]


@dataclass(frozen=True)
class Query:
    """A query's text and its meaning: one category, constraints on it, and the fact that connects the two."""

    text: str
    kind: Kind
    family: Family
    category: Category
    constraints: tuple[Constraint, ...]
    fact: str = ""

    def relation(self, item: Item) -> Relation:
        """How the item's category stands to the one asked for."""
        if item.category is self.category:
            return "match"
        if item.category in self.family.categories:
            return "substitute"
        return "complement" if item.category is self.family.complement else "other"

    def label(self, item: Item) -> Label:
        """The tier of the item.

        | category   | every must holds                             | a must is missed |
        |------------|----------------------------------------------|------------------|
        | match      | Excellent; Related if a preference is missed | Mismatch         |
        | substitute | Related                                      | Mismatch         |
        | complement | Mismatch (it does not do the job)            | Mismatch         |
        | other      | Irrelevant                                   | Irrelevant       |
        """
        relation = self.relation(item)
        if relation == "other":
            return "Irrelevant"
        if relation == "complement":
            return "Mismatch"
        missed = {each.strength for each in self.constraints if not each.holds(item.fact(each.slot))}
        if "must" in missed:
            return "Mismatch"
        return "Related" if relation == "substitute" or missed else "Excellent"

    def derivation(self, item: Item) -> str:
        """Why the item has its tier, clause by clause: what was asked, what the item has, met or missed."""
        relation = self.relation(item)
        clauses = [f"given {self.fact}"] if self.fact else []
        clauses.append(f"category = {self.category.name}: {relation} ({item.category.name})")
        if relation in {"match", "substitute"}:
            for constraint in self.constraints:
                actual = item.fact(constraint.slot)
                clauses.append(f"{constraint}: {'met' if constraint.holds(actual) else 'missed'} ({actual})")
        return f"{'; '.join(clauses)} => {self.label(item)}"


def draw_query(rng: Random, kind: Kind, catalogue: dict[str, list[Item]]) -> Query:
    """A query of the given kind about a random category; the catalogue may hold nothing that meets it."""
    family = rng.choice(FAMILIES)
    category = rng.choice(family.categories)
    match kind:
        case "plain":
            return _plain(rng, family, category)
        case "negation":
            return _negation(rng, family, category)
        case "alternative":
            return _alternative(rng, family, category, catalogue[category.name])
        case "question" | "knowledge":
            return _need(rng, kind, family, category)


def _plain(rng: Random, family: Family, category: Category) -> Query:
    asked = _ask(rng, _askable(family), rng.choice((1, 1, 2)))
    wish = _wish(rng, family)
    template = rng.choice(wordings.PLAIN)
    wanted = " ".join(each.adjective for _, each in asked)
    text = template.format(wanted=wanted, plural=category.plural, wish=wish.adjective)
    hard = tuple(must(slot.name, "=", each.name) for slot, each in asked)
    return Query(text, "plain", family, category, hard + _if_wished(template, family, wish))


def _negation(rng: Random, family: Family, category: Category) -> Query:
    slot, excluded = rng.choice(
        [(slot, each) for slot in family.slots for each in slot.values if each.absent]
    )
    asked = _ask(rng, [other for other in _askable(family) if other is not slot], rng.choice((0, 0, 1)))
    wish = _wish(rng, family)
    template = rng.choice(wordings.NEGATION)
    wanted = " ".join(each.adjective for _, each in asked)
    text = template.format(wanted=wanted, plural=category.plural, absent=excluded.absent, wish=wish.adjective)
    hard = (
        must(slot.name, "!=", excluded.name),
        *(must(other.name, "=", each.name) for other, each in asked),
    )
    constraints = hard + _if_wished(template, family, wish)
    return Query(" ".join(text.split()), "negation", family, category, constraints)


def _alternative(rng: Random, family: Family, category: Category, items: list[Item]) -> Query:
    model = rng.choice(items)
    line, price = model.attributes["line"], model.fact("price")
    text = rng.choice(wordings.ALTERNATIVE).format(
        brand=model.brand, line=line, plural=category.plural, price=price
    )
    liked = [(slot, slot.lookup(model.fact(slot.name))) for slot in _askable(family) if not slot.in_title]
    asked = [(slot, each) for slot, each in liked if each.adjective]
    template = rng.choice(wordings.ALTERNATIVE_WISH) if asked else "{text}"
    constraints: tuple[Constraint, ...] = (must("brand", "!=", model.brand), must("price", "<", price))
    if "{wanted}" in template:
        slot, wanted = rng.choice(asked)
        text = template.format(text=text, wanted=wanted.adjective)
        constraints += (prefer(slot.name, "=", wanted.name),)
    return Query(text, "alternative", family, category, constraints)


def _need(rng: Random, kind: Literal["question", "knowledge"], family: Family, category: Category) -> Query:
    asks = kind == "question"
    need = rng.choice(family.questions if asks else family.knowledge)
    template = rng.choice(wordings.QUESTION if asks else wordings.KNOWLEDGE)
    wish = _wish(rng, family)
    if any(constraint.slot == family.taste for constraint in need.constraints):
        template = "{text}"
    text = template.format(text=rng.choice(need.texts).format(plural=category.plural), wish=wish.adjective)
    constraints = need.constraints + _if_wished(template, family, wish)
    return Query(text, kind, family, category, constraints, need.fact)


def _askable(family: Family) -> list[Slot]:
    slots = [slot for slot in family.slots if slot.name != family.taste]
    return [slot for slot in slots if any(each.adjective for each in slot.values)]


def _ask(rng: Random, slots: list[Slot], count: int) -> list[tuple[Slot, Value]]:
    """That many slots, each with a value that a query can ask for."""
    return [
        (slot, rng.choice([each for each in slot.values if each.adjective]))
        for slot in rng.sample(slots, count)
    ]


def _wish(rng: Random, family: Family) -> Value:
    return rng.choice(family.slot(family.taste).values)


def _if_wished(template: str, family: Family, wish: Value) -> tuple[Constraint, ...]:
    return (prefer(family.taste, "=", wish.name),) if "{wish}" in template else ()
