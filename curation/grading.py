r"""The one grader: which tier a model's text states, and whether that is the judged one.

A *statement* is the word `tier` (or `\boxed{`) with a value. Everything else in a text is reasoning.

- Marked: `Tier: 3`, `**Tier** = 3`, `"tier": 3`, `Tier (1-4): 3`, `the tier is 3`, `\boxed{3}`. It counts anywhere,
  unless the word before denies it ("not", "if", "rather than", "e.g.") or "if", "when", "unless", "means" follow. After
  a colon or equals sign the name may stand for the digit where it ends its phrase: `Tier: Related`, no `related items`.
- Mentioned: `tier 3` without a mark counts only as a conclusion: it opens its sentence or follows a word of judging
  ("is", "rate it", "falls in", "so"), undenied, and ends its sentence. "A tier 3 item would be" is reasoning.
- Head, answer-first only: the text opens with the number (or `tier` and the number), after white space and Markdown.
  A verdict stands alone, a quantity counts something. So what follows must be the end of the line or of the number's
  own markup (`**3**`, `(3)`), punctuation (`3.`, `3:`, `3 -`), the tier's name as a label, or a word that nobody counts
  ("the", "it", "because"). A noun, unit or preposition (`3 pack`, `3-inch`, `4K`, `2 in 1`, `1st`), a currency sign, a
  closing mark that was never opened (`3)`, `3"`), or a list that goes on with the next number (`1. … 2. …`) makes it
  no verdict.

A value is read whole. A lone ASCII 1 to 4, the character that serving reads, is a tier. Any other numeral (`0`, `35`,
`3.5`, `-3`, `３`, `٣`) is out of range. Two tiers (`3 or 4`, `3/4`, `2-3`, `3 (Mismatch)`) are contradictory. A list
from 1 to 4, or of three tiers each with its name, echoes the instructions and states nothing. Answer-first takes the
first statement and reason-first the last, also where that one is out of range or contradictory: no other rescues it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Format = Literal["answer-first", "reason-first"]
Outcome = Literal["correct", "wrong", "unparsable"]

GRADER_VERSION = "1"

_TIERS = {"excellent": 4, "related": 3, "mismatch": 2, "irrelevant": 1, "1": 1, "2": 2, "3": 3, "4": 4}
_OPENERS = dict(zip("*_`\"'”’)]}>", "*_`\"'“‘([{<", strict=True))
_WINDOW = 80


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a text states.

    Attributes:
        tier: 1 to 4, or None where the text states no single tier.
        offset: Index in the text of the digit that states the tier, or of the tier's name where there is no digit.
        reason: Why there is no tier: `empty`, `no verdict`, `out of range`, `contradictory`. None when there is one.
    """

    tier: int | None
    offset: int | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Grade:
    """A verdict held against the judged tier.

    Attributes:
        tier: The tier the text states.
        outcome: Whether that is the judged tier.
        distance: How many tiers apart the two are; None when unparsable.
        consistent: False when another statement in the text names a different tier, True when there are others and all
            agree, None when the text says it once or not at all. Statements without a single tier do not count.
    """

    tier: int | None
    outcome: Outcome
    distance: int | None
    consistent: bool | None


# Unbounded repeats are possessive (`*+`): nothing is tried twice, so every text takes linear time. Letters match under
# (?ai:) alone, where case folding stays within ASCII: under Unicode folding "ſ" is an s and no key of _TIERS.
_S = r"[^\S\n]"  # white space within a line
_OPEN = r"[ \t\r\xa0*_`\"'“”‘’(\[{<>#]"
_CLOSE = r"[*_`\"'”’)\]}>]"
_NAME = r"(?ai:excellent|related|mismatch|irrelevant)(?!\w)"

_KEY = re.compile(
    # The set in front lets the engine skip to candidates.
    rf"[Tt\\](?:(?<=\\)boxed\{{(?P<box>(?:\\text\{{)?)"
    rf"|(?<=[Tt])(?<!\w.)(?<!\w-.)(?ai:ier)(?:{_S}(?ai:level|rating|score|number|label)(?!\w))?"
    rf"(?:(?P<mark>(?:{_S}?[(\[][^()\[\]\n]{{0,16}}[)\]])?{_OPEN}{{0,6}}(?:[:：=→⇒]|[-=]>))"
    rf"|(?P<copula>(?:{_S}(?ai:for|of){_S}(?ai:the|this){_S}\w{{1,16}})?{_S}{{1,4}}(?ai:is|should{_S}be)"
    rf"(?:{_S}(?ai:therefore|thus|clearly|definitely|likely))?:?(?=[\s*_`]))"
    rf"|{_OPEN}{{0,4}}[-–]|{_S}{{1,4}}(?ai:of)(?=\s))?)"
    rf"{_OPEN}{{0,8}}(?=[-+−]?\d|{_NAME})"
)
_ATOM = re.compile(rf"(?P<number>[-+−]?\d++(?:\.\d++)*+(?![%°+]|_*+[^\W_]))|(?P<name>{_NAME})")
# Joins that make whatever number follows part of the value, and joins that do so only for a tier set apart by _APART.
_AGAIN = rf"{_OPEN}{{0,6}}(?:(?ai:tier){_OPEN}{{1,4}})?"
_HARD = re.compile(rf"(?:{_CLOSE}{{0,4}}{_S}{{0,4}}(?:/|(?ai:or|to|through)(?!\w))|,(?=\d)|[-–—~]){_AGAIN}")
_SOFT = re.compile(
    rf"{_CLOSE}{{0,6}}{_S}{{0,4}}(?:[,;:|&=(\[]|[-–—]{{1,2}}|(?={_S}))(?:{_S}{{0,4}}(?ai:or|and)(?!\w))?{_AGAIN}"
)
_SENTENCE = (
    r"(?ai:the|this|that|these|those|it|its|i|we|they|there|both|because|since|although|while|as|but)(?!\w)"
)
_BOUNDARY = (
    rf"{_CLOSE}{{0,6}}(?:{_S}*+(?:\n|\Z|\.|:(?!\d)|,(?!\s?\d)|[;!?|=—→]|<[/|]|[-–]{{1,3}}>?(?!\S|\s\d))"
    rf"|{_S}{{1,4}}{_OPEN}{{0,4}}{_SENTENCE})|{_CLOSE}{{1,6}}(?=\s)"
)
_ALONE = re.compile(_BOUNDARY)
_APART = re.compile(rf"{_BOUNDARY}|\W{{1,6}}(?:(?ai:or|and)\W)?(?:[1-4](?!\w)|{_NAME})")

_LEAD = re.compile(r"[\s*_`\"'“‘#>(\[{\ufeff\u200b]*+(?:[-•+][ \t]++)?+[*_`\"'“‘(\[{]*+")
_CLOSED = re.compile(rf"\d++({_CLOSE}*+)")
_ITEM = re.compile(
    r"[\n.;:!?](?:(?:(?<=\n)[ \t*_#>]*+|[ \t]{1,3})(\d++)[.)*_]{1,4}(?=\s)|(?<=\n)[ \t]*+(\d++)[ \t]*+(?:\n|\Z))"
)

_LISTED = rf"\W{{1,4}}{_NAME}"
_THEN = rf"{_LISTED}\W{{1,12}}(?ai:tier)\s"
_ENTRY = re.compile(rf"[\n;,.]\W{{0,8}}(?:(?ai:tier)\W)?(?P<number>\d){_LISTED}")
_SCALE = re.compile(
    rf"(?ai:tier)\s([1-4]){_THEN}(?!\1)([1-4]){_THEN}(?!\1|\2)[1-4]{_LISTED}(?:\W{{1,12}}(?ai:tier)\s[1-4]{_LISTED})?"
)

_GAP = r"[^\w.,;:!?\n]"
_DENIED = (
    r"(?:(?<!\w)(?ai:not|never|nor|neither|cannot|than|instead of|if|unless|whether|between|e\.g\.?,?|example,?|such as"
    r"|at least|at most|(?:would|could|might|may)(?: also| still| then)? be)|(?ai:n['’]t))(?!\w)"
    rf"(?:{_GAP}{{1,4}}(?!(?ai:so|but|thus|hence|then|therefore)(?!\w))[\w'’]{{1,20}}){{0,WORDS}}{_GAP}{{0,6}}\Z"
)
_DENIED_NEAR = re.compile(_DENIED.replace("WORDS", "1"))
_DENIED_FAR = re.compile(_DENIED.replace("WORDS", "4"))
_CONDITION = re.compile(rf"{_CLOSE}{{0,6}},?{_S}(?ai:if|when|unless|means)(?!\w)")
_CONCLUDES = re.compile(
    r"(?:\A|[\n.:;!?→]|['’](?ai:s)(?!\w)|(?<!\w)(?ai:is|be|as|assign|assigned|rate|rated|give|given|gets|deserves|falls"
    r"|belongs|final|verdict|answer|rating|so|thus|therefore|hence|but|overall)(?!\w))"
    r"(?:\W{0,4}(?<!\w)(?ai:a|an|the|it|this|item|in|into|to|at|under|clearly|definitely|likely|best|only|just|final"
    r"|overall|relevance|excellent|related|mismatch|irrelevant)(?!\w)){0,4}\W{0,6}\Z"
)
_ENDS = re.compile(
    rf"{_CLOSE}{{0,6}}(?:{_S}*+(?:\n|\Z|[.!;]|<[/|])|,?{_S}(?ai:because|since|rather|instead|not)(?!\w))"
)

_REASON_LETTERS = 10
_LETTER = re.compile(r"[^\W\d_]")
_FORMS: dict[Format, re.Pattern[str]] = {
    "answer-first": re.compile(r"(?P<tier>[1-4])[ \t\r]*+\n(?P<reason>.*)", re.DOTALL),
    "reason-first": re.compile(r"(?P<reason>.*)\nTier: (?P<tier>[1-4])\s*\Z", re.DOTALL),
}


def parse(text: str, form: Format) -> Verdict:
    """Read the tier a text states, by the rules at the top of this module. Total: any string gets a verdict."""
    return _choose(text, form, _statements(text, form))


def grade(text: str, form: Format, gold: int) -> Grade:
    """Hold the tier a text states against `gold`, the judged tier (1 to 4, or ValueError)."""
    if gold not in (1, 2, 3, 4):
        raise ValueError(f"a judged tier is 1 to 4, not {gold!r}")
    statements = _statements(text, form)
    verdict = _choose(text, form, statements)
    if verdict.tier is None:
        return Grade(None, "unparsable", None, None)
    others = {other.tier for other in statements if other is not verdict} - {None}
    return Grade(
        verdict.tier,
        "correct" if verdict.tier == gold else "wrong",
        abs(verdict.tier - gold),
        others == {verdict.tier} if others else None,
    )


def contradictions(text: str, form: Format) -> list[tuple[int, int]]:
    """Where a text states another tier than its verdict: start and end of each digit or name that does."""
    statements = _statements(text, form)
    verdict = _choose(text, form, statements)
    others = [
        other.offset
        for other in statements
        if None not in (other.tier, other.offset, verdict.tier) and other.tier != verdict.tier
    ]
    return [found.span() for offset in others if offset is not None and (found := _ATOM.match(text, offset))]


def statement_spans(text: str) -> list[tuple[int, int]]:
    """Where a text states a tier in either form, or tries to: start and end of each statement, its key among it.

    What an answer-first text opens with comes first.
    """
    opening = [(0, head[1])] if (head := _head(text)) else []
    return opening + [(start, end) for _, start, end in _keyed(text, 0)]


def follows_format(text: str, form: Format) -> bool:
    """Whether the verdict stands exactly where the prompt wants it, with a reason of ten letters or more beside it.

    Answer-first: the text begins with the digit, alone on its line. Reason-first: the last line is `Tier: <digit>`.
    """
    found = _FORMS[form].match(text)
    return bool(
        found
        and len(_LETTER.findall(found["reason"])) >= _REASON_LETTERS
        and parse(text, form).offset == found.start("tier")
    )


def _choose(text: str, form: Format, statements: list[Verdict]) -> Verdict:
    if statements:
        return statements[0 if form == "answer-first" else -1]
    return Verdict(None, None, "no verdict" if text.strip() else "empty")


def _statements(text: str, form: Format) -> list[Verdict]:
    """Every statement in the order of the text; the head only where the format has one."""
    found = []
    pos = 0
    if form == "answer-first" and (head := _head(text)):
        found.append(head[0])
        pos = head[1]
    return found + [verdict for verdict, _, _ in _keyed(text, pos)]


def _keyed(text: str, pos: int) -> Iterator[tuple[Verdict, int, int]]:
    """The statements with a key from `pos` on, each with where its key begins and where its value ends."""
    while key := _KEY.search(text, pos):
        if scale := _SCALE.match(text, key.start()):
            pos = scale.end()
            continue
        verdict, pos = _value(text, key.end(), named=_is_marked(key))
        if verdict and _asserted(text, key, pos):
            yield verdict, key.start(), pos


def _is_marked(key: re.Match[str]) -> bool:
    return key["mark"] is not None or key["box"] is not None


def _asserted(text: str, key: re.Match[str], end: int) -> bool:
    """Whether the sentence around a value puts it forward as the verdict."""
    before = max(0, key.start() - _WINDOW), key.start()
    if _is_marked(key) or key["copula"]:
        return not _DENIED_NEAR.search(text, *before) and not _CONDITION.match(text, end)
    return bool(
        _ENDS.match(text, end) and _CONCLUDES.search(text, *before) and not _DENIED_FAR.search(text, *before)
    )


def _value(text: str, pos: int, *, named: bool) -> tuple[Verdict | None, int]:
    """The value at `pos` and where it ends; None where there is none, or only an echo of the scale.

    Args:
        text: The whole text.
        pos: Where the value begins.
        named: Whether a tier's name alone is a value here.
    """
    tiers: set[int | None] = set()
    digit = name = None
    atom = _ATOM.match(text, pos)
    if atom is None or (atom["name"] and not (named and _APART.match(text, atom.end()))):
        return None, pos
    while atom:
        tiers.add(_TIERS.get(atom[0].lower()))
        if atom["number"]:
            digit = atom.start() if digit is None else digit
        else:
            name = atom.start() if name is None else name
        pos = atom.end()
        atom = _next_atom(text, pos)
    if tiers >= {1, 4}:
        return None, pos
    if len(tiers) > 1 or None in tiers:
        return Verdict(None, None, "out of range" if None in tiers else "contradictory"), pos
    return Verdict(tiers.pop(), name if digit is None else digit, None), pos


def _next_atom(text: str, pos: int) -> re.Match[str] | None:
    join = _HARD.match(text, pos)
    atom = join and _ATOM.match(text, join.end())
    if atom and atom["number"]:
        return atom
    join = _SOFT.match(text, pos)
    atom = join and _ATOM.match(text, join.end())
    return atom if atom and atom[0].lower() in _TIERS and _APART.match(text, atom.end()) else None


def _head(text: str) -> tuple[Verdict, int] | None:
    """The verdict an answer-first text opens with, and where it ends."""
    lead = _LEAD.match(text)
    start = lead.end() if lead else 0
    key = _KEY.match(text, start)
    start = key.end() if key else start
    closed = _CLOSED.match(text, start)
    if closed and any(_OPENERS[mark] not in text[:start] for mark in set(closed[1])):
        return None
    verdict, end = _value(text, start, named=False)
    if verdict is None or not _ALONE.match(text, end):
        return None
    if verdict.tier:
        item = _ITEM.search(text, end)
        if item and (item[1] or item[2]) == str(verdict.tier + 1):
            return None
        entry = _ENTRY.search(text, end) if re.search(_NAME, text[start:end]) else None
        if entry and _TIERS.get(entry["number"]) in (verdict.tier - 1, verdict.tier + 1):
            return None
    return verdict, end
