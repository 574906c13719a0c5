"""The loop as an annotator goes it: in the page, by mouse and keyboard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.annotation.annotator import CORRECTION, NOTE, Annotator
from tests.annotation.browser import HEIGHT, keep, page, sign_in
from tests.annotation.shelf import Judged, fill, run_curation

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.annotation.shelf import Desk

TEXTS = (
    "3\nThe 🙂 pan holds 5<6 inch; 铁锅 is red.\nSo it is fine & good.",
    "2\nA pan e\u0301clair 👩‍👩‍👧 is no wok, as 5<6 inch.",
    "4\nIt is a pan, 🙂🙂 red & round: 5<6 inch.",
)
PANS = [Judged(f"red pan {i}", f"Pan {i} <b>", 3, (text,)) for i, text in enumerate(TEXTS)]
LONG = Judged("a pan of cast iron, not coated", "Pan " + "for all hobs " * 12, 3, TEXTS[:1], "Long. " * 900)


def _units(text: str, words: str) -> tuple[int, int]:
    before = len(text[: text.index(words)].encode("utf-16-le")) // 2
    return before, before + len(words.encode("utf-16-le")) // 2


def test_three_records_answered_in_the_page_come_back_as_they_were_clicked(desk: Desk) -> None:
    fill(desk.store, PANS)
    desk.push()
    by_record = {record["id"]: name for name, record in desk.records().items()}
    by_name = {pair.sample_id().hex: number for number, pair in enumerate(PANS)}
    given: dict[int, dict[str, Any]] = {
        0: {
            "tier": "Mismatch",
            "rating": 2,
            "steps": ["Item", "Verdict"],
            "correction": "It is a wok.\nNo 🙂.",
        },
        1: {"tier": "Excellent", "rating": 5, "steps": ["None"], "correction": ""},
        2: {"tier": "Cannot tell", "rating": 1, "steps": ["Query", "Category match"], "correction": "x < y"},
    }
    marked = {
        0: [
            ("Unsupported claim", "🙂 pan"),
            ("Contradicted by the item", "5<6 inch"),
            ("Contradicts itself", "铁锅"),
        ],
        1: [("Verdict does not follow", "e\u0301clair 👩‍👩‍👧"), ("Unsupported claim", "5<6 inch")],
        2: [("Contradicts itself", "🙂🙂 red"), ("Contradicted by the item", "5<6 inch")],
    }
    answered = []
    with page() as shown:
        sign_in(shown, desk.served.url, desk.served.user("ann"))
        ann = Annotator(shown)
        ann.open(desk.dataset)
        for _ in PANS:
            number = by_name[by_record[str(ann.record_id)]]
            assert ann.reasoning_text() == TEXTS[number]
            ann.choose(given[number]["tier"])
            ann.rate(given[number]["rating"])
            ann.choose_steps(given[number]["steps"])
            for kind, words in marked[number]:
                ann.mark(kind, *_units(TEXTS[number], words))
            if given[number]["correction"]:
                ann.write(CORRECTION, given[number]["correction"])
            ann.write(NOTE, f"note {number} <i>")
            if number == 0:
                keep(shown, "review")
            ann.submit()
            answered.append(number)
    assert sorted(answered) == [0, 1, 2]
    pulled = desk.run("pull")
    assert (pulled["new"], pulled["submitted"], pulled["spans"]) == (3, 3, 7)
    assert desk.ask(
        "SELECT query, annotator, status, tier, quality, failing_steps, correction, note FROM current_reviews "
        "ORDER BY query"
    ) == [
        ("red pan 0", "ann", "submitted", 2, 2, ["item", "verdict"], "It is a wok.\nNo 🙂.", "note 0 <i>"),
        ("red pan 1", "ann", "submitted", 4, 5, ["none"], None, "note 1 <i>"),
        ("red pan 2", "ann", "submitted", None, 1, ["query", "category"], "x < y", "note 2 <i>"),
    ]
    kinds = {
        "Unsupported claim": "unsupported",
        "Contradicted by the item": "contradicted",
        "Contradicts itself": "self",
        "Verdict does not follow": "verdict",
    }
    for number, pair in enumerate(PANS):
        found = desk.ask(
            "SELECT kind, words, span_start FROM current_review_spans WHERE sample_id = ? ORDER BY span_start",
            pair.sample_id(),
        )
        assert found == [(kinds[kind], words, TEXTS[number].index(words)) for kind, words in marked[number]]
    assert desk.run("decide")["samples"]["corrected"] == 1
    assert run_curation(desk.store, "pairs")["corrections"] == 0  # its tier is not the pair's gold tier


def test_drafts_and_discarded_ones_come_back_too(desk: Desk) -> None:
    fill(desk.store, PANS[:2])
    desk.push()
    with page() as shown:
        sign_in(shown, desk.served.url, desk.served.user("bob"))
        bob = Annotator(shown)
        bob.open(desk.dataset)
        bob.discard()
        bob.choose("Related")
        bob.save_draft()
    pulled = desk.run("pull")
    assert (pulled["submitted"], pulled["drafts"], pulled["discarded"]) == (0, 1, 1)
    assert desk.ask("SELECT tier FROM current_reviews WHERE status = 'draft'") == [(3,)]


def test_all_that_is_needed_is_on_a_laptops_screen(desk: Desk) -> None:
    fill(desk.store, [LONG])
    desk.push()
    with page() as shown:
        sign_in(shown, desk.served.url, desk.served.user("ann"))
        Annotator(shown).open(desk.dataset)
        keep(shown, "record-long")
        for text in (LONG.query, "Gold", "Model", "colour"):
            assert _bottom(shown, text) < HEIGHT - 70, text
        field = shown.locator(".span-annotation__field").bounding_box()
        assert field is not None
        # Behind the bars at the bottom a record scrolls; three lines of reasoning stand above them.
        assert field["y"] + 60 < HEIGHT - 70


def _bottom(shown: Page, text: str) -> float:
    box = shown.locator(".fields").get_by_text(text).first.bounding_box()
    assert box is not None, text
    return box["y"] + box["height"]
