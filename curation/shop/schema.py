"""The types the shop's data is written in: categories, attribute slots, constraints and needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["plain", "negation", "alternative", "question", "knowledge"]
Label = Literal["Excellent", "Related", "Mismatch", "Irrelevant"]
Strength = Literal["must", "prefer"]
Operator = Literal["=", "!=", "<", "<=", ">="]


@dataclass(frozen=True)
class Value:
    """One value of a slot, with the words that shop and shoppers use for it.

    `says` are the description sentences, any one of which states the value. `adjective` is how a query asks
    for it ("waterproof"), `absent` the noun that rules it out ("without leather"); empty where nobody would.
    """

    name: str
    says: tuple[str, ...]
    adjective: str
    absent: str


def value(name: str, *says: str, adj: str = "", no: str = "") -> Value:
    """A `Value`, with its sentences as plain arguments."""
    return Value(name, says, adj, no)


@dataclass(frozen=True)
class Slot:
    """An attribute that every item of a family has; one without sentences is stated in the title instead."""

    name: str
    values: tuple[Value, ...]
    short: str = "{}"

    @property
    def in_title(self) -> bool:
        """Whether the title carries the value because no sentence does."""
        return not any(each.says for each in self.values)

    def lookup(self, name: str) -> Value:
        """The value called `name`."""
        return next(each for each in self.values if each.name == name)


@dataclass(frozen=True)
class Constraint:
    """What a query asks of an item: `must` is hard, `prefer` is soft.

    `slot` is an attribute, `brand` or `price`. The ordering operators compare the number a value starts with.
    """

    strength: Strength
    slot: str
    operator: Operator
    value: str

    def __str__(self) -> str:
        return f"{self.strength} {self.slot} {self.operator} {self.value}"

    def holds(self, actual: str) -> bool:
        """Whether an item whose value is `actual` satisfies this."""
        match self.operator:
            case "=":
                return actual == self.value
            case "!=":
                return actual != self.value
            case "<":
                return _number(actual) < _number(self.value)
            case "<=":
                return _number(actual) <= _number(self.value)
            case ">=":
                return _number(actual) >= _number(self.value)


def _number(text: str) -> float:
    return float(text.split(maxsplit=1)[0])


def must(slot: str, operator: Operator, wanted: str) -> Constraint:
    """A hard constraint: missing it makes the item a Mismatch."""
    return Constraint("must", slot, operator, wanted)


def prefer(slot: str, operator: Operator, wanted: str) -> Constraint:
    """A soft constraint: missing it makes the item Related."""
    return Constraint("prefer", slot, operator, wanted)


@dataclass(frozen=True)
class Need:
    """A question, or a situation from which the needed attribute must be inferred.

    `texts` are wordings with a `{plural}` for the category. `fact` is what a shopper has to know to get from
    the situation to the constraints; a question needs none.
    """

    texts: tuple[str, ...]
    constraints: tuple[Constraint, ...]
    fact: str = ""


@dataclass(frozen=True)
class Category:
    """A kind of product; `intros` open its descriptions and state no attribute."""

    name: str
    plural: str
    price: tuple[float, float]
    intros: tuple[str, ...]


@dataclass(frozen=True)
class Family:
    """Categories that shoppers see side by side.

    The two `categories` stand in for each other (substitutes) and share the slots; the `complement` goes with
    both and replaces neither. `taste` names the slot that a query only ever prefers. `impossible` pairs of
    values never meet in one item, because no such product could exist.
    """

    name: str
    categories: tuple[Category, Category]
    complement: Category
    lines: tuple[str, ...]
    slots: tuple[Slot, ...]
    taste: str
    questions: tuple[Need, ...]
    knowledge: tuple[Need, ...]
    impossible: tuple[tuple[str, str], ...] = ()

    def slot(self, name: str) -> Slot:
        """The slot called `name`."""
        return next(each for each in self.slots if each.name == name)


@dataclass(frozen=True)
class Brand:
    """A brand, its price rank from 1 (budget) to 4 (premium), and the families it sells in."""

    name: str
    rank: int
    families: tuple[str, ...]
