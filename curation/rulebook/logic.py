"""The logic of rules: which of them cap the steps of a rationale, and the tier that follows.

A cell is what one step shows: the relation, for the category step; strength, attribute and outcome under that
relation, for a requirement. In a cell the rules that apply, less those that one of them overrides, should agree on one
tier. Where they do not, the lower tier counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from curation.rationales.rationale import Outcome, Rationale, Relation, Strength
    from curation.rulebook.rule import Rule


@dataclass(frozen=True, slots=True)
class Cell:
    """What one step of a rationale shows; of the category step only the relation."""

    relation: Relation
    strength: Strength | None = None
    attribute: str | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Cap:
    """What the rules make of a cell.

    Attributes:
        cell: The cell.
        tier: The lowest tier that a rule gives it; None where no rule speaks of it.
        rules: Names of the rules that give it this tier, in the order of the rulebook.
        outvoted: Names of the rules that give it a higher tier and that no rule overrides.
    """

    cell: Cell
    tier: int | None
    rules: tuple[str, ...]
    outvoted: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """The tier that follows from a rationale's steps, and why.

    Attributes:
        tier: The lowest cap; 4 where nothing caps.
        caps: Of the category step, then of each requirement in the rationale's order.
    """

    tier: int
    caps: tuple[Cap, ...]

    @property
    def deciding(self) -> tuple[str, ...]:
        """Names of the rules that give the tier, each once."""
        return tuple(dict.fromkeys(name for cap in self.caps if cap.tier == self.tier for name in cap.rules))

    @property
    def contradictions(self) -> tuple[Cap, ...]:
        """The caps on which rules disagree."""
        return tuple(cap for cap in self.caps if cap.outvoted)


def decide(
    rules: Sequence[Rule], rationale: Rationale, *, kind: str, locale: str, categories: Collection[str]
) -> Decision:
    """What `rules` make of the steps of `rationale`; its own rules and verdict are not read.

    A requirement without a check counts as unknown. Names compare without regard to case.

    Args:
        rules: Those that hold on the day; rules without a tier decide nothing.
        rationale: The steps.
        kind: Kind of the query.
        locale: Locale of the query.
        categories: Categories of query and item.
    """
    kinds, locales, named = folded((kind,)), folded((locale,)), folded(categories)
    able = [
        rule
        for rule in rules
        if rule.tier is not None
        and fits(rule.scope.kind, kinds)
        and fits(rule.scope.locale, locales)
        and fits(rule.scope.category, named)
    ]
    over = {rule.name: rule.over for rule in rules}
    caps = tuple(
        _cap(cell, [rule for rule in able if speaks_of(rule, cell)], over) for cell in cells_of(rationale)
    )
    return Decision(min((cap.tier for cap in caps if cap.tier is not None), default=4), caps)


def cells_of(rationale: Rationale) -> list[Cell]:
    """What the steps of a rationale show: the category step, then each requirement, unknown without a check."""
    cells = [Cell(rationale.relation)]
    cells += [
        Cell(rationale.relation, each.strength, each.attribute, check.outcome if check else "unknown")
        for each, check in rationale.answers()
    ]
    return cells


def folded(names: Iterable[str]) -> frozenset[str]:
    """Names as they compare."""
    return frozenset(name.casefold() for name in names)


def fits(scope: tuple[str, ...], names: frozenset[str]) -> bool:
    """Whether a field of a scope is empty or has one of the folded `names`."""
    return not scope or any(name.casefold() in names for name in scope)


def speaks_of(rule: Rule, cell: Cell) -> bool:
    """Whether a rule caps a cell, be the pair what it may."""
    when = rule.when
    if when.relation and cell.relation not in when.relation:
        return False
    if cell.strength is None or cell.attribute is None:
        return not when.of_requirements and not rule.scope.attribute
    return (
        when.of_requirements
        and (not when.strength or cell.strength in when.strength)
        and (not when.outcome or cell.outcome in when.outcome)
        and fits(rule.scope.attribute, folded((cell.attribute,)))
    )


def overridden(name: str, over: Mapping[str, tuple[str, ...]]) -> set[str]:
    """Names of the rules that the rule `name` overrides, directly or through others."""
    found: set[str] = set()
    waiting = list(over.get(name, ()))
    while waiting:
        if (each := waiting.pop()) not in found:
            found.add(each)
            waiting += over.get(each, ())
    return found


def _cap(cell: Cell, applying: list[Rule], over: Mapping[str, tuple[str, ...]]) -> Cap:
    beaten = set().union(*(overridden(rule.name, over) for rule in applying)) if len(applying) > 1 else set()
    left = [(rule.name, rule.tier) for rule in applying if rule.tier is not None and rule.name not in beaten]
    tier = min((tier for _, tier in left), default=None)
    return Cap(
        cell,
        tier,
        tuple(name for name, each in left if each == tier),
        tuple(name for name, each in left if each != tier),
    )
