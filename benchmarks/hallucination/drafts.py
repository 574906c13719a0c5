"""Rationales before they are put into words: what they say, step by step, be it true or not.

The words are templates of the shop or of `wordings.toml`. Rules and verdict follow from the steps.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from curation.rationales.rationale import TIER_NAMES, Check, Rationale, Requirement
from curation.rulebook.logic import decide
from curation.shop.derivations import categories, strength, used_rules
from curation.shop.rulebook import shop_rulebook
from curation.shop.units import imperial
from curation.shop.values import Forms, forms
from curation.shop.wordings import Templates, wordings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from benchmarks.hallucination.pairs import Pair, Part
    from curation.grading import Format
    from curation.rulebook.logic import Decision
    from curation.shop.schema import Constraint

WORDINGS = Path(__file__).with_name("wordings.toml")

_BEGIN, _END = "\ue000", "\ue001"


@dataclass(frozen=True, slots=True)
class Point:
    """A requirement, and what a rationale says the item has to it.

    Attributes:
        constraint: What is required.
        asked: Its value as the requirement's line has it.
        met: Whether the item is said to meet it.
        said: The item's value as the check has it.
        listed: The item's value as the item's line has it.
    """

    constraint: Constraint
    asked: str
    met: bool
    said: str
    listed: str


@dataclass(frozen=True, slots=True)
class Draft:
    """What a rationale of a pair says.

    Attributes:
        pair: The pair.
        points: The requirements; checks and values in the item's line are left out where the category settles the tier.
        brand: The brand in the item's line.
        more: Values that the item's line lists besides.
    """

    pair: Pair
    points: tuple[Point, ...]
    brand: str
    more: tuple[str, ...] = ()

    @property
    def is_settled(self) -> bool:
        """Whether the category settles the tier."""
        return self.pair.derivation.relation in {"complement", "other"}

    def rationale(self, rng: Random, templates: Templates) -> Rationale:
        """The draft in words, with the rules and the verdict that follow from its steps."""
        derivation, say = self.pair.derivation, _Speaker(rng, templates)
        noun = _noun(self.pair)
        intent = say(derivation.kind, noun=noun)
        if derivation.facts:
            intent += say("given", f=" and ".join(derivation.facts))
        item = say("item", item=derivation.item, brand=self.brand)
        if values := self._values():
            item += say("values", v=", ".join(values))
        category = say(derivation.relation, item=derivation.item, asked=noun)
        points = () if self.is_settled else self.points
        steps = Rationale(
            intent,
            tuple(
                Requirement(strength(each.constraint), each.constraint.slot, each.asked)
                for each in self.points
            ),
            item,
            derivation.relation,
            category,
            tuple(
                Check("met" if each.met else "missed", each.constraint.slot, say("evidence", v=each.said))
                for each in points
            ),
            (),
            4,
            "",
        )
        decision = decision_on(self.pair, steps)
        explaining = [name for name in used_rules(derivation) if shop_rulebook().by_name[name].tier is None]
        return replace(
            steps,
            rules=tuple(dict.fromkeys((*explaining, *decision.deciding))),
            tier=decision.tier,
            verdict=self.verdict(decision.tier, say),
        )

    def verdict(self, tier: int, say: _Speaker) -> str:
        """A phrase for the tier, well-formed for this pair be it the right one or not."""
        missed = [each.constraint for each in self.points if not each.met and not self.is_settled]
        asked = [each.constraint for each in self.points]
        wishes = [each for each in missed or asked if each.strength == "prefer"]
        musts = [each for each in asked if each.strength == "must"]
        hard = [each for each in missed if each.strength == "must"] or musts or asked
        relation = self.pair.derivation.relation
        if tier == 4:
            return say("all")
        if tier == 3:
            return say("wish", slots=_slots(wishes)) if relation == "match" and wishes else say("stand-in")
        if tier == 2:
            return say("extra") if relation == "complement" else say("must", slots=_slots(hard))
        return say("stranger")

    def _values(self) -> list[str]:
        of_points = () if self.is_settled else self.points
        values = {each.constraint.slot: each.listed for each in of_points if each.constraint.slot != "brand"}
        return [*values.values(), *self.more]


class _Speaker:
    """Templates and the chance that chooses among them."""

    def __init__(self, rng: Random, templates: Templates) -> None:
        self._rng = rng
        self._templates = templates

    def __call__(self, name: str, **fields: str) -> str:
        return self._rng.choice(self._templates[name]).format(**fields)


def true_draft(pair: Pair, rng: Random, templates: Templates) -> Draft:
    """The draft of the pair's own rationale, true in all it says."""
    derivation, say = pair.derivation, _Speaker(rng, templates)
    points = []
    for number, constraint in enumerate(derivation.requirements):
        known = forms(derivation.family, constraint.slot)
        form = known.said(constraint.value, pair.query) or known.usual(constraint.value)
        bound = {"<": "less", ">": "more"}.get(constraint.operator)
        asked = say(bound, v=form) if bound else form
        if not derivation.findings:
            points.append(Point(constraint, asked, met=False, said="", listed=""))
            continue
        finding = derivation.findings[number]
        said = pair.form(constraint.slot, finding.actual)
        listed = pair.listed(constraint.slot, finding.actual, said)
        converted = imperial(finding.actual)
        if converted != finding.actual and (said == finding.actual) != (form == constraint.value):
            listed = say("converted", v=listed, w=converted if said == finding.actual else finding.actual)
        points.append(Point(constraint, asked, finding.met, said, listed))
    return Draft(pair, tuple(points), pair.brand)


def decision_on(pair: Pair, steps: Rationale) -> Decision:
    """What the shop's rules make of the steps."""
    derivation = pair.derivation
    return decide(
        shop_rulebook().rules,
        steps,
        kind=pair.kind,
        locale=pair.locale,
        categories=(derivation.asked, derivation.item),
    )


def other_verdict(draft: Draft, tier: int, rng: Random, templates: Templates) -> str:
    """A phrase of the verdict for a tier that does not follow from the draft."""
    return draft.verdict(tier, _Speaker(rng, templates))


def verdict_line(tier: int, phrase: str) -> str:
    """The last line of a rationale."""
    return f"Verdict: {TIER_NAMES[tier]}, {phrase}"


def completion(form: Format, digit: str, body: str) -> str:
    """What a model emits: the rationale with its tier, as the store's macro ``completion_text`` has it."""
    return f"{digit}\n{body}" if form == "answer-first" else f"{body}\nTier: {digit}"


def mark(text: str) -> str:
    """`text`, marked as what is planted."""
    return f"{_BEGIN}{text}{_END}"


def unmark(text: str) -> tuple[str, tuple[int, int] | None]:
    """The text without its mark, and the start and end of what was marked, None where nothing was."""
    if _BEGIN not in text:
        return text, None
    before, _, rest = text.partition(_BEGIN)
    marked, _, after = rest.partition(_END)
    assert _BEGIN not in after
    return before + marked + after, (len(before), len(before) + len(marked))


@cache
def paraphrases(part: Part) -> Templates:
    """The part's templates of `wordings.toml`, with the shop's for bounds, whose reader knows no others."""
    shop = wordings(held_out=part.held_out)
    return {**_table(part.name), "less": shop["less"], "more": shop["more"]}


@cache
def spellings() -> dict[str, str]:
    """American spellings by British ones."""
    return {british: american for british, (american,) in _table("spellings").items()}


def invented(part: Part) -> tuple[str, ...]:
    """Things that no item of the shop says of itself."""
    return _table(part.name)["invented"]


def rules_of_no_book(part: Part) -> tuple[str, ...]:
    """Names that no rulebook has."""
    return _table(part.name)["rules"]


@cache
def _table(name: str) -> Templates:
    tables = tomllib.loads(WORDINGS.read_text(encoding="utf-8"))
    return {key: tuple(phrases) for key, phrases in tables[name].items()}


def _noun(pair: Pair) -> str:
    """The category asked for, as the query names it."""
    asked = categories()[pair.derivation.asked]
    names = Forms({asked.name: [*asked.names, *asked.plurals]}, {})
    return names.said(asked.name, pair.query) or asked.name


def _slots(constraints: Sequence[Constraint]) -> str:
    return " and ".join(dict.fromkeys(each.slot for each in constraints))
