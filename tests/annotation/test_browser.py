"""What an annotator sees."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.annotation.browser import keep, page, sign_in
from tests.annotation.review import Review, record

if TYPE_CHECKING:
    from tests.annotation.conftest import Served

# Fonts are the one thing that Argilla's pages fetch elsewhere; they do without.
_FONTS = "fonts.googleapis.com"


def test_an_annotator_signs_in_and_finds_their_records(on_sqlite: Served) -> None:
    review = Review(on_sqlite)
    review.log([record(f"r{i}", f"red pan {i}", "holds 5<6 inch") for i in range(5)])
    with page() as shown:
        asked: set[str] = set()
        shown.on("request", lambda request: asked.add(urlsplit(request.url).hostname or ""))
        sign_in(shown, on_sqlite.url, on_sqlite.user("ann"))
        shown.get_by_text(str(review.dataset.name)).wait_for()
        keep(shown, "home")
        shown.get_by_text(str(review.dataset.name)).click()
        shown.get_by_text(re.compile("red pan")).first.wait_for()
        assert asked - {"127.0.0.1", _FONTS, ""} == set()
    review.dataset.delete()


def test_a_wrong_password_is_told(on_sqlite: Served) -> None:
    with page() as shown:
        shown.goto(on_sqlite.url)
        shown.locator("input[name=Username]").fill("ann")
        shown.locator("input[name=Password]").fill("not it")
        shown.keyboard.press("Enter")
        shown.get_by_text(re.compile("wrong|invalid|could not", re.IGNORECASE)).first.wait_for()
