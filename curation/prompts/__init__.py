"""The prompt registry: templates as text files beside this module, identified by their content.

A template is a head of ``name: value`` lines, then ``[system]`` and ``[user]`` sections with the placeholders
``$query``, ``$title``, ``$brand``, ``$price`` and ``$description``, for a teacher also ``$rules`` and ``$gold``. Item
text is data: it stands between tags that it cannot close, and no placeholder in it is ever filled.
"""

from __future__ import annotations

import importlib.resources
import json
import re
import string
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from curation.backends import Message
from curation.rationales.rationale import TIER_NAMES
from warehouse.errors import TierwiseError
from warehouse.ids import content_id

if TYPE_CHECKING:
    import uuid
    from collections.abc import Sequence

    from curation.grading import Format
    from curation.rulebook.rule import Rule

Purpose = Literal["judgments", "rationales", "rationales-for-gold", "continuations"]

DEFAULT_TEMPLATE = "answer-first"

# Our own tags, and what chat templates take for the end of a turn: <|im_end|>, </s>, <end_of_turn>, [/INST].
_TAG = re.compile(r"<(?=\s*[/!|｜A-Za-z_])|\[(?=/?[A-Z_]{3,}\])")
_NEUTRAL = {"<": "‹", "[": "⁅"}


@dataclass(frozen=True, slots=True)
class Template:
    """A prompt template.

    Attributes:
        name: Name in the registry.
        text: The whole file; its hash is the template's id.
        format: Where the tier stands in the answers it asks for.
        purpose: What its answers are for: judgments of a model's own; rationales of a teacher, who is told the gold
            tier or is not; or continuations of judgments that are given in part.
        description_characters: A longer description is cut there, at a word, with an ellipsis.
        system: Text of the system message, without placeholders.
        user: Text of the user message.
    """

    name: str
    text: str
    format: Format
    purpose: Purpose
    description_characters: int
    system: str
    user: str

    @property
    def prompt_id(self) -> uuid.UUID:
        """Id in ``prompts``."""
        return content_id("prompt", self.text)

    def render(
        self,
        query: str,
        title: str,
        *,
        description: str | None = None,
        brand: str | None = None,
        price: str | None = None,
        rules: Sequence[Rule] = (),
        gold: int | None = None,
    ) -> tuple[Message, ...]:
        """Chat messages for one pair; a line whose field is missing or blank is left out."""
        # Without line breaks, a title cannot pose as a line of ours.
        fields = {
            name: " ".join((value or "").split())
            for name, value in {"query": query, "title": title, "brand": brand, "price": price}.items()
        }
        fields["description"] = _cut((description or "").strip(), self.description_characters)
        fields["rules"] = "\n".join(f"{rule.name}: {rule.text}" for rule in rules)
        fields["gold"] = "" if gold is None else f"{gold} {TIER_NAMES[gold]}"
        lines = [
            line
            for line in self.user.splitlines()
            if not any(line.endswith(f"${name}") and not value for name, value in fields.items())
        ]
        filled = string.Template("\n".join(lines)).substitute(
            {name: neutralise(value) for name, value in fields.items()}
        )
        return (Message("system", self.system), Message("user", filled))


def template_names() -> list[str]:
    """Names of the registered templates."""
    files = importlib.resources.files(__name__).iterdir()
    return sorted(file.name.removesuffix(".txt") for file in files if file.name.endswith(".txt"))


def load_judging_template(name: str) -> Template:
    """The template called `name`, for a model that judges by itself.

    Raises:
        TierwiseError: No such template, or it is for teachers.
    """
    template = load_template(name)
    if template.purpose != "judgments":
        raise TierwiseError(f"prompt {name} is for teachers; `python -m curation rationales` asks them")
    return template


def load_template(name: str) -> Template:
    """The template called `name`.

    Raises:
        TierwiseError: No such template.
    """
    if name not in template_names():
        raise TierwiseError(f"no prompt {name!r}; there are {', '.join(template_names())}")
    text = (importlib.resources.files(__name__) / f"{name}.txt").read_text(encoding="utf-8")
    return parse_template(name, text)


def parse_template(name: str, text: str) -> Template:
    """Read a template file's `text`."""
    head, rest = text.split("[system]\n", 1)
    system, user = rest.split("[user]\n", 1)
    values = dict(line.split(": ", 1) for line in head.splitlines())
    form, purpose = values["format"], values.get("purpose", "judgments")
    assert form in ("answer-first", "reason-first")
    assert purpose in get_args(Purpose)
    return Template(
        name=name,
        text=text,
        format=form,  # type: ignore[arg-type]
        purpose=purpose,  # type: ignore[arg-type]
        description_characters=int(values["description-characters"]),
        system=system.strip(),
        user=user.strip(),
    )


def for_continuing(template: Template) -> Template:
    """The same prompt as `template`, a template for judgments, for answers whose beginning is given."""
    return parse_template(f"{template.name}, continued", f"purpose: continuations\n{template.text}")


def neutralise(text: str) -> str:
    """`text` with all that could close a tag of ours, or end a turn, made harmless."""
    return _TAG.sub(lambda tag: _NEUTRAL[tag[0]], text)


def messages_json(messages: tuple[Message, ...]) -> str:
    """JSON of chat messages, as ``rendered_prompts.messages`` holds them and TRL reads them."""
    return json.dumps([{"role": m.role, "content": m.content} for m in messages], ensure_ascii=False)


def prompt_hash(messages: tuple[Message, ...]) -> uuid.UUID:
    """Hash of a rendered prompt, part of every sample's key."""
    return content_id("rendered prompt", messages_json(messages))


def prompt_row(template: Template, run_id: str) -> dict[str, str]:
    """Row of ``prompts``."""
    return {
        "prompt_id": str(template.prompt_id),
        "name": template.name,
        "format": template.format,
        "purpose": template.purpose,
        "text": template.text,
        "run_id": run_id,
    }


def rendered_prompt_row(
    messages: tuple[Message, ...],
    pair_id: str,
    item_version_id: str,
    prompt_id: uuid.UUID,
    run_id: str,
) -> dict[str, str]:
    """Row of ``rendered_prompts``."""
    return {
        "prompt_hash": str(prompt_hash(messages)),
        "pair_id": pair_id,
        "prompt_id": str(prompt_id),
        "item_version_id": item_version_id,
        "messages": messages_json(messages),
        "run_id": run_id,
    }


def _cut(text: str, characters: int) -> str:
    if len(text) <= characters:
        return text
    head = text[:characters]
    if not text[characters].isspace():
        # A word is cut through; the rest of it goes too, unless it is all there is.
        head = head.rsplit(None, 1)[0] if len(head.split(None, 1)) == 2 else head
    return head.rstrip() + " …"
