"""Rulebooks as YAML files: read with every fault named at its line, and written."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from curation.kinds import KINDS
from curation.rationales.rationale import OUTCOMES, RELATIONS, STRENGTHS
from curation.rulebook.fields import MAX_BYTES, Fault, Fields, compose, nearest
from curation.rulebook.rule import Example, Rule, Rulebook, Scope, When
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from collections.abc import Iterator

_BOOKS = Path(__file__).parent / "books"
_BOOK_KEYS = ("rulebook", "version", "about", "rules")
_RULE_KEYS = ("id", "text", "tier", "when", "scope", "over", "examples", "counter-examples", "valid")
_TIERS = "write 4 (Excellent), 3 (Related), 2 (Mismatch) or 1 (Irrelevant)"
_WIDTH = 100


def built_in_names() -> tuple[str, ...]:
    """Names of the rulebooks that come with Tierwise."""
    return tuple(sorted(path.stem for path in _BOOKS.glob("*.yaml")))


def built_in(name: str) -> Path:
    """File of a rulebook that comes with Tierwise.

    Raises:
        TierwiseError: None has this name.
    """
    if name not in built_in_names():
        raise TierwiseError(f"no rulebook {name} comes with Tierwise; {nearest(name, built_in_names())}")
    return _BOOKS / f"{name}.yaml"


def read_rulebook(path: Path) -> Rulebook:
    """Read a rulebook.

    Raises:
        TierwiseError: The file cannot be read or has faults; the first is told, and how many follow.
    """
    book, faults = read_with_faults(path)
    if book is None:
        more = f" (and {len(faults) - 1} more: `python -m curation rules check {path}` lists them)"
        raise TierwiseError(f"{path}:{faults[0].line}: {faults[0].text}{more if len(faults) > 1 else ''}")
    return book


def read_with_faults(path: Path) -> tuple[Rulebook | None, list[Fault]]:
    """Read a rulebook and all that is wrong with it, by line; there is a rulebook where nothing is.

    Raises:
        TierwiseError: The file cannot be read.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise TierwiseError(f"{path}: {error.strerror}; name a rulebook's YAML file") from None
    faults: list[Fault] = []
    root = compose(data, faults)
    if root is None:
        return None, faults or [Fault(1, "the file is empty; begin with `rulebook: NAME`")]
    fields = Fields(root, _BOOK_KEYS, "a rulebook", faults)
    if not isinstance(root, yaml.MappingNode):
        return None, faults
    name = fields.name("rulebook")
    if not fields.has("version"):
        fields.fault("a rulebook has no version; add `version: 1`")
    version = fields.number("version", r"[1-9]\d{0,8}", "count versions from 1")
    about = fields.text("about", needed=False)
    before = len(faults)
    entries = [(_rule(each), each) for each in fields.parts("rules", _RULE_KEYS, "a rule")]
    if not entries and len(faults) == before:
        fields.fault("a rulebook has no rules; add `rules:` with at least one", fields.line_of("rules"))
    _check_names(entries)
    if faults or version is None:
        return None, sorted(faults)
    return Rulebook(name, version, about, tuple(rule for rule, _ in entries)), []


def _rule(fields: Fields) -> Rule:
    name = fields.name("id")
    if name:
        fields.prefix = f"rule {name}: "
    text = fields.text("text")
    tier = fields.number("tier", "[1-4]", _TIERS)
    when = fields.part("when", ("relation", "strength", "outcome"))
    scope = fields.part("scope", ("category", "kind", "attribute", "locale"))
    valid = fields.part("valid", ("from", "to"))
    first, last = (valid.day("from"), valid.day("to")) if valid else (None, None)
    if valid and first and last and last < first:
        valid.fault(f"is valid to {last} but only from {first}; exchange the two", valid.line_of("to"))
    return Rule(
        name,
        text,
        tier,
        Scope(
            scope.names("category"),
            scope.choices("kind", KINDS),
            scope.names("attribute"),
            scope.names("locale"),
        )
        if scope
        else Scope(),
        When(
            when.choices("relation", RELATIONS),
            when.choices("strength", STRENGTHS),
            when.choices("outcome", OUTCOMES),
        )
        if when
        else When(),
        fields.names("over"),
        tuple(_examples(fields, "examples")),
        tuple(_examples(fields, "counter-examples")),
        first,
        last,
    )


def _examples(fields: Fields, key: str) -> Iterator[Example]:
    for each in fields.parts(key, ("query", "item", "why"), "an example"):
        yield Example(each.text("query"), each.text("item"), each.text("why", needed=False))


def _check_names(entries: list[tuple[Rule, Fields]]) -> None:
    """Note ids that stand twice, and what is wrong with ``over``."""
    seen: dict[str, Fields] = {}
    for rule, fields in entries:
        if rule.name and seen.setdefault(rule.name, fields) is not fields:
            line = seen[rule.name].line_of("id")
            fields.fault(f"the id stands twice, before at line {line}; rename one", fields.line_of("id"))
    over: dict[str, list[str]] = {}
    for rule, fields in entries:
        for other in rule.over:
            if other == rule.name:
                fields.fault("is over itself; take its own id out of over", fields.line_of("over"))
            elif other not in seen:
                fields.fault(
                    f'over: there is no rule "{other}"; {nearest(other, list(seen))}', fields.line_of("over")
                )
            else:
                over.setdefault(rule.name, []).append(other)
    for cycle in _cycles(over):
        way = " → ".join((*cycle, cycle[0]))
        seen[cycle[0]].fault(f"over runs in a circle: {way}; take one out", seen[cycle[0]].line_of("over"))


def _cycles(over: dict[str, list[str]]) -> Iterator[list[str]]:
    """Circles of names, one for each edge that closes one in a walk in the order of the file."""
    done: set[str] = set()
    for start, others in over.items():
        path = {} if start in done else {start: iter(others)}
        while path:
            name = next(reversed(path))
            following = next(path[name], None)
            if following is None:
                done.add(name)
                del path[name]
            elif following in path:
                names = list(path)
                yield names[names.index(following) :]
            elif following not in done:
                path[following] = iter(over.get(following, ()))


class _Flow(dict[str, Any]):
    """A mapping written in braces."""


class _Dumper(yaml.SafeDumper):
    """Indents the entries of a list, and writes `_Flow` in braces and lists within rules in brackets."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        return super().increase_indent(flow, False)


_Dumper.add_representer(
    _Flow, lambda dumper, data: dumper.represent_mapping("tag:yaml.org,2002:map", data, flow_style=True)
)
_Dumper.add_representer(
    tuple, lambda dumper, data: dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=True)
)


def to_yaml(book: Rulebook) -> str:
    """The rulebook as a file, which `read_rulebook` reads back, white space in texts aside."""
    head: dict[str, Any] = {"rulebook": book.name, "version": book.version}
    if book.about:
        head["about"] = book.about
    rules = [_dump({"rules": [_fields(rule)]}).split("\n", 1)[1] for rule in book.rules]
    return f"{_dump(head)}rules:\n" + "\n".join(rules)


def _dump(data: dict[str, Any]) -> str:
    text: str = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH)
    return text


def _fields(rule: Rule) -> dict[str, Any]:
    fields = {
        "id": rule.name,
        "text": rule.text,
        "tier": rule.tier,
        "when": _filled(asdict(rule.when)),
        "scope": _filled(asdict(rule.scope)),
        "over": _scalar_or_all(rule.over),
        "examples": [_filled(asdict(each)) for each in rule.examples],
        "counter-examples": [_filled(asdict(each)) for each in rule.counter_examples],
        "valid": _filled({"from": rule.valid_from, "to": rule.valid_to}),
    }
    return {key: value for key, value in fields.items() if value}


def _filled(fields: dict[str, Any]) -> _Flow:
    return _Flow({key: _scalar_or_all(value) for key, value in fields.items() if value})


def _scalar_or_all(value: Any) -> Any:
    return value[0] if isinstance(value, tuple) and len(value) == 1 else value
