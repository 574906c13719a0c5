"""Item text is hostile: in the real page it is shown as it is, runs nothing and hides nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.review.texts import code_point_offset, shown_inline, shown_text, unit_offset
from tests.annotation.annotator import Annotator
from tests.annotation.browser import page, sign_in
from tests.annotation.payloads import PAYLOADS
from tests.annotation.shelf import Judged, fill

if TYPE_CHECKING:
    from playwright.sync_api import Dialog

    from tests.annotation.shelf import Desk

_FONTS = "fonts.googleapis.com"
_UNKNOWN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]"
)
_TAGS = re.compile("[\U000e0000-\U000e007f]")
# What is drawn at the middle of the buttons and of the first question: nothing of an item's may lie over them.
_COVERED = """
() => [...document.querySelectorAll('.button--submit, .button--discard, .questions .input-button label')].slice(0, 7)
  .filter(element => {
    const box = element.getBoundingClientRect();
    const top = document.elementFromPoint((box.left + box.right) / 2, (box.top + box.bottom) / 2);
    return !(top && (element.contains(top) || top.contains(element)));
  }).length
"""
_RAN = """
() => [window, ...Array.from({length: frames.length}, (_, number) => frames[number])]
  .some(one => { try { return 'pwned' in one } catch { return false } })
"""


def _shown(text: str) -> str:
    """As a reader sees it."""
    return _TAGS.sub("\ufffd\ufffd", _UNKNOWN.sub("\ufffd", text))


def _plain(text: str) -> str:
    """As a reader sees it, whatever the white space."""
    return "".join(_shown(text).split())


def test_there_are_enough_of_them() -> None:
    assert len(PAYLOADS) >= 50
    assert len({name for name, _ in PAYLOADS}) == len({text for _, text in PAYLOADS}) == len(PAYLOADS)


def test_none_of_them_runs_or_hides_anything(desk: Desk) -> None:
    # Three a record, each in the card and in the reasoning.
    pairs = []
    for number in range(0, len(PAYLOADS), 3):
        texts = [text for _, text in PAYLOADS[number : number + 3]]
        query, title, description = (*texts, *texts, *texts)[:3]
        reasoning = " … ".join(texts)
        pairs.append(Judged(f"{number} {query}", title, 3, (f"3\nBegins. {reasoning} Ends.",), description))
    fill(desk.store, pairs)
    desk.push()
    expected = {pair.sample_id().hex: pair for pair in pairs}
    names = {record["id"]: name for name, record in desk.records().items()}
    assert set(names.values()) == expected.keys()
    asked: set[str] = set()
    dialogs: list[str] = []
    seen = set()

    def told(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    with page() as shown:
        shown.on("request", lambda request: asked.add(urlsplit(request.url).hostname or ""))
        shown.on("dialog", told)
        sign_in(shown, desk.served.url, desk.served.user("ann"))
        ann = Annotator(shown)
        ann.open(desk.dataset)
        address = urlsplit(shown.url).path
        for _ in pairs:
            pair = expected[names[str(ann.record_id)]]
            seen.add(pair.query)
            assert ann.reasoning_text() == _shown(pair.samples[0]), pair.query
            card = _plain(ann.fields()["Query and item"])
            for text in (pair.query, pair.title, pair.description):
                assert _plain(text) in card, pair.query
            assert shown.evaluate(_COVERED) == 0, pair.query
            assert not shown.evaluate(_RAN), pair.query
            assert urlsplit(shown.url).path == address, pair.query
            ann.choose("Related")
            ann.rate(3)
            ann.choose_steps(["None"])
            ann.submit()
        assert not shown.evaluate(_RAN)
    assert seen == {pair.query for pair in pairs}
    assert dialogs == []
    assert asked - {"127.0.0.1", _FONTS, ""} == set()
    assert desk.run("pull")["submitted"] == len(pairs)


@pytest.mark.parametrize(("name", "text"), PAYLOADS)
def test_no_markup_of_theirs_is_left(name: str, text: str) -> None:
    for shown in (shown_text(text), shown_inline(text).replace("<br>", "")):
        assert not re.search("[<>\"'`]", shown), name
        assert "\n\n" not in shown_inline(text)


@given(st.text(st.characters(codec="utf-8")))
def test_what_is_shown_has_the_units_of_the_original(text: str) -> None:
    # What the page shows: references become characters, one for one.
    page_text = re.sub(r"&#(\d+);", lambda found: chr(int(found[1])), shown_text(text))
    assert page_text == _shown(text)
    assert len(page_text.encode("utf-16-le")) == len(text.encode("utf-16-le"))
    # And the server, which measures as Python does, takes every offset into it.
    assert len(shown_text(text)) >= len(text.encode("utf-16-le")) // 2


@given(st.text(st.characters(codec="utf-8")), st.data())
def test_offsets_go_there_and_back(text: str, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(text)))
    units = unit_offset(text, index)
    assert units == len(text[:index].encode("utf-16-le")) // 2
    assert code_point_offset(text, units) == index
    # A unit within a character is that character's.
    if index < len(text) and ord(text[index]) > 0xFFFF:
        assert code_point_offset(text, units + 1) == index


def test_an_offset_behind_the_end_is_the_end() -> None:
    assert code_point_offset("ab", 9) == code_point_offset("a🙂", 9) == 2
