"""A headless Chromium."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from annotation.home import Credentials

_FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
WIDTH, HEIGHT = 1366, 768


@contextmanager
def page() -> Iterator[Page]:
    """An empty page of a browser with a profile of its own, as large as a laptop's screen."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("Chromium is not installed (on Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory(prefix="tierwise-chromium-") as profile, sync_playwright() as playwright:
        browser = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=program,
            headless=True,
            args=_FLAGS,
            viewport={"width": WIDTH, "height": HEIGHT},
        )
        try:
            yield browser.pages[0]
        finally:
            browser.close()


def sign_in(shown: Page, url: str, user: Credentials) -> None:
    """Sign in as a person does."""
    shown.goto(url)
    shown.locator("input[name=Username]").fill(user.username)
    shown.locator("input[name=Password]").fill(user.password)
    shown.keyboard.press("Enter")
    shown.get_by_text("Your datasets").wait_for()


def keep(shown: Page, name: str) -> None:
    """Keep a picture where ``TIERWISE_SCREENSHOTS`` names a folder, for the documents."""
    if folder := os.environ.get("TIERWISE_SCREENSHOTS"):
        shown.screenshot(path=Path(folder) / f"argilla-{name}.png")
