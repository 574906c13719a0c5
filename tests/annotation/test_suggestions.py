"""What checks found becomes spans and failing steps that Argilla takes."""

from __future__ import annotations

from annotation.review.suggestions import FoundInText, of_findings

TEXT = "It is a wok, not a pan.\nTier: 4"


def test_findings_of_several_checkers_are_told_as_theirs() -> None:
    by_text = FoundInText("grounding", "not stated", "item", 0.8, (8, 11), "check text 1")
    by_model = FoundInText(
        "verdict", "derived verdict differs", "verdict", 0.95, (24, 31), "check /models/größe (2) 3fa9"
    )
    spans, steps = of_findings(TEXT, [by_text, by_model])
    assert spans.value == [
        {"label": "unsupported", "start": 8, "end": 11},
        {"label": "verdict", "start": 24, "end": 31},
    ]
    assert (spans.score, steps.score) == ([0.8, 0.95], [0.8, 0.95])
    assert steps.value == ["item", "verdict"]
    # Argilla refuses a name with brackets or accents, and so the whole record.
    assert spans.agent == steps.agent == "check text 1 and check /models/gr--e -2- 3fa9"


def test_the_surer_of_two_checkers_marks_the_verdict() -> None:
    text_check = FoundInText("verdict", "states another tier", "verdict", 1.0, (30, 31), "check text 1")
    model = FoundInText("verdict", "derived verdict differs", "verdict", 0.6, (24, 31), "check m 3fa9")
    spans, steps = of_findings(TEXT, [model, text_check])
    assert (spans.value, spans.agent) == ([{"label": "self", "start": 30, "end": 31}], "check text 1")
    assert (steps.value, steps.score) == (["verdict"], [1.0])
    form = FoundInText("form", "loop", "whole", 1.0, (0, 5), "check text 1")
    assert list(of_findings(TEXT, [form])) == []


def test_a_long_name_is_cut_to_what_argilla_takes() -> None:
    found = FoundInText("verdict", "derived verdict differs", "verdict", 0.6, None, "check " + "m" * 300)
    [steps] = of_findings(TEXT, [found])
    assert len(steps.agent) == 200
