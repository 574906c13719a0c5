"""The types the shop's data is read into: families of categories, attribute slots, constraints, needs.

`data/*.toml` holds one table per family: its `complement`, `categories` (`names` in titles, `plurals` in queries,
`price` range, `intros`), `needs` (constraints, situations, the fact between them), `questions` (constraints, verb
phrases), and `slots`. In a slot's templates `{v}` is the item's value, `{o}` another one that is denied or sold
elsewhere, `_` the noun. A value is a list of words for one thing, or a table with templates of its own; slots with a
`unit` have numbers, and `limits` that queries set between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

Kind = Literal["plain", "negation", "alternative", "question", "knowledge"]
Label = Literal["Excellent", "Related", "Mismatch", "Irrelevant"]
Strength = Literal["must", "prefer"]
Operator = Literal["=", "!=", "<", ">"]


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a slot, and how shop and shoppers put it.

    `words` can stand in templates of the slot, empty where the value is only stated by its own sentences. `says` are
    sentences that state it, `brief` states it in a list, `ask` are forms of a query with `_` for the noun, empty
    where nobody would ask; `verbs` say it of plural nouns.
    """

    name: str
    words: tuple[str, ...]
    says: tuple[str, ...]
    brief: str
    ask: tuple[str, ...]
    verbs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that queries set on a number: none equals a value, so that strict and weak bounds agree."""

    operator: Operator
    values: tuple[str, ...]
    ask: tuple[str, ...]
    verbs: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Slot:
    """An attribute that every item of a family has; `title` says where it is stated."""

    name: str
    title: bool
    values: tuple[Value, ...]
    limits: tuple[Limits, ...]
    excluded: tuple[Value, ...]
    excluded_forms: tuple[str, ...]

    @cached_property
    def asks(self) -> tuple[tuple[str, str], ...]:
        """Every way to ask for one of the values, with `_` for the noun, and the value's name."""
        return tuple(
            (form.format(v=word), value.name)
            for value in self.values
            for word in value.words or ("",)
            for form in value.ask
        )

    def lookup(self, name: str) -> Value:
        """The value called `name`."""
        return next(each for each in self.values if each.name == name)


@dataclass(frozen=True, slots=True)
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
                return number(actual) < number(self.value)
            case ">":
                return number(actual) > number(self.value)


def number(text: str) -> float:
    """The number that a value such as ``28 cm`` starts with."""
    return float(text.split(maxsplit=1)[0])


@dataclass(frozen=True, slots=True)
class Need:
    """Phrases that stand for constraints: situations with the fact that links them, or verbs of a question."""

    constraints: tuple[tuple[str, Operator, str], ...]
    phrases: tuple[str, ...]
    fact: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Category:
    """A kind of product. `names[0]` stands in titles; `intros` open descriptions and state no attribute."""

    family: str
    names: tuple[str, ...]
    plurals: tuple[str, ...]
    price: tuple[float, float]
    intros: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name by which labels and attributes know it."""
        return self.names[0]


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """Categories that stand in for each other (substitutes) and share slots.

    The categories of the `complement` family go with these and replace none of them.
    """

    name: str
    complement: str
    categories: tuple[Category, ...]
    slots: tuple[Slot, ...]
    needs: tuple[Need, ...]
    questions: tuple[Need, ...]

    def slot(self, name: str) -> Slot:
        """The slot called `name`."""
        return next(each for each in self.slots if each.name == name)


@dataclass(frozen=True, slots=True)
class Brand:
    """A brand, its price rank from 1 (budget) to 4 (premium), and the families it sells in."""

    name: str
    rank: int
    families: tuple[str, ...]
