"""A report as one HTML file that asks for nothing else: no script, no font, no picture from elsewhere."""

from __future__ import annotations

import secrets
from importlib.resources import files
from typing import TYPE_CHECKING

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from eval.report.charts import probabilities
from eval.report.sections import colophon, title
from eval.report.words import shown
from warehouse.console import printable
from warehouse.tabular import require_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from eval.report.blocks import Section
    from eval.report.data import ReportData


def html(data: ReportData, sections: Sequence[Section]) -> str:
    """The page. All texts are escaped; only the drawings are markup."""
    folder = files("eval.report")
    environment = Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    environment.filters |= {"shown": shown, "lines": lines}
    template = environment.from_string(folder.joinpath("report.html").read_text(encoding="utf-8"))
    return template.render(
        data=data,
        title=title(data),
        sections=sections,
        style=Markup(folder.joinpath("report.css").read_text(encoding="utf-8")),  # noqa: S704 (our own file)
        probabilities=probabilities,
        colophon=colophon(data),
    )


def write_html(path: Path, data: ReportData, sections: Sequence[Section]) -> int:
    """Write the page to `path`, whole or not at all; return its size in bytes.

    Raises:
        TierwiseError: Its folder does not exist.
    """
    require_folder(path)
    content = html(data, sections).encode("utf-8")
    temporary = path.with_name(f".{secrets.token_hex(4)}-{path.name}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return len(content)


def lines(text: str) -> list[str]:
    """The lines of untrusted `text` that hold something, without controls."""
    return [printable(line) for line in text.splitlines() if line.strip()]
