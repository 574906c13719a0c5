"""Intents put into words, and the logic that turns them into tiers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from curation.shop.load import shop_data
from curation.shop.units import imperial

if TYPE_CHECKING:
    from random import Random

    from curation.shop.catalogue import Item
    from curation.shop.intents import Intent, Part
    from curation.shop.schema import Category, Label, Strength

Relation = Literal["match", "substitute", "complement", "other"]

_IMPERIAL_SHARE = 0.4


@dataclass(frozen=True, slots=True)
class Query:
    """A query's text, the intent behind it, and the facts that lead from one to the other."""

    text: str
    intent: Intent
    facts: tuple[str, ...] = ()

    def relation(self, category: Category) -> Relation:
        """How a category stands to the one asked for."""
        family = self.intent.family
        if category is self.intent.category:
            return "match"
        if category.family == family.name:
            return "substitute"
        return "complement" if category.family == family.complement else "other"

    def judge(self, item: Item) -> tuple[Label, str]:
        """The tier of the item, and why, clause by clause: what was asked, what the item has, met or missed.

        | category   | every must holds                             | a must is missed |
        |------------|----------------------------------------------|------------------|
        | match      | Excellent; Related if a preference is missed | Mismatch         |
        | substitute | Related                                      | Mismatch         |
        | complement | Mismatch (it does not do the job)            | Mismatch         |
        | other      | Irrelevant                                   | Irrelevant       |
        """
        relation = self.relation(item.category)
        clauses = [f"given {fact}" for fact in self.facts]
        clauses.append(f"category = {self.intent.category.name}: {relation} ({item.category.name})")
        missed: set[Strength] = set()
        if relation in {"match", "substitute"}:
            for constraint in self.intent.constraints:
                actual = item.fact(constraint.slot)
                met = constraint.holds(actual)
                clauses.append(f"{constraint}: {'met' if met else 'missed'} ({actual})")
                if not met:
                    missed.add(constraint.strength)
        label: Label
        if relation == "other":
            label = "Irrelevant"
        elif relation == "complement" or "must" in missed:
            label = "Mismatch"
        else:
            label = "Related" if relation == "substitute" or missed else "Excellent"
        return label, f"{'; '.join(clauses)} => {label}"


def word_query(rng: Random, intent: Intent) -> Query:
    """One of the ways to ask for `intent`."""
    phrases = shop_data().phrases
    wording = _Wording(rng)
    nouns = (
        intent.category.plurals
        if intent.kind == "question"
        else (*intent.category.plurals, *intent.category.names)
    )
    noun = rng.choice(nouns)
    match intent.kind:
        case "plain":
            text = rng.choice(phrases["plain"]).format(q=wording.noun_phrase(noun, intent.asked))
        case "negation":
            without = ", ".join(wording.form(part) for part in intent.leading)
            text = rng.choice(phrases["negation"]).format(
                q=wording.noun_phrase(noun, intent.asked), n=without
            )
        case "alternative":
            text = _alternative(rng, wording, intent, noun)
        case "question":
            verbs = " and ".join(
                wording.form(part) for part in rng.sample(intent.leading, len(intent.leading))
            )
            text = rng.choice(phrases["question"]).format(
                q=wording.noun_phrase(noun, intent.asked), verbs=verbs
            )
        case "knowledge":
            situations = " and ".join(
                wording.form(part) for part in rng.sample(intent.leading, len(intent.leading))
            )
            text = rng.choice(phrases["knowledge"]).format(
                q=wording.noun_phrase(noun, intent.asked), s=situations
            )
    if intent.wish:
        wishes = phrases["question_wishes" if intent.kind == "question" else "wishes"]
        text = rng.choice(wishes).format(text=text, w=wording.phrase(intent.wish))
    return Query(text, intent, tuple(wording.facts))


def _alternative(rng: Random, wording: _Wording, intent: Intent, noun: str) -> str:
    phrases = shop_data().phrases
    item = intent.reference
    assert item
    text = rng.choice(phrases["alternative"]).format(
        ref=f"{item.brand} {item.line} {noun}",
        q=noun,
        brand=item.brand,
        line=item.line,
        price=f"{item.price:.2f}",
    )
    if intent.asked:
        asked = " and ".join(wording.phrase(part) for part in intent.asked)
        text = rng.choice(phrases["also"]).format(text=text, w=asked)
    return text


class _Wording:
    """Chooses forms and keeps the facts that they take for granted."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.imperial = rng.random() < _IMPERIAL_SHARE
        self.facts: list[str] = []

    def form(self, part: Part) -> str:
        word = self.rng.choice(part.shown)
        if self.imperial and (converted := imperial(word)) != word:
            self._assume(f"{converted} = {word}")
            word = converted
        if part.fact:
            self._assume(part.fact)
        return self.rng.choice(part.forms).format(v=word)

    def phrase(self, part: Part) -> str:
        """The part without its noun: `waterproof`, `with lugged sole`, `under 1 kg`."""
        return " ".join(self.form(part).replace("_", " ").replace(" ,", "").strip(" ,").split())

    def noun_phrase(self, noun: str, parts: tuple[Part, ...]) -> str:
        for part in self.rng.sample(parts, len(parts)):
            noun = self.form(part).replace("_", noun)
        return noun

    def _assume(self, fact: str) -> None:
        if fact not in self.facts:
            self.facts.append(fact)
