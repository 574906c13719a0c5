"""The page as people see it: on a screen, in the dark, on a phone, on paper."""

from __future__ import annotations

import os
import re
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.annotation.browser import page as browser_page
from tests.eval.report.conftest import Shelf, page_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

THREE = ("--predictor", "tiny.answer-first", "--split", "eval_v1")


@pytest.fixture(scope="module")
def opened(shelf: Shelf, source: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The page on the partition in one θ, and its address."""
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(source, encoding="utf-8")
    with browser_page() as page:
        page.goto(path.as_uri())
        yield page


@pytest.fixture(autouse=True)
def as_on_a_laptop(opened: Page) -> None:
    """Every test begins on the same screen."""
    opened.emulate_media(media="screen", color_scheme="light")
    opened.set_viewport_size({"width": 1280, "height": 800})


def picture(page: Page, name: str) -> bytes:
    """A screenshot; kept where ``TIERWISE_SCREENSHOTS`` names a folder, for the documents."""
    taken = page.screenshot()
    if folder := os.environ.get("TIERWISE_SCREENSHOTS"):
        (Path(folder) / f"report-{name}.png").write_bytes(taken)
    return taken


def lines_that_differ(png: bytes) -> int:
    """Distinct lines of a picture: a blank one has one."""
    data, at = b"", 8
    while at < len(png):
        size = int.from_bytes(png[at : at + 4], "big")
        if png[at + 4 : at + 8] == b"IHDR":
            width = int.from_bytes(png[at + 8 : at + 12], "big")
            channels = {2: 3, 6: 4}[png[at + 17]]
        if png[at + 4 : at + 8] == b"IDAT":
            data += png[at + 8 : at + 8 + size]
        at += size + 12
    raw, stride = zlib.decompress(data), width * channels + 1
    return len({raw[start : start + stride] for start in range(0, len(raw), stride)})


def ground(page: Page) -> int:
    """How bright the page's ground is, 0 to 255."""
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return max(map(int, re.findall(r"\d+", colour)[:3]))


def test_nothing_is_asked_for(opened: Page) -> None:
    asked: list[str] = []
    told: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("console", lambda message: told.append(message.text))
    opened.reload()
    assert asked == [opened.url]
    assert told == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_readable_in_light_and_dark(opened: Page, scheme: Any) -> None:
    opened.emulate_media(media="screen", color_scheme=scheme)
    assert (ground(opened) > 200) is (scheme == "light")
    assert lines_that_differ(picture(opened, scheme)) > 100
    # WCAG AA: text against the page's ground, in every element that holds some and has no ground of its own.
    assert opened.evaluate(_WORST_CONTRAST) >= 4.5


def test_it_fits_a_phone(opened: Page) -> None:
    opened.set_viewport_size({"width": 360, "height": 800})
    assert opened.evaluate("document.documentElement.scrollWidth") == 360
    assert opened.evaluate(_WIDER_THAN_THE_PAGE) == []
    assert opened.evaluate(_SMALLEST_LETTERS) >= 7.5
    assert lines_that_differ(picture(opened, "narrow")) > 100


def test_it_prints_on_white_whatever_the_screen(opened: Page) -> None:
    opened.emulate_media(media="print", color_scheme="dark")
    assert ground(opened) == 255
    assert not opened.locator("nav").is_visible()
    assert lines_that_differ(picture(opened, "print")) > 100
    printed = opened.pdf(prefer_css_page_size=True)
    sheets = len(re.findall(rb"/Type\s*/Page\b", printed))
    assert 5 <= sheets <= 40
    # A4 in points.
    assert re.search(rb"/MediaBox\s*\[0 0 59[456](\.\d+)? 84[123](\.\d+)?\]", printed)


def test_the_keyboard_reaches_what_scrolls(opened: Page) -> None:
    opened.set_viewport_size({"width": 360, "height": 800})
    assert opened.evaluate(_SCROLLS_WITHOUT_FOCUS) == []


def told_by(figure: Any) -> tuple[list[str], str]:
    """The texts of a drawing but its axes', and all text of the table behind it and its caption."""
    texts = figure.locator("svg text").evaluate_all(
        "found => found.filter(t => !t.classList.contains('muted')).map(t => t.textContent)"
    )
    behind = figure.locator("details :is(caption, th, td, p), figcaption").evaluate_all(
        "found => found.map(t => t.textContent).join(' ')"
    )
    return texts, behind


@pytest.mark.parametrize("three", [False, True])
def test_the_table_behind_a_plot_has_all_its_texts(
    opened: Page, shelf: Shelf, tmp_path: Path, three: bool
) -> None:
    back = opened.url
    if three:
        page_of(shelf.store, tmp_path, *THREE, "--partition", shelf.three)
        opened.goto((tmp_path / "report.html").as_uri())
    figures = opened.locator("figure").all()
    assert len(figures) == 9
    for figure in figures:
        texts, behind = told_by(figure)
        shares = [float(of) for of in re.findall(r"(\d+\.\d) %", behind)]
        for text in texts:
            label, _, share = text.partition(": ")
            if share.endswith("%"):
                assert min(abs(float(share[:-2]) - of) for of in shares) < 0.56
                assert f"tier {label}" in behind
            elif not text.isdigit():
                assert text in behind, (text, behind)
    opened.goto(back)


def test_drawings_have_their_place_and_their_words_stay_inside(opened: Page) -> None:
    assert opened.evaluate(_WORDS_OUTSIDE) == []
    for drawing in opened.locator("svg.chart").all():
        box = drawing.bounding_box()
        assert box is not None
        assert box["width"] > 200
        assert box["height"] > 40


_WORST_CONTRAST = """() => {
    const channel = c => { c /= 255; return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4 };
    const parts = colour => colour.match(/[0-9.]+/g).map(Number);
    const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
    const own = element => parts(getComputedStyle(element).backgroundColor);
    let worst = 21;
    for (const element of document.querySelectorAll('body :not(svg, svg *, style)')) {
        if (![...element.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())) continue;
        if (element.closest('td[style]') || !element.checkVisibility()) continue;
        let below = element;
        while (below !== document.body && own(below)[3] === 0) below = below.parentElement;
        const [a, b] = [light(parts(getComputedStyle(element).color)), light(own(below))];
        worst = Math.min(worst, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
    }
    return worst;
}"""

_WIDER_THAN_THE_PAGE = """() => [...document.querySelectorAll('body *')]
    .filter(e => !e.closest('.scroll') && !e.closest('svg') && e.getBoundingClientRect().right > 361)
    .map(e => e.outerHTML.slice(0, 120))"""

_SMALLEST_LETTERS = """() => Math.min(...[...document.querySelectorAll('svg text')]
    .map(t => parseFloat(getComputedStyle(t).fontSize) * t.getScreenCTM().a))"""

_SCROLLS_WITHOUT_FOCUS = """() => [...document.querySelectorAll('body *')]
    .filter(e => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX === 'auto' && e.tabIndex < 0)
    .map(e => e.outerHTML.slice(0, 120))"""

_WORDS_OUTSIDE = """() => [...document.querySelectorAll('svg.chart')].flatMap(svg => {
    const box = svg.getBoundingClientRect();
    return [...svg.querySelectorAll('text')].filter(t => {
        const its = t.getBoundingClientRect();
        return its.left < box.left - 2 || its.right > box.right + 2
            || its.top < box.top - 2 || its.bottom > box.bottom + 2;
    }).map(t => t.textContent);
})"""
