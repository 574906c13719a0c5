"""Rulebooks are read with every fault named at its line, and written so that they read back."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curation.rulebook.reading import built_in, built_in_names, read_rulebook, read_with_faults, to_yaml
from curation.rulebook.rule import Example, Rule, Scope, When
from tests.curation.rulebook.books import rulebooks
from warehouse.errors import TierwiseError

if TYPE_CHECKING:
    from pathlib import Path

    from curation.rulebook.rule import Rulebook

_reused_folder = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)

FULL = """\
rulebook: shop
version: 2
about: One line.
rules:
  - id: same-family
    text: >-
      Goods of one family do the same job,
      so a substitute is Related at best.
    tier: 3
    when: {relation: substitute}
    scope: {category: [running shoes, hiking boots], kind: knowledge, locale: no}
    examples:
      - {query: "hiking boots", item: "Bistro Running Shoes", why: "the same job, another shoe"}
    counter-examples:
      - {query: 501, item: Jeans}
    valid: {from: 2026-01-01, to: 2026-12-31}
  - id: mud-needs-lugs
    text: Mud needs a lugged sole.
    scope: {attribute: sole}
    over: same-family
"""


def _faults(folder: Path, text: str | bytes) -> list[tuple[int, str]]:
    path = folder / "book.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    book, faults = read_with_faults(path)
    assert (book is None) == bool(faults)
    return [(fault.line, fault.text) for fault in faults]


def test_every_field_is_read(tmp_path: Path) -> None:
    path = tmp_path / "book.yaml"
    path.write_text(FULL, encoding="utf-8")
    book = read_rulebook(path)
    assert (book.name, book.version, book.about) == ("shop", 2, "One line.")
    assert book.rules == (
        Rule(
            "same-family",
            "Goods of one family do the same job, so a substitute is Related at best.",
            3,
            # YAML takes an unquoted `no` for a truth value and 501 for a number; here both are texts.
            Scope(("running shoes", "hiking boots"), ("knowledge",), (), ("no",)),
            When(("substitute",)),
            (),
            (Example("hiking boots", "Bistro Running Shoes", "the same job, another shoe"),),
            (Example("501", "Jeans"),),
            date(2026, 1, 1),
            date(2026, 12, 31),
        ),
        Rule(
            "mud-needs-lugs",
            "Mud needs a lugged sole.",
            scope=Scope(attribute=("sole",)),
            over=("same-family",),
        ),
    )


@given(rulebooks(texts=True, days=True))
@_reused_folder
def test_what_is_written_reads_back(tmp_path: Path, book: Rulebook) -> None:
    path = tmp_path / "book.yaml"
    path.write_text(to_yaml(book), encoding="utf-8")
    assert read_rulebook(path) == book


# What mends a fault stands in the first text, the fault in the second, and then its line and words of its message.
PLANTED = [
    ("rulebook: shop", "rulebook: Shop Rules", 1, '"Shop Rules" is no name'),
    ("version: 2", "version: 0", 2, 'version "0"'),
    ("about: One line.", "abuot: One line.", 3, 'did you mean "about"?'),
    ("    tier: 3\n", "    tier: 7\n", 9, 'rule same-family: tier "7" does not exist; write 4 (Excellent)'),
    ("relation: substitute", "relation: substitude", 10, 'did you mean "substitute"?'),
    ("kind: knowledge", "kind: knowlege", 11, 'did you mean "knowledge"?'),
    (', item: "Bistro Running Shoes"', "", 13, "rule same-family: an example has no item"),
    ("query: 501", "query: ~", 15, "query is blank"),
    ("to: 2026-12-31", "to: 2025-12-31", 16, "valid to 2025-12-31 but only from 2026-01-01"),
    (
        "over: same-family",
        "over: same-familly",
        20,
        'there is no rule "same-familly"; did you mean "same-family"?',
    ),
    ("Mud needs a lugged sole.", "''", 18, "rule mud-needs-lugs: text is blank"),
    ("scope: {attribute: sole}", "scop: {attribute: sole}", 19, 'did you mean "scope"?'),
]


def test_all_of_a_dozen_planted_faults_are_found_at_their_lines(tmp_path: Path) -> None:
    broken = FULL
    for sound, fault, _, _ in PLANTED:
        assert broken.count(sound) == 1
        broken = broken.replace(sound, fault)
    found = _faults(tmp_path, broken)
    assert len(found) == len(PLANTED)
    for _, _, line, words in PLANTED:
        assert [text for at, text in found if at == line and words in text]


@pytest.mark.parametrize(("sound", "fault", "line", "words"), PLANTED)
def test_a_planted_fault_is_the_only_one_found(
    tmp_path: Path, sound: str, fault: str, line: int, words: str
) -> None:
    ((at, text),) = _faults(tmp_path, FULL.replace(sound, fault))
    assert at == line
    assert words in text


HEAD = "rulebook: a\nversion: 1\n"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "empty"),
        ("- a", 1, "no mapping"),
        ("rulebook: a\nrules: [", 2, "not YAML"),
        ("rulebook: a\nrules: 'b", 2, "not YAML"),
        ("a: b\n---\nc: d\n", 2, "another document"),
        ("rulebook: a\nabout: \x07", 2, "character"),
        (b"rulebook: a\nabout: caf\xe9", 2, "UTF-8"),
        (b"#" * 5_000_001, 1, "5,000,000"),
        ("rulebook: a\nabout: " + "[" * 100_000, 2, "deep"),
        ("rulebook: &n a\nabout: *n", 2, "alias"),
        ("version: 1\nrules: [{id: a, text: b}]", 1, "no rulebook"),
        ("rulebook: a\nrules: [{id: a, text: b}]", 1, "no version"),
        (HEAD, 1, "no rules"),
        (HEAD + "rules: {id: a}", 3, "no list"),
        (HEAD + "rules: [a]", 3, "a rule is no mapping"),
        (HEAD + "rules:\n  - {text: b}", 4, "no id"),
        (HEAD + "rules:\n  - {id: a}", 4, "rule a: a rule has no text"),
        (HEAD + "rules:\n  - {id: a, text: [b]}", 4, "rule a: text is no text"),
        (HEAD + 'rules:\n  - {id: a, text: "b\\0"}', 4, "control character"),
        (HEAD + f"rules:\n  - {{id: a, text: {'b' * 601}}}", 4, "601 characters"),
        (HEAD + "rules:\n  - {id: a, text: b, over: a}", 4, "over itself"),
        (HEAD + "rules:\n  - {id: a, text: b, valid: {to: 31.12.2026}}", 4, "no date"),
        (HEAD + "rules:\n  - {id: a, text: b, valid: {to: 2026-02-30}}", 4, "no date"),
        (HEAD + "rules:\n  - {id: a, text: b}\n  - {id: a, text: c}", 5, "before at line 4"),
        (HEAD + "rules:\n  - id: a\n    text: b\n    tier: 3\n    tier: 2", 7, "before at line 6"),
    ],
)
def test_a_fault_is_named_at_its_line(tmp_path: Path, text: str | bytes, line: int, words: str) -> None:
    ((at, found),) = _faults(tmp_path, text)
    assert at == line
    assert words in found


def test_circles_of_over_are_shown(tmp_path: Path) -> None:
    over = {"a": "b", "b": "c", "c": "a", "d": "a", "e": "f", "f": "e"}
    rules = "".join(f"  - {{id: {name}, text: {name}, over: {other}}}\n" for name, other in over.items())
    found = _faults(tmp_path, f"{HEAD}rules:\n{rules}")
    assert [(line, text.split("; ")[0]) for line, text in found] == [
        (4, "rule a: over runs in a circle: a → b → c → a"),
        (8, "rule e: over runs in a circle: e → f → e"),
    ]


def test_the_first_fault_is_told_in_a_line_with_how_many_follow(tmp_path: Path) -> None:
    path = tmp_path / "book.yaml"
    path.write_text(
        FULL.replace("version: 2", "version: two").replace("tier: 3", "tier: 5"), encoding="utf-8"
    )
    with pytest.raises(TierwiseError) as raised:
        read_rulebook(path)
    text = str(raised.value)
    assert text.startswith(f'{path}:2: version "two" does not exist; ')
    assert text.endswith(f"(and 1 more: `python -m curation rules check {path}` lists them)")
    assert len(text.splitlines()) == 1


def test_a_missing_file_is_told_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(TierwiseError, match=r"none\.yaml: No such file"):
        read_rulebook(tmp_path / "none.yaml")


_KEYS = [
    "rulebook",
    "version",
    "rules",
    "id",
    "text",
    "tier",
    "when",
    "scope",
    "over",
    "examples",
    "valid",
    "from",
    "x",
]
_YAML = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-1, 9)
    | st.floats()
    | st.dates()
    | st.text(max_size=8)
    | st.sampled_from(_KEYS),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(_KEYS) | st.integers(), inner, max_size=6)
    ),
    max_leaves=20,
)


@given(
    _YAML
    | st.fixed_dictionaries(
        {"rulebook": st.just("a"), "version": st.just(1), "rules": st.lists(_YAML, max_size=3)}
    )
)
@_reused_folder
def test_any_yaml_is_a_rulebook_or_has_faults(tmp_path: Path, data: Any) -> None:
    text = yaml.safe_dump(data, allow_unicode=True)
    lines = text.count("\n") + 1
    assert all(1 <= line <= lines and "\n" not in fault for line, fault in _faults(tmp_path, text))


@given(st.binary(max_size=200) | st.text("a:-[]{}&*!|>'\"%@`#? \n\t\\0é", max_size=60).map(str.encode))
@_reused_folder
def test_any_file_is_a_rulebook_or_has_faults(tmp_path: Path, data: bytes) -> None:
    for line, fault in _faults(tmp_path, data):
        assert 1 <= line <= data.count(b"\n") + data.count(b"\r") + data.count(b"\xc2\x85") + 1
        assert fault


def test_built_in_rulebooks_are_found_by_name() -> None:
    assert "general" in built_in_names()
    assert read_rulebook(built_in("general")).name == "general"
    with pytest.raises(TierwiseError, match='did you mean "general"'):
        built_in("generel")
