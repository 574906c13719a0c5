"""The examples of findings in the documents are what the checks say of these texts, and are judged as truth has it."""

from __future__ import annotations

import csv
import tomllib
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks import CROWDFLOWER
from benchmarks.hallucination.real import KINDS as READ_KINDS
from benchmarks.hallucination.real import load_answers
from curation.checks.checked_text import CheckedText
from curation.checks.copies import Written, copy_findings
from curation.checks.finding import KINDS
from curation.checks.text_checks import check_text
from curation.checks.vocabulary import Vocabulary
from curation.rationales.rationale import FormError, Rationale
from curation.shop.derivations import parse_derivation
from curation.shop.rulebook import shop_rulebook
from curation.shop.wordings import steps_right
from docs.generate import EXAMPLES, with_examples
from tests.warehouse.support import ROOT

if TYPE_CHECKING:
    from benchmarks.hallucination.real import ReadAnswers
    from curation.checks.finding import Finding

Example = dict[str, Any]

_READ: list[Example] = tomllib.loads(EXAMPLES.read_text(encoding="utf-8"))["example"]
_DOCUMENT = ROOT / "docs" / "hallucinations.md"


def _named(example: Example) -> str:
    return f"{example['kind']}-{example['judged']}".replace(" ", "-")


def _each(having: str = "text") -> pytest.MarkDecorator:
    """Those that have a field."""
    return pytest.mark.parametrize("example", [each for each in _READ if having in each], ids=_named)


def _checked(example: Example) -> CheckedText:
    return CheckedText(
        text=example["text"],
        form=example["format"],
        tier=example.get("tier"),
        query=example["query"],
        title=example["title"],
        description=example.get("description", ""),
        brand=example.get("brand", ""),
        attributes=example.get("attributes", {}),
        kind=example.get("query_kind", "plain"),
        rulebook=shop_rulebook() if "rulebook" in example else None,
        shown=frozenset(example.get("shown", ())),
    )


def _copies(example: Example) -> list[Finding]:
    pairs = {"A": example, "B": example["other"]}
    written = [
        Written(pair["text"], name, f"{pair['query']} {pair['title']} {pair.get('description', '')}")
        for name, pair in pairs.items()
    ]
    return [finding for n, finding in copy_findings(written) if n == 0]


def _told(example: Example, findings: list[Finding]) -> list[tuple[str, str, str, str | None]]:
    """Name, severity, evidence and words of the findings of the example's kind and name."""
    return [
        (each.name, each.severity, each.evidence, each.span and example["text"][slice(*each.span)])
        for each in findings
        if (each.kind, each.name) == (example["kind"], example["finding"])
    ]


def _expected(example: Example) -> tuple[str, str, str, str | None]:
    return example["finding"], example["severity"], example["evidence"], example.get("words")


@cache
def _answers() -> ReadAnswers:
    if not CROWDFLOWER.exists():
        pytest.skip(f"no {CROWDFLOWER}")
    return load_answers(CROWDFLOWER)


def test_the_document_shows_a_right_finding_and_a_false_alarm_of_each_kind() -> None:
    assert [(each["kind"], each["judged"]) for each in _READ] == [
        (kind, judged) for kind in KINDS for judged in ("right", "false alarm")
    ]
    page = _DOCUMENT.read_text(encoding="utf-8")
    assert with_examples(page) == page, "run `make docs`"


def test_a_page_without_the_heading_is_refused() -> None:
    with pytest.raises(ValueError, match="## Examples"):
        with_examples("# Hallucinations\n\n## How good they are\n")


@_each()
def test_the_checks_find_just_that(example: Example) -> None:
    if "other" in example:
        found = _copies(example)
    else:
        found = check_text(_checked(example), Vocabulary.of([example["query"], example["title"]], ()))
    assert _told(example, found) == [_expected(example)]
    assert example["quote"] in example["text"]
    assert example.get("words", "") in example["quote"] or "other" in example


@_each("derivation")
def test_the_judgement_is_that_of_the_shops_truth(example: Example) -> None:
    lines, _, tier = example["text"].rpartition("\n")
    truth = parse_derivation(example["intent"], example["derivation"])
    try:
        is_true = steps_right(Rationale.parse(lines), truth).all and tier == f"Tier: {truth.tier}"
    except FormError:
        is_true = False
    assert is_true == (example["judged"] == "false alarm")


@_each("row")
def test_the_judgement_is_that_of_the_readers(example: Example) -> None:
    read = [
        each for each in _answers().read if (each.row, each.checked.text) == (example["row"], example["text"])
    ]
    if not read or example["kind"] not in READ_KINDS:
        pytest.skip("not among the answers that were read")
    [answer] = read
    assert answer.labels[example["kind"]] == (example["judged"] == "right")
    # With the description, which the example leaves out, and the words of the whole catalogue.
    catalogue = Vocabulary.of((text for pair in _answers().catalogue for text in pair), ())
    assert _told(example, check_text(answer.checked, catalogue)).count(_expected(example)) == 1


@_each("row")
def test_query_and_item_are_those_of_crowdflower(example: Example) -> None:
    if not CROWDFLOWER.exists():
        pytest.skip(f"no {CROWDFLOWER}")
    with CROWDFLOWER.open(encoding="utf-8", newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    for pair in filter(None, (example, example.get("other"))):
        row = rows[pair["row"]]
        assert (pair["query"], pair["title"]) == (row["query"], " ".join(row["product_title"].split()))
