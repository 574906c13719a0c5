"""Faults planted in rationales of the made-up shop, and as many rationales without a fault.

What is planted is drawn by a seed alone. The benchmark has two parts that share no query, no intent and no wording:

- `DEVELOPMENT`, to write and tune checks on: the shop's wordings for training and the table `development` of
  `wordings.toml`.
- `REPORTED`, to measure them once: the shop's held-out wordings and the table `reported`.

Which part an intent falls to follows from its hash. About half of the texts with a fault are in the shop's words, the
others in those of `wordings.toml`; each is in one of both forms. No two texts are about the same intent. A rationale
copied for another pair also stands among the texts without a fault, with the pair that it was written for.

What counts as a hit is written down for each variant in `VARIANTS`. `frozen_hash` tells whether the generator, the
shop or their wordings have changed since `frozen.sha256` was committed.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from itertools import cycle, islice
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.hallucination import claims, clean, steps, swaps
from benchmarks.hallucination.drafts import WORDINGS, completion, paraphrases, unmark
from benchmarks.hallucination.pairs import DEVELOPMENT, REPORTED, Pair, Part, Pool
from benchmarks.hallucination.sowing import Setting, Sown
from curation.shop.values import forms
from curation.shop.wordings import wordings

if TYPE_CHECKING:
    from collections.abc import Callable

    from curation.grading import Format

__all__ = ["DEVELOPMENT", "FAULTS", "REPORTED", "VARIANTS", "Pair", "Part", "Planted", "frozen_hash", "plant"]

FROZEN = Path(__file__).with_name("frozen.sha256")

_SOURCES = (
    "pairs.py",
    "drafts.py",
    "quantities.py",
    "sowing.py",
    "swaps.py",
    "claims.py",
    "steps.py",
    "clean.py",
    "planting.py",
    WORDINGS.name,
)
_HASHED_SIZE = 5
_ROWS = 9_000
_ROWS_OF_EACH = 800
_FORMS: tuple[Format, ...] = ("answer-first", "reason-first")

_VERDICT = frozenset({"verdict"})
_GROUNDING = frozenset({"grounding"})
_RULE = frozenset({"rule"})
_FORM = frozenset({"form"})
_COPY = frozenset({"copy", "grounding"})


class Variant(NamedTuple):
    """A way to plant a fault.

    Attributes:
        fault: The fault; None for a text without one.
        name: How it is planted.
        expected: Kinds of findings that count as a hit.
        planter: Plants it.
    """

    fault: str | None
    name: str
    expected: frozenset[str]
    planter: Callable[[Setting], Sown | None]


VARIANTS = (
    Variant("verdict flipped", "digit alone", _VERDICT, steps.digit_flipped),
    Variant("verdict flipped", "digit and name", _VERDICT, steps.name_flipped),
    Variant("verdict flipped", "digit, name and phrase", _VERDICT, steps.verdict_flipped),
    Variant("colour swapped", "foreign to the pair, in a check", _GROUNDING, swaps.colour_in_check),
    Variant(
        "colour swapped", "foreign to the pair, in the item's line", _GROUNDING, swaps.colour_in_item_line
    ),
    Variant("colour swapped", "the one asked for", _GROUNDING, swaps.colour_asked),
    Variant("colour swapped", "that of other goods in the text", _GROUNDING, swaps.colour_of_other_goods),
    Variant("number off by 10 %", "in a check", _GROUNDING, swaps.number_in_check),
    Variant("number off by 10 %", "in the item's line", _GROUNDING, swaps.number_in_item_line),
    Variant("number off by 10 %", "in a requirement", _GROUNDING, swaps.number_in_requirement),
    Variant("unit changed", "in a check", _GROUNDING, swaps.unit_in_check),
    Variant("unit changed", "in the item's line", _GROUNDING, swaps.unit_in_item_line),
    Variant("unit changed", "in a requirement", _GROUNDING, swaps.unit_in_requirement),
    Variant("unit changed", "to another dimension", _GROUNDING, swaps.unit_of_other_dimension),
    Variant("brand swapped", "foreign to the pair", _GROUNDING, swaps.brand_of_shop),
    Variant("brand swapped", "the one the query names", _GROUNDING, swaps.brand_of_query),
    Variant("brand swapped", "that of the phone", _GROUNDING, swaps.brand_of_phone),
    # The outcome contradicts requirement and value, and so the steps as they should be lead to another tier.
    Variant("claim negated", "outcome turned", _GROUNDING | _VERDICT, claims.outcome_turned),
    Variant("claim negated", "feature denied", _GROUNDING, claims.feature_denied),
    Variant("claim negated", "feature affirmed", _GROUNDING, claims.feature_affirmed),
    Variant("claim negated", "denied value affirmed", _GROUNDING, claims.decoy_affirmed),
    Variant("attribute invented", "value in the item's line", _GROUNDING, claims.value_invented),
    Variant("attribute invented", "of no slot", _GROUNDING, claims.extra_invented),
    Variant("attribute invented", "requirement", _GROUNDING, claims.requirement_invented),
    Variant("rule misquoted", "of no rulebook", _RULE, steps.rule_of_no_book),
    Variant("rule misquoted", "nearly right name", _RULE, steps.rule_nearly_named),
    Variant("rule misquoted", "of other goods, not shown", _RULE, steps.rule_not_shown),
    Variant("rule misquoted", "condition unmet", _RULE, steps.rule_unmet),
    Variant("rule misquoted", "condition unmet, same tier", _RULE, steps.rule_taken_for_another),
    Variant("step dropped", "check", _FORM, steps.check_dropped),
    Variant("step dropped", "requirement", _FORM, steps.requirement_dropped),
    Variant("step dropped", "item", _FORM, steps.item_dropped),
    Variant("step dropped", "category", _FORM, steps.category_dropped),
    Variant("step dropped", "rules", _FORM, steps.rules_dropped),
    Variant("order broken", "category before item", _FORM, steps.category_before_item),
    Variant("order broken", "requirements after item", _FORM, steps.requirements_after_item),
    Variant("order broken", "checks before category", _FORM, steps.checks_before_category),
    Variant("order broken", "one check before category", _FORM, steps.check_before_category),
    Variant("order broken", "verdict first", _FORM, steps.verdict_first),
)
"""All ways to plant a fault but for that of another pair's text."""

COPIED = "another pair's text"
COPIES = ("of the same category", "of another family")
"""The variants of a copied rationale; `copy` counts as a hit, and `grounding`, as it claims what is not the pair's."""

FAULTS: tuple[str, ...] = (*dict.fromkeys(each.fault for each in VARIANTS if each.fault), COPIED)

CLEAN = (
    *(("as the shop words it", clean.as_worded),) * 3,
    *(("paraphrased", clean.paraphrased),) * 3,
    ("other system of units", clean.in_other_system),
    ("other multiple of the unit", clean.in_other_multiple),
    ("other spelling", clean.in_other_spelling),
    *(("decorated", clean.decorated),) * 3,
    *(("more values in the item's line", clean.with_more_values),) * 3,
)
"""The variants without a fault, each as often as it is planted."""


@dataclass(frozen=True, slots=True)
class Planted:
    """A text as a model might have emitted it.

    Attributes:
        pair: The pair that it is about.
        text: The text with its tier digit.
        form: Where the digit stands.
        fault: The fault; None where there is none.
        variant: How it was planted, or what a check may stumble over.
        expected: Kinds of findings that count as a hit; none without a fault.
        span: Start and end in `text` of what is planted; None where something is missing, or nothing is wrong.
    """

    pair: Pair
    text: str
    form: Format
    fault: str | None
    variant: str
    expected: frozenset[str]
    span: tuple[int, int] | None


def plant(size: int, seed: int, part: Part) -> list[Planted]:
    """Texts with faults, `size` of each in the order of `FAULTS`, then as many without.

    The variants of a fault come in turn; kinds of queries and true tiers as evenly as a variant allows.

    Args:
        size: Texts of each fault.
        seed: Of the shop, and of all choices.
        part: Which intents and wordings are used. The numbers reported are those of ``plant(n, REPORTED.seed,
            REPORTED)``.

    Raises:
        LookupError: The shop has too few pairs that some variant can be planted on.
    """
    rng = Random(f"planted {seed}")
    pool = Pool(part, seed, _ROWS + _ROWS_OF_EACH * size)
    planted: list[Planted] = []
    for fault in FAULTS:
        variants = [each for each in VARIANTS if each.fault == fault]
        for number in range(size if variants else 0):
            variant = variants[number % len(variants)]
            planted.append(_planted(pool, rng, part, variant))
    without = [
        _planted(pool, rng, part, Variant(None, name, frozenset(), planter))
        for name, planter in islice(cycle(CLEAN), size * len(FAULTS))
    ]
    originals = [each for each in without if each.variant in {CLEAN[0][0], "paraphrased"}]
    for number in range(size):
        planted.append(_copied(pool, originals, COPIES[number % len(COPIES)]))
    return [*planted, *without]


def frozen_hash() -> str:
    """SHA-256 over the generator's sources and wordings, and over what it plants for a small size in both parts."""
    digest = hashlib.sha256()
    for name in _SOURCES:
        digest.update(Path(__file__).with_name(name).read_bytes() + b"\0")
    for part in (DEVELOPMENT, REPORTED):
        for each in plant(_HASHED_SIZE, part.seed, part):
            row = asdict(each) | {"expected": sorted(each.expected)}
            digest.update(json.dumps(row, sort_keys=True).encode() + b"\0")
    return digest.hexdigest()


def _planted(pool: Pool, rng: Random, part: Part, variant: Variant) -> Planted:
    form = rng.choice(_FORMS)
    templates = rng.choice((wordings(held_out=part.held_out), paraphrases(part)))

    def make(pair: Pair) -> Planted | None:
        sown = variant.planter(Setting(pair, rng, templates, part))
        if sown is None:
            return None
        text, span = unmark(completion(form, sown.digit, sown.body))
        return Planted(pair, text, form, variant.fault, variant.name, variant.expected, span)

    return pool.draw(f"{variant.fault}, {variant.name}", make)


def _copied(pool: Pool, originals: list[Planted], variant: str) -> Planted:
    """The text of one of `originals`, which is then taken from them, for another pair."""

    def make(pair: Pair) -> tuple[Planted, Planted] | None:
        for original in originals:
            if _is_foreign(original, pair, same_category=variant == COPIES[0]):
                copied = replace(original, pair=pair, fault=COPIED, variant=variant, expected=_COPY)
                return original, replace(copied, span=_body(original))
        return None

    original, copied = pool.draw(variant, make)
    originals.remove(original)
    return copied


def _is_foreign(original: Planted, pair: Pair, *, same_category: bool) -> bool:
    """Whether a text is on another category, or on another need of the same one, and false of the pair."""
    theirs, ours = original.pair.derivation, pair.derivation
    if (theirs.family is ours.family) != same_category:
        return False
    if same_category and (theirs.asked != ours.asked or not theirs.findings):
        return False
    return original.pair.brand not in pair.text and any(
        each.value not in pair.text and not forms(theirs.family, each.slot).said(each.value, pair.text)
        for each in theirs.requirements
    )


def _body(planted: Planted) -> tuple[int, int]:
    """Where the rationale begins and ends, the tier left out."""
    if planted.form == "answer-first":
        return planted.text.index("\n") + 1, len(planted.text)
    return 0, planted.text.rindex("\n")


if __name__ == "__main__":
    FROZEN.write_text(f"{frozen_hash()}\n", encoding="ascii")
