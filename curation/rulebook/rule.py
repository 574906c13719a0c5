"""Relevance rules: what a search team writes down, and the logic that the steps of a rationale follow.

A rule with a tier is a cap. The category step and each requirement of a rationale meet the rules that apply to them;
an item gets the lowest cap of all, and Excellent where nothing caps it. A rule without a tier explains: it says what a
query demands, or what words mean, and leaves the verdict to the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from curation.rationales.rationale import Outcome, Relation, Strength  # noqa: TC001
from warehouse.ids import content_id

if TYPE_CHECKING:
    import uuid
    from datetime import date


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a rule may be used; an empty field means anywhere.

    Attributes:
        category: Names of categories, one of which query or item has.
        kind: Kinds of query.
        attribute: Attributes that a requirement is about.
        locale: Locales of the query.
    """

    category: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()
    attribute: tuple[str, ...] = ()
    locale: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class When:
    """What a step has to show for the rule to cap it; an empty field means anything.

    With a strength or an outcome the rule speaks of single requirements, otherwise of the category step.
    """

    relation: tuple[Relation, ...] = ()
    strength: tuple[Strength, ...] = ()
    outcome: tuple[Outcome, ...] = ()

    @property
    def of_requirements(self) -> bool:
        """Whether it speaks of requirements."""
        return bool(self.strength or self.outcome)


@dataclass(frozen=True, slots=True)
class Example:
    """A query and an item for which a rule holds, or, as a counter-example, only seems to."""

    query: str
    item: str
    why: str = ""


@dataclass(frozen=True)
class Rule:
    """One rule of a rulebook.

    Attributes:
        name: Its id in the rulebook, which rationales cite: lower-case words joined by hyphens.
        text: The rule in one or two sentences.
        tier: The highest tier that an item gets where the rule applies; None explains only.
        over: Names of rules that it overrides where both apply.
        valid_from: First day; None is from ever.
        valid_to: Last day; None is for ever.
    """

    name: str
    text: str
    tier: int | None = None
    scope: Scope = Scope()
    when: When = When()
    over: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    counter_examples: tuple[Example, ...] = ()
    valid_from: date | None = None
    valid_to: date | None = None

    def is_valid(self, day: date) -> bool:
        """Whether the rule holds on `day`."""
        return not ((self.valid_from and day < self.valid_from) or (self.valid_to and day > self.valid_to))


@dataclass(frozen=True)
class Rulebook:
    """All rules of a name and version, in the order of their file."""

    name: str
    version: int
    about: str
    rules: tuple[Rule, ...]

    @cached_property
    def by_name(self) -> dict[str, Rule]:
        """The rules by their names."""
        return {rule.name: rule for rule in self.rules}

    def rule_id(self, rule: Rule) -> uuid.UUID:
        """Id in ``rules``: the rule in this version of the rulebook."""
        return content_id("rule", self.name, self.version, rule.name)
