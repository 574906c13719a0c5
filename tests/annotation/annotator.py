"""A person who reviews: Argilla's page of a dataset, driven by mouse and keyboard."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection

    from playwright.sync_api import Locator, Page, Response

TIER, QUALITY, STEPS = "Which tier is right?", "How good is the reasoning?", "Which steps fail?"
SPANS, CORRECTION, NOTE = "Hallucinated spans", "Corrected rationale", "Note"
"""Titles of the questions."""

_FIELD = ".span-annotation__field"
_NOTHING = ".wrapper__text"
"""What is shown where no record is left."""

# Where a click puts the caret before a unit of the text. That can be at any border of what a reader takes for one
# character, so not inside an emoji, and not between a letter and its accent. Near an edge a drag would scroll.
_PLACE = """
(field, offset) => {
  const node = field.firstChild;
  const scrolls = element => element.scrollHeight > element.clientHeight
    && /auto|scroll/.test(getComputedStyle(element).overflowY);
  let scroller = field.parentElement;
  while (scroller.parentElement && !scrolls(scroller)) scroller = scroller.parentElement;
  const view = scroller.getBoundingClientRect();
  const boxes = (from, to) => {
    const range = new Range();
    range.setStart(node, Math.max(0, from));
    range.setEnd(node, Math.min(node.length, to));
    return [...range.getClientRects()];
  };
  const row = (left, right, y) =>
    Array.from({length: Math.max(0, right - left)}, (_, step) => [Math.floor(left) + step, Math.round(y)]);
  const near = () => boxes(offset - 1, offset + 1).flatMap(
    box => row(box.left - 1, box.right + 2, (box.top + box.bottom) / 2));
  const further = () => {
    const area = field.getBoundingClientRect();
    return boxes(offset - 2, offset + 2).flatMap(box => [(box.top + box.bottom) / 2, box.bottom + box.height].flatMap(
      y => row(area.left, area.right, y)));
  };
  const hits = ([x, y]) => [y - 2, y, y + 2].every(y => {
    const caret = document.caretRangeFromPoint(x, y);
    return caret?.startContainer === node && caret.startOffset === offset
      && document.elementFromPoint(x, y) === field;
  });
  const wellInside = ([, y]) => view.top + 40 < y && y < view.bottom - 40;
  const toTheMiddle = () => {
    const around = boxes(offset - 2, offset + 2);
    const middle = (Math.min(...around.map(box => box.top)) + Math.max(...around.map(box => box.bottom))) / 2;
    scroller.scrollBy({top: middle - (view.top + view.bottom) / 2, behavior: "instant"});
  };
  const place = near().filter(wellInside).find(hits);
  if (place) return place;
  toTheMiddle();
  return near().find(hits) ?? further().find(hits) ?? null;
}
"""

_SELECTED = """
(field) => {
  const selection = getSelection();
  if (selection.anchorNode !== field.firstChild || selection.focusNode !== field.firstChild) return null;
  return [selection.anchorOffset, selection.focusOffset];
}
"""

_MARKED = """
(field) => [...CSS.highlights].flatMap(([name, ranges]) => {
  const label = name.startsWith("hl-") && document.getElementById(name.slice(3));
  return label ? [...ranges].filter(range => field.contains(range.startContainer))
    .map(range => [label.name, range.startOffset, range.endOffset]) : [];
}).sort((one, other) => one[1] - other[1])
"""


class Annotator:
    """Answers the records of a dataset on `page`, where somebody has signed in."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def open(self, dataset: str) -> None:
        """Go to the first record of a dataset, by way of the list of them."""
        home = self.page.get_by_role("link", name="Home", exact=True)
        if home.count():
            home.click()
        self.page.get_by_text("Your datasets").wait_for()
        self.page.get_by_text(dataset, exact=True).first.click()
        self._shown.wait_for()

    @property
    def record_id(self) -> str | None:
        """The server's id of the record that is shown; none where none is left."""
        return (self._field.get_attribute("id") or "")[-36:] if self._field.count() else None

    def fields(self) -> dict[str, str]:
        """What each field shows, by its title."""
        shown = {}
        for block in self.page.locator(".fields .text_field_component").all():
            content = block.locator(f"{_FIELD}, .markdown-render").first
            shown[block.locator(".text_field_component__title-content").inner_text()] = content.inner_text()
        return shown

    def reasoning_text(self) -> str:
        """The text in which spans are marked."""
        return self._field.text_content() or ""

    def choose(self, label: str, question: str = TIER) -> None:
        """Choose the label of a question that has one answer."""
        if not self._is_chosen(question, label):
            self._click(question, label)

    def rate(self, stars: int, question: str = QUALITY) -> None:
        """Choose a rating."""
        self.choose(str(stars), question)

    def choose_steps(self, labels: Collection[str], question: str = STEPS) -> None:
        """Choose these labels and no others."""
        for label in self._labels(question):
            if self._is_chosen(question, label) != (label in labels):
                self._click(question, label)

    def chosen(self, question: str) -> list[str]:
        """Labels or ratings that are chosen."""
        return [label for label in self._labels(question) if self._is_chosen(question, label)]

    def mark(self, kind: str, start: int, stop: int) -> None:
        """Mark a span of the reasoning, in UTF-16 units of the text that is shown.

        Raises:
            ValueError: The mouse cannot select just that.
        """
        length = self._field.evaluate(
            "field => field.childNodes.length === 1 ? field.firstChild.length ?? 0 : 0"
        )
        if not 0 <= start < stop <= length:
            raise ValueError(f"no span from {start} to {stop} in one text of {length}")
        self.choose(kind, SPANS)
        # Where writing goes both ways, one of the two may select what the other cannot.
        if not (self._drag(start, stop) or self._drag(stop, start)):
            raise ValueError(f"the mouse cannot select {start} to {stop} of {self.reasoning_text()!r}")
        assert (kind, start, stop) in self.marked(), f"{(kind, start, stop)} not in {self.marked()}"

    def unmark(self, start: int) -> None:
        """Take away the span that starts there, with the cross at its name."""
        position = [span[1] for span in self.marked()].index(start)
        badge = self.page.locator(".span-entity__container").nth(position)
        badge.hover()
        badge.locator(".span-entity__close-button").click()

    def marked(self) -> list[tuple[str, int, int]]:
        """Kind, start and stop of the spans, in the order of the text."""
        return [(kind, start, stop) for kind, start, stop in self._field.evaluate(_MARKED)]

    def write(self, question: str, text: str) -> None:
        """Replace what a text question says. Once it has had two lines, the page adds a line break to its end."""
        editor = self._question(question).locator("[contenteditable]")
        editor.click()
        self.page.keyboard.press("Control+A")
        self.page.keyboard.press("Delete")
        for number, line in enumerate(text.split("\n")):
            if number:
                self.page.keyboard.press("Enter")
            self.page.keyboard.insert_text(line)

    def written(self, question: str) -> str:
        """What a text question says."""
        return self._question(question).locator("[contenteditable]").inner_text()

    def submit(self) -> dict[str, Any]:
        """Submit, and go on to the next record; the last of those that are submitted stays."""
        return self._end("submit")

    def discard(self) -> dict[str, Any]:
        """Discard, and go on to the next record, as with `submit`."""
        return self._end("discard")

    def save_draft(self) -> dict[str, Any]:
        """Save as a draft, and stay."""
        with self.page.expect_response(_keeps_a_response) as kept:
            self._press("draft")
        answer = _answer(kept.value)
        self.page.locator("form.--draft:not(.--saving-draft)").wait_for()
        return answer

    def go_to_status(self, status: str) -> None:
        """Show the records that are Pending, Draft, Discarded or Submitted."""
        if self._status() == status.lower():
            return
        self._status_button.click()
        option = self.page.locator(".filter-status .dropdown__content").get_by_text(
            re.compile(f"^{status}$", re.IGNORECASE)
        )
        with self.page.expect_response(_finds_records):
            option.click()
        self._shown.wait_for()

    @property
    def _status_button(self) -> Locator:
        return self.page.locator(".filter-status .dropdown__header button")

    def _status(self) -> str:
        """The list that is shown."""
        return self._status_button.inner_text().strip().lower()

    @property
    def _shown(self) -> Locator:
        return self.page.locator(f"{_FIELD}, {_NOTHING}").first

    @property
    def _field(self) -> Locator:
        return self.page.locator(_FIELD)

    def _question(self, title: str) -> Locator:
        named = self.page.locator(f".title-area[aria-label={json.dumps(title)}]")
        return self.page.locator(".questions > div").filter(has=named)

    def _labels(self, question: str) -> list[str]:
        inputs = self._question(question).locator(".inputs-area input")
        return [str(name) for name in inputs.evaluate_all("inputs => inputs.map(input => input.name)")]

    def _is_chosen(self, question: str, label: str) -> bool:
        return self._question(question).locator(f"input[name={json.dumps(label)}]").is_checked()

    def _click(self, question: str, label: str) -> None:
        self._question(question).get_by_text(label, exact=True).click()

    def _drag(self, start: int, stop: int) -> bool:
        """Select with the mouse; whether it could be done."""
        mouse, keyboard = self.page.mouse, self.page.keyboard
        if self._place(stop) is None or (place := self._place(start)) is None:
            return False
        # What is still selected would be dragged away.
        mouse.click(*place)
        mouse.down()
        # A selection starts where the button was pressed, as of the first move: scrolling before it would shift that.
        mouse.move(place[0] + 2, place[1])
        if (end := self._place(stop)) is not None:
            mouse.move(*end, steps=4)
            mouse.move(*end)
        selected = self._field.evaluate(_SELECTED)
        if selected != [start, stop]:
            # Selecting nothing marks nothing.
            mouse.move(*(self._place(start) or place))
            mouse.up()
            return False
        # Without Shift a span grows to whole words. Pressed earlier, it would extend the selection that was there.
        keyboard.down("Shift")
        mouse.up()
        keyboard.up("Shift")
        return True

    def _place(self, offset: int) -> tuple[float, float] | None:
        """Where on the screen the mouse puts the caret before a unit of the text, scrolled there if need be."""
        place = self._field.evaluate(_PLACE, offset)
        return (place[0], place[1]) if place else None

    def _end(self, button: str) -> dict[str, Any]:
        """Press a button that goes on to the next record; return the response that the server kept."""
        before = self.record_id
        next_button = self.page.locator(".pagination__button[aria-label^=Next]")
        if next_button.is_enabled():
            with self.page.expect_response(_keeps_a_response) as kept:
                self._press(button)
            answer = _answer(kept.value)
            self.page.locator(f"{_FIELD}:not([id$='{before}']), {_NOTHING}").first.wait_for()
            return answer
        # After the last of a list the page asks for more. If none is found, it says so; but what is submitted it
        # goes on to show.
        with (
            self.page.expect_response(_finds_records) as found,
            self.page.expect_response(_keeps_a_response) as kept,
        ):
            self._press(button)
        answer, more = _answer(kept.value), _answer(found.value)
        if more["items"]:
            ids = [item["record"]["id"] for item in more["items"]]
            self.page.locator(", ".join(f"{_FIELD}[id$='{id_}']" for id_ in ids)).wait_for()
        elif self._status() != "submitted":
            self.page.locator(_NOTHING).wait_for()
        self.page.locator("form.questions-form:not(.--waiting)").wait_for()
        return answer

    def _press(self, button: str) -> None:
        self.page.locator(f"button.button--{button}").click()


def _answer(response: Response) -> dict[str, Any]:
    assert response.ok, f"{response.status} {response.text()}"
    answer: dict[str, Any] = response.json()
    return answer


def _finds_records(response: Response) -> bool:
    return "/records/search" in response.url


def _keeps_a_response(response: Response) -> bool:
    return response.request.method in {"POST", "PUT"} and bool(
        re.search(r"/records/[^/]+/responses$|/responses/[^/]+$", response.url)
    )
