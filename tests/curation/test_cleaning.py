from __future__ import annotations

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.ingest.cleaning import clean_description

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("<p>Two</p><p>lines</p>", "Two\nlines"),
        ("one<br>two<BR/>three", "one\ntwo\nthree"),
        ("H<sub>2</sub>O and a <b>big</b> deal", "H2O and a big deal"),
        ("<table><tr><td>Size</td><td>10</td></tr><tr><td>Colour</td></tr></table>", "Size 10\nColour"),
        ("&frac12; inch&nbsp;&#8211; Tom &amp; Jerry&reg; &#x41;", "½ inch – Tom & Jerry® A"),
        ("<style>a{}</style>Seen<script>if (a<b) {x()}</script><!-- a<b --><noscript>no</noscript>", "Seen"),
        ("<!DOCTYPE html><html><head><title>t</title></head><body onload=x()>Body</body></html>", "Body"),
        ("<td nowrap>cell <o:p>kept</o:p>", "cell kept"),
        ("cut off in a tag <img src='http://x", "cut off in a tag"),
        ("<script>only()</script>", ""),
        ("a<b and c>d, 5<6 inch &amp; more", "a<b and c>d, 5<6 inch & more"),
        ("press <Enter><br>then <F5>", "press <Enter>\nthen <F5>"),
        ('<a title="1 > 0" href="x">link</a>', "link"),
    ],
)
def test_markup_becomes_text(raw: str, cleaned: str) -> None:
    assert clean_description(raw) == cleaned


@pytest.mark.parametrize(
    "text",
    [
        "a<b",
        "a<b and c>d",
        "x <y> z",
        "if a <b then",
        "< 3 cm",
        "R&D; AT&T",
        "  two  blanks\n\n\tkept ",
        "<3",
        "a & b;",
    ],
)
def test_text_without_markup_stays_as_it_is(text: str) -> None:
    assert clean_description(text) == text


@given(texts)
def test_text_without_tag_or_entity_is_untouched(text: str) -> None:
    plain = text.replace("<", "").replace("&", "")
    assert clean_description(plain) == plain


@given(
    st.lists(
        texts
        | st.sampled_from(["<p>", "</p>", "<b", "&amp;", "<!--", "<script>", "<td>", "&#0;", "]]>", "<a x="])
    )
)
def test_any_text_can_be_cleaned(parts: list[str]) -> None:
    assert isinstance(clean_description("".join(parts)), str)


@given(st.lists(st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1), min_size=1, max_size=6))
def test_no_word_is_lost_or_made_up(words: list[str]) -> None:
    raw = "".join(f"<li>{html.escape(word)}</li>" for word in words)
    assert clean_description(f"<ul>{raw}</ul>").split("\n") == words
