"""The fields of a YAML file, read one by one, so that each fault has its line and none hides the next."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import TYPE_CHECKING, TypeVar

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_BYTES = 5_000_000
MAX_CHARACTERS = 600
# A rulebook nests six deep. Deeper nesting is an attack, which libyaml reads in quadratic time.
_MAX_DEPTH = 20
_LOADER: type[yaml.SafeLoader | yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULL = "tag:yaml.org,2002:null"
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_MAX_COMPARED = 2000
T = TypeVar("T", bound=str)


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """What is wrong at a line, counted from 1, and what to do about it."""

    line: int
    text: str


def compose(data: bytes, faults: list[Fault]) -> yaml.Node | None:
    """The one document of a file; None, with a fault, where it cannot be read any further."""
    if len(data) > MAX_BYTES:
        faults.append(Fault(1, f"the file has more than {MAX_BYTES:,} bytes; split the rulebook"))
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        faults.append(Fault(line, "the file is not UTF-8; save it as UTF-8"))
        return None
    try:
        depth = 0
        for event in yaml.parse(text, Loader=_LOADER):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            line = event.start_mark.line + 1 if event.start_mark else 1
            if depth > _MAX_DEPTH:
                faults.append(Fault(line, f"nested more than {_MAX_DEPTH} deep; a rulebook needs six"))
                return None
            if isinstance(event, yaml.AliasEvent):
                faults.append(Fault(line, "a YAML alias (*name); write out what it stands for"))
        return None if faults else yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        at = error.problem_mark.line if error.problem_mark else 0
        line = min(at, text.count("\n")) + 1
        faults.append(Fault(line, f"not YAML: {error.problem}; mend indentation, quotes or brackets there"))
    except yaml.reader.ReaderError as error:
        # libyaml counts bytes.
        line = text.encode().count(b"\n", 0, error.position) + 1
        faults.append(Fault(line, "a character that YAML does not allow; take it out"))
    return None


class Fields:
    """A mapping whose fields are asked for one by one; what is wrong with them goes to `faults`.

    Args:
        node: What should be a mapping.
        known: The keys that it may have.
        of: What it is, as in "is no key of a rule".
        faults: Grows.
        prefix: Opens each fault, as "rule same-family: ".
    """

    def __init__(
        self, node: yaml.Node, known: Sequence[str], of: str, faults: list[Fault], prefix: str = ""
    ) -> None:
        self.line: int = node.start_mark.line + 1
        self._faults = faults
        self.prefix = prefix
        self._of = of
        self._nodes: dict[str, yaml.Node] = {}
        self._lines: dict[str, int] = {}
        self._readable = isinstance(node, yaml.MappingNode)
        if not self._readable:
            self.fault(f"{of} is no mapping; write it as `key: value` with {', '.join(known)}")
            return
        for key, value in node.value:
            self._take(key, value, known)

    def _take(self, key: yaml.Node, value: yaml.Node, known: Sequence[str]) -> None:
        line, name = key.start_mark.line + 1, str(key.value) if isinstance(key, yaml.ScalarNode) else "[…]"
        if name in self._nodes:
            self.fault(f'"{name}" stands twice, before at line {self._lines[name]}; keep one', line)
        elif name not in known:
            self.fault(f"{shown(name)} is no key of {self._of}; {nearest(name, known)}", line)
        else:
            self._nodes[name] = value
            self._lines[name] = line

    def fault(self, text: str, line: int | None = None) -> None:
        """Note a fault, at the line where the mapping begins unless told otherwise."""
        self._faults.append(Fault(line or self.line, self.prefix + text))

    def has(self, key: str) -> bool:
        """Whether the field is there."""
        return key in self._nodes

    def line_of(self, key: str) -> int:
        """Line of a field's value; that of the mapping where it is missing."""
        return self._nodes[key].start_mark.line + 1 if key in self._nodes else self.line

    def text(self, key: str, *, needed: bool = True) -> str:
        """Text with white space counted as one space; empty where it is missing, blank or faulty."""
        if (node := self._nodes.get(key)) is None:
            if needed and self._readable:
                self.fault(f"{self._of} has no {key}; add `{key}: …`")
            return ""
        text = self._scalar(key, node)
        if text == "" and needed:
            self.fault(f"{key} is blank; fill it in", self.line_of(key))
        return text or ""

    def name(self, key: str) -> str:
        """Lower-case words joined by hyphens; empty where it is none."""
        if (text := self.text(key)) and not _NAME.fullmatch(text):
            self.fault(
                f"{shown(text)} is no name; write lower-case words joined by hyphens, such as same-family",
                self.line_of(key),
            )
            return ""
        if text == "none":
            self.fault(
                '"none" is what rationales say where no rule applies; choose another name', self.line_of(key)
            )
            return ""
        return text

    def names(self, key: str) -> tuple[str, ...]:
        """A text or a list of them; empty where the field is missing."""
        if (node := self._nodes.get(key)) is None:
            return ()
        found = []
        for each in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            text = self._scalar(key, each)
            if text == "":
                self.fault(f"{key} is blank; name something or leave it out", each.start_mark.line + 1)
            elif text:
                found.append(text)
        return tuple(found)

    def choices(self, key: str, known: Sequence[T]) -> tuple[T, ...]:
        """One of `known` or a list of them."""
        by_name = {str(each): each for each in known}
        found = self.names(key)
        for name in found:
            if name not in by_name:
                self.fault(f"{shown(name)} is no {key}; {nearest(name, list(by_name))}", self.line_of(key))
        return tuple(by_name[name] for name in found if name in by_name)

    def number(self, key: str, pattern: str, fix: str) -> int | None:
        """An integer whose digits match `pattern`; None where it is missing or another."""
        if key not in self._nodes or not (text := self.text(key)):
            return None
        if not re.fullmatch(pattern, text):
            self.fault(f"{key} {shown(text)} does not exist; {fix}", self.line_of(key))
            return None
        return int(text)

    def day(self, key: str) -> date | None:
        """A date; None where it is missing or none."""
        if key not in self._nodes or not (text := self.text(key)):
            return None
        try:
            if _DATE.fullmatch(text):
                return date.fromisoformat(text)
        except ValueError:
            pass
        self.fault(f"{key}: {shown(text)} is no date; write it as 2026-12-31", self.line_of(key))
        return None

    def part(self, key: str, known: Sequence[str]) -> Fields | None:
        """A mapping within; None where it is missing or blank."""
        node = self._nodes.get(key)
        if node is None or node.tag == _NULL:
            return None
        return Fields(node, known, key, self._faults, self.prefix)

    def parts(self, key: str, known: Sequence[str], of: str) -> Iterator[Fields]:
        """The mappings of a list."""
        node = self._nodes.get(key)
        if node is None or node.tag == _NULL:
            return
        if not isinstance(node, yaml.SequenceNode):
            self.fault(f"{key} is no list; begin each entry with `- `", self.line_of(key))
            return
        for each in node.value:
            yield Fields(each, known, of, self._faults, self.prefix)

    def _scalar(self, key: str, node: yaml.Node) -> str | None:
        """A scalar as it is written: YAML takes the locale ``no`` for a truth value. None where it is faulty."""
        line = node.start_mark.line + 1
        if not isinstance(node, yaml.ScalarNode):
            self.fault(f"{key} is no text; write it without brackets, braces or a list", line)
            return None
        text = "" if node.tag == _NULL else " ".join(str(node.value).split())
        if len(text) > MAX_CHARACTERS:
            self.fault(
                f"{key} has {len(text)} characters, at most {MAX_CHARACTERS} fit a prompt; shorten it", line
            )
            return None
        if any(unicodedata.category(each) == "Cc" for each in text):
            self.fault(f"{key} has a control character; take it out", line)
            return None
        return text


def shown(text: str) -> str:
    """A text of the file, quoted and short."""
    return f'"{text}"' if len(text) <= 40 else f'"{text[:39]}…"'


def nearest(name: str, known: Sequence[str]) -> str:
    """What may have been meant."""
    if len(known) <= _MAX_COMPARED and (close := get_close_matches(name, known, 1)):
        return f'did you mean "{close[0]}"?'
    return f"known are {', '.join(known)}" if len(known) <= 12 else "none is like it"
