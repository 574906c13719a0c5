"""What changed between two versions of a rulebook, in sentences for those who did not write it."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from curation.rationales.rationale import TIER_NAMES
from curation.rulebook.cells import Space, merged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from curation.rulebook.cells import Box
    from curation.rulebook.rule import Rule, Rulebook, Scope, When

_SIDES = {
    "category": "for {}",
    "kind": "for queries of kind {}",
    "attribute": "for the attribute {}",
    "locale": "for the locale {}",
    "relation": "for the relation {}",
    "strength": "for the strength {}",
    "outcome": "for the outcome {}",
}
_MAX_EFFECTS = 40


def explain_changes(old: Rulebook, new: Rulebook) -> list[str]:
    """Sentences on each rule that changed, in the order of `new`, then on each situation whose cap changed.

    One sentence says so where nothing changed.
    """
    sentences = []
    if old.about != new.about:
        sentences.append(f'The rulebook is now about "{new.about}"; was "{old.about}".')
    for rule in new.rules:
        before = old.by_name.get(rule.name)
        changes = [_novelty(rule)] if before is None else list(_changes(before, rule))
        sentences += [f"{rule.name}: {change}." for change in changes]
    sentences += [f'{rule.name} is gone: "{rule.text}"' for rule in old.rules if rule.name not in new.by_name]
    sentences += _effects(old, new)
    return sentences or [f"Nothing changed between {_title(old)} and {_title(new)}."]


def _novelty(rule: Rule) -> str:
    cap = "it explains only" if rule.tier is None else f"{TIER_NAMES[rule.tier]} at best"
    return f'new, {cap}: "{rule.text.removesuffix(".")}"'


def _changes(old: Rule, new: Rule) -> Iterator[str]:
    if old.text != new.text:
        yield f'reworded, now "{new.text}"; was "{old.text}"'
    if old.tier != new.tier:
        yield f"now {_at_best(new.tier)}; was {_at_best(old.tier)}"
    yield from _scope_changes(old.scope, new.scope)
    yield from _scope_changes(old.when, new.when)
    if old.over != new.over:
        yield f"now overrides {_list(new.over) or 'no rule'}; was {_list(old.over) or 'none'}"
    if (old.valid_from, old.valid_to) != (new.valid_from, new.valid_to):
        yield f"now holds {_period(new)}; was {_period(old)}"
    for name, was, now in (
        ("example", old.examples, new.examples),
        ("counter-example", old.counter_examples, new.counter_examples),
    ):
        if was != now:
            added, gone = len(set(now) - set(was)), len(set(was) - set(now))
            parts = [f"{added} new"] if added else []
            parts += [f"{gone} gone"] if gone else []
            yield f"{_count(len(now), name)}, {' and '.join(parts) or 'in another order'}"


def _scope_changes(old: Scope | When, new: Scope | When) -> Iterator[str]:
    for field in fields(new):
        side = field.name
        was, now = getattr(old, side), getattr(new, side)
        if set(was) == set(now):
            continue
        anything = f"for every {side}"
        if not now:
            yield f"now {anything}; was only {_SIDES[side].format(_list(was))}"
        elif not was:
            yield f"now only {_SIDES[side].format(_list(now))}; was {anything}"
        else:
            if added := [each for each in now if each not in was]:
                yield f"now also {_SIDES[side].format(_list(added))}"
            if gone := [each for each in was if each not in now]:
                yield f"no longer {_SIDES[side].format(_list(gone))}"


def _effects(old: Rulebook, new: Rulebook) -> Iterator[str]:
    """A sentence for each group of situations whose cap is another now."""
    space = Space([old.rules, new.rules])
    changed: dict[tuple[int, int], list[Box]] = {}
    for box, mask in space.boxes():
        was, now = space.tier(mask, 0) or 4, space.tier(mask, 1) or 4
        if was != now:
            changed.setdefault((was, now), []).append(box)
    sentences = [
        f"{_capital(space.words(box))}: was {TIER_NAMES[was]}, now {TIER_NAMES[now]}."
        for (was, now), boxes in changed.items()
        for box in merged(boxes)
    ]
    yield from sentences[:_MAX_EFFECTS]
    if len(sentences) > _MAX_EFFECTS:
        yield f"The cap changed in {len(sentences) - _MAX_EFFECTS} more groups of situations."


def _at_best(tier: int | None) -> str:
    return "without a tier" if tier is None else f"{TIER_NAMES[tier]} at best"


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _list(names: tuple[str, ...] | list[str]) -> str:
    return " and ".join([part for part in (", ".join(names[:-1]), *names[-1:]) if part])


def _count(n: int, name: str) -> str:
    return f"{n or 'no'} {name}{'' if n == 1 else 's'}"


def _period(rule: Rule) -> str:
    ends = [f"from {rule.valid_from}"] if rule.valid_from else []
    ends += [f"to {rule.valid_to}"] if rule.valid_to else []
    return " ".join(ends) or "always"


def _title(book: Rulebook) -> str:
    return f"{book.name} version {book.version}"
