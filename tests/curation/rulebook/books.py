"""Rules and rulebooks for tests, made by hand and by hypothesis."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from curation.kinds import KINDS
from curation.rationales.rationale import OUTCOMES, RELATIONS, STRENGTHS
from curation.rulebook.rule import Example, Rule, Rulebook, Scope, When

if TYPE_CHECKING:
    from collections.abc import Sequence

WHEN = ("relation", "strength", "outcome")
SCOPE = ("category", "kind", "attribute", "locale")


def rule(name: str, tier: int | None = None, **fields: Any) -> Rule:
    """A rule whose scope and when are given by their keys, a text for a tuple of one."""
    parts: dict[str, Any] = {
        key: (value,) if isinstance(value := fields.pop(key), str) else value
        for key in (*WHEN, *SCOPE)
        if key in fields
    }
    over = fields.pop("over", ())
    return Rule(
        name,
        fields.pop("text", f"What {name} says."),
        tier,
        Scope(**{key: value for key, value in parts.items() if key in SCOPE}),
        When(**{key: value for key, value in parts.items() if key in WHEN}),
        (over,) if isinstance(over, str) else over,
        **fields,
    )


def book(*rules: Rule) -> Rulebook:
    return Rulebook("shop", 1, "", rules)


SOUND = (
    rule("substitute", 3, relation="substitute"),
    rule("complement", 2, relation="complement"),
    rule("other", 1, relation="other"),
    rule("missed-must", 2, strength=("must", "not"), outcome="missed"),
    rule("missed-wish", 3, strength="wish", outcome="missed"),
    rule("unstated", 3, outcome="unknown"),
)
"""A book of these has nothing wrong."""

# White space counts as one space, and control characters and halves of surrogate pairs are no text.
_TEXTS = (
    st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=80)
    .map(lambda text: " ".join(text.split()))
    .filter(bool)
)
_DAYS = st.none() | st.dates(date(2025, 1, 1), date(2027, 12, 31))


def _some(values: Sequence[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), unique=True, max_size=2).map(tuple)


@st.composite
def rulebooks(draw: st.DrawFn, *, texts: bool = False, days: bool = False) -> Rulebook:
    """Rulebooks as the reader may give them; small vocabularies, so that rules meet. With `texts`, any text."""
    names = draw(
        st.lists(
            st.from_regex(r"[a-e]{1,2}(-[0-9]{1,2})?", fullmatch=True), unique=True, min_size=1, max_size=7
        )
    )
    free = st.lists(_TEXTS, max_size=3).map(tuple)
    examples = st.lists(st.builds(Example, _TEXTS, _TEXTS, st.just("") | _TEXTS), max_size=2).map(tuple)
    rules = []
    for n, name in enumerate(names):
        first, last = (
            sorted(draw(st.tuples(_DAYS, _DAYS)), key=lambda day: day or date.min) if days else (None, None)
        )
        rules.append(
            Rule(
                name,
                draw(_TEXTS) if texts else f"Text of {name}.",
                draw(st.none() | st.integers(1, 4)),
                Scope(
                    draw(free if texts else _some(("hats", "socks"))),
                    draw(_some(KINDS[:2])),
                    draw(free if texts else _some(("colour", "size"))),
                    draw(free if texts else _some(("us",))),
                ),
                When(draw(_some(RELATIONS)), draw(_some(STRENGTHS)), draw(_some(OUTCOMES))),  # type: ignore[arg-type]
                draw(_some(names[:n])) if n else (),
                draw(examples) if texts else (),
                draw(examples) if texts else (),
                first,
                last,
            )
        )
    return Rulebook("shop", draw(st.integers(1, 9)), draw(st.just("") | _TEXTS), tuple(rules))
