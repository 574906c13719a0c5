"""Texts that would be markup, terminal controls or tables if they were let."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

from eval.report.markdown import plain
from eval.report.words import shown
from tests.annotation.browser import page as browser_page
from tests.eval.report.conftest import page_of, run
from tests.eval.report.pages import Page
from tests.eval.report.shop import Sold, by_model, freeze, stocked

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from warehouse.store import Store

HOSTILE = (
    "<script>document.title = 'owned'</script>",
    "</style><script>document.title = 'owned'</script>",
    "</title></svg></table><h1>owned</h1>",
    '"><img src="https://example.com/x.png" onerror="document.title = 1">',
    "' onmouseover='alert(1)",
    "{{ 7 * 7 }} {% raw %}",
    "<!-- <b>",
    "]]> &lt;b&gt; &#60;i&#62;",
    "turned \u202egnirts\u202c and \u2066isolated\u2069",
    "a | b || c\\| d",
    "`code` **bold** _it_ [link](https://example.com) ~~gone~~",
    "مقلاة 铁锅 🙂",
    "long " + "x" * 10_000,
)

ASKED = ("--predictor", "tiny.reason-first", "--split", "eval_v1")


def sure_of_tier_4(gold: NDArray[np.int64]) -> NDArray[np.float64]:
    """Wrong about every pair of tier 1."""
    return np.tile([0.01, 0.01, 0.03, 0.95], (len(gold), 1))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Every text as query, title, description, rater and reason, and as what a model wrote."""
    sold = [
        Sold(f"held {text[:300]}", f"{text} {number}", 1, text, judged_by=text[:100], reason=text)
        for number, text in enumerate(HOSTILE)
    ]
    sold.append(Sold("fit pan", "pan", 4))
    made = stocked(tmp_path_factory.mktemp("hostile"), sold, source="<b>|shop")
    split = freeze(made, "eval", "query LIKE 'held %'")
    by_model(
        made, "reason-first", [split], sure_of_tier_4, lambda i, _: f"{HOSTILE[i % len(HOSTILE)]}\n\n| 4"
    )
    return made


def test_they_are_text_in_the_page(store: Store, tmp_path: Path) -> None:
    source = page_of(store, tmp_path, *ASKED)
    page = Page(source)
    assert page.tags["script"] == page.tags["img"] == page.tags["b"] == page.tags["i"] == 0
    assert page.tags["h1"] == 1
    assert page.tags["article"] == len(HOSTILE)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    for text in HOSTILE[:-1]:
        assert shown(text) in page.text
    assert "\\u202egnirts\\u202c" in page.text
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", source)
    assert len(source) < 400_000


def test_they_do_nothing_in_a_browser(store: Store, tmp_path: Path) -> None:
    page_of(store, tmp_path, *ASKED)
    with browser_page() as opened:
        asked: list[str] = []
        opened.on("request", lambda request: asked.append(request.url))
        opened.on("dialog", lambda dialog: pytest.fail(dialog.message))
        url = (tmp_path / "report.html").as_uri()
        opened.goto(url)
        opened.mouse.move(200, 300)
        assert opened.title() == "tiny.reason-first on eval_v1"
        assert asked == [url]
        assert opened.locator("script, img, iframe, b, h1 h1").count() == 0
        opened.set_viewport_size({"width": 360, "height": 800})
        assert opened.evaluate("document.documentElement.scrollWidth") == 360


def test_they_are_text_on_the_terminal(store: Store) -> None:
    printed = run(store, *ASKED)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", printed)
    for text in HOSTILE[:-1]:
        assert plain(text) in printed
    assert "\\<script>document.title" in printed
    assert not re.search(r"(?<!\\)<", printed)
    assert "\\[link\\](https://example.com)" in printed


def test_cells_of_tables_stay_cells(store: Store) -> None:
    rows = [line for line in run(store, *ASKED).splitlines() if line.startswith("|")]
    assert rows
    columns = None
    for row in rows:
        found = len(re.findall(r"(?<!\\)(?:\\\\)*\|", row))
        if re.fullmatch(r"[|\-: ]+", row):
            assert found == columns
        columns = found


def test_a_cell_holds_no_bar_and_no_line_break() -> None:
    assert plain("a|b\nc\\|d") == "a\\|b c\\\\\\|d"
