"""Elasticsearch's ``simple_query_string``, as Argilla asks for it: words are joined by AND unless told otherwise.

``+`` AND, ``|`` OR, ``-`` NOT, ``"…"`` phrase, a trailing ``*`` prefix, parentheses. As there, operators bind from
left to right, and what makes no sense is passed over, so that no query is an error. The ``~`` of fuzziness and slop is
read and not applied.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from argilla_database_search.tokens import runs, tokens


@dataclass(frozen=True)
class Phrase:
    """Words that follow each other; the last may be the beginning of one."""

    words: tuple[str, ...]
    is_prefix: bool = False


@dataclass(frozen=True)
class Not:
    """What `part` does not match."""

    part: Node


@dataclass(frozen=True)
class Group:
    """All of `parts`, or any."""

    parts: tuple[Node, ...]
    any_of: bool = False


Node = Phrase | Not | Group

_SYMBOL = re.compile(
    r'\s*(?:(?P<operator>[+|()])|(?P<negation>-+)|"(?P<phrase>(?:\\.|[^"\\])+)"(?:~\d*)?'
    r'|(?P<word>(?:\\.|[^\s+|()"\\])+)|["\\])',
    re.DOTALL,
)
_FUZZINESS = re.compile(r"~\d*$")
_DEEPEST = 50
"""Parentheses within each other that count."""
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def parse(text: str) -> Node | None:
    """What `text` asks for; None where it holds no word, which matches nothing."""
    symbols = [(found.lastgroup or "", found[found.lastgroup or 0]) for found in _SYMBOL.finditer(text)]
    return _Parser([symbol for symbol in symbols if symbol[0]]).group()


def phrases(node: Node) -> list[Phrase]:
    """Phrases whose presence is asked for, in order: what a match is ranked by."""
    if isinstance(node, Phrase):
        return [node]
    if isinstance(node, Not):
        return []
    return [phrase for part in node.parts for phrase in phrases(part)]


class _Parser:
    def __init__(self, symbols: list[tuple[str, str]]) -> None:
        self._symbols = symbols
        self._next = 0

    def group(self, depth: int = 0) -> Node | None:
        """Up to the parenthesis that closes it, or the end."""
        found: Node | None = None
        any_of = negated = False
        while self._next < len(self._symbols):
            kind, text = self._symbols[self._next]
            self._next += 1
            part: Node | None = None
            if kind == "negation":
                negated = negated != (len(text) % 2 == 1)
                continue
            if kind == "operator" and text in "+|":
                any_of, negated = text == "|", False
                continue
            if kind == "operator" and text == ")":
                if depth:
                    break
                continue
            if kind == "operator":
                part = self.group(depth + 1) if depth < _DEEPEST else None
            elif kind == "phrase":
                words = tuple(tokens(_ESCAPE.sub(r"\1", text)))
                part = Phrase(words) if words else None
            elif kind == "word":
                part = _words(text)
            if part is not None:
                part = Not(part) if negated else part
                found = part if found is None else _joined(found, part, any_of=any_of)
                any_of = False
            negated = False
        return found


def _words(text: str) -> Node | None:
    is_prefix = text.endswith("*") and not text.endswith("\\*")
    found = [tuple(run) for run in runs(_ESCAPE.sub(r"\1", _FUZZINESS.sub("", text)))]
    if not found:
        return None
    parts: list[Node] = [Phrase(run) for run in found[:-1]]
    parts.append(Phrase(found[-1], is_prefix))
    return parts[0] if len(parts) == 1 else Group(tuple(parts))


def _joined(found: Node, part: Node, *, any_of: bool) -> Group:
    if isinstance(found, Group) and found.any_of == any_of:
        return Group((*found.parts, part), any_of)
    return Group((found, part), any_of)
