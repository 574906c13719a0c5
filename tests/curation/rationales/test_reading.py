from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.rationales.rationale import Rationale
from curation.rationales.reading import Reject, read_answer
from tests.curation.rationales.test_rationale import BOOTS, RATIONALES

if TYPE_CHECKING:
    from curation.grading import Format

TEXT = BOOTS.render()
ABOUT = "hiking boots for muddy paths Bistro Running Shoes"


@given(RATIONALES)
def test_a_rationale_is_read_in_both_formats(rationale: Rationale) -> None:
    text = rationale.render()
    about = "é" if any(ord(letter) > 0x24F for letter in text) else "e"
    wholes: dict[Format, str] = {
        "answer-first": f"{rationale.tier}\n{text}",
        "reason-first": f"{text}\nTier: {rationale.tier}",
    }
    for form, whole in wholes.items():
        answer = read_answer(whole, form, about)
        assert answer == rationale or (
            isinstance(answer, Reject) and answer.reason in ("another script", "too long")
        )


@pytest.mark.parametrize(
    "wrapped",
    [
        f"```\n{TEXT}\nTier: 3\n```",
        f"Here it is:\n```text\n{TEXT}\nTier: 3\n```\nI hope that helps.",
        f"\n\n{TEXT}\n**Tier: 3**\n",
        f"{TEXT}\nTier: 3 (Related)",
        f"<think>The query asks:\nQuery: nonsense\nso it is 2.</think>\n\n{TEXT}\nTier: 3",
        f"Here is the analysis:\n{TEXT}\nTier: 3",
    ],
)
def test_what_models_put_around_an_answer_is_left_out(wrapped: str) -> None:
    assert read_answer(wrapped, "reason-first", ABOUT) == BOOTS


@pytest.mark.parametrize(
    ("text", "finished", "reason", "detail"),
    [
        ("", True, "empty", "no step Query where the text ends"),
        (" \n ", True, "empty", "no step Query where the text ends"),
        ("<!DOCTYPE html><html><body>502 Bad Gateway</body></html>", True, "HTML", "no step Query"),
        ('{"query": "hiking bo', False, "JSON", "no step Query"),
        (f"{TEXT}\nTier: 3" + " and so on" * 10_000, True, "too long", "100,"),
        ("The item matches what the user asked for.", True, "not in the form", "no step Query"),
        (TEXT[:120], False, "cut off", "no step"),
        (TEXT, True, "no tier", "no line `Tier: <digit>` at the end"),
        (TEXT, False, "cut off", "no line `Tier: <digit>` at the end"),
        (f"{TEXT}\nTier: 2", True, "tier against verdict", "the verdict is Related, the tier 2"),
        (f"{TEXT}\nTier: 5", True, "not in the form", "stands after the verdict"),
    ],
)
def test_what_is_no_rationale_gets_a_reason(text: str, finished: bool, reason: str, detail: str) -> None:
    answer = read_answer(text, "reason-first", ABOUT, finished=finished)
    assert isinstance(answer, Reject)
    assert answer.reason == reason
    assert detail in answer.detail


def test_an_answer_in_another_language_is_no_rationale() -> None:
    chinese = (
        "Query: 适合泥泞路面的登山靴\nmust sole: 防滑大齿鞋底适合泥地\nItem: 跑步鞋,网面鞋帮,防滑大齿鞋底,三十八码\n"
        "Category: substitute, 跑步鞋可以代替登山靴但不是同一种\ncheck sole: 商品写明防滑大齿鞋底, met\nRules: none\n"
        "Verdict: Related, 所有要求都满足但品类不同\nTier: 3"
    )
    answer = read_answer(chinese, "reason-first", ABOUT)
    assert isinstance(answer, Reject)
    assert answer.reason == "another script"
    assert isinstance(read_answer(chinese, "reason-first", "登山靴 跑步鞋"), Rationale)
    short = "Query: 登山靴\nItem: 跑步鞋\nCategory: other\nRules: none\nVerdict: Irrelevant\nTier: 1"
    assert isinstance(read_answer(short, "reason-first", ABOUT), Reject)


@given(st.text(max_size=200), st.sampled_from(["answer-first", "reason-first"]), st.booleans())
def test_any_answer_is_a_rationale_or_a_reject(text: str, form: Format, finished: bool) -> None:
    answer = read_answer(text, form, ABOUT, finished=finished)
    assert isinstance(answer, Rationale) or answer.reason


@pytest.mark.parametrize("filler", ["*", "\n", "- ", "1. ", "\nTier: ", "Query: ", "must a: ", "<", "#"])
def test_long_texts_are_read_in_one_go(filler: str) -> None:
    assert isinstance(read_answer(filler * (8_000 // len(filler)), "reason-first", ABOUT), Reject)
