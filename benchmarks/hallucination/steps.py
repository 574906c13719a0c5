"""Faults of verdict, rules and form; see `swaps` for what a planter is."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from benchmarks.hallucination.drafts import decision_on, mark, other_verdict, rules_of_no_book, verdict_line
from benchmarks.hallucination.sowing import Setting, Sown
from curation.rationales.rationale import CHECK, STRENGTHS, TIER_NAMES, Rationale
from curation.rulebook.logic import Cell, speaks_of
from curation.rulebook.reading import built_in, read_rulebook
from curation.shop.load import shop_data
from curation.shop.rulebook import shop_rulebook

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.hallucination.drafts import Draft
    from curation.rulebook.rule import Rule

_CHECK = frozenset({CHECK})
_REQUIREMENT = frozenset(STRENGTHS)


def digit_flipped(setting: Setting) -> Sown:
    """The digit is another; the verdict's line is right."""
    rationale = setting.write(setting.draft())
    return Sown(mark(str(_other_tier(setting, rationale))), rationale.render())


def name_flipped(setting: Setting) -> Sown:
    """Digit and name of the verdict are of another tier; the phrase after the name stays."""
    rationale = setting.write(setting.draft())
    tier = _other_tier(setting, rationale)
    return _with_verdict(rationale, tier, rationale.verdict)


def verdict_flipped(setting: Setting) -> Sown:
    """Digit, name and phrase are of another tier."""
    draft = setting.draft()
    rationale = setting.write(draft)
    tier = _other_tier(setting, rationale)
    return _with_verdict(rationale, tier, other_verdict(draft, tier, setting.rng, setting.templates))


def rule_of_no_book(setting: Setting) -> Sown:
    """A name is cited besides that no rulebook has, nor anything like it."""
    return _citing(setting, setting.rng.choice(rules_of_no_book(setting.part)))


def rule_nearly_named(setting: Setting) -> Sown | None:
    """Instead of a rule a name is cited that is put together from two rules' names."""
    rationale = setting.write(setting.draft())
    names = shop_rulebook().by_name
    ends = sorted({name.rpartition("-")[2] for name in setting.pair.rules})
    place = setting.rng.randrange(len(rationale.rules))
    head = rationale.rules[place].rpartition("-")[0] or rationale.rules[place]
    made = [f"{head}-{end}" for end in ends]
    choices = [each for each in made if each not in names and each not in _general_rules()]
    if not choices:
        return None
    return _with_rules(rationale, rationale.rules, place, setting.rng.choice(choices))


def rule_not_shown(setting: Setting) -> Sown:
    """A rule is cited besides that is of goods neither asked for nor offered, and was not shown."""
    pair = setting.pair
    near = {pair.family.name, pair.derivation.family.name}
    far = [family.name for family in shop_data().families if family.name not in near]
    choices = [
        rule.name
        for rule in shop_rulebook().rules
        if rule.name not in pair.rules and rule.name.partition("-")[0] in far
    ]
    return _citing(setting, setting.rng.choice(choices))


def rule_unmet(setting: Setting) -> Sown | None:
    """A rule that was shown is cited besides, of which no step shows the condition."""
    rationale = setting.write(setting.draft())
    choices = _unmet(setting, rationale)
    if not choices:
        return None
    place = setting.rng.randrange(len(rationale.rules) + 1)
    return _with_rules(
        rationale,
        (*rationale.rules[:place], "", *rationale.rules[place:]),
        place,
        setting.rng.choice(choices).name,
    )


def rule_taken_for_another(setting: Setting) -> Sown | None:
    """Instead of the rule that decides one of the same tier is cited, of which no step shows the condition."""
    rationale = setting.write(setting.draft())
    by_name = shop_rulebook().by_name
    choices = [
        (place, other.name)
        for place, name in enumerate(rationale.rules)
        for other in _unmet(setting, rationale)
        if by_name[name].tier is not None and other.tier == by_name[name].tier
    ]
    if not choices:
        return None
    return _with_rules(rationale, rationale.rules, *setting.rng.choice(choices))


def check_dropped(setting: Setting) -> Sown | None:
    """A requirement is left without its check, which leaves the tier as it is."""
    draft = setting.draft()
    return None if draft.is_settled else _one_dropped(setting, draft, _CHECK)


def requirement_dropped(setting: Setting) -> Sown | None:
    """A check is left without its requirement, which leaves the tier as it is."""
    draft = setting.draft()
    return None if draft.is_settled else _one_dropped(setting, draft, _REQUIREMENT)


def item_dropped(setting: Setting) -> Sown:
    """The item's line is missing."""
    return _line_dropped(setting, "Item")


def category_dropped(setting: Setting) -> Sown:
    """The category's line is missing."""
    return _line_dropped(setting, "Category")


def rules_dropped(setting: Setting) -> Sown:
    """The line of rules is missing."""
    return _line_dropped(setting, "Rules")


def category_before_item(setting: Setting) -> Sown:
    """The category's line stands before the item's."""
    return _moved(setting, {"Category"}, "Item")


def requirements_after_item(setting: Setting) -> Sown:
    """The requirements stand after the item's line."""
    return _moved(setting, _REQUIREMENT, "Category")


def checks_before_category(setting: Setting) -> Sown | None:
    """The checks stand before the category's line."""
    draft = setting.draft()
    return None if draft.is_settled else _moved(setting, _CHECK, "Category")


def check_before_category(setting: Setting) -> Sown | None:
    """One check of several stands before the category's line."""
    draft = setting.draft()
    if draft.is_settled or len(draft.points) < 2:
        return None
    sown = setting.sow(draft)
    lines = sown.body.split("\n")
    chosen = setting.rng.choice([n for n, line in enumerate(lines) if _key(line) in _CHECK])
    at = next(n for n, line in enumerate(lines) if _key(line) == "Category")
    lines.insert(at, mark(lines.pop(chosen)))
    return replace(sown, body="\n".join(lines))


def verdict_first(setting: Setting) -> Sown:
    """The verdict's line stands before all others."""
    return _moved(setting, {"Verdict"}, "Query")


def _other_tier(setting: Setting, rationale: Rationale) -> int:
    return setting.rng.choice([tier for tier in TIER_NAMES if tier != rationale.tier])


def _with_verdict(rationale: Rationale, tier: int, phrase: str) -> Sown:
    lines = rationale.render().split("\n")
    lines[-1] = verdict_line(tier, phrase).replace(TIER_NAMES[tier], mark(TIER_NAMES[tier]), 1)
    return Sown(str(tier), "\n".join(lines))


def _citing(setting: Setting, name: str) -> Sown:
    """The rationale with one rule more at some place."""
    rationale = setting.write(setting.draft())
    place = setting.rng.randrange(len(rationale.rules) + 1)
    return _with_rules(rationale, (*rationale.rules[:place], "", *rationale.rules[place:]), place, name)


def _with_rules(rationale: Rationale, names: Sequence[str], place: int, name: str) -> Sown:
    """The rationale citing `names`, with `name` at a place."""
    cited = [mark(name) if number == place else each for number, each in enumerate(names)]
    lines = rationale.render().split("\n")
    lines[-2] = f"Rules: {', '.join(cited)}"
    return Sown(str(rationale.tier), "\n".join(lines))


def _unmet(setting: Setting, rationale: Rationale) -> list[Rule]:
    """The rules with a tier that were shown, and of which no step shows the condition."""
    cells = [Cell(rationale.relation)]
    cells += [
        Cell(rationale.relation, each.strength, each.attribute, check.outcome if check else "unknown")
        for each, check in rationale.answers()
    ]
    by_name = shop_rulebook().by_name
    shown = [by_name[name] for name in setting.pair.rules]
    return [
        rule for rule in shown if rule.tier is not None and not any(speaks_of(rule, cell) for cell in cells)
    ]


def _one_dropped(setting: Setting, draft: Draft, keys: frozenset[str]) -> Sown | None:
    """A line on an attribute that no other requirement is about is missing; the tier follows all the same."""
    sown = setting.sow(draft)
    lines = sown.body.split("\n")
    slots = [each.constraint.slot for each in draft.points]
    choices = []
    for number, line in enumerate(lines):
        about = line.partition(":")[0].partition(" ")[2]
        if _key(line) in keys and slots.count(about) == 1:
            left = "\n".join(lines[:number] + lines[number + 1 :])
            if str(decision_on(setting.pair, Rationale.parse(left)).tier) == sown.digit:
                choices.append(left)
    return replace(sown, body=setting.rng.choice(choices)) if choices else None


def _line_dropped(setting: Setting, key: str) -> Sown:
    sown = setting.sow(setting.draft())
    return replace(sown, body="\n".join(line for line in sown.body.split("\n") if _key(line) != key))


def _moved(setting: Setting, keys: frozenset[str] | set[str], before: str) -> Sown:
    """The lines that begin with `keys` stand before the line that begins with `before`."""
    sown = setting.sow(setting.draft())
    lines = sown.body.split("\n")
    moved = [line for line in lines if _key(line) in keys]
    left = [line for line in lines if _key(line) not in keys]
    at = next(n for n, line in enumerate(left) if _key(line) == before)
    return replace(sown, body="\n".join([*left[:at], mark("\n".join(moved)), *left[at:]]))


def _key(line: str) -> str:
    """The first word of a line."""
    return line.partition(":")[0].partition(" ")[0]


@cache
def _general_rules() -> frozenset[str]:
    """Names of the rules that come along for public data."""
    return frozenset(read_rulebook(built_in("general")).by_name)
