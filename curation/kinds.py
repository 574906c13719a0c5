"""Which of the paper's query kinds a query is, by rules for each locale.

The kinds are TaoSR1's hard ones (arXiv 2508.12365): negation, alternative (affordable alternatives), question
(Q&A), knowledge; everything else, and every query of a locale without rules, is ``plain``. Rules are RE2
patterns, tried in order; the first that matches decides.
"""

from __future__ import annotations

KINDS = ("plain", "negation", "alternative", "question", "knowledge")

_ENGLISH: tuple[tuple[str, str], ...] = (
    (
        "alternative",
        r"\b(alternatives?|substitutes?|replacements?|dupes?) (to|for|of)\b|\b(similar to|instead of|"
        r"knock ?-?off|(cheap|cheaper|affordable|budget) (version|alternative|dupe))\b|\blike .+ but (cheaper|less)\b",
    ),
    (
        "question",
        r"\?\s*$|^(what|which|how|who|where|when|why|can|could|do|does|is|are|should|will)\b.*\s",
    ),
    (
        "negation",
        r"\b(without|excluding|except|not|non|no)\b(?: |-)\w|\b\w+[- ]free\b|\bother than\b|\bnothing with\b|\w+less\s",
    ),
    (
        "knowledge",
        r"\b(gifts? for|suitable for|good for|safe for|recommended for|to (prevent|relieve|treat|reduce|remove|help))\b"
        r"|\bfor (a |an |the )?(sensitive|beginners?|rainy|cold|hot|back pain|allerg\w+|arthritis|pregnan\w+|"
        r"camping|hiking|induction|summer|winter|wedding|interview|toddlers?|seniors?)\b",
    ),
)
_RULES = dict.fromkeys(("us", "uk", "ca", "au", "en", "en-US", "en-GB"), _ENGLISH)


def sql_query_kind(text: str, locale: str) -> str:
    """SQL expression for the kind of the query `text` in `locale`, both SQL expressions."""
    branches = [
        f"WHEN {locale} = '{name}' AND regexp_matches({text}, '{pattern}', 'i') THEN '{kind}'"
        for name, rules in _RULES.items()
        for kind, pattern in rules
    ]
    return f"CASE {' '.join(branches)} ELSE 'plain' END"
