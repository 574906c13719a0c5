"""Check a rulebook: does it contradict itself, are there rules that never decide, does it leave something open?"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from difflib import get_close_matches
from itertools import combinations
from typing import TYPE_CHECKING, Literal

from curation.rationales.rationale import TIER_NAMES, TIERS_BY_NAME
from curation.rulebook.cells import Space, merged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from curation.rulebook.cells import Box, Value
    from curation.rulebook.rule import Example, Rule, Rulebook


# Capitals tell the tier from the word, which also opens sentences.
_NAMED = re.compile(rf"(?<=[\w,;:)\"'–—] )(?:{'|'.join(TIERS_BY_NAME)})\b|\b[Tt]ier ([1-4])\b")
_MAX_GAPS = 10
_DENIED = re.compile(
    r"\b(?:not|never|no|nor|cannot|below|under|than|instead of)(?: (?:a|an|be|even|longer|more|quite))* $",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a rulebook gets wrong (error) or that its author may not have meant (warning).

    Attributes:
        severity: How bad it is.
        rule: The rule that it is about; None where it is about the whole book.
        message: What is wrong and what to do, for a category manager.
    """

    severity: Literal["error", "warning"]
    rule: str | None
    message: str


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Names that occur in a store, for the scopes of rules; an empty set means that the store knows none."""

    category: frozenset[str] = frozenset()
    attribute: frozenset[str] = frozenset()
    locale: frozenset[str] = frozenset()
    kind: frozenset[str] = frozenset()


def check_rulebook(book: Rulebook, day: date, vocabulary: Vocabulary | None = None) -> list[Finding]:
    """What is wrong with `book` on `day` and later; errors first, each in the order of the rules.

    Caps are compared in every situation that rules with a tier tell apart, see ``curation.rulebook.cells``.
    """
    findings = [*_check_days(book, day), *_check_caps(book, day), *_check_texts(book)]
    if vocabulary:
        findings += _check_names(book, vocabulary)
    order = {rule.name: n for n, rule in enumerate(book.rules)}
    return sorted(
        findings,
        key=lambda each: (each.severity != "error", -1 if each.rule is None else order[each.rule]),
    )


def _check_days(book: Rulebook, day: date) -> Iterator[Finding]:
    for rule in book.rules:
        if rule.valid_to and rule.valid_to < day:
            yield Finding(
                "error", rule.name, f"never applies: it ended on {rule.valid_to}; extend it or take it out"
            )
        elif rule.valid_from and rule.valid_from > day:
            yield Finding("warning", rule.name, f"does not apply yet: it begins on {rule.valid_from}")


def _check_names(book: Rulebook, vocabulary: Vocabulary) -> Iterator[Finding]:
    for field in fields(vocabulary):
        known = {name.casefold(): name for name in getattr(vocabulary, field.name)}
        for rule in book.rules if known else ():
            names = getattr(rule.scope, field.name)
            missing = [name for name in names if name.casefold() not in known]
            if not missing:
                continue
            close = get_close_matches(missing[0].casefold(), known, 1)
            hint = f'; did you mean "{known[close[0]]}"?' if close else "; correct it or take it out"
            never = "never applies: " if len(missing) == len(names) else ""
            yield Finding(
                "warning", rule.name, f"{never}the store has no {field.name} {_quoted(missing)}{hint}"
            )


def _check_caps(book: Rulebook, day: date) -> Iterator[Finding]:
    for rule in book.rules:
        if rule.tier is not None and rule.scope.attribute and not rule.when.of_requirements:
            yield Finding(
                "error",
                rule.name,
                f"never applies: it names the attribute {_quoted(rule.scope.attribute)} but speaks of the category, "
                "which has none; add what the requirement shows, such as `when: {strength: must, outcome: missed}`",
            )
    if all(rule.tier is None for rule in book.rules):
        yield Finding(
            "warning", None, "no rule has a tier, so that every item is Excellent; add `tier:` to some"
        )
        return
    space = Space([book.rules], day)
    situations = list(space.boxes())
    where: dict[int, Box] = {}
    for box, mask in situations:
        where.setdefault(mask, box)
    yield from _contradictions(space, where)
    yield from _idle(space, where)
    yield from _gaps(space, situations)


def _contradictions(space: Space, where: dict[int, Box]) -> Iterator[Finding]:
    told = set()
    for mask, box in where.items():
        for one, other in combinations(space.chosen(space.survivors(mask)), 2):
            if one.tier == other.tier or (one.name, other.name) in told:
                continue
            told.add((one.name, other.name))
            yield Finding(
                "error",
                other.name,
                f"contradicts {one.name}: for {space.words(space.example(box))}, {_verdict(one)} and "
                f"{_verdict(other)}; add `over` to the one that is to decide, or narrow one of them",
            )


def _idle(space: Space, where: dict[int, Box]) -> Iterator[Finding]:
    """Rules that never decide, and, from the last to the first, those without which every cap stays as it is."""
    gone = 0
    for n, rule in reversed(list(enumerate(space.rules))):
        bit = 1 << n
        applying = {mask & ~gone for mask in where if mask & bit}
        deciding = [space.survivors(mask) for mask in applying if space.survivors(mask) & bit]
        if not applying:
            continue
        if not deciding:
            over = [each.name for each in space.rules if rule.name in each.over]
            yield Finding(
                "error",
                rule.name,
                f"never decides: wherever it applies, {_and(over) or 'another rule'} overrides it; "
                "take it out or narrow what overrides it",
            )
            gone |= bit
        elif all(space.tiers(mask & ~bit) == space.tiers(mask) for mask in applying):
            same = [each.name for each in _stand_ins(space, deciding, bit) if each.tier == rule.tier]
            yield Finding(
                "warning",
                rule.name,
                f"caps nothing that {_and(same) or 'other rules together'} would not cap the same; "
                "take its tier out so that it explains only, or give it another",
            )
            gone |= bit


def _stand_ins(space: Space, masks: list[int], bit: int) -> list[Rule]:
    """The rules, without that of `bit`, that survive in all of `masks`."""
    common = ~bit
    for mask in masks:
        common &= space.survivors(mask)
    return space.chosen(common)


def _gaps(space: Space, situations: list[tuple[Box, int]]) -> Iterator[Finding]:
    """Situations without a cap, save what matches or is met, and requirements where the relation alone is the worst."""
    caps: dict[Value, set[int | None]] = {}
    for box, mask in situations:
        for each in box.relation if not box.strength else ():
            caps.setdefault(each, set()).add(space.tier(mask))
    worst = {each for each, tiers in caps.items() if tiers == {1}}
    open_boxes = []
    for box, mask in situations:
        relation = box.relation - (worst if box.strength else {"match"})
        outcome = box.outcome - {"met"}
        if not mask and relation and (outcome or not box.strength):
            open_boxes.append(box._replace(relation=relation, outcome=outcome))
    gaps = merged(open_boxes)
    for gap in gaps[:_MAX_GAPS]:
        more = f" (one of {len(gaps)} gaps)" if len(gaps) > _MAX_GAPS else ""
        yield Finding(
            "warning",
            None,
            f"no rule says what {space.words(gap)} is worth, so that it counts as Excellent{more}; "
            "add a rule with a tier",
        )


def _check_texts(book: Rulebook) -> Iterator[Finding]:
    texts: dict[str, Rule] = {}
    for rule in book.rules:
        first = texts.setdefault(" ".join(re.findall(r"\w+", rule.text.casefold())), rule)
        if first is not rule:
            yield Finding(
                "warning", rule.name, f"says the same as {first.name}; keep one, with the scope of both"
            )
        named = list(_named_tiers(rule.text))
        if rule.tier is not None and named and rule.tier not in named:
            yield Finding(
                "error",
                rule.name,
                f"its text says {TIER_NAMES[named[0]]} but its tier is {rule.tier} ({TIER_NAMES[rule.tier]}); "
                "correct one",
            )
    yield from _check_examples(book)


def _named_tiers(text: str) -> Iterator[int]:
    for found in _NAMED.finditer(text):
        if not _DENIED.search(text[: found.start()]):
            yield int(found[1]) if found[1] else TIERS_BY_NAME[found[0]]


def _check_examples(book: Rulebook) -> Iterator[Finding]:
    under: dict[tuple[str, str], Rule] = {}
    for rule in book.rules:
        shared = {_key(each) for each in rule.examples} & {_key(each) for each in rule.counter_examples}
        for each in rule.examples:
            if _key(each) in shared:
                yield Finding(
                    "error", rule.name, f"{_pair(each)} is example and counter-example of it; keep one"
                )
            if rule.tier is None:
                continue
            first = under.setdefault(_key(each), rule)
            if first.tier is not None and first.tier != rule.tier:
                yield Finding(
                    "warning",
                    rule.name,
                    f"{_pair(each)} is an example of {first.name} ({TIER_NAMES[first.tier]}) "
                    f"and of {rule.name} ({TIER_NAMES[rule.tier]}); keep the one that decides",
                )


def _key(example: Example) -> tuple[str, str]:
    return (" ".join(example.query.casefold().split()), " ".join(example.item.casefold().split()))


def _pair(example: Example) -> str:
    return f'"{example.query}" with "{example.item}"'


def _verdict(rule: Rule) -> str:
    return f"{rule.name} says {TIER_NAMES[rule.tier or 4]}"


def _quoted(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _and(names: list[str]) -> str:
    return " and ".join(names[:3])
