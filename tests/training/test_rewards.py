"""The reward components, and that they are the grader's."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import training.rewards
from curation.checks.finding import KINDS, Finding
from curation.grading import Format, grade
from training.rewards import COMPONENTS, DEFAULT_WEIGHTS, Rewards, score
from warehouse.errors import TierwiseError

REASON = "The item is what the query asks for."
FORMS: tuple[Format, Format] = ("answer-first", "reason-first")

CASES: list[tuple[str, Format, int, tuple[float, float, float, float]]] = [
    # text, format, judged tier, and correct, ordinal, format, consistent
    (f"4\n{REASON}", "answer-first", 4, (1, 1, 1, 1)),
    (f"3\n{REASON}", "answer-first", 4, (0, 2 / 3, 1, 1)),
    (f"1\n{REASON}", "answer-first", 4, (0, 0, 1, 1)),
    ("4", "answer-first", 4, (1, 1, 0, 1)),
    ("4\nYes.", "answer-first", 4, (1, 1, 0, 1)),
    (f"4 {REASON}", "answer-first", 4, (1, 1, 0, 1)),
    (f"**4**\n{REASON}", "answer-first", 4, (1, 1, 0, 1)),
    (f" 4\n{REASON}", "answer-first", 4, (1, 1, 0, 1)),
    (f"4\n{REASON}\nTier: 3", "answer-first", 4, (1, 1, 1, 0)),
    (f"4\n{REASON}\nTier: 4", "answer-first", 4, (1, 1, 1, 1)),
    (REASON, "answer-first", 4, (0, 0, 0, 0)),
    ("", "answer-first", 4, (0, 0, 0, 0)),
    (f"5\n{REASON}", "answer-first", 4, (0, 0, 0, 0)),
    (f"{REASON}\nTier: 4", "reason-first", 4, (1, 1, 1, 1)),
    (f"{REASON}\nTier: 2\n", "reason-first", 4, (0, 1 / 3, 1, 1)),
    (f"{REASON} Tier: 4", "reason-first", 4, (1, 1, 0, 1)),
    ("Tier: 4", "reason-first", 4, (1, 1, 0, 1)),
    (f"Tier: 4\n{REASON}", "reason-first", 4, (1, 1, 0, 1)),
    (f"{REASON} Tier: 1.\nTier: 4", "reason-first", 4, (1, 1, 1, 0)),
    (f"4\n{REASON}", "reason-first", 4, (0, 0, 0, 0)),
]


@pytest.mark.parametrize(("text", "form", "tier", "expected"), CASES)
def test_components(text: str, form: Format, tier: int, expected: tuple[float, ...]) -> None:
    components = score(text, form, tier).components
    assert list(components) == list(DEFAULT_WEIGHTS) == ["correct", "ordinal", "format", "consistent"]
    assert tuple(components.values()) == pytest.approx(expected)


@given(st.text(st.sampled_from("1234 Tier:\n*abc"), max_size=40), st.sampled_from(FORMS), st.integers(1, 4))
def test_what_is_rewarded_is_what_is_graded(text: str, form: Format, tier: int) -> None:
    scored, graded = score(text, form, tier), grade(text, form, tier)
    assert scored.outcome == graded.outcome
    assert all(0 <= component <= 1 for component in scored.components.values())
    assert scored.components["correct"] == (graded.outcome == "correct")
    if graded.outcome == "unparsable":
        assert not any(scored.components.values())


def test_functions_are_named_after_their_components_and_grade_once(monkeypatch: pytest.MonkeyPatch) -> None:
    graded: list[str] = []

    def counted(text: str, form: Format, gold: int) -> Any:
        graded.append(text)
        return grade(text, form, gold)

    monkeypatch.setattr(training.rewards, "grade", counted)
    rewards = Rewards()
    texts = [f"4\n{REASON}", f"2\n{REASON}"]
    batch: dict[str, Any] = {
        "completions": [[{"role": "assistant", "content": text}] for text in texts],
        "tier": [4, 4],
        "format": ["answer-first"] * 2,
    }
    values = {
        function.__name__: function(prompts=[], completion_ids=[], pair_id=["a", "b"], **batch)
        for function in rewards.functions
    }
    assert values == {
        "correct": [1, 0],
        "ordinal": [1, pytest.approx(1 / 3)],
        "format": [1, 1],
        "consistent": [1, 1],
    }
    rows = [{"pair_id": pair, "tier": 4, "format": "answer-first", "n": 8} for pair in ("a", "b")]
    scores = rewards.scores(batch["completions"], rows)
    assert [each.outcome for each in scores] == ["correct", "wrong"]
    assert graded == texts
    batch["tier"] = [2, 2]
    assert rewards.functions[0](**batch) == [0, 1]


FINDINGS = st.lists(
    st.builds(
        Finding,
        kind=st.sampled_from(KINDS),
        name=st.just("fault"),
        step=st.just("whole"),
        evidence=st.just(""),
        severity=st.sampled_from(("error", "warning")),
        confidence=st.floats(0, 1),
    )
)


@given(FINDINGS, st.sampled_from([REASON, f"{REASON} Tier: 1."]))
def test_a_component_is_one_less_the_confidence_of_its_surest_finding(
    findings: list[Finding], reason: str
) -> None:
    asked: list[int] = []

    def find(tier: int) -> list[Finding]:
        asked.append(tier)
        return findings

    text = f"{reason}\nTier: 3"
    components = score(text, "reason-first", 4, find).components
    assert asked == [3]
    assert tuple(components) == COMPONENTS
    by_grader = score(text, "reason-first", 4).components
    for name, kind in {
        "consistent": "verdict",
        "grounded": "grounding",
        "cited": "rule",
        "formed": "form",
    }.items():
        surest = [1 - finding.confidence for finding in findings if finding.kind == kind]
        assert components[name] == min([by_grader.get(name, 1), *surest])
    for name in ("correct", "ordinal", "format"):
        assert components[name] == by_grader[name]


def test_without_a_tier_nothing_is_sought() -> None:
    def find(_tier: int) -> list[Finding]:
        raise AssertionError

    assert score(REASON, "reason-first", 4, find).components == dict.fromkeys(COMPONENTS, 0)


def test_what_only_the_checks_can_say_needs_a_checker() -> None:
    with pytest.raises(ValueError, match="no checker for grounded, cited"):
        Rewards({"consistent": 1, "grounded": 1, "cited": 0})


def test_weights_stand_in_the_order_of_the_functions() -> None:
    rewards = Rewards({"format": 0, "correct": 2})
    assert [function.__name__ for function in rewards.functions] == ["format", "correct"]
    assert rewards.weights == [0, 2]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (
            {"original": 1},
            "no reward component 'original'; there are correct, ordinal, format, consistent, grounded, cited, formed$",
        ),
        ({"correct": 0}, "no reward component weighs anything"),
        ({}, "no reward component weighs anything"),
        ({"correct": -1}, "'correct' weighs -1"),
        ({"correct": float("nan")}, "'correct' weighs nan"),
    ],
)
def test_refused(weights: dict[str, float], message: str) -> None:
    with pytest.raises(TierwiseError, match=message):
        Rewards(weights)
