"""Reasoning loses every statement of its tier, and little else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.checks.checked_text import CheckedText
from curation.checks.unlabelled import unlabelled_reasoning, verdict_span
from curation.grading import parse, statement_spans
from tests.curation.checks.conftest import TEXT
from tests.curation.test_grading import ANSWER_FIRST, REASON_FIRST, UNPARSABLE

if TYPE_CHECKING:
    from curation.grading import Format

STATED = [text.replace("‸", "") for text, _ in ANSWER_FIRST + REASON_FIRST] + [row[1] for row in UNPARSABLE]
PIECES = [
    *STATED,
    *TEXT.split("\n"),
    *("3", "3.", "(3)", "*****4*****", "Tier", "tier: ", "tier 3", "\\boxed{2}", "or 4", "1. ", "2. ", "\n"),
    *(
        "the item",
        "is",
        "so",
        "not",
        "if",
        "<think>",
        "</think>",
        "Excellent",
        "Mismatch: ",
        "Final verdict: 2",
    ),
]
NAMES = ("excellent", "related", "mismatch", "irrelevant")


def text_of(text: str, form: Format | None = "answer-first", *, steps_asked: bool = False) -> CheckedText:
    return CheckedText(text, form, 2, "red beanies", "Vidda beanie", steps_asked=steps_asked)


def test_a_rationale_loses_the_lines_of_verdict_and_tier() -> None:
    rationale = text_of(TEXT, "reason-first", steps_asked=True)
    assert unlabelled_reasoning(rationale) == TEXT.partition("\nVerdict:")[0]
    span = verdict_span(rationale)
    assert span
    assert TEXT[slice(*span)] == "Verdict: Mismatch, wrong colour"
    decorated = text_of("4\n" + TEXT.replace("Verdict:", "- **Verdict**:"), steps_asked=True)
    assert unlabelled_reasoning(decorated) == TEXT.partition("\nVerdict:")[0]


WRONG = "The colour is wrong."


@pytest.mark.parametrize(
    ("text", "form", "reasoning", "verdict"),
    [
        (f"3\n{WRONG}", "answer-first", WRONG, "3"),
        (f"**2** - {WRONG}", "answer-first", WRONG, "2"),
        ("2 because the colour is wrong.", "answer-first", "because the colour is wrong.", "2"),
        (f"2 (Mismatch)\n{WRONG}", "answer-first", WRONG, "2 (Mismatch"),
        (f"2\nMismatch: {WRONG}", "answer-first", WRONG, "2"),
        (f"2\n{WRONG} So it is tier 2.", "answer-first", WRONG, "2"),
        (f"{WRONG} Navy is not red.\nTier: 2", "reason-first", f"{WRONG} Navy is not red.", "Tier: 2"),
        (f"<think>Surely so.\nTier: 4</think>\n{WRONG}\nTier: 2", "reason-first", WRONG, "Tier: 2"),
        (f"{WRONG}\nVerdict: Mismatch, it is navy\nTier: 2", "reason-first", WRONG, "Tier: 2"),
        (f"{WRONG} A tier 3 item would be red.", None, f"{WRONG} A tier 3 item would be red.", None),
    ],
)
def test_prose_loses_what_states_a_tier(
    text: str, form: Format | None, reasoning: str, verdict: str | None
) -> None:
    assert unlabelled_reasoning(text_of(text, form)) == reasoning
    span = verdict_span(text_of(text, form))
    assert (span and text[slice(*span)]) == verdict


@pytest.mark.parametrize(
    "text",
    ["", "4", "4\n", "4\n3\n2", "Tier: 4", "4\nIt fits.", "4\nExcellent.", "<b>4</b>", "word " * 250_000],
)
def test_where_nothing_is_left_there_is_no_reasoning(text: str) -> None:
    assert unlabelled_reasoning(text_of(text)) == ""


@settings(deadline=None, max_examples=400)
@given(
    st.text(alphabet=st.characters(exclude_categories=()), max_size=200)
    | st.tuples(st.lists(st.sampled_from(PIECES), max_size=20), st.sampled_from(["", " ", "\n", ". "])).map(
        lambda drawn: drawn[1].join(drawn[0])
    ),
    st.sampled_from([None, "answer-first", "reason-first"]),
    st.booleans(),
)
def test_no_statement_is_left_whatever_the_text(text: str, form: Format | None, steps_asked: bool) -> None:
    checked = text_of(text, form, steps_asked=steps_asked)
    reasoning = unlabelled_reasoning(checked)
    assert statement_spans(reasoning) == []
    for each in ("answer-first", "reason-first"):
        assert parse(reasoning, each).tier is None
    for line in reasoning.casefold().split("\n"):
        assert not line.lstrip("*_- ").startswith("verdict:")
        assert line.strip(" .*_#") not in NAMES
    # What is left stands in the text, in its order.
    position = 0
    for word in reasoning.split():
        position = text.find(word, position)
        assert position >= 0
        position += len(word)
    span = verdict_span(checked)
    assert span is None or 0 <= span[0] < span[1] <= len(text)


@pytest.mark.parametrize(
    "unit", ["3\n", "Tier 4. x\n", "so tier 3 ", "*****3*****x\n", "3. x\n4. y\n", "Verdict: "]
)
def test_what_states_tiers_all_along_ends(unit: str) -> None:
    text = (unit * 20_000)[:20_000]
    assert statement_spans(unlabelled_reasoning(text_of(text))) == []
