"""What the checks find is marked in the page, on just those words, whatever stands before them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.annotation.annotator import Annotator
from tests.annotation.browser import keep, page, sign_in
from tests.annotation.shelf import Judged, fill

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.annotation.shelf import Desk

_QUERY, _TITLE = "wool hiking socks", "Hiking Socks Ulvessa Aero, red"
_DESCRIPTION = "Knitted from merino wool. The sole is cushioned."
_SHOWN = (
    "3\nCosy 🧦 for the whole 👩‍👩‍👧‍👦: the item is wool hiking socks, as asked, with a waterproof membrane.\n"
    "But the item is not cushioned, and weighs 90 g."
)
_BEFORE = (
    "",
    "🧦 ",
    "👩‍👩‍👧‍👦 and 👩🏽‍🚀: ",
    "🇫🇷🇯🇵, e\u0301clair, 𠮷 & a<b: ",
    "\u200b\u202e<b>\u2069 🧦\U000e0041 ",
    "One.\n\n🧦🧦🧦\n",
)
"""What takes one UTF-16 unit a character and what takes more, alone and joined; markup; what the page hides."""

# The words themselves, from the ranges that the page highlights.
_HIGHLIGHTED = """
() => {
  const field = document.querySelector(".span-annotation__field");
  return [...CSS.highlights].flatMap(([name, ranges]) => {
    const label = name.startsWith("hl-") && document.getElementById(name.slice(3));
    return label ? [...ranges].filter(range => field.contains(range.startContainer))
      .map(range => [label.name, range.toString()]) : [];
  });
}
"""


def _judged() -> dict[str, Judged]:
    """Pairs by what their text says, which the checks find fault with in the same words."""
    texts = [_SHOWN, *(f"3\n{before}The item is waterproof, not cushioned." for before in _BEFORE)]
    return {
        text: Judged(f"{_QUERY} {number or ''}".strip(), _TITLE, 4, (text,), _DESCRIPTION)
        for number, text in enumerate(texts)
    }


def _highlighted(shown: Page) -> set[tuple[str, str]]:
    return {(kind, words) for kind, words in shown.evaluate(_HIGHLIGHTED)}


def test_what_is_marked_is_what_was_found(desk: Desk) -> None:
    desk.dataset = "marked-spans"
    pairs = _judged()
    # A word that no item or query of the catalogue has may be anything.
    fill(desk.store, [*pairs.values(), Judged("waterproof membrane", "Cap", 1, ("1\nA cap.",))])
    desk.push("--where", "tier = 4")
    by_record = {record["id"]: name for name, record in desk.records().items()}
    texts = {pair.sample_id().hex: text for text, pair in pairs.items()}
    seen = set()
    with page() as shown:
        sign_in(shown, desk.served.url, desk.served.user("ann"))
        ann = Annotator(shown)
        ann.open(desk.dataset)
        for _ in pairs:
            sample = by_record[str(ann.record_id)]
            found = {
                words
                for (words,) in desk.ask(
                    "SELECT words FROM current_findings WHERE text_id = ? AND words IS NOT NULL", sample
                )
            }
            shown.wait_for_function(f"() => ({_HIGHLIGHTED})().length > 0")
            marked = _highlighted(shown)
            assert {words for _, words in marked} == found
            expected = {("Unsupported claim", "waterproof"), ("Contradicted by the item", "cushioned")}
            if texts[sample] == _SHOWN:
                expected = {
                    ("Unsupported claim", "waterproof membrane"),
                    ("Contradicted by the item", "cushioned"),
                    ("Unsupported claim", "90 g"),
                }
                keep(shown, "spans")
            assert marked == expected, texts[sample]
            seen.add(sample)
            ann.discard()
    assert seen == texts.keys()


def test_nothing_is_marked_in_a_blind_dataset(desk: Desk) -> None:
    [(text, pair), *_] = _judged().items()
    fill(desk.store, [pair])
    desk.push("--blind")
    assert desk.records()[pair.sample_id().hex]["suggestions"] == []
    with page() as shown:
        sign_in(shown, desk.served.url, desk.served.user("ann"))
        ann = Annotator(shown)
        ann.open(desk.dataset)
        assert ann.reasoning_text() == text
        assert _highlighted(shown) == set()
    assert desk.ask("SELECT count(*) > 0 FROM current_findings") == [(True,)]
