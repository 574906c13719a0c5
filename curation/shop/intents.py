"""What a shopper wants: a category and parts that stand for constraints, before it is put into words."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from curation.shop.load import shop_data
from curation.shop.schema import Constraint

if TYPE_CHECKING:
    from random import Random

    from curation.shop.catalogue import Catalogue, Item
    from curation.shop.schema import Category, Family, Kind, Need, Slot


@dataclass(frozen=True, slots=True)
class Part:
    """Constraints and the forms that put them into words; `{v}` is one of `shown`.

    `fact` is what a shopper has to know to get from the words to the constraints.
    """

    constraints: tuple[Constraint, ...]
    forms: tuple[str, ...]
    shown: tuple[str, ...] = ("",)
    fact: str = ""

    @property
    def slots(self) -> set[str]:
        """The slots constrained."""
        return {each.slot for each in self.constraints}


@dataclass(frozen=True, eq=False)
class Intent:
    """A need, whatever its wording.

    `leading` parts make the kind (what is excluded, asked, or needed), `asked` ones go with the noun, the `wish` is
    preferred only. An alternative has the item it refers to.
    """

    kind: Kind
    family: Family
    category: Category
    leading: tuple[Part, ...]
    asked: tuple[Part, ...]
    wish: Part | None = None
    reference: Item | None = None

    @cached_property
    def constraints(self) -> tuple[Constraint, ...]:
        """All of them, of the parts in their order."""
        parts = (*self.leading, *self.asked, *((self.wish,) if self.wish else ()))
        return tuple(constraint for part in parts for constraint in part.constraints)

    @cached_property
    def combination(self) -> str:
        """Category and constraints: the same for all wordings, orders and kinds, in every seed."""
        return f"{self.category.name}; {'; '.join(sorted(map(str, self.constraints)))}"

    @property
    def name(self) -> str:
        """Kind and combination."""
        return f"{self.kind}: {self.combination}"


def draw_intent(rng: Random, kind: Kind, catalogue: Catalogue) -> Intent:
    """A need of the given kind in a random category; the shelves may hold nothing that meets it."""
    family = rng.choice(shop_data().families)
    category = rng.choice(family.categories)
    reference = None
    leading: tuple[Part, ...]
    match kind:
        case "plain":
            leading, asked = (), _asked(rng, family, category, rng.choice((1, 2, 2, 3)), set())
        case "negation":
            slots = rng.sample([slot for slot in family.slots if slot.excluded], rng.choice((1, 1, 2)))
            leading = tuple(_excluded(rng, slot) for slot in slots)
            asked = _asked(rng, family, category, rng.choice((0, 1, 1)), _slots(leading))
        case "alternative":
            reference = rng.choice(catalogue.shelves[category].items)
            leading = (_cheaper(reference),)
            asked = _liked(rng, reference, rng.choice((0, 1, 1, 2)))
        case "question":
            leading = _asked(rng, family, category, rng.choice((1, 2)), set(), verbs=True)
            if rng.random() < _SPECIAL_QUESTIONS:
                leading = _needed(rng, family.questions, 1)
            asked = _asked(rng, family, category, rng.choice((0, 1)), _slots(leading))
        case "knowledge":
            leading = _needed(rng, family.needs, rng.choice((1, 2)))
            asked = _asked(rng, family, category, rng.choice((0, 0, 1)), _slots(leading))
    wish = _wish(rng, family, category, _slots((*leading, *asked)))
    return Intent(kind, family, category, leading, asked, wish, reference)


_SPECIAL_QUESTIONS = 0.5
_WISH_SHARE = 0.6


def _slots(parts: tuple[Part, ...]) -> set[str]:
    return {slot for part in parts for slot in part.slots}


def _asked(
    rng: Random, family: Family, category: Category, count: int, taken: set[str], verbs: bool = False
) -> tuple[Part, ...]:
    """Parts on distinct slots outside `taken`: values, bounds on numbers, now and then a brand or a price."""
    open_slots: list[Slot | str] = [slot for slot in family.slots if slot.name not in taken]
    open_slots += [each for each in ("brand", "price") if each not in taken and rng.random() < 0.3]
    parts: list[Part] = []
    for slot in rng.sample(open_slots, len(open_slots)):
        part = _part(rng, slot, family, category, verbs)
        if part and len(parts) < count:
            parts.append(part)
    return tuple(parts)


def _part(rng: Random, slot: Slot | str, family: Family, category: Category, verbs: bool) -> Part | None:
    data = shop_data()
    way = "_verbs" if verbs else ""
    if slot == "brand":
        brand = rng.choice([each.name for each in data.brands if family.name in each.families])
        return Part((Constraint("must", "brand", "=", brand),), data.phrases[f"brand{way}"], (brand,))
    if slot == "price":
        low, high = category.price
        limit = str(round(rng.uniform(low + 0.3 * (high - low), high - 0.2 * (high - low))))
        return Part((Constraint("must", "price", "<", limit),), data.phrases[f"price{way}"], (limit,))
    assert not isinstance(slot, str)
    choices: list[Part] = []
    for value in slot.values:
        if forms := value.verbs if verbs else value.ask:
            choices.append(
                Part((Constraint("must", slot.name, "=", value.name),), forms, value.words or ("",))
            )
    for limits in slot.limits:
        for limit in limits.values:
            forms = limits.verbs if verbs else limits.ask
            choices.append(Part((Constraint("must", slot.name, limits.operator, limit),), forms, (limit,)))
    return rng.choice(choices) if choices else None


def _excluded(rng: Random, slot: Slot) -> Part:
    value = rng.choice(slot.excluded)
    constraint = Constraint("must", slot.name, "!=", value.name)
    return Part((constraint,), slot.excluded_forms, value.words or (value.name,))


def _liked(rng: Random, reference: Item, count: int) -> tuple[Part, ...]:
    """Parts for values of the item that an alternative is to share."""
    values = [(slot, slot.lookup(reference.values[slot.name])) for slot in reference.family.slots]
    named = [(slot, value) for slot, value in values if value.ask]
    return tuple(
        Part((Constraint("must", slot.name, "=", value.name),), value.ask, value.words or ("",))
        for slot, value in rng.sample(named, min(count, len(named)))
    )


def _cheaper(reference: Item) -> Part:
    return Part(
        (
            Constraint("must", "brand", "!=", reference.brand),
            Constraint("must", "price", "<", f"{reference.price:.2f}"),
        ),
        (),
    )


def _needed(rng: Random, needs: tuple[Need, ...], count: int) -> tuple[Part, ...]:
    parts: list[Part] = []
    for need in rng.sample(needs, len(needs)):
        part = Part(
            tuple(Constraint("must", *each) for each in need.constraints), need.phrases, fact=need.fact
        )
        if len(parts) < count and not part.slots & _slots(tuple(parts)):
            parts.append(part)
    return tuple(parts)


def _wish(rng: Random, family: Family, category: Category, taken: set[str]) -> Part | None:
    if rng.random() > _WISH_SHARE:
        return None
    parts = _asked(rng, family, category, 1, taken | {"brand", "price"})
    if not parts:
        return None
    (part,) = parts
    softened = tuple(Constraint("prefer", each.slot, each.operator, each.value) for each in part.constraints)
    return Part(softened, part.forms, part.shown, part.fact)
