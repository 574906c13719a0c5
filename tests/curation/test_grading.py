"""What `curation.grading` reads in a model's text.

In the tables `‸` stands right before the character that states the tier; it is taken out before parsing.
"""

import re
from re import _constants, _parser  # type: ignore[attr-defined]  # the parsed form has no public name
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation import grading
from curation.grading import Format, Grade, Verdict, follows_format, grade, parse

FORMS: tuple[Format, Format] = ("answer-first", "reason-first")
NAMES = {4: "Excellent", 3: "Related", 2: "Mismatch", 1: "Irrelevant"}

ANSWER_FIRST: list[tuple[str, int]] = [
    # As the format asks.
    ("‸3", 3),
    ("‸4\n", 4),
    ("‸3\nThe item is a running shoe, while the query asks for a hiking boot.", 3),
    ("‸1\r\nThe query asks for a phone case; the item is a garden hose.", 1),
    ("  \n ‸2\n\nThe size does not match.", 2),
    ("‸4</s>", 4),
    ("‸4<|im_end|>", 4),
    ("\ufeff‸2 \nWrong voltage.", 2),
    # Dressed up, as GPT-class models do.
    ("**‸3** - The item shares the category but not the brand.", 3),
    ("**‸4**\n\nThe title names the exact model.", 4),
    ("`‸2`\nThe item fits another phone.", 2),
    ('"‸3"\nA substitute.', 3),
    ("(‸3) A substitute.", 3),
    ("**‸3** A substitute.", 3),
    ("__‸3__ A substitute.", 3),
    ("## ‸1\nNothing in common.", 1),
    ("\u200b‸1\nNothing in common.", 1),
    ("> ‸1\n> Nothing in common.", 1),
    ("- ‸2\n- The gender is wrong", 2),
    ("```\n‸3\n```", 3),
    ("‸3. The item is a close substitute for what was asked.", 3),
    ("**‸3.** The item is a close substitute.", 3),
    ("‸3.The item is a close substitute.", 3),
    ("‸2: the query says without sugar.", 2),
    ("‸2, because the query says without sugar.", 2),
    ("‸3 – similar boots", 3),
    ("‸3—similar boots", 3),
    ("‸4 -> exact match", 4),
    ("‸3 (Related)\nSame category.", 3),
    ("‸3 (Related) Same category.", 3),
    ("‸3 Related\nSame category.", 3),
    ("‸2 - Mismatch: the wrong size", 2),
    ("‸1 = Irrelevant", 1),
    ("‸4 **Excellent**. Both are the X200.", 4),
    ("‸2 - Related brands, but the wrong type of product", 2),
    ("‸3 The item is for the same sport.", 3),
    ("‸1 because they share nothing.", 1),
    ("‸4 It is the same model.", 4),
    ("Tier: ‸3 The item is a substitute.", 3),
    ("Tier ‸3 (Related) - a substitute", 3),
    ("Tier ‸3: the item is a substitute", 3),
    ("**Tier ‸2**\nThe wrong fit.", 2),
    ("**Tier:** ‸4\nExact.", 4),
    ("\\boxed{‸4}\nExact.", 4),
    ('{"tier": ‸2, "reason": "wrong fit"}', 2),
    ("Sure! Here is my judgment.\n\nTier: ‸3\n\nThe item is a substitute.", 3),
    ("Tier: ‸Related\nA substitute.", 3),
    # As a rambling 135M-parameter model does.
    ("‸3\n3\n3\n3\n3\n3", 3),
    ("‸2\n\nThe item is a 3 pack of socks, 10 inch, 4K and 2 in 1. The item is a 3 pack", 2),
    ("‸1. The item is not what was asked:\n1. Wrong brand.\n2. Wrong colour.", 1),
    ("‸3\nTier: 1\nTier: 4\nQuery: red shoes", 3),
    ("Tier: ‸3\nTier: 1", 3),
    ("3 pack of socks is the item and the query wants socks. Tier: ‸4", 4),
    ("1 - Irrelevant\n2 - Mismatch\n3 - Related\n4 - Excellent\n\nTier: ‸2", 2),
    ("Tier 4: Excellent\nTier 3: Related\nTier 2: Mismatch\nTier 1: Irrelevant\nTier: ‸2", 2),
]

REASON_FIRST: list[tuple[str, int]] = [
    ("The item is a substitute.\nTier: ‸3", 3),
    ("The item is a substitute.\n\n**Tier:** ‸3", 3),
    ("Tier: **‸3**", 3),
    ("**Tier: ‸3**\n", 3),
    ("**Tier: ‸3 - Related**", 3),
    ("Tier = ‸3", 3),
    ("Here tier -> ‸3 for the brand", 3),
    ("I give it a tier of ‸3.", 3),
    ("Tier：‸3", 3),
    ("TIER:‸3", 3),
    ("a substitute\ntier ‸3", 3),
    ("The final tier: ‸3.", 3),
    ("Tier: ‸3 (Related)", 3),
    ("Tier: Related (‸3)", 3),
    ("Tier: ‸Related", 3),
    ("Tier: **‸Mismatch**.", 2),
    ("tier: ‸irrelevant, as nothing fits", 1),
    ("So \\boxed{‸3}.", 3),
    ("$\\boxed{\\text{Tier: ‸3}}$", 3),
    ("\\boxed{\\text{‸Excellent}}", 4),
    ("Tier: [‸4]", 4),
    ("<tier>‸2</tier>", 2),
    ("Tier: Tier ‸2", 2),
    ("Tier (1-4): ‸2", 2),
    ("Tier (Excellent to Irrelevant): 2, or 3? The final one is Tier: ‸2", 2),
    ("The tier is ‸3 because the brand differs.", 3),
    ("The correct tier for this item is therefore ‸3.", 3),
    ("Relevance tier level: ‸1", 1),
    ("### Verdict: Tier ‸1", 1),
    ("The brand differs, so it is Irrelevant tier ‸1.", 1),
    ("It's clearly a tier ‸4.", 4),
    ("I would rate this as tier ‸2 because the size is wrong.", 2),
    ("I rate it tier ‸3, not tier 4.", 3),
    ("This is not tier 3 but tier ‸2.", 2),
    ("The voltage is a tier 4 feature. Tier: ‸2", 2),
    ("A tier 3 item would be a substitute, a tier 4 item the model itself. Tier: ‸1\n", 1),
    ("Tier 4 (Excellent) needs the brand. Tier 3 (Related) is a substitute.\n\nTier: ‸2 (Mismatch)", 2),
    ("Tier: 3, at first sight. But the query says without sugar.\nTier: ‸2", 2),
    ("Tier: ‸3\n\nTier 2 (Mismatch) would need a broken constraint.", 3),
    ("Tier: ‸2\nIt would be tier 4.\nIt cannot be classified as tier 3.", 2),
    ("Tier: ‸3, 4 of 5 attributes match", 3),
    ("Tier: ‸3 - 4 pack of socks", 3),
    ("Tier: ‸3 out of 4", 3),
    ("Tier: 1-4\nTier: ‸4", 4),
    ("the shoe is red and the query is for a red shoe it does not match the size Tier: ‸2", 2),
    ("the item the item the item the item\nTier: ‸1\n\nthe item the item", 1),
    ("Tier: 4\nTier: 3 (Related)\nTier: 2\nTier: 3\nTier: ‸2", 2),
    ("A 5-tier 3 shelf rack for the query 3 tier cake stand. Tier: ‸4", 4),
    ("Not a match. Tier: ‸1", 1),
]

Reason = Literal["empty", "no verdict", "out of range", "contradictory"]

UNPARSABLE: list[tuple[Format, str, Reason]] = [
    *((form, text, "empty") for form in FORMS for text in ("", " \n\t\r\n")),
    # Quantities.
    *(
        ("answer-first", text, "no verdict")
        for text in (
            "3 pack of socks",
            "3-inch heel",
            "3 inch heel",
            "3.5 mm jack",
            "4K TV",
            "2 in 1 laptop",
            "2-in-1 laptop",
            "1st generation",
            "4th Edition",
            "3 of the attributes match.",
            "3D printer",
            "3x zoom",
            "3% fat",
            "3+ years",
            "3/4 inch pipe",
            "3 - 4 person tent",
            "3, 5 cm wide",
            "2, 3 and 4 person tents",
            "3 or 4 people",
            "3,000 lumens",
            "3:00 pm",
            "3:1 ratio",
            '3" pipe',
            "3' x 5' rug",
            "$3 off",
            "$3",
            "€3",
            "3) the item",
            "3* hotel",
            "(3-piece) set",
            "#3 pencils",
            "3 related products were found",
            "3 Excellent reviews",
            "**3 Pack** of socks",
            "4 AA batteries",
            "2 items match the query.",
            "Tier 3 products are substitutes",
        )
    ),
    # Lists and scales.
    *(
        ("answer-first", text, "no verdict")
        for text in (
            "1. The query asks for boots.\n2. The item is a boot.\n3. The brand",
            "**1.** The query\n**2.** The item",
            "1. The query asks for boots. 2. The item is a boot.",
            "1\n2\n3\n4\n5",
            "4 Excellent, 3 Related, 2 Mismatch, 1 Irrelevant",
            "4 = Excellent: all of the query\n3 = Related: a substitute\n2 = Mis",
            "1 - Irrelevant\n2 - Mismatch\n3 - Related\n4 - Excellent",
            "1, 2, 3 or 4",
            "1-4",
        )
    ),
    *(
        (form, text, "no verdict")
        for form in FORMS
        for text in (
            "The item is a close substitute.",
            "Tier 4: Excellent\nTier 3: Related\nTier 2: Mismatch\nTier 1: Irrelevant",
            "Tier 4 - Excellent.\n\nTier 3 - Related.\n\nTier 2 - Mismatch.",
            "Tier: 4 Excellent, 3 Related, 2 Mismatch, 1 Irrelevant",
            "Tier: Excellent, Related, Mismatch, or Irrelevant",
            "End with Tier: 1-4",
            "Tier: [1, 2, 3, or 4]",
            "Tier: 1|2|3|4",
            "Tier: <digit>",
            "Tier: <1-4>",
            "Tier: N",
            "Tier:",
            "Tier: three",
            "Tier: 3rd",
            "Tier: 3K",
            "Tier: 3.5mm",
            "tiers: 3",
            "5-tier: 3 shelves",
            "Tier: Miſmatch",
            "Tier: İrrelevant",
            "I don't rate it as tier 3.",
            "Blue, it might still be tier 4.",
            "Related",
            "not tier 3",
            "This is not a tier 3.",
            "It isn't tier 3.",
            "It is lower than Tier: 3",
            "For example, Tier: 3",
            "It is between tier 2 and tier 3.",
            "If the tier is 3, then",
            "Tier: 3 if the brand matches",
            "Tier: 3 means Related",
            "If blue, it would be tier 4.",
            "The tier is related to the price.",
            "Tier: Related items are",
            "tier Related",
            "A tier 3 shelf.",
            "It meets the bar of tier 3.",
            "Is it tier 3?",
            "compared with tier 3, this",
            "The item holds a 3-tier 2 pack",
            "a frontier 3",
            "3) tier",
        )
    ),
    ("reason-first", "3\nThe item is a substitute.", "no verdict"),
    ("reason-first", "1. The query asks for boots.\n2. The item is a boot.\n3", "no verdict"),
    # Numbers that are no tier.
    *(
        ("answer-first", text, "out of range")
        for text in ("10", "33", "5\nThe item", "0", "4/5", "3.5\nThe item", "-3\n", "３", "٣\n", "33333333")
    ),
    *(
        (form, text, "out of range")
        for form in FORMS
        for text in (
            "Tier: 5",
            "Tier: 0",
            "Tier: 35",
            "Tier: 3.5",
            "Tier: 3.0",
            "Tier: -3",
            "Tier: 03",
            "Tier: 3,000",
            "Tier: 3/5",
            "Tier: ３",
            "Tier: ३",
            "\\boxed{7}",
            "Tier: " + "3" * 5000,
        )
    ),
    ("reason-first", "Tier: 3\nTier: 5", "out of range"),
    ("answer-first", "Tier: 5\nTier: 3", "out of range"),
    # Two tiers in one statement.
    *(("answer-first", text, "contradictory") for text in ("3 or 4", "3/4", "2-3\nThe item", "3 (Mismatch)")),
    *(
        (form, text, "contradictory")
        for form in FORMS
        for text in (
            "Tier: 3 or 4",
            "Tier: 3/4",
            "Tier 2-3",
            "Tier: 2 – 3",
            "Tier: **2** or **3**",
            "Tier 3 or Tier 4.",
            "Tier: 2, 3",
            "Tier: 3 (Irrelevant)",
            "Tier: Related (2)",
            "Tier: Related or Mismatch",
        )
    ),
    ("reason-first", "Tier: 3\nOn second thought, Tier: 2/3", "contradictory"),
]


@pytest.mark.parametrize(
    ("form", "marked", "tier"),
    [("answer-first", *case) for case in ANSWER_FIRST] + [("reason-first", *case) for case in REASON_FIRST],
)
def test_a_stated_tier_is_read_where_it_stands(form: Format, marked: str, tier: int) -> None:
    assert marked.count("‸") == 1
    assert parse(marked.replace("‸", ""), form) == Verdict(tier, marked.index("‸"), None)


@pytest.mark.parametrize(("form", "text", "reason"), UNPARSABLE)
def test_a_text_that_states_no_tier_says_why(form: Format, text: str, reason: Reason) -> None:
    assert parse(text, form) == Verdict(None, None, reason)


@pytest.mark.parametrize(
    ("form", "text", "gold", "expected"),
    [
        ("answer-first", "3\nA substitute.", 3, Grade(3, "correct", 0, None)),
        ("answer-first", "Tier 3 (Related)\nA substitute.", 3, Grade(3, "correct", 0, None)),
        ("answer-first", "4\nThe same model.", 1, Grade(4, "wrong", 3, None)),
        ("reason-first", "Nothing fits.\nTier: 1", 3, Grade(1, "wrong", 2, None)),
        ("answer-first", "3 pack of socks", 3, Grade(None, "unparsable", None, None)),
        ("reason-first", "Tier: 2\nTier: 5", 2, Grade(None, "unparsable", None, None)),
        ("answer-first", "3\nA substitute.\nTier: 3 (Related)", 3, Grade(3, "correct", 0, True)),
        ("answer-first", "3\nNothing fits, so it is Irrelevant tier 1.", 3, Grade(3, "correct", 0, False)),
        ("answer-first", "3\nTier: 3\nTier: 1\nTier: 3", 3, Grade(3, "correct", 0, False)),
        (
            "answer-first",
            "3\nIt is not tier 4. A tier 2 item would break a constraint.",
            3,
            Grade(3, "correct", 0, None),
        ),
        ("answer-first", "3\nTier: 1-4\nTier: 5\nTier: 2 or 3", 3, Grade(3, "correct", 0, None)),
        ("reason-first", "Tier: 1\nBut the brand fits.\nTier: 3", 3, Grade(3, "correct", 0, False)),
        ("reason-first", "The tier is 3.\nTier: 3", 2, Grade(3, "wrong", 1, True)),
        ("reason-first", "1\nThe brand fits.\nTier: 3", 3, Grade(3, "correct", 0, None)),
    ],
)
def test_a_grade_holds_the_verdict_against_gold_and_against_the_rest(
    form: Format, text: str, gold: int, expected: Grade
) -> None:
    assert grade(text, form, gold) == expected


@pytest.mark.parametrize("gold", [0, 5, -1])
def test_a_gold_tier_off_the_scale_is_refused(gold: int) -> None:
    with pytest.raises(ValueError, match=f"1 to 4, not {gold}"):
        grade("3", "answer-first", gold)


# Pieces that reach into the grammar far more often than plain text does.
PIECES = st.sampled_from(
    [
        *(
            "tier",
            "Tier:",
            "TIER",
            "=",
            "is",
            "should",
            "be",
            "boxed",
            "\\boxed{",
            "\\text{",
            "the",
            "pack",
            "a",
        ),
        *(
            "1",
            "2",
            "3",
            "4",
            "5",
            "0",
            "35",
            "3.5",
            "３",
            "٣",
            "²",
            "③",
            "or",
            "not",
            "n't",
            "if",
            "than",
            "so",
            "because",
        ),
        *(
            "Related",
            "excellent",
            "Miſmatch",
            "İrrelevant",
            "irrelevant",
            "\x00",
            "\ud800",
            "\n",
            "\u2028",
            "\ufeff",
        ),
        *"/-–,.:;()[]{}<>*_\"'",
    ]
)
TEXTS = st.text() | st.lists(PIECES | st.just(" ") | st.text(max_size=3), max_size=40).map("".join)
PROSE = st.text(st.characters(exclude_categories=["Nd", "Cs"])).filter(
    lambda text: "tier" not in text.lower() and "boxed" not in text.lower()
)


@given(TEXTS, st.sampled_from(FORMS), st.sampled_from([1, 2, 3, 4]))
def test_every_text_gets_a_verdict_that_its_offset_proves(text: str, form: Format, gold: int) -> None:
    verdict = parse(text, form)
    graded = grade(text, form, gold)
    assert graded.tier == verdict.tier
    if verdict.tier is None:
        assert verdict.offset is None
        assert verdict.reason in {"empty", "no verdict", "out of range", "contradictory"}
        assert (verdict.reason == "empty") == (not text.strip())
        assert (graded.outcome, graded.distance, graded.consistent) == ("unparsable", None, None)
    else:
        assert verdict.offset is not None
        assert verdict.reason is None
        stated = text[verdict.offset :].lower()
        assert stated.startswith((str(verdict.tier), NAMES[verdict.tier].lower()))
        assert graded.distance == abs(verdict.tier - gold)
        assert graded.outcome == ("correct" if verdict.tier == gold else "wrong")


@given(
    PROSE,
    st.sampled_from([1, 2, 3, 4]),
    st.sampled_from(["{}", "**{}**", "{}.", "{} ({name})", "({})", "Tier: {}", "Tier {}"]),
)
def test_a_rendered_answer_first_verdict_parses_back(reasoning: str, tier: int, template: str) -> None:
    head = template.format(tier, name=NAMES[tier])
    assert parse(f"{head}\n{reasoning}", "answer-first") == Verdict(tier, head.index(str(tier)), None)


@given(
    PROSE,
    st.sampled_from([1, 2, 3, 4]),
    st.sampled_from(
        ["Tier: {}", "**Tier:** {}", "Tier: {} ({name})", "tier {}", "\\boxed{{{}}}", "Tier: {name}"]
    ),
    st.sampled_from(["", "\n", ".", "</s>"]),
)
def test_a_rendered_reason_first_verdict_parses_back(
    reasoning: str, tier: int, template: str, tail: str
) -> None:
    verdict = template.format(tier, name=NAMES[tier])
    stated = verdict.index(str(tier) if "{}" in template else NAMES[tier])
    text = f"{reasoning}\n{verdict}{tail}"
    assert parse(text, "reason-first") == Verdict(tier, len(reasoning) + 1 + stated, None)


@given(PROSE, st.sampled_from([1, 2, 3, 4]), st.sampled_from([1, 2, 3, 4]))
def test_two_verdicts_the_format_decides_which_counts(reasoning: str, first: int, last: int) -> None:
    text = f"Tier: {first}\n{reasoning}\nTier: {last}"
    for form, tier in zip(FORMS, (first, last), strict=True):
        assert grade(text, form, tier) == Grade(tier, "correct", 0, first == last)


PATTERNS = {name: value for name, value in vars(grading).items() if isinstance(value, re.Pattern)}
BACKTRACKING = {_constants.MAX_REPEAT, _constants.MIN_REPEAT}


def repeats(node: Any) -> list[tuple[Any, int, int]]:
    """Every repeat in a parsed pattern: its kind, its upper bound, how many times it can run within the outer ones."""
    found = []
    for part in node if isinstance(node, (list, tuple, _parser.SubPattern)) else ():
        match part:
            case (
                _constants.MAX_REPEAT | _constants.MIN_REPEAT | _constants.POSSESSIVE_REPEAT as kind,
                (_, top, body),
            ):
                inner = repeats(body)
                depth = max((times for _, _, times in inner), default=1)
                found += [(kind, int(top), int(top) * depth), *inner]
            case _:
                found += repeats(part)
    return found


@pytest.mark.parametrize("name", PATTERNS)
def test_no_pattern_can_backtrack_without_bound(name: str) -> None:
    """Repeats that can be retried are bounded and small, nested ones too; the others give nothing back."""
    for kind, top, times in repeats(_parser.parse(PATTERNS[name].pattern)):
        if kind in BACKTRACKING:
            assert top <= 20, f"{name} retries a repeat of up to {top}"
            assert times <= 100, f"{name} nests repeats up to {times}"


@pytest.mark.parametrize("name", ["_KEY", "_ITEM", "_ENTRY"])
def test_a_pattern_that_scans_the_text_starts_at_a_set_of_characters(name: str) -> None:
    """A search that began with a repeat would run over the same stretch from every position in it."""
    kind, _ = _parser.parse(PATTERNS[name].pattern)[0]
    assert kind is _constants.IN


def test_the_check_on_repeats_sees_the_classic_trap() -> None:
    assert (_constants.MAX_REPEAT, int(_constants.MAXREPEAT)) in {
        (kind, top) for kind, top, _ in repeats(_parser.parse(r"x(?:[ab]|(?:a+)+)y"))
    }
    assert PATTERNS.keys() >= {"_KEY", "_ATOM", "_HARD", "_SOFT", "_CONCLUDES"}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "piece",
    [
        *(
            "tier ",
            "Tier: 3 or ",
            "1,2,",
            "1.1.",
            "tier (",
            "\\boxed{",
            "***",
            " ",
            "\n",
            "3",
            "\n3",
            "1 ",
            "[[[3",
        ),
        *("not n't ", "is the tier 3. ", "Tier 4 Excellent\nTier 3 Related\n", "tier: 1 or tier 2 or "),
        *("\x00", "\ud800", "٣", "3__"),
    ],
)
def test_200_kilobytes_of_the_same_piece_finish(piece: str, form: Format) -> None:
    text = piece * (200_000 // len(piece))
    if form == "answer-first":
        assert parse(f"4\n{text}", form).tier == 4
    else:
        assert parse(f"{text}\nTier: 2", form).tier == 2
        assert follows_format(f"the reason stands here{text}\nTier: 2", form)


@pytest.mark.parametrize(
    ("text", "form", "follows"),
    [
        ("3\nThe item is a running shoe.", "answer-first", True),
        ("3 \r\nThe item is a running shoe.", "answer-first", True),
        ("3\n靴は違う種類のもので色も合わない", "answer-first", True),
        ("3\nShoe.", "answer-first", False),
        ("3", "answer-first", False),
        ("3. The item is a running shoe.", "answer-first", False),
        ("\n3\nThe item is a running shoe.", "answer-first", False),
        ("1\n2 shoes of another kind\n2\n3", "answer-first", False),
        ("The item is a running shoe.\nTier: 3", "reason-first", True),
        ("The item is a running shoe.\n\nTier: 3\n", "reason-first", True),
        ("The item is a running shoe.\nTier: 3.", "reason-first", False),
        ("The item is a running shoe.\n**Tier: 3**", "reason-first", False),
        ("The item is a running shoe.\nTier: 3\nIt is.", "reason-first", False),
        ("Tier: 3", "reason-first", False),
    ],
)
def test_follows_format(text: str, form: Format, follows: bool) -> None:
    assert follows_format(text, form) is follows
